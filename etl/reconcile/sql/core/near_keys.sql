-- The keys by which those records look for citizens: one row per record and key.
select
    record_id,
    unnest(block_keys(name_key, birth_date, birth_year, province_code, address)) as key
from core.near_records
union
select
    record_id,
    unnest(flatten(list_transform(numbers, lambda number: number_blocks(number)))) as key
from core.near_records
union
select
    record_id,
    unnest(address_blocks(address)) as key
from core.near_records
where (select street_addresses from ops.parameters)
