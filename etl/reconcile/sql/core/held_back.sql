-- Links that the steps would make against a person's decision that no longer fits what was seen: a
-- record said to be no citizen's, or not this citizen's. The machine does not overrule a person: who
-- decided, or another, looks again.
-- Kind: record.
with outdated as (
    select *
    from core.decided
    where verdict in ('not_link', 'not_a_person') and state <> 'stands'
),

linkable as (
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
    linkable.*,
    'decision_outdated' as reason
from linkable
semi join outdated
    on
        linkable.record_id = outdated.record_id
        and (outdated.verdict = 'not_a_person' or linkable.personal_id = outdated.personal_id)
