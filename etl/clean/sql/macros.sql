-- What needs no dictionary: a number that is already plain digits.

-- Whether anything but blanks stands in a cell; and what does, without blanks around it. (Trimming
-- counts letters, which takes three times as long as reading: few cells need it.)
create or replace temp macro is_written(cell) as
if(starts_with(cell, ' '), trim(cell) <> '', cell <> '');

create or replace temp macro written(cell) as
if(
    cell = '' or starts_with(cell, ' ') or ends_with(cell, ' '), nullif(trim(cell), ''), cell
);

-- A run of up to twelve digits along the keyboard.
create or replace temp macro is_run(raw) as
contains('0123456789012345678901-9876543210987654321098-012345678910', raw);

-- Exactly so many digits, and neither one digit repeated nor a run, which is how forms are filled
-- in by people who have no number. Everything else goes to etl.normalise, by way of clean.numbers.
-- (Patterns of single characters are matched in half the time of a regular expression, and a
-- repeated digit is a multiple of 11…1.)
create or replace temp macro is_plain_number(raw, digits) as
length(raw) = digits
and raw glob repeat('[0-9]', digits)
and try_cast(raw as ubigint) % cast(repeat('1', digits) as ubigint) <> 0
and not is_run(raw);

-- A 15-character card: object code and level, province, insurance number.
create or replace temp macro is_plain_card(raw) as
raw glob ('[A-Z][A-Z][1-5]' || repeat('[0-9]', 12))
and is_plain_number(right(raw, 10), 10);

-- Several former numbers stand in one cell.
create or replace temp macro split_numbers(numbers) as
string_split(replace(replace(numbers, ',', ';'), '|', ';'), ';');
