-- The blocking keys of the records in core.near_records: one row per record and key. A citizen who
-- has one of a record's keys is compared with it.
-- Kind: record.
with numbered as (
    select
        record_id,
        name_key,
        birth_year,
        province_code,
        unnest(numbers) as number
    from core.near_records
)

select
    record_id,
    unnest(person_blocks(name_key, birth_date, birth_year, province_code, address)) as key
from core.near_records
union
select
    record_id,
    unnest(number_blocks(number, name_key, birth_year, province_code)) as key
from numbered
union
select
    record_id,
    unnest(address_blocks(address)) as key
from core.near_records
where (select street_addresses from ops.parameters)
