-- What the probabilistic step compares beside name, birth and sex, and how it finds pairs.
-- Levels are those of etl/domain/codes.py.

-- An address in small letters without accents, one space between its words; null where no letter
-- and no digit is written.
create or replace temp macro plain_address(address) as
nullif(trim(regexp_replace(
    replace(strip_accents(lower(address)), 'đ', 'd'), '[^a-z0-9]+', ' ', 'g'
)), '');

-- An address as its words, each once, sorted; and by letters, where addresses name street and house:
-- as every three that follow each other, spaces left out.
create or replace temp macro address_parts(address, by_letters) as
list_transform(
    [plain_address(address)],
    lambda plain: {
        'words': list_sort(list_distinct(string_split(plain, ' '))),
        'letters': if(
            by_letters,
            list_distinct(list_transform(
                range(1, greatest(length(replace(plain, ' ', '')) - 1, 2)),
                lambda i: replace(plain, ' ', '')[i:i + 2]
            )),
            null
        )
    }
)[1];

-- Of all that two lists hold, the share that both hold.
create or replace temp macro common_share(a, b) as
list_transform(
    [len(list_intersect(a, b))], lambda common: common / greatest(len(a) + len(b) - common, 1)
)[1];

-- Offices write Phường and P., Tỉnh and nothing: the share of common words says more than order.
-- A slip or a lost space spoils one word or two, and few of the letters: so the letters are asked
-- where words leave doubt.
-- (The lists of one number keep DuckDB from counting what is common at every question.)
create or replace temp macro address_agreement(a, b) as
case
    when coalesce(len(a.words), 0) = 0 or coalesce(len(b.words), 0) = 0 then 'missing'
    when a.words = b.words then 'same'
    else list_transform(
        list_transform(
            [common_share(a.words, b.words)],
            lambda words: case
                when words > 0 and words < 0.7
                    then greatest(words, common_share(a.letters, b.letters))
                else words
            end
        ),
        lambda share: case
            when share >= 0.7 then 'near' when share >= 0.4 then 'partly' else 'different'
        end
    )[1]
end;

create or replace temp macro place_agreement(a, b) as
case when a is null or b is null then 'missing' when a = b then 'same' else 'different' end;

-- One slip leaves the first four or the last four of nine digits and more as they are.
create or replace temp macro share_an_end(a, b) as
left(a, 4) = left(b, 4) or right(a, 4) = right(b, 4);

-- The record's numbers against all numbers that the citizen has or had.
create or replace temp macro number_agreement(a_numbers, b_numbers) as
case
    when coalesce(len(a_numbers), 0) = 0 or coalesce(len(b_numbers), 0) = 0 then 'missing'
    when list_has_any(a_numbers, b_numbers) then 'same'
    when
        list_min(flatten(list_transform(
            a_numbers,
            lambda a: list_transform(
                b_numbers, lambda b: if(share_an_end(a, b), damerau_levenshtein(a, b), null)
            )
        ))) = 1
        then 'one_edit'
    else 'different'
end;

create or replace temp macro birth_key(kind, birth_date, beside) as
if(birth_date is not null and beside is not null, hash(kind, birth_date, beside), null);

create or replace temp macro name_block(kind, name, birth_year, province_code) as
if(
    name is not null and birth_year is not null and province_code is not null,
    hash(kind, name, birth_year, province_code),
    null
);

-- What a record and a citizen must share, one thing at least, to be compared at all. Narrow keys
-- stand beside wide ones, because a key that too many citizens share is not used. A null among
-- the parts makes no key.
create or replace temp macro birth_blocks(name_key, birth_date, province_code) as
[
    birth_key('birth', birth_date, ''),
    birth_key('birth, given', birth_date, split_part(name_key, ' ', -1)),
    birth_key('birth, surname', birth_date, split_part(name_key, ' ', 1)),
    birth_key('birth, place', birth_date, province_code)
];

create or replace temp macro name_blocks(name_key, birth_year, province_code) as
[
    name_block('name', name_key, 0, ''),
    name_block('name, year', name_key, birth_year, ''),
    name_block('name, place', name_key, 0, province_code),
    name_block('name, year, place', name_key, birth_year, province_code)
];

create or replace temp macro given_block(name_key, birth_year, province_code) as
name_block('given, year, place', split_part(name_key, ' ', -1), birth_year, province_code);

create or replace temp macro address_block(address) as
if(address is not null, hash('address', lower(address)), null);

-- Any two words of an address: slips spoil some of these keys and leave the others.
create or replace temp macro address_blocks(address) as
list_transform(
    [address_parts(address, false).words],
    lambda words: flatten(list_transform(
        words,
        lambda word: list_transform(
            words[list_position(words, word) + 1:],
            lambda other: hash('words', word, other)
        )
    ))
)[1];

-- A text whole, and without each of its characters in turn: of two that one slip parts, a character
-- added, dropped, changed or swapped with the next, one such gap is the same. So they are found by
-- an equal key, and not by comparing each with each.
create or replace temp macro gaps(text) as
list_distinct(list_prepend(
    hash(text),
    list_transform(
        range(1, length(text) + 1), lambda gap: hash(left(text, gap - 1) || text[gap + 1:])
    )
));

-- A number one slip away begins or ends as the right one does. Nine digits are nearly a number; of
-- the last six there are a million, which a nation shares a hundred and sixty times: so year, given
-- name or province stand beside them, too.
create or replace temp macro number_beginning(number) as
left(number, 9);

create or replace temp macro number_end(number) as
right(number, 6);

create or replace temp macro beginning_block(number) as
hash('beginning', number_beginning(number));

create or replace temp macro end_blocks(number, name_key, birth_year, province_code) as
[
    hash('end', number_end(number)),
    if(birth_year is not null, hash('end, year', number_end(number), birth_year), null),
    if(
        name_key is not null,
        hash('end, given', number_end(number), split_part(name_key, ' ', -1)), null
    ),
    if(province_code is not null, hash('end, place', number_end(number), province_code), null)
];
