-- How a record and a citizen are compared: one definition for every step of the waterfall.
-- Levels are those of etl/codes.py, best first. Arguments are the columns of the clean tables.

-- Same letters once case, i/y and spacing are set aside; accents still count.
create or replace temp macro folded_accents(canonical) as
translate(lower(canonical), 'yýỳỷỹỵ', 'iíìỉĩị');

-- Written without any Vietnamese letter.
create or replace temp macro is_unaccented(canonical) as
length(canonical) = octet_length(encode(canonical));

-- Every syllable of the shorter name stands in the longer one, and first and last are the same.
create or replace temp macro middle_is_missing(a_key, b_key) as
len(string_split(a_key, ' ')) <> len(string_split(b_key, ' '))
and split_part(a_key, ' ', 1) = split_part(b_key, ' ', 1)
and split_part(a_key, ' ', -1) = split_part(b_key, ' ', -1)
and (
    list_has_all(string_split(a_key, ' '), string_split(b_key, ' '))
    or list_has_all(string_split(b_key, ' '), string_split(a_key, ' '))
);

-- The comparison is of keys first: two names are compared letter by letter only where the
-- cheaper questions have not settled it.
create or replace temp macro name_agreement(a_raw, a_name, a_key, b_raw, b_name, b_key) as
case
    when a_key is null or b_key is null then 'missing'
    when a_name = b_name then if(a_raw = b_raw, 'same', 'format')
    when a_key = b_key and (is_unaccented(a_name) or is_unaccented(b_name)) then 'unaccented'
    when a_key = b_key and folded_accents(a_name) = folded_accents(b_name) then 'iy_variant'
    when a_key = b_key then 'accents_differ'
    when middle_is_missing(a_key, b_key) then 'middle_missing'
    when list_sort(string_split(a_key, ' ')) = list_sort(string_split(b_key, ' ')) then 'reordered'
    when damerau_levenshtein(a_key, b_key) = 1 then 'one_edit'
    when damerau_levenshtein(a_key, b_key) = 2 and length(a_key) >= 8 then 'similar'
    when split_part(a_key, ' ', -1) = split_part(b_key, ' ', -1) then 'given_shared'
    when split_part(a_key, ' ', 1) = split_part(b_key, ' ', 1) then 'surname_shared'
    else 'different'
end;

-- Agreements that leave no doubt that it is the same name.
create or replace temp macro name_agrees(level) as
level in ('same', 'format', 'unaccented', 'iy_variant');

-- A birth date of year only, or month and year, is legal: what is missing contradicts nothing.
-- 1 January is often a filler for an unknown day, so against another day of that year it counts
-- as incomplete, not as different.
create or replace temp macro birth_agreement(a_date, a_year, a_month, b_date, b_year, b_month) as
case
    when a_year is null or b_year is null then 'missing'
    when a_date = b_date then 'same'
    when a_date is not null and b_date is not null
        then
            case
                when
                    a_year = b_year
                    and (strftime(a_date, '%m%d') = '0101' or strftime(b_date, '%m%d') = '0101')
                    then 'filler'
                when
                    a_year = b_year and day(a_date) = month(b_date) and month(a_date) = day(b_date)
                    then 'day_month_swapped'
                when
                    abs(a_year - b_year) = 1 and strftime(a_date, '%m%d') = strftime(b_date, '%m%d')
                    then 'year_off_by_one'
                when
                    hamming(strftime(a_date, '%Y%m%d'), strftime(b_date, '%Y%m%d')) = 1
                    then 'one_digit'
                -- Two of day, month and year are the same: a slip in the third.
                when
                    (a_year = b_year)::integer + (month(a_date) = month(b_date))::integer
                    + (day(a_date) = day(b_date))::integer = 2
                    then 'part_shared'
                else 'different'
            end
    when a_year = b_year and a_date is null and b_date is null and a_month is not distinct from b_month
        then 'same_partial'
    when a_year = b_year and coalesce(a_month, b_month) = coalesce(b_month, a_month) then 'consistent'
    when a_year = b_year and a_month is null and b_month is null then 'consistent'
    when abs(a_year - b_year) = 1 then 'year_off_by_one'
    else 'different'
end;

create or replace temp macro gender_agreement(a, b) as
case when a is null or b is null then 'missing' when a = b then 'same' else 'different' end;
