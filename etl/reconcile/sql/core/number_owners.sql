-- Each record compared with the citizens to whom its numbers lead: one row per record and citizen.
-- core.number_pairs judges what follows from that. A filler leads to nobody.
-- Delta: linking.
-- Kind: record.
with numbers_of_nobody as materialized (
    select
        typed.record_id,
        typed.number,
        insurance.recorded_name,
        insurance.full_name,
        insurance.name_key,
        insurance.birth_date,
        insurance.gender
    from core.numbers_of_nobody as typed
    inner join clean.insurance as insurance on typed.record_id = insurance.record_id
),

gaps_of_nobody as (
    select
        *,
        unnest(gaps(number)) as gap
    from numbers_of_nobody
),

gaps_of_namesakes as (
    select
        population.personal_id,
        population.recorded_name,
        population.full_name,
        population.name_key,
        population.birth_date,
        population.gender,
        unnest(gaps(population.personal_id)) as gap
    from clean.population as population
    semi join numbers_of_nobody as typed
        on
            population.name_key = typed.name_key
            and population.birth_date = typed.birth_date
),

-- A number that is nobody's may be a citizen's with one digit wrong or two swapped. It is compared
-- only with the numbers of citizens of exactly the recorded name and birth date, and of these only
-- with the few that have a gap in common with it. (The lengths are compared within if(), because
-- otherwise the engine would join by them.)
mistyped as (
    select distinct
        typed.record_id,
        typed.number,
        population.personal_id
    from gaps_of_nobody as typed
    inner join gaps_of_namesakes as population
        on
            typed.name_key = population.name_key
            and typed.birth_date = population.birth_date
            and typed.gap = population.gap
    where
        if(
            length(typed.number) = length(population.personal_id),
            damerau_levenshtein(typed.number, population.personal_id) = 1,
            false
        )
        and gender_agreement(typed.gender, population.gender) <> 'different'
        and name_agrees(same_key_agreement(
            typed.recorded_name, typed.full_name,
            population.recorded_name, population.full_name
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
    where not claims.is_filler
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
)

select
    pointed.record_id,
    pointed.personal_id,
    pointed.match_step,
    pointed.number,
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
