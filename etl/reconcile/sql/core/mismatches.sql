-- What disagrees, one row per record and code, with both sides' values as recorded.
-- The codes' owners, severities and labels stand in etl/codes.py. Where a number belongs to
-- somebody else, that person's data is not shown.
with pairs as (
    select
        insurance.record_id,
        insurance.recorded_name,
        insurance.birth_date,
        insurance.birth_year,
        insurance.birth_month,
        insurance.gender,
        insurance.id_kind,
        insurance.id_number,
        insurance.id_repairs,
        insurance.id_candidates,
        insurance.id_reject,
        insurance.insurance_number,
        insurance.insurance_personal_id,
        insurance.insurance_number_reject,
        insurance.card_insurance_number,
        insurance.status,
        insurance.province_code,
        links.personal_id,
        links.match_step,
        links.name_agreement,
        links.birth_agreement,
        links.gender_agreement,
        population.recorded_name as citizen_name,
        population.birth_date as citizen_birth_date,
        population.birth_year as citizen_birth_year,
        population.birth_month as citizen_birth_month,
        population.gender as citizen_gender,
        population.province_code as citizen_province,
        population.status as citizen_status,
        population.date_of_death
    from clean.insurance as insurance
    left join core.links as links on insurance.record_id = links.record_id
    left join clean.population as population on links.personal_id = population.personal_id
),

-- The few records with a number that leads to somebody who looks different.
misled as (
    select distinct record_id
    from core.number_pairs
    where verdict = 'other' and reason in ('looks_different', 'somebody_fits_better')
),

-- Their numbers that lead to the linked citizen, or to somebody who does not look different. (One
-- CMND may have had several holders; where one of them is the linked citizen, the others are no
-- news.)
own_numbers as (
    select
        considered.record_id,
        considered.number
    from core.number_pairs as considered
    semi join misled on considered.record_id = misled.record_id
    left join core.links as links
        on
            considered.record_id = links.record_id
            and considered.personal_id = links.personal_id
    where
        links.record_id is not null
        or considered.verdict <> 'other'
        or considered.reason = 'repaired_number'
),

-- The records and citizens whom a number brought together only after a repair.
repaired_numbers as (
    select distinct
        record_id,
        personal_id
    from core.number_pairs
    where match_step = 'repaired_id'
),

-- A number that leads only to people who look different.
numbers_of_others as (
    select distinct pairs.record_id
    from core.number_pairs as pairs
    anti join own_numbers
        on pairs.record_id = own_numbers.record_id and pairs.number = own_numbers.number
    anti join core.candidates as candidates
        on pairs.record_id = candidates.record_id and pairs.personal_id = candidates.personal_id
    where
        pairs.verdict = 'other'
        and pairs.reason in ('looks_different', 'somebody_fits_better')
),

-- The same number in records of different people. The one whose number it is has nothing to
-- correct; the others have, and all of them where it is nobody's.
repeated_numbers as (
    select number
    from core.claims
    group by number
    having count(*) > 1
),

carried_numbers as (
    select
        claims.record_id,
        claims.number,
        links.personal_id,
        coalesce(links.personal_id, 'record ' || claims.record_id) as bearer
    from core.claims as claims
    semi join repeated_numbers on claims.number = repeated_numbers.number
    left join core.links as links on claims.record_id = links.record_id
),

shared_numbers as (
    select number
    from carried_numbers
    group by number
    having min(bearer) <> max(bearer)
),

sharing_records as (
    select distinct carried.record_id
    from carried_numbers as carried
    inner join shared_numbers on carried.number = shared_numbers.number
    anti join core.number_pairs as own
        on
            carried.record_id = own.record_id
            and carried.number = own.number
            and carried.personal_id = own.personal_id
),

shared_insurance_numbers as (
    select insurance_number
    from clean.insurance
    where insurance_number is not null
    group by insurance_number
    having count(*) > 1
),

several_records as (
    select personal_id
    from core.links
    group by personal_id
    having count(*) > 1
),

in_review as (
    select distinct record_id
    from core.candidates
),

