-- What the probabilistic step compares besides name, birth and sex, and how it finds pairs. Levels
-- are those of etl/domain/codes.py.

-- An address in small letters without accents, one space between its words; null where no letter
-- and no digit is written.
create or replace temp macro plain_address(address) as
nullif(trim(regexp_replace(
    replace(strip_accents(lower(address)), 'đ', 'd'), '[^a-z0-9]+', ' ', 'g'
)), '');

-- An address as its distinct words, sorted; and, if by_letters is set because addresses name street
-- and house, as every three consecutive letters, spaces left out.
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

-- Of all elements of two lists, the share that stands in both.
create or replace temp macro common_share(a, b) as
list_transform(
    [len(list_intersect(a, b))], lambda common: common / greatest(len(a) + len(b) - common, 1)
)[1];

-- Offices write Phường or P., and Tỉnh or nothing, so the share of common words says more than
-- their order. A slip or a lost space changes one or two words but few letters, so letters are
-- compared where the words leave doubt. (Each share is put into a list of one, so that DuckDB
-- computes it once and not for every comparison with it.)
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

-- One slip in a number of nine or more digits leaves its first four or its last four unchanged.
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

-- The blocking keys: a record and a citizen are compared only if they share at least one. Narrow
-- keys stand beside wide ones, because a key that too many citizens share is not used. If a part of
-- a key is null, so is the key.
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

-- All keys but those of numbers and of the words of an address.
create or replace temp macro person_blocks(
    name_key, birth_date, birth_year, province_code, address
) as
list_concat(
    list_concat(
        birth_blocks(name_key, birth_date, province_code),
        name_blocks(name_key, birth_year, province_code)
    ),
    [given_block(name_key, birth_year, province_code), address_block(address)]
);

-- A key for each two words of an address: a slip changes some of these keys and leaves the others.
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

-- Hashes of a text and of the same text without each of its characters in turn. Two texts that
-- differ by one slip (a character added, dropped, changed, or swapped with the next one) have one
-- of these hashes in common. So they are found by an equal key, and not by comparing each with
-- each.
create or replace temp macro gaps(text) as
list_distinct(list_prepend(
    hash(text),
    list_transform(
        range(1, length(text) + 1), lambda gap: hash(left(text, gap - 1) || text[gap + 1:])
    )
));

-- A number with one slip begins or ends like the right one. Its first nine digits are nearly the
-- whole number. Its last six have only a million values, each of which a nation uses a hundred and
-- sixty times: so there are also keys with the birth year, the given name or the province beside
-- them.
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

create or replace temp macro number_blocks(number, name_key, birth_year, province_code) as
list_prepend(
    beginning_block(number),
    end_blocks(number, name_key, birth_year, province_code)
);
