-- Each record beside the citizens that its numbers point to, compared and judged.
-- A number alone never links: etl/reconcile/agreement_rules.csv says what name, birth and sex
-- must agree on. The steps personal_id, former_id and repaired_id read their pairs from here.
with known_numbers as (
    select personal_id as number
    from clean.population
    union all
    select former_number
    from clean.former_numbers
),

numbers_of_nobody as materialized (
    select
        claims.record_id,
        claims.number,
        insurance.recorded_name,
        insurance.full_name,
        insurance.name_key,
        insurance.birth_date,
        insurance.gender
    from core.claims as claims
    anti join known_numbers on claims.number = known_numbers.number
    inner join clean.insurance as insurance on claims.record_id = insurance.record_id
),

-- A number that is nobody's, one digit wrong or two swapped: looked for among the citizens of that
-- very name and birth date only. (As if(), or equal lengths would be taken for a key to join by.)
mistyped as (
    select
        typed.record_id,
        typed.number,
        population.personal_id
    from numbers_of_nobody as typed
    inner join clean.population as population
        on
            typed.name_key = population.name_key
            and typed.birth_date = population.birth_date
    where
        if(
            length(typed.number) = length(population.personal_id),
            damerau_levenshtein(typed.number, population.personal_id) = 1,
            false
        )
        and gender_agreement(typed.gender, population.gender) <> 'different'
        and name_agrees(name_agreement(
            typed.recorded_name, typed.full_name, typed.name_key,
            population.recorded_name, population.full_name, population.name_key
        ))
),

pointed as (
    select
        claims.record_id,
        claims.number,
        population.personal_id,
        if(claims.is_repaired, 'repaired_id', 'personal_id') as match_step
    from core.claims as claims
    inner join clean.population as population on claims.number = population.personal_id
    union all
    select
        claims.record_id,
        claims.number,
        former.personal_id,
        if(claims.is_repaired, 'repaired_id', 'former_id') as match_step
    from core.claims as claims
    inner join clean.former_numbers as former on claims.number = former.former_number
    union all
    select
        record_id,
        number,
        personal_id,
        'repaired_id' as match_step
    from mistyped
),

-- Two numbers of a record may point to one citizen.
pointed_once as (
    select
        record_id,
        personal_id,
        match_step,
        min(number) as number
    from pointed
    group by record_id, personal_id, match_step
),

compared as (
    select
        pointed.record_id,
        pointed.personal_id,
        pointed.match_step,
        pointed.number,
        insurance.name_key,
        insurance.birth_date,
        insurance.gender,
        name_agreement(
            insurance.recorded_name, insurance.full_name, insurance.name_key,
            population.recorded_name, population.full_name, population.name_key
        ) as name_agreement,
        birth_agreement(
            insurance.birth_date, insurance.birth_year, insurance.birth_month,
            population.birth_date, population.birth_year, population.birth_month
        ) as birth_agreement,
        gender_agreement(insurance.gender, population.gender) as gender_agreement
    from pointed_once as pointed
    inner join clean.insurance as insurance on pointed.record_id = insurance.record_id
    inner join clean.population as population on pointed.personal_id = population.personal_id
),

-- Where name or birth is not quite right, somebody else may carry exactly the recorded name and
-- birth date: a twin, a sibling, a father. Then the number is the wrong field, not the name. Where
-- the owner has that very name and a birth date that a slip explains, either may be meant.
outdone as (
    select distinct
        compared.record_id,
        compared.personal_id
    from compared
    inner join clean.population as rival
        on
            compared.name_key = rival.name_key
            and compared.birth_date = rival.birth_date
            and compared.personal_id <> rival.personal_id
            and gender_agreement(compared.gender, rival.gender) <> 'different'
    where not (name_agrees(compared.name_agreement) and compared.birth_agreement = 'same')
),

judged as (
    select
        compared.*,
        outdone.record_id is not null
        and verdicts.verdict = 'link'
        and name_agrees(compared.name_agreement)
            as may_be_meant,
        case
            when outdone.record_id is not null then 'other'
            -- A number that had to be repaired is weaker: nothing else may be imperfect.
            when
                compared.match_step = 'repaired_id' and verdicts.verdict = 'link'
                and not (
                    name_agrees(compared.name_agreement)
                    and compared.birth_agreement = 'same'
                    and compared.gender_agreement <> 'different'
                )
                then 'review'
            else verdicts.verdict
        end as verdict
    from compared
    left join outdone
        on
            compared.record_id = outdone.record_id
            and compared.personal_id = outdone.personal_id
    inner join ref.verdicts as verdicts
        on
            compared.name_agreement = verdicts.name_agreement
            and compared.birth_agreement = verdicts.birth_agreement
            and compared.gender_agreement = verdicts.gender_agreement
),

-- Few records have more than one citizen to choose from.
crowded as (
    select
        record_id,
        match_step,
        count(*) filter (verdict = 'link') as linkable
    from judged
    group by record_id, match_step
    having count(*) > 1
)

-- One citizen passes: a link. Several pass: a person chooses among them. None passes but some
-- are near: a person looks. The others look different, and the record goes on down.
select
    judged.record_id,
    judged.personal_id,
    judged.match_step,
    judged.number,
    case
        when judged.verdict = 'link' and crowded.linkable > 1 then 'review'
        when judged.verdict = 'review' and crowded.linkable > 0 then 'other'
        else judged.verdict
    end as verdict,
    case
        when judged.verdict = 'link' and crowded.linkable > 1 then 'several_citizens'
        when judged.verdict = 'link' then 'agrees'
        when judged.verdict = 'review' then 'partial_agreement'
        when judged.may_be_meant then 'somebody_fits_better'
        else 'looks_different'
    end as reason,
    judged.name_agreement,
    judged.birth_agreement,
    judged.gender_agreement
from judged
left join crowded
    on judged.record_id = crowded.record_id and judged.match_step = crowded.match_step
