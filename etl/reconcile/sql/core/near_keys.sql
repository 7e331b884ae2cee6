-- The keys by which those records look for citizens: one row per record and key.
-- Kind: record.
select
    record_id,
    unnest(list_concat(
        list_concat(
            birth_blocks(name_key, birth_date, province_code),
            name_blocks(name_key, birth_year, province_code)
        ),
        other_blocks(name_key, birth_year, province_code, address)
    )) as key
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
