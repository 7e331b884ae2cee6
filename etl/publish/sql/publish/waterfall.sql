-- How many records came into each step, and what became of them there, by province.
-- Kind: total.
with steps as (
    select
        unnest([
            'steward', 'personal_id', 'former_id', 'repaired_id', 'demographic', 'probabilistic'
        ]) as match_step,
        unnest([1, 2, 3, 4, 5, 6]) as step_order
),

-- A record in REVIEW counts at the step that its first candidate came from.
stopped as (
    select
        record_id,
        match_step,
        'linked' as outcome
    from core.links
    union all
    select
        record_id,
        match_step,
        'to_review' as outcome
    from core.candidates
    where candidate_rank = 1
    union all
    select
        record_id,
        'steward' as match_step,
        'none' as outcome
    from core.step_steward
    where verdict = 'none'
),

-- A record that no step stopped went through all six.
journeys as (
    select
        coalesce(insurance.province_code, 'unknown') as province_code,
        coalesce(steps.step_order, 7) as stopped_at,
        stopped.outcome,
        count(*) as records
    from clean.insurance as insurance
    left join stopped on insurance.record_id = stopped.record_id
    left join steps on stopped.match_step = steps.match_step
    group by all
),

reached as (
    select
        *,
        unnest(range(1, stopped_at + 1)) as step_order
    from journeys
),

passed as (
    select
        steps.step_order,
        steps.match_step,
        reached.province_code,
        sum(reached.records) as came_in,
        sum(if(reached.stopped_at = steps.step_order and outcome = 'linked', records, 0))
            as linked,
        sum(if(reached.stopped_at = steps.step_order and outcome = 'to_review', records, 0))
            as to_review,
        sum(if(reached.stopped_at > steps.step_order, records, 0)) as went_on
    from steps
    inner join reached on steps.step_order = reached.step_order
    group by all
)

select
    parameters.run_id,
    passed.step_order,
    passed.match_step,
    coalesce(passed.province_code, 'all') as province_code,
    sum(passed.came_in)::bigint as came_in,
    sum(passed.linked)::bigint as linked,
    sum(passed.to_review)::bigint as to_review,
    sum(passed.went_on)::bigint as went_on
from passed
cross join ops.parameters as parameters
group by grouping sets (
    (parameters.run_id, passed.step_order, passed.match_step, passed.province_code),
    (parameters.run_id, passed.step_order, passed.match_step)
)
