-- What people decided, as far as it counts today: the last word on each record, on each pair of a
-- record and a citizen, and on which of a citizen's records is kept. A decision that was undone
-- does not count. state is 'stands', or the reason why the decision no longer fits what its maker
-- saw: the record or the citizen has changed or is gone. (Without a fingerprint of what was seen,
-- no change can be found.)
-- Kind: record.
with undone as (
    select undoes
    from ops.decisions
    where undoes is not null
),

made as (
    select
        decisions.decision_id,
        decisions.record_id,
        decisions.personal_id,
        decisions.kept_record_id,
        coalesce(
            decisions.verdict, if(decisions.personal_id is null, 'not_a_person', 'link')
        ) as verdict,
        decisions.decided_at,
        decisions.seen
    from ops.decisions as decisions
    anti join undone on decisions.decision_id = undone.undoes
    where decisions.undoes is null
),

-- (The same decision made twice at the same moment counts once.)
said as (
    select *
    from made
    qualify
        row_number() over (
            partition by record_id, verdict, personal_id, kept_record_id, decided_at
            order by decision_id
        ) = 1
),

of_pairs as (
    select *
    from said
    where verdict in ('link', 'not_link')
    qualify rank() over (partition by record_id, personal_id order by decided_at desc) = 1
),

refused as (
    select *
    from of_pairs
    where verdict = 'not_link'
),

-- A link that was refused later does not count for the record: an earlier decision counts again.
of_records as (
    select said.*
    from said
    anti join refused
        on
            said.record_id = refused.record_id
            and said.personal_id = refused.personal_id
            and said.decided_at < refused.decided_at
    where said.verdict in ('link', 'not_a_person')
    qualify rank() over (partition by said.record_id order by said.decided_at desc) = 1
),

kept as (
    select *
    from said
    where verdict = 'keep_record'
    qualify rank() over (partition by record_id order by decided_at desc) = 1
),

counting as (
    select * from of_records
    union all
    select * from refused
    union all
    select * from kept
),

-- (Few are decided on: the registers are not joined whole.)
decided_records as (
    select insurance.*
    from clean.insurance as insurance
    semi join counting on insurance.record_id = counting.record_id
),

decided_citizens as (
    select population.*
    from clean.population as population
    semi join counting on population.personal_id = counting.personal_id
)

select
    counting.* exclude (seen),
    case
        when insurance.record_id is null then 'record_gone'
        when counting.personal_id is not null and population.personal_id is null then 'citizen_gone'
        when
            was_seen_otherwise(
                counting.seen, 2,
                facts_of_record(
                    insurance.recorded_name, insurance.birth_date, insurance.birth_year,
                    insurance.birth_month, insurance.gender, insurance.id_number,
                    insurance.insurance_number, insurance.insurance_personal_id
                )
            )
            then 'record_changed'
        when
            was_seen_otherwise(
                counting.seen, 3,
                facts_of_citizen(
                    population.recorded_name, population.birth_date, population.birth_year,
                    population.birth_month, population.gender, population.personal_id,
                    population.status
                )
            )
            then 'citizen_changed'
        else 'stands'
    end as state
from counting
left join decided_records as insurance on counting.record_id = insurance.record_id
left join decided_citizens as population on counting.personal_id = population.personal_id
