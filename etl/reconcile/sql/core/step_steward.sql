-- Step 1, steward: a person decided who the record is, or that it is no citizen's (personal_id is
-- null). Sticky: it beats every rule until a person decides again. Three things bring a record back:
-- * Two decisions of one moment say different things: a person looks at both.
-- * What was seen has changed since, and does not agree now: a person looks again. (Where all agrees
--   now, the change confirms the decision: the office has corrected the record.)
-- * The citizen is no longer registered: the record goes on as if nobody had decided.
-- Kind: record.
with counted as (
    select
        *,
        count(*) over (partition by record_id) as answers
    from core.decided
    where verdict in ('link', 'not_a_person')
),

compared as (
    select
        counted.*,
        population.personal_id is not null as is_registered,
        coalesce(population.status <> 'deceased', true) as is_alive,
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
),

judged as (
    select
        compared.*,
        compared.state = 'stands'
        or (coalesce(verdicts.verdict = 'link', false) and compared.is_alive) as holds
    from compared
    left join ref.verdicts as verdicts
        on
            compared.name_agreement = verdicts.name_agreement
            and compared.birth_agreement = verdicts.birth_agreement
            and compared.gender_agreement = verdicts.gender_agreement
)

select
    record_id,
    personal_id,
    case
        when answers = 1 and verdict = 'not_a_person' then if(holds, 'none', 'other')
        when not is_registered then 'other'
        when answers > 1 or not holds then 'review'
        else 'link'
    end as verdict,
    case
        when answers > 1 then 'decisions_contradict'
        when not holds then 'decision_outdated'
        else 'decided'
    end as reason,
    name_agreement,
    birth_agreement,
    gender_agreement
from judged
