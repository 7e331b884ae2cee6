-- The citizens who share a key with each record: one row per record and citizen.
-- A key that more citizens share than block_limit is not used: Nguyễn Văn Hùng of 1990 is found by
-- his birth date or his province. A citizen whom a number brought and who looked different is
-- not looked at again; one who may be meant is, whatever the keys.
-- Kind: group.
with wanted as (
    select distinct key
    from core.near_keys
    where key is not null
),

numbers_sought as (
    select distinct unnest(numbers) as number
    from core.near_records
),

ends as (
    select distinct number_end(number) as digits
    from numbers_sought
),

numbers_held as (
    select
        personal_id,
        personal_id as number
    from clean.population
    union all
    select
        personal_id,
        former_number as number
    from clean.former_numbers
),

-- (Keys of a birth date, a name or a number's end are made only of citizens whose date, name or end is
-- looked for: few.)
carried as (
    select
        citizens.personal_id,
        unnest(birth_blocks(citizens.name_key, citizens.birth_date, citizens.province_code)) as key
    from clean.population as citizens
    semi join core.near_records as records on citizens.birth_date = records.birth_date
    union all
    select
        citizens.personal_id,
        unnest(name_blocks(citizens.name_key, citizens.birth_year, citizens.province_code)) as key
    from clean.population as citizens
    semi join core.near_records as records on citizens.name_key = records.name_key
    union all
    select
        personal_id,
        given_block(name_key, birth_year, province_code) as key
    from clean.population
    union all
    select
        personal_id,
        address_block(address) as key
    from clean.population
    union all
    select
        personal_id,
        beginning_block(number) as key
    from numbers_held
    union all
    select
        held.personal_id,
        unnest(end_blocks(
            held.number, citizens.name_key, citizens.birth_year, citizens.province_code
        )) as key
    from numbers_held as held
    semi join ends on number_end(held.number) = ends.digits
    inner join clean.population as citizens on held.personal_id = citizens.personal_id
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
    cross join ops.parameters
    semi join wanted on carried.key = wanted.key
    qualify count(*) over (partition by carried.key) <= parameters.block_limit
)

select
    keys.record_id,
    met.personal_id
from core.near_keys as keys
inner join met on keys.key = met.key
anti join core.number_pairs as judged
    on
        keys.record_id = judged.record_id
        and met.personal_id = judged.personal_id
        and judged.reason = 'looks_different'
union
select
    judged.record_id,
    judged.personal_id
from core.number_pairs as judged
semi join core.near_records as records on judged.record_id = records.record_id
where judged.reason in ('somebody_fits_better', 'repaired_number')
