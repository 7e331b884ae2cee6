-- Each record beside the citizens who share a key with it, by birth date and name.
-- A key that more citizens share than block_limit is not used: Nguyễn Văn Hùng of 1990 is found by
-- his birth date or his province. Pairs that a number brought together have been judged already:
-- a citizen who looked different then is not looked at again, unless somebody fitted only better.
with wanted as (
    select distinct key
    from core.near_keys
    where key is not null
),

carried as (
    select
        personal_id,
        unnest(list_concat(
            block_keys(name_key, birth_date, birth_year, province_code, address),
            number_blocks(personal_id)
        )) as key
    from clean.population
    union all
    select
        personal_id,
        unnest(number_blocks(former_number)) as key
    from clean.former_numbers
    union all
    select
        personal_id,
        unnest(address_blocks(address)) as key
    from clean.population
    where (select street_addresses from ops.parameters)
),

met as (
    select
        carried.key,
        carried.personal_id
    from carried
    semi join wanted on carried.key = wanted.key
    qualify count(*) over (partition by carried.key) <= (select block_limit from ops.parameters)
),

pairs as (
    select distinct
        keys.record_id,
        met.personal_id
    from core.near_keys as keys
    inner join met on keys.key = met.key
    anti join core.number_pairs as judged
        on
            keys.record_id = judged.record_id
            and met.personal_id = judged.personal_id
            and judged.reason <> 'somebody_fits_better'
),

-- The cheaper comparison first: where the dates are of two people, the names must be near, unless
-- an address may say more than both.
dated as (
    select
        pairs.record_id,
        pairs.personal_id,
        birth_agreement(
            records.birth_date, records.birth_year, records.birth_month,
            population.birth_date, population.birth_year, population.birth_month
        ) as birth_agreement
    from pairs
    inner join core.near_records as records on pairs.record_id = records.record_id
    inner join clean.population as population on pairs.personal_id = population.personal_id
    where
        birth_agreement <> 'different'
        or levenshtein(records.name_key, population.name_key) <= 4
        or not (select relatives from ops.parameters)
)

select
    dated.record_id,
    dated.personal_id,
    dated.birth_agreement,
    name_agreement(
        records.recorded_name, records.full_name, records.name_key,
        population.recorded_name, population.full_name, population.name_key
    ) as name_agreement
from dated
inner join core.near_records as records on dated.record_id = records.record_id
inner join clean.population as population on dated.personal_id = population.personal_id
