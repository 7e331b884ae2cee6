-- What needs no dictionary: a number that is already plain digits.

-- Exactly so many digits, and not one digit repeated, which is how forms are filled in by people
-- who have no number. Everything else goes to etl.normalise, by way of clean.numbers.
create or replace temp macro is_plain_number(raw, digits) as
length(raw) = digits and regexp_full_match(raw, '[0-9]+') and raw <> repeat(left(raw, 1), digits);

-- A 15-character card: object code and level, province, insurance number.
create or replace temp macro is_plain_card(raw) as
regexp_full_match(raw, '[A-Z]{2}[1-5][0-9]{12}');
