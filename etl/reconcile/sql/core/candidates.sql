-- What a steward chooses from: the citizens that came near, best first, for records in REVIEW.
-- Delta: linked.
-- Kind: record.
with doubtful as (
    select
        *,
        0 as step_order,
        'steward' as match_step,
        false as place_agrees,
        null::double as match_probability
    from core.step_steward
    where verdict = 'review'
    union all by name
    select
        *,
        1 as step_order,
        'personal_id' as match_step,
        false as place_agrees,
        null::double as match_probability
    from core.step_personal_id
    where verdict = 'review'
    union all by name
    select
        *,
        2 as step_order,
        'former_id' as match_step,
        false as place_agrees,
        null::double as match_probability
    from core.step_former_id
    where verdict = 'review'
    union all by name
    select
        *,
        3 as step_order,
        'repaired_id' as match_step,
        false as place_agrees,
        null::double as match_probability
    from core.step_repaired_id
    where verdict = 'review'
    union all by name
    select
        *,
        4 as step_order,
        'probabilistic' as match_step
    from core.step_probabilistic
    where verdict = 'review'
    union all by name
    select
        *,
        5 as step_order,
        false as place_agrees
    from core.held_back
),

ranked as (
    select
        doubtful.*,
        row_number() over (
            partition by record_id
            order by
                match_probability desc nulls last,
                name_agrees(name_agreement) desc,
                birth_agreement = 'same' desc,
                gender_agreement = 'same' desc,
                place_agrees desc,
                step_order asc,
                personal_id asc
        ) as candidate_rank
    from doubtful
)

select
    record_id,
    candidate_rank::integer as candidate_rank,
    personal_id,
    match_step,
    reason,
    name_agreement,
    birth_agreement,
    gender_agreement,
    match_probability
from ranked
where candidate_rank <= (select review_candidates from ops.parameters)
