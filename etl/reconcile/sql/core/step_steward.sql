-- Step 1, steward: a person decided. Sticky: it beats every rule until a person decides again.
-- A decision may also say that the record is no citizen's; then personal_id is null. The last decision
-- counts; where two that were made at one time say different things, a person must look at both. A
-- citizen who is no longer registered cannot be linked: the record goes on as if nobody had decided.
-- Kind: record.
with latest as (
    select distinct
        record_id,
        personal_id
    from ops.decisions
    qualify rank() over (partition by record_id order by decided_at desc) = 1
),

counted as (
    select
        *,
        count(*) over (partition by record_id) as answers
    from latest
)

select
    insurance.record_id,
    population.personal_id,
    case
        when counted.answers = 1 and counted.personal_id is null then 'none'
        when population.personal_id is null then 'other'
        when counted.answers > 1 then 'review'
        else 'link'
    end as verdict,
    if(counted.answers > 1, 'decisions_contradict', 'decided') as reason,
    name_agreement(
        insurance.recorded_name, insurance.full_name, insurance.name_key,
        population.recorded_name, population.full_name, population.name_key
    ) as name_agreement,
    birth_agreement(
        insurance.birth_date, insurance.birth_year, insurance.birth_month,
        population.birth_date, population.birth_year, population.birth_month
    ) as birth_agreement,
    gender_agreement(insurance.gender, population.gender) as gender_agreement
from counted
inner join clean.insurance as insurance on counted.record_id = insurance.record_id
left join clean.population as population on counted.personal_id = population.personal_id
