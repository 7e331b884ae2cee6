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
    unnest(list_concat(
        list_concat(
            birth_blocks(name_key, birth_date, province_code),
            name_blocks(name_key, birth_year, province_code)
        ),
        [given_block(name_key, birth_year, province_code), address_block(address)]
    )) as key
from core.near_records
union
select
    record_id,
    beginning_block(number) as key
from numbered
union
select
    record_id,
    unnest(end_blocks(number, name_key, birth_year, province_code)) as key
from numbered
union
select
    record_id,
    unnest(address_blocks(address)) as key
from core.near_records
where (select street_addresses from ops.parameters)
