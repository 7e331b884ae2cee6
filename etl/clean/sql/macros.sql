-- What needs no dictionary: a number that is already plain digits.

-- Exactly so many digits, and not one digit repeated, which is how forms are filled in by people
-- who have no number. Everything else goes to etl.normalise, by way of clean.numbers.
-- (Patterns of single characters are matched in half the time of a regular expression, and a
-- repeated digit is a multiple of 11…1.)
create or replace temp macro is_plain_number(raw, digits) as
length(raw) = digits
and raw glob repeat('[0-9]', digits)
and try_cast(raw as ubigint) % cast(repeat('1', digits) as ubigint) <> 0;

-- A 15-character card: object code and level, province, insurance number.
create or replace temp macro is_plain_card(raw) as
raw glob ('[A-Z][A-Z][1-5]' || repeat('[0-9]', 12));

-- Several former numbers stand in one cell.
create or replace temp macro split_numbers(numbers) as
string_split(replace(replace(numbers, ',', ';'), '|', ';'), ';');
