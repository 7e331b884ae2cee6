-- The decisions that follow from the answered rows without a reason against them: the verdict on
-- each record, the fingerprint of what was seen, and what the machine had said. Rows of one record
-- that contradict each other are marked so; no decision is made of them.
create or replace temp table made as
with saying as (
    select
        row_number,
        record_id,
        worklist_id,
        record_facts,
        answer,
        note,
        case
            when chosen is not null then 'link'
            when answer in ('not_this_citizen', 'no_candidate') then 'not_link'
            when answer = 'keep_this_record' then 'keep_record'
            else 'not_a_person'
        end as verdict,
        unnest(
            case
                when chosen is not null then [chosen]
                when answer = 'not_this_citizen' then [linked]
                when answer = 'no_candidate' then candidates
                else [null]
            end
        ) as personal_id,
        if(answer = 'keep_this_record', record_id, null) as kept_record_id
    from judged
    where reason = '' and answer not in ('cannot_be_settled', 'corrected_at_source')
),

whose as (
    select
        record_id,
        count(distinct coalesce(personal_id, 'nobody')) filter (verdict in ('link', 'not_a_person'))
            as answers
    from saying
    group by record_id
),

refused as (
    select
        record_id,
        personal_id
    from saying
    where verdict = 'not_link'
),

contradicting as (
    select whose.record_id
    from whose
    where whose.answers > 1
    union
    select saying.record_id
    from saying
    inner join refused
        on saying.record_id = refused.record_id and saying.personal_id = refused.personal_id
    where saying.verdict = 'link'
),

-- What the waterfall had said: linked or left to a person, and with whom. A link that a person
-- decided is not the machine's.
said as (
    select
        record_id,
        'link' as machine_verdict,
        match_step,
        personal_id,
        match_probability
    from core.links
    union all
    select
        record_id,
        'review' as machine_verdict,
        match_step,
        personal_id,
        match_probability
    from core.candidates
    where candidate_rank = 1
),

machine as (
    select said.*
    from said
    semi join saying on said.record_id = saying.record_id
    qualify row_number() over (partition by said.record_id order by said.machine_verdict asc) = 1
)

select
    saying.row_number,
    contradicting.record_id is not null as contradicts,
    saying.record_id,
    saying.worklist_id,
    saying.answer,
    saying.note,
    saying.verdict,
    saying.personal_id,
    saying.kept_record_id,
    case
        when saying.verdict <> 'keep_record'
            then '1:' || saying.record_facts || ':' || coalesce(
                facts_of_citizen(
                    citizen.recorded_name, citizen.birth_date, citizen.birth_year,
                    citizen.birth_month, citizen.gender, citizen.personal_id, citizen.status
                ), ''
            )
    end as seen,
    case
        when saying.verdict = 'keep_record' or machine.match_step = 'steward' then null
        else coalesce(machine.machine_verdict, 'other')
    end as machine_verdict,
    of_machine.match_step as machine_step,
    of_machine.personal_id as machine_personal_id,
    of_machine.match_probability as machine_probability
from saying
left join contradicting on saying.record_id = contradicting.record_id
left join machine on saying.record_id = machine.record_id
left join machine as of_machine
    on
        saying.record_id = of_machine.record_id
        and saying.verdict <> 'keep_record'
        and of_machine.match_step <> 'steward'
left join clean.population as citizen on saying.personal_id = citizen.personal_id
