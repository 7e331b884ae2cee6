-- The citizens who share a key with each record: one row per record and citizen.
-- A key that more citizens share than block_limit is not used: Nguyễn Văn Hùng of 1990 is found by
-- his birth date or his province instead. All keys of a record together do not bring more than
-- block_limit citizens either: the keys that the fewest share come first. So the work grows with
-- the number of records only, in a nation as in a province. A citizen to whom a number led and who
-- looked different is left out; one to whom a number led and who may be meant is added, whatever
-- the keys. A citizen is left out, too, if a person said that the record is not theirs.
-- Delta: blocking.
-- Whole: clean.population, clean.former_numbers.
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

-- (Keys made of a birth date, a name or a number's end are computed only for the few citizens who
-- share that date, name or end with a record.)
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

sought as materialized (
    select
        carried.key,
        carried.personal_id
    from carried
    semi join wanted on carried.key = wanted.key
),

sizes as (
    select
        key,
        count(*) as citizens
    from sought
    group by key
    having count(*) <= (select block_limit from ops.parameters)
),

used as (
    select
        keys.record_id,
        keys.key
    from core.near_keys as keys
    inner join sizes on keys.key = sizes.key
    qualify
        sum(sizes.citizens) over (partition by keys.record_id order by sizes.citizens, keys.key)
        <= (select block_limit from ops.parameters)
)

select
    used.record_id,
    sought.personal_id
from used
inner join sought on used.key = sought.key
anti join core.number_pairs as judged
    on
        used.record_id = judged.record_id
        and sought.personal_id = judged.personal_id
        and judged.reason = 'looks_different'
anti join core.decided as refused
    on
        used.record_id = refused.record_id
        and sought.personal_id = refused.personal_id
        and refused.verdict = 'not_link'
        and refused.state = 'stands'
union
select
    judged.record_id,
    judged.personal_id
from core.number_pairs as judged
semi join core.near_records as records on judged.record_id = records.record_id
where judged.reason in ('somebody_fits_better', 'repaired_number')
