-- Each record compared with the truth: whether its citizen is identifiable, and what became of it.
-- Reads clean and core of the warehouse, the raw registers, and the simulator's table truth.
with numbers_of_records as (
    select record_id, id_number as number from clean.insurance where id_number is not null
    union
    select record_id, insurance_personal_id from clean.insurance
    where insurance_personal_id is not null
    union
    select record_id, unnest(string_split(id_candidates, ';')) from clean.insurance
    where id_candidates <> ''
    union
    -- The number as typed, digits only, with the zeros that may have been lost. So a number that
    -- the normaliser refuses counts, too.
    select record_id, lpad(digits, width, '0')
    from (
        select
            record_id,
            regexp_replace(id_number, '[^0-9]', '', 'g') as digits,
            unnest([9, 12]) as width
        from raw.insurance
        where not regexp_matches(id_number, '[eE][+]')
    )
    where length(digits) between 7 and width
),

numbers_of_citizens as (
    select personal_id, personal_id as number from clean.population
    union
    select personal_id, former_number from clean.former_numbers
),

-- Records that carry their citizen's own number, present or former, exactly or one repair away (one
-- wrong digit, or two swapped digits).
own_numbers as (
    select distinct truth.record_id
    from truth
    inner join numbers_of_records as records on truth.record_id = records.record_id
    inner join numbers_of_citizens as citizens on truth.personal_id = citizens.personal_id
    where
        length(records.number) = length(citizens.number)
        and damerau_levenshtein(records.number, citizens.number) <= 1
),

unique_births as (
    select name_key, birth_date, any_value(personal_id) as personal_id
    from clean.population
    where name_key is not null and birth_date is not null
    group by name_key, birth_date
    having count(*) = 1
),

unique_places as (
    select name_key, birth_year, province_code, any_value(personal_id) as personal_id
    from clean.population
    where name_key is not null and birth_year is not null and province_code is not null
    group by name_key, birth_year, province_code
    having count(*) = 1
),

compared as (
    select
        truth.record_id,
        name_agreement(
            insurance.recorded_name, insurance.full_name, insurance.name_key,
            population.recorded_name, population.full_name, population.name_key
        ) as name_agreement,
        birth_agreement(
            insurance.birth_date, insurance.birth_year, insurance.birth_month,
            population.birth_date, population.birth_year, population.birth_month
        ) as birth_agreement,
        gender_agreement(insurance.gender, population.gender) as gender_agreement,
        own_numbers.record_id is not null
        and (name_agrees(name_agreement) or birth_agreement in ('same', 'same_partial')) as by_number,
        unique_births.personal_id is not null as by_birth,
        unique_places.personal_id is not null as by_place
    from truth
    inner join clean.insurance as insurance on truth.record_id = insurance.record_id
    inner join clean.population as population on truth.personal_id = population.personal_id
    left join own_numbers on truth.record_id = own_numbers.record_id
    left join unique_births
        on
            insurance.name_key = unique_births.name_key
            and insurance.birth_date = unique_births.birth_date
            and truth.personal_id = unique_births.personal_id
    left join unique_places
        on
            insurance.name_key = unique_places.name_key
            and insurance.birth_year = unique_places.birth_year
            and insurance.province_code = unique_places.province_code
            and truth.personal_id = unique_places.personal_id
),

shown as (
    select distinct truth.record_id
    from truth
    inner join core.candidates as candidates
        on
            truth.record_id = candidates.record_id
            and truth.personal_id = candidates.personal_id
)

select
    truth.record_id,
    record_key(truth.record_id) as record_key,
    truth.faults,
    truth.personal_id is not null as has_citizen,
    coalesce(compared.by_number, false) as by_number,
    coalesce(compared.by_birth, false) as by_birth,
    coalesce(compared.by_place, false) as by_place,
    coalesce(compared.by_number or compared.by_birth or compared.by_place, false)
        as identifiable,
    case
        when reconciled.personal_id = truth.personal_id then 'right'
        when reconciled.personal_id is not null then 'wrong'
        when reconciled.status = 'REVIEW' and shown.record_id is not null then 'review_with'
        when reconciled.status = 'REVIEW' then 'review_without'
        when reconciled.status = 'REJECTED' then 'rejected'
        else 'not_found'
    end as outcome,
    reconciled.match_step,
    reconciled.match_probability,
    reconciled.name_agreement,
    reconciled.birth_agreement,
    reconciled.gender_agreement,
    -- The levels of the true citizen, so that a missing link can be understood.
    compared.name_agreement as true_name_agreement,
    compared.birth_agreement as true_birth_agreement,
    compared.gender_agreement as true_gender_agreement
from truth
left join core.reconciled as reconciled on truth.record_id = reconciled.record_id
left join compared on truth.record_id = compared.record_id
left join shown on truth.record_id = shown.record_id
