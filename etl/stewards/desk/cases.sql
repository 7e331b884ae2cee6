-- What waits for a person: one row per record, queue and code.
--   review        nobody was linked, and a citizen may be the one
--   contradicted  the same, but a person decided on the record, and its data have changed since
--   shared        several records of one citizen, or one number on several people
--   deceased      the citizen has died, and the record is active
-- Left out is what a person has answered, as long as the answer stands (whose the record is, or
-- which of a citizen's records is kept): it waits for the source to be corrected, not for a person.
with of_first_candidates as (
    select
        record_id,
        arg_min(reason, candidate_rank) as reason,
        arg_min(match_step, candidate_rank) as match_step,
        arg_min(match_probability, candidate_rank) as match_probability,
        count(*) as candidates,
        bool_or(reason in ('decision_outdated', 'decisions_contradict', 'citizen_gone'))
            as is_contradicted
    from core.candidates
    group by record_id
),

outdated as (
    select distinct record_id
    from core.decided
    where state <> 'stands'
),

answered as (
    select
        record_id,
        unnest(['ID_SHARED', 'INSURANCE_NUMBER_SHARED', 'DECEASED_ACTIVE']) as code
    from core.decided
    where verdict = 'link' and state = 'stands'
    union
    select
        record_id,
        'DUPLICATE_INSURANCE' as code
    from core.duplicates
    where reason = 'keep_decided'
),

open_mismatches as (
    select
        mismatches.record_id,
        mismatches.code
    from core.mismatches as mismatches
    anti join answered
        on mismatches.record_id = answered.record_id and mismatches.code = answered.code
    semi join waiting_codes on mismatches.code = waiting_codes.code
)

select
    row_number() over (
        order by
            coalesce(since.since_at, parameters.started_at), reconciled.record_id, mismatches.code
    ) as place,
    reconciled.record_id,
    case
        when mismatches.code = 'DECEASED_ACTIVE' then 'deceased'
        when mismatches.code <> 'AMBIGUOUS' then 'shared'
        when found.is_contradicted or outdated.record_id is not null then 'contradicted'
        else 'review'
    end as queue,
    mismatches.code,
    if(mismatches.code = 'AMBIGUOUS', found.reason, mismatches.code) as why,
    if(mismatches.code = 'AMBIGUOUS', found.match_step, reconciled.match_step) as match_step,
    if(mismatches.code = 'AMBIGUOUS', found.match_probability, reconciled.match_probability)
        as match_probability,
    coalesce(found.candidates, 0) as candidates,
    reconciled.province_code,
    coalesce(reconciled.office, reconciled.commune) as office,
    coalesce(since.since_at, parameters.started_at) as since_at
from open_mismatches as mismatches
inner join core.reconciled as reconciled on mismatches.record_id = reconciled.record_id
left join of_first_candidates as found on mismatches.record_id = found.record_id
left join outdated on mismatches.record_id = outdated.record_id
left join open_since as since
    on
        published_key(mismatches.record_id) = since.record_id
        and mismatches.code = since.code
cross join ops.parameters as parameters
order by place
