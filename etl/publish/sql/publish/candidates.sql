-- The citizens a steward chooses from, as they leave.
with leaving as (
    select
        published_key(record_id) as record_id,
        candidate_rank,
        personal_id,
        match_step,
        reason,
        name_agreement,
        birth_agreement,
        gender_agreement,
        match_probability
    from core.candidates
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