-- A personal number says century and sex in its fourth digit and the birth year in the next two
-- (docs/normalisation.md). Structure is evidence, not validity: it only informs.
structure as (
    select
        record_id,
        number,
        1900 + 100 * (substr(number, 4, 1)::integer // 2) + substr(number, 5, 2)::integer
            as number_year,
        if(substr(number, 4, 1)::integer % 2 = 0, 'M', 'F') as number_gender
    from core.claims
    where length(number) = 12 and not is_repaired
),

found as (
    select record_id, 'ID_MISSING' as code, null as insurance_value, personal_id as population_value
    from pairs
    where id_reject in ('number_missing', 'number_placeholder') and insurance_personal_id is null
    union all
    select record_id, 'ID_INVALID', id_number, personal_id
    from pairs
    where id_reject is not null and id_reject not in ('number_missing', 'number_placeholder')
    union all
    -- (What was linked by a number is not looked up again.)
    select pairs.record_id, 'ID_INVALID', pairs.id_number, pairs.personal_id
    from pairs
    anti join core.number_pairs as known on pairs.record_id = known.record_id
    where
        pairs.id_reject is null and pairs.id_kind = 'personal'
        and coalesce(pairs.match_step, '') not in ('personal_id', 'former_id', 'repaired_id')
    union all
    select record_id, 'ID_FORMER', id_number, personal_id
    from pairs
    where id_kind = 'cmnd' or match_step = 'former_id'
    union all
    select
        pairs.record_id,
        'ID_REPAIRED',
        coalesce(pairs.id_number, pairs.id_candidates),
        pairs.personal_id
    from pairs
    left join repaired_numbers as repaired
        on pairs.record_id = repaired.record_id and pairs.personal_id = repaired.personal_id
    where regexp_matches(pairs.id_repairs, 'zero|letter') or repaired.record_id is not null
    union all
    select pairs.record_id, 'ID_OTHER_PERSON', pairs.id_number, pairs.personal_id
    from pairs
    inner join numbers_of_others on pairs.record_id = numbers_of_others.record_id
    union all
    select pairs.record_id, 'ID_SHARED', pairs.id_number, pairs.personal_id
    from pairs
    inner join sharing_records on pairs.record_id = sharing_records.record_id
    union all
    select
        pairs.record_id,
        'ID_ATTRIBUTE_CONFLICT',
        min(structure.number),
        min(pairs.personal_id)
    from pairs
    inner join structure on pairs.record_id = structure.record_id
    where structure.number_year <> pairs.birth_year or structure.number_gender <> pairs.gender
    group by pairs.record_id
    union all
    select record_id, 'INSURANCE_NUMBER_MISSING', null, null
    from pairs
    where insurance_number_reject in ('number_missing', 'number_placeholder')
    union all
    select record_id, 'INSURANCE_NUMBER_INVALID', null, null
    from pairs
    where
        insurance_number is null and insurance_personal_id is null
        and coalesce(insurance_number_reject, '') not in ('number_missing', 'number_placeholder')
    union all
    select pairs.record_id, 'INSURANCE_NUMBER_SHARED', pairs.insurance_number, null
    from pairs
    inner join shared_insurance_numbers
        on pairs.insurance_number = shared_insurance_numbers.insurance_number
    union all
    select record_id, 'CARD_CONFLICT', concat_ws(' / ', card_insurance_number, insurance_number), null
    from pairs
    where card_insurance_number <> insurance_number
    union all
    select record_id, 'NAME_FORMAT', recorded_name, citizen_name
    from pairs
    where name_agreement in ('format', 'iy_variant')
    union all
    select record_id, 'NAME_UNACCENTED', recorded_name, citizen_name
    from pairs
    where name_agreement = 'unaccented'
    union all
    select record_id, 'NAME_DIFFERENT', recorded_name, citizen_name
    from pairs
    where
        personal_id is not null
        and not name_agrees(name_agreement)
    union all
    select
        record_id,
        'BIRTH_PARTIAL',
        coalesce(birth_date::varchar, concat_ws('-', birth_year, birth_month)),
        coalesce(citizen_birth_date::varchar, concat_ws('-', citizen_birth_year, citizen_birth_month))
    from pairs
    where birth_agreement in ('consistent', 'filler', 'missing')
    union all
    select
        record_id,
        'BIRTH_DIFFERENT',
        coalesce(birth_date::varchar, concat_ws('-', birth_year, birth_month)),
        coalesce(citizen_birth_date::varchar, concat_ws('-', citizen_birth_year, citizen_birth_month))
    from pairs
    where birth_agreement in ('day_month_swapped', 'year_off_by_one', 'one_digit', 'part_shared', 'different')
    union all
    select record_id, 'GENDER_MISSING', null, citizen_gender
    from pairs
    where gender is null
    union all
    select record_id, 'GENDER_DIFFERENT', gender, citizen_gender
    from pairs
    where gender_agreement = 'different'
    union all
    select record_id, 'PROVINCE_DIFFERENT', province_code, citizen_province
    from pairs
    where province_code <> citizen_province
    union all
    select pairs.record_id, 'DUPLICATE_INSURANCE', pairs.insurance_number, pairs.personal_id
    from pairs
    inner join several_records on pairs.personal_id = several_records.personal_id
    union all
    select record_id, 'DECEASED_ACTIVE', status, date_of_death::varchar
    from pairs
    where citizen_status = 'deceased' and status = 'active'
    union all
    select pairs.record_id, 'AMBIGUOUS', null, null
    from pairs
    inner join in_review on pairs.record_id = in_review.record_id
    union all
    select pairs.record_id, 'NOT_IN_POPULATION', null, null
    from pairs
    anti join in_review on pairs.record_id = in_review.record_id
    where pairs.personal_id is null
)

select
    found.record_id,
    found.code,
    codes.field,
    found.insurance_value,
    found.population_value,
    codes.severity,
    codes.owner,
    nullif(codes.portal_code, '') as portal_code
from found
inner join ref.mismatch_codes as codes on found.code = codes.code
