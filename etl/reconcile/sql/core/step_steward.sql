-- Step 1, steward: a person decided. Sticky: it beats every rule until a person decides again.
-- A decision may also say that the record is no citizen's; then personal_id is null.
with latest as (
    select
        record_id,
        personal_id
    from ops.decisions
    qualify row_number() over (
        partition by record_id order by decided_at desc, personal_id asc nulls first
    ) = 1
)

select
    insurance.record_id,
    population.personal_id,
    case
        when latest.personal_id is null then 'none'
        when population.personal_id is null then 'other'
        else 'link'
    end as verdict,
    'decided' as reason,
    name_agreement(
        insurance.recorded_name, insurance.full_name, insurance.name_key,
        population.recorded_name, population.full_name, population.name_key
    ) as name_agreement,
    birth_agreement(
        insurance.birth_date, insurance.birth_year, insurance.birth_month,
        population.birth_date, population.birth_year, population.birth_month
    ) as birth_agreement,
    gender_agreement(insurance.gender, population.gender) as gender_agreement
from latest
inner join clean.insurance as insurance on latest.record_id = insurance.record_id
left join clean.population as population on latest.personal_id = population.personal_id
