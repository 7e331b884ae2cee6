-- Macros for cells that need no dictionary, such as a number that is already plain digits.

-- is_written says whether a cell holds anything but blanks; written is its content without the
-- blanks around it. trim() counts letters, which takes five times as long as looking at the first
-- and the last character, and few cells need it. A blank is what trim() takes away: every space of
-- Unicode (Zs), which Word and web pages leave behind. (The list is in two short parts, because
-- DuckDB turns a long one into a join.)
create or replace temp macro begins_blank(cell) as
unicode(cell) in (32, 160, 5760)
or unicode(cell) between 8192 and 8202
or unicode(cell) in (8239, 8287, 12288);

create or replace temp macro ends_blank(cell) as
(
    ends_with(cell, ' ')
    or ends_with(cell, chr(160)) or ends_with(cell, chr(5760)) or ends_with(cell, chr(8192))
    or ends_with(cell, chr(8193)) or ends_with(cell, chr(8194)) or ends_with(cell, chr(8195))
    or ends_with(cell, chr(8196)) or ends_with(cell, chr(8197)) or ends_with(cell, chr(8198))
    or ends_with(cell, chr(8199)) or ends_with(cell, chr(8200)) or ends_with(cell, chr(8201))
    or ends_with(cell, chr(8202)) or ends_with(cell, chr(8239)) or ends_with(cell, chr(8287))
    or ends_with(cell, chr(12288))
);

create or replace temp macro is_written(cell) as
if(begins_blank(cell), trim(cell) <> '', cell <> '');

create or replace temp macro written(cell) as
if(
    cell = '' or begins_blank(cell) or ends_blank(cell), nullif(trim(cell), ''), cell
);

-- A run of up to twelve digits along the keyboard.
create or replace temp macro is_run(raw) as
contains('0123456789012345678901-9876543210987654321098-012345678910', raw);

-- Whether digits are neither one digit repeated nor a run. (A repeated digit is a multiple of 11…1.)
create or replace temp macro is_no_filler(raw, digits) as
try_cast(raw as ubigint) % cast(repeat('1', digits) as ubigint) <> 0
and not is_run(raw);

-- Exactly this many digits, and neither one digit repeated nor a run, which people who have no
-- number write into forms. Everything else goes to etl.normalise, by way of clean.numbers.
-- (A pattern of single characters is matched in half the time of a regular expression.)
create or replace temp macro is_plain_number(raw, digits) as
length(raw) = digits
and raw glob repeat('[0-9]', digits)
and is_no_filler(raw, digits);

-- A 15-character card: object code and level, province, insurance number.
create or replace temp macro is_plain_card(raw) as
raw glob ('[A-Z][A-Z][1-5]' || repeat('[0-9]', 12))
and is_no_filler(substr(raw, 6), 10);

-- Splits a cell with several former numbers.
create or replace temp macro split_numbers(numbers) as
string_split(replace(replace(numbers, ',', ';'), '|', ';'), ';');
