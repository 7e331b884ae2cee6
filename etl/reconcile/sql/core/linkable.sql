-- The citizen to whom a step would link each unsettled record: at most one row per record. Rows that
-- a person's decision forbids go to core.held_back; the others become links (core.links).
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
