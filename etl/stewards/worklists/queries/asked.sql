-- What offices are asked: one row per shape, record and code, with who corrects it. wish is one
-- row: shapes (a list), provinces and routes (lists; an empty one means all), all_matched. Not
-- asked about are records that a person has said to be no citizen's, and matches without mismatches
-- that a person has confirmed.
create or replace temp table worklist_asked as
with undone as (
    select undoes
    from ops.decisions
    where undoes is not null
),

-- Records on which somebody has decided since this run: the next run applies the decision, and
-- nobody is asked again before that.
waiting as (
    select decisions.record_id
    from ops.decisions as decisions
    anti join undone on decisions.decision_id = undone.undoes
    cross join ops.parameters as parameters
    where decisions.undoes is null and decisions.decided_at > parameters.started_at
),

chosen as (
    select reconciled.*
    from core.reconciled as reconciled
    anti join waiting on reconciled.record_id = waiting.record_id
    anti join core.decided as decided
        on
            reconciled.record_id = decided.record_id
            and decided.verdict = 'not_a_person'
            and decided.state = 'stands'
    cross join wish
    where
        reconciled.status <> 'REJECTED'
        and (
            len(wish.provinces) = 0
            or list_contains(wish.provinces, coalesce(reconciled.province_code, 'unknown'))
        )
),

problems as (
    select
        mismatches.*,
        -- Where card and number differ, the number may be the wrong one.
        coalesce(of_field.reason, of_number.reason) as remedy,
        coalesce(of_field.proposed_value, of_number.proposed_value) as proposed_value,
        coalesce(of_field.evidence, of_number.evidence) as evidence
    from core.mismatches as mismatches
    semi join chosen on mismatches.record_id = chosen.record_id
    left join core.corrections as of_field
        on mismatches.record_id = of_field.record_id and mismatches.field = of_field.field
    left join core.corrections as of_number
        on
            mismatches.record_id = of_number.record_id
            and mismatches.code = 'CARD_CONFLICT'
            and of_number.field = 'insurance_number'
    where mismatches.severity <> 'info'
),

-- A match has one row, whatever disagrees: that of its gravest mismatch.
gravest as (
    select *
    from problems
    qualify
        row_number() over (
            partition by record_id
            order by severity = 'error' desc, code asc
        ) = 1
),

asked as (
    select
        'matched' as shape,
        chosen.record_id,
        coalesce(gravest.code, 'VERIFIED') as code,
        route_of(coalesce(gravest.owner, 'citizen'), gravest.remedy) as route,
        gravest.* exclude (record_id, code)
    from chosen
    left join gravest on chosen.record_id = gravest.record_id
    cross join wish
    where
        chosen.personal_id is not null
        and (gravest.code is not null or (wish.all_matched and chosen.match_step <> 'steward'))
    union all by name
    select
        'not_matched' as shape,
        chosen.record_id,
        if(chosen.status = 'REVIEW', 'AMBIGUOUS', 'NOT_IN_POPULATION') as code,
        if(chosen.status = 'REVIEW', 'insurance', 'citizen') as route
    from chosen
    where chosen.status in ('REVIEW', 'NOT_FOUND')
    union all by name
    select
        'corrections' as shape,
        route_of(problems.owner, problems.remedy) as route,
        problems.*
    from problems
    inner join chosen on problems.record_id = chosen.record_id
    where chosen.personal_id is not null
)

select asked.*
from asked
cross join wish
where
    list_contains(wish.shapes, asked.shape)
    and (len(wish.routes) = 0 or list_contains(wish.routes, asked.route))
