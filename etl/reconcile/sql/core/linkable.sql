-- The citizen whom a step links each unsettled record to: one row per record at most. What a person's
-- decision forbids is held back (core.held_back); the other rows become links (core.links).
-- Delta: linked.
-- Kind: record.
select
    record_id,
    personal_id,
    'steward' as match_step,
    name_agreement,
    birth_agreement,
    gender_agreement,
    null::double as match_probability
from core.step_steward
where verdict = 'link'
union all
select
    record_id,
    personal_id,
    'personal_id' as match_step,
    name_agreement,
    birth_agreement,
    gender_agreement,
    null::double as match_probability
from core.step_personal_id
where verdict = 'link'
union all
select
    record_id,
    personal_id,
    'former_id' as match_step,
    name_agreement,
    birth_agreement,
    gender_agreement,
    null::double as match_probability
from core.step_former_id
where verdict = 'link'
union all
select
    record_id,
    personal_id,
    'repaired_id' as match_step,
    name_agreement,
    birth_agreement,
    gender_agreement,
    null::double as match_probability
from core.step_repaired_id
where verdict = 'link'
union all
select
    record_id,
    personal_id,
    'demographic' as match_step,
    name_agreement,
    birth_agreement,
    gender_agreement,
    null::double as match_probability
from core.step_demographic
where verdict = 'link'
union all
select
    record_id,
    personal_id,
    'probabilistic' as match_step,
    name_agreement,
    birth_agreement,
    gender_agreement,
    match_probability
from core.step_probabilistic
where verdict = 'link'
