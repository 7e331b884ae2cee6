-- Proposed corrections, as published: a person accepts them; they are never written to a source.
-- A record is named by its published key, as everywhere in the target.
-- Delta: findings.
-- Kind: record.
with leaving as (
    select
        published_key(record_id) as record_id,
        field,
        code,
        if(field = 'record_id', published_key(recorded_value), printable(recorded_value))
            as recorded_value,
        if(field = 'record_id', published_key(proposed_value), printable(proposed_value))
            as proposed_value,
        authority,
        reason,
        evidence
    from core.corrections
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
