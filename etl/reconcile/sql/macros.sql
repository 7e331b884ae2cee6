-- How a record and a citizen are compared: one definition for every step of the waterfall.
-- Levels are those of etl/domain/codes.py, best first. Arguments are the columns of the clean tables.

-- etl/normalise/compare.py is the readable reference of these levels; tests/unit/test_agreement.py
-- checks that both give the same ones.

-- Written without any Vietnamese letter.
create or replace temp macro is_unaccented(canonical) as
length(canonical) = strlen(canonical);

create or replace temp macro without_marks(canonical) as
replace(replace(replace(lower(canonical), ' ', ''), '''', ''), '-', '');

-- For two names with equal keys: the same words in the same order. Accents still count: Hoa and Hòa
-- are two names. (A statement that joins by name_key calls this macro and not name_agreement, which
-- is so long that the engine would spend more time on planning it than on comparing a few thousand
-- names.)
create or replace temp macro same_key_agreement(a_raw, a_name, b_raw, b_name) as
case
    when a_name = b_name then if(a_raw = b_raw, 'same', 'format')
    when without_marks(a_name) = without_marks(b_name) then 'format'
    when
        translate(without_marks(a_name), 'yýỳỷỹỵ', 'iíìỉĩị')
        = translate(without_marks(b_name), 'yýỳỷỹỵ', 'iíìỉĩị')
        then 'iy_variant'
    when is_unaccented(a_name) <> is_unaccented(b_name) then 'unaccented'
    else 'accents_differ'
end;

-- Puts a space of its own on each side of every word, so that a LIKE pattern matches whole words
-- only.
create or replace temp macro spaced(text) as
' ' || replace(text, ' ', '  ') || ' ';

-- Every word of the shorter name stands in the longer one, in the same order, and both names begin
-- and end with the same words.
create or replace temp macro lacks_middle(short, long) as
spaced(long) like replace(spaced(short), '  ', ' % ');

-- N. V. An for Nguyễn Văn An: initials, then the whole given name. Both names must have equally
-- many words, so that the % behind an initial cannot match more than the rest of that word.
create or replace temp macro is_abbreviation(short, long) as
len(string_split(short, ' ')) = len(string_split(long, ' '))
and spaced(long) like regexp_replace(
    spaced(short), ' ([^ ]|ch|kh|ng|nh|ph|th|tr) ', ' \1% ', 'g'
);

-- DuckDB's edit distance counts bytes, so each Vietnamese letter is given a byte of its own.
-- (The rare ỵ and foreign letters keep their two or three bytes, so one of them counts as two or
-- three letters.)
create or replace temp macro letter_bytes(text) as
translate(
    text,
    'ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹ',
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!"#$%&()*+,./:;<=>?@[\]^_`{|}~'
);

-- More alike than not: Thắng and Thanh, but not Lan and Mai.
create or replace temp macro is_near_word(a, b) as
2 * damerau_levenshtein(a, b) < greatest(strlen(a), strlen(b));

create or replace temp macro same_first_word(a, b) as
split_part(a, ' ', 1) = split_part(b, ' ', 1);

create or replace temp macro same_last_word(a, b) as
split_part(a, ' ', -1) = split_part(b, ' ', -1);

create or replace temp macro all_but_last(name) as
left(name, length(name) - length(split_part(name, ' ', -1)));

-- All words but the last are the same, and there are some; accents count unless one side has none.
create or replace temp macro differs_in_last_word(a_name, a_key, b_name, b_key) as
contains(a_key, ' ')
and if(
    is_unaccented(a_name) = is_unaccented(b_name),
    all_but_last(lower(a_name)) = all_but_last(lower(b_name)),
    all_but_last(a_key) = all_but_last(b_key)
);

create or replace temp macro ends_are_near(a, b) as
is_near_word(split_part(a, ' ', 1), split_part(b, ' ', 1))
and is_near_word(split_part(a, ' ', -1), split_part(b, ' ', -1));

create or replace temp macro letters_apart(a, b) as
damerau_levenshtein(letter_bytes(a), letter_bytes(b));

-- Whether one letter ('one_edit') or, in a longer name, two letters ('similar') were added,
-- dropped, changed, or swapped with the next one; null otherwise. (The keys are compared first,
-- because that is cheap and rules out most pairs. Two such edits are at most four without swaps,
-- and leaving out accents adds none; two more allow for an i or y, or a space, that the keys write
-- differently.)
create or replace temp macro letters_agreement(a, b, a_key, b_key) as
case
    when abs(length(a) - length(b)) > 2 then null
    when levenshtein(replace(a_key, 'y', 'i'), replace(b_key, 'y', 'i')) > 6 then null
    when letters_apart(a, b) = 1 then 'one_edit'
    when length(a) < 8 or length(b) < 8 then null
    when letters_apart(a, b) <> 2 then null
    when ends_are_near(letter_bytes(a), letter_bytes(b)) then 'similar'
end;

create or replace temp macro has_word(text, word) as
contains(' ' || text || ' ', ' ' || word || ' ');

-- (Sorting is expensive, so it is done only for the very few pairs in which each name contains the
-- first and the last word of the other.)
create or replace temp macro same_words(a, b) as
if(
    length(a) = length(b)
    and has_word(a, split_part(b, ' ', 1)) and has_word(a, split_part(b, ' ', -1))
    and has_word(b, split_part(a, ' ', 1)) and has_word(b, split_part(a, ' ', -1)),
    list_sort(string_split(a, ' ')) = list_sort(string_split(b, ' ')),
    false
);

-- For two names with different keys, so that more than the way of writing differs. (CASE and if()
-- evaluate the next condition only for the pairs that are still undecided; AND evaluates it for
-- all.)
create or replace temp macro words_agreement(a, b, a_key, b_key) as
case
    when
        if(
            same_first_word(a, b) and same_last_word(a, b),
            lacks_middle(a, b) or lacks_middle(b, a),
            false
        )
        then 'middle_missing'
    when
        if(same_last_word(a, b), is_abbreviation(a, b) or is_abbreviation(b, a), false)
        then 'abbreviated'
    when same_words(a, b) then 'reordered'
    -- A slip of the keyboard changes at most one end of a name.
    when not same_first_word(a, b) and not same_last_word(a, b) then 'different'
    else
        coalesce(
            letters_agreement(a, b, a_key, b_key),
            if(same_last_word(a, b), 'given_shared', 'surname_shared')
        )
end;

-- Cheaper comparisons come first. Accents count unless one side has none.
create or replace temp macro name_agreement(a_raw, a_name, a_key, b_raw, b_name, b_key) as
case
    when a_key is null or b_key is null then 'missing'
    when a_key = b_key then same_key_agreement(a_raw, a_name, b_raw, b_name)
    -- Most pairs of strangers end here. (The names are compared beside the keys, because a key may
    -- join words: the key of K An is kan.)
    when
        length(a_key) <> length(b_key) and length(a_name) <> length(b_name)
        and not same_first_word(a_key, b_key) and not same_last_word(a_key, b_key)
        and not same_first_word(lower(a_name), lower(b_name))
        then 'different'
    when is_unaccented(a_name) = is_unaccented(b_name)
        then words_agreement(lower(a_name), lower(b_name), a_key, b_key)
    else words_agreement(a_key, b_key, a_key, b_key)
end;

-- Agreements that leave no doubt that it is the same name. All of them have equal keys.
create or replace temp macro name_agrees(level) as
level in ('same', 'format', 'iy_variant', 'unaccented');

-- A birth date may legally be a year, or a month and a year: a missing part contradicts nothing.
-- 1 January is often a filler for an unknown day, so against another day of that year it counts
-- as incomplete, not as different.
create or replace temp macro birth_agreement(a_date, a_year, a_month, b_date, b_year, b_month) as
case
    when a_year is null or b_year is null then 'missing'
    when a_date = b_date then 'same'
    when a_date is not null and b_date is not null
        then
            case
                when a_year = b_year and (dayofyear(a_date) = 1 or dayofyear(b_date) = 1)
                    then 'filler'
                when
                    a_year = b_year and day(a_date) = month(b_date) and month(a_date) = day(b_date)
                    then 'day_month_swapped'
                when
                    abs(a_year - b_year) = 1 and month(a_date) = month(b_date)
                    and day(a_date) = day(b_date)
                    then 'year_off_by_one'
                -- Two of day, month and year are the same: the third has a slip of one digit or
                -- more.
                when
                    (a_year = b_year)::integer + (month(a_date) = month(b_date))::integer
                    + (day(a_date) = day(b_date))::integer = 2
                    then
                        if(
                            hamming(strftime(a_date, '%Y%m%d'), strftime(b_date, '%Y%m%d')) = 1,
                            'one_digit', 'part_shared'
                        )
                else 'different'
            end
    when a_year = b_year and a_date is null and b_date is null and a_month is not distinct from b_month
        then 'same_partial'
    when a_year = b_year and coalesce(a_month, b_month, 0) = coalesce(b_month, a_month, 0)
        then 'consistent'
    when abs(a_year - b_year) = 1 and coalesce(a_month, b_month, 0) = coalesce(b_month, a_month, 0)
        then 'year_off_by_one'
    else 'different'
end;

create or replace temp macro gender_agreement(a, b) as
case when a is null or b is null then 'missing' when a = b then 'same' else 'different' end;
