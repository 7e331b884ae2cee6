-- Proposed corrections, as they leave: for a person to accept, never written to a source.
with leaving as (
    select
        published_key(record_id) as record_id,
        field,
        code,
        printable(recorded_value) as recorded_value,
        printable(proposed_value) as proposed_value,
        authority
    from core.corrections
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
