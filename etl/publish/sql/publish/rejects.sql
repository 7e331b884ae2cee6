-- Source rows that could not be used, as published, with what must be corrected at the source.
-- Kind: record.
with leaving as (
    select
        register,
        row_key,
        published_key(record_id) as record_id,
        reason,
        column_name,
        printable(raw_value) as raw_value,
        reason_vi,
        reason_en
    from clean.rejects
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
