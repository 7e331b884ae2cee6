-- Step 1, steward: a person decided who the record is, or that it is no citizen's (personal_id is
-- null). The decision beats every rule until a person decides again, with three exceptions:
-- * Two decisions made at the same moment contradict each other: a person looks at both.
-- * The facts that were seen have changed since, and record and citizen do not agree now: a person
--   looks again. (Where name, birth date and sex agree, the citizen is alive and the record carries
--   nobody else's number, the change confirms the decision: the office has corrected the record.)
-- * The citizen is no longer registered: the record goes on as if nobody had decided.
-- Delta: linking.
-- Kind: record.
with refused as (
    select
        record_id,
        personal_id
    from core.decided
    where verdict = 'not_link'
),

counted as (
    select
        decided.*,
        count(*) over (partition by decided.record_id) > 1 or refused.record_id is not null
            as is_contradicted
    from core.decided as decided
    left join refused
        on decided.record_id = refused.record_id and decided.personal_id = refused.personal_id
    where decided.verdict in ('link', 'not_a_person')
),

carried as (
    select
        counted.record_id,
        counted.personal_id,
        unnest([insurance.id_number, insurance.insurance_personal_id]) as number
    from counted
    inner join clean.insurance as insurance on counted.record_id = insurance.record_id
),

held as (
    select
        carried.number,
        population.personal_id
    from carried
    inner join clean.population as population on carried.number = population.personal_id
    union
    select
        carried.number,
        former.personal_id
    from carried
    inner join clean.former_numbers as former on carried.number = former.former_number
),

-- Records that carry a number of another citizen that is not also the decided citizen's.
with_numbers_of_others as (
    select distinct carried.record_id
    from carried
    inner join held on carried.number = held.number
    anti join held as own
        on carried.number = own.number and carried.personal_id = own.personal_id
),

compared as (
    select
        counted.*,
        population.personal_id is not null as is_registered,
        coalesce(population.status <> 'deceased', true) and others.record_id is null as is_possible,
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
    left join with_numbers_of_others as others on counted.record_id = others.record_id
),

judged as (
    select
        *,
        state = 'stands'
        or (
            is_possible
            and coalesce(name_agrees(name_agreement), false)
            and birth_agreement = 'same'
            and gender_agreement <> 'different'
        ) as holds
    from compared
)

select
    record_id,
    personal_id,
    case
        when verdict = 'not_a_person' then if(holds and not is_contradicted, 'none', 'other')
        when not is_registered then 'other'
        when is_contradicted or not holds then 'review'
        else 'link'
    end as verdict,
    case
        when is_contradicted then 'decisions_contradict'
        when personal_id is not null and not is_registered then 'citizen_gone'
        when not holds then 'decision_outdated'
        else 'decided'
    end as reason,
    name_agreement,
    birth_agreement,
    gender_agreement
from judged
