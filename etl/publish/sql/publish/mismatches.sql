-- One row per record and mismatch code, as it leaves.
with leaving as (
    select
        published_key(record_id) as record_id,
        code,
        field,
        printable(insurance_value) as insurance_value,
        printable(population_value) as population_value,
        severity,
        owner,
        portal_code
    from core.mismatches
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
