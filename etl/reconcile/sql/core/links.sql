-- Who is linked to whom, by the first step that settled it: one row per linked record. What a
-- person's decision stands against is not linked (core.held_back).
-- Kind: record.
with by_steps as (
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
)

select
    settled.record,
    settled.citizen,
    insurance.record_id,
    insurance.id_number as personal_id,
    'personal_id' as match_step,
    settled.name_agreement,
    'same' as birth_agreement,
    'same' as gender_agreement,
    null::double as match_probability
from core.settled as settled
inner join clean.insurance as insurance on settled.record = insurance.record
union all
select
    insurance.record,
    population.citizen,
    by_steps.*
from by_steps
inner join clean.insurance as insurance on by_steps.record_id = insurance.record_id
inner join clean.population as population on by_steps.personal_id = population.personal_id
anti join core.held_back as held_back on by_steps.record_id = held_back.record_id
