-- What disagrees: one row per record, code and field, with both sides' values as their registers have
-- them. A number may be wrong in two columns of a record, and is said of each.
-- The codes' owners, severities and labels stand in etl/domain/codes.py. Where a number belongs to
-- somebody else, that person's data is not shown.
-- Kind: record.
with pairs as (
    select
        insurance.record_id,
        insurance.birth_date,
        insurance.gender,
        insurance.id_kind,
        insurance.id_number,
        insurance.id_reject,
        insurance.insurance_number,
        insurance.insurance_personal_id,
        insurance.insurance_number_reject,
        insurance.card_insurance_number as card_number,
        insurance.status,
        insurance.province_code,
        links.personal_id,
        links.name_agreement,
        links.birth_agreement,
        links.gender_agreement,
        population.province_code as citizen_province,
        population.status as citizen_status
    from clean.insurance as insurance
    left join core.links as links on insurance.record_id = links.record_id
    left join clean.population as population on links.personal_id = population.personal_id
),

shared_insurance_numbers as (
    select insurance_number
    from clean.insurance
    where insurance_number is not null
    group by insurance_number
    having count(*) > 1
),

-- A card whose ten digits are the insurance number of another citizen's record, beside a record that
-- has the twelve digits of a personal number in its place.
cards_of_others as (
    select pairs.record_id
    from pairs
    inner join clean.insurance as others on pairs.card_number = others.insurance_number
    inner join core.links as links on others.record_id = links.record_id
    where
        pairs.insurance_personal_id is not null
        and pairs.insurance_number is null
        and pairs.personal_id is not null
    group by pairs.record_id
    having
        bool_or(links.personal_id <> pairs.personal_id)
        and not bool_or(links.personal_id = pairs.personal_id)
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

found as (
    select distinct record_id, code, field
    from core.number_faults
    union all
    select record_id, 'ID_MISSING', 'id_number'
    from pairs
    where id_reject in ('number_missing', 'number_placeholder') and insurance_personal_id is null
    union all
    select record_id, 'ID_INVALID', 'id_number' -- (unreadable, so it is no claim)
    from pairs
    where id_reject is not null and id_reject not in ('number_missing', 'number_placeholder')
    union all
    select record_id, 'INSURANCE_NUMBER_MISSING', 'insurance_number'
    from pairs
    where insurance_number_reject in ('number_missing', 'number_placeholder')
    union all
    select record_id, 'INSURANCE_NUMBER_INVALID', 'insurance_number'
    from pairs
    where
        insurance_number is null and insurance_personal_id is null
        and coalesce(insurance_number_reject, '') not in ('number_missing', 'number_placeholder')
    union all
    select pairs.record_id, 'INSURANCE_NUMBER_SHARED', 'insurance_number'
    from pairs
    semi join shared_insurance_numbers
        on pairs.insurance_number = shared_insurance_numbers.insurance_number
    union all
    -- Two insurance numbers that differ; or a personal number on the card that is not the holder's.
    select record_id, 'CARD_CONFLICT', 'health_card_number'
    from pairs
    where
        if(
            length(card_number) = 12,
            card_number <> coalesce(
                personal_id, insurance_personal_id, if(id_kind = 'personal', id_number, null)
            ),
            card_number <> insurance_number
        )
    union all
    select record_id, 'CARD_CONFLICT', 'health_card_number'
    from cards_of_others
    union all
    select record_id, 'NAME_FORMAT', 'full_name'
    from pairs
    where name_agreement in ('format', 'iy_variant')
    union all
    select record_id, 'NAME_UNACCENTED', 'full_name'
    from pairs
    where name_agreement = 'unaccented'
    union all
    select record_id, 'NAME_DIFFERENT', 'full_name'
    from pairs
    where personal_id is not null and not name_agrees(name_agreement)
    union all
    select record_id, 'BIRTH_PARTIAL', 'date_of_birth'
    from pairs
    where birth_agreement in ('consistent', 'filler', 'missing')
    union all
    select record_id, 'BIRTH_DIFFERENT', 'date_of_birth'
    from pairs
    where
        birth_agreement in (
            'day_month_swapped', 'year_off_by_one', 'one_digit', 'part_shared', 'different'
        )
    union all
    select record_id, 'GENDER_MISSING', 'gender'
    from pairs
    where gender is null
    union all
    select record_id, 'GENDER_DIFFERENT', 'gender'
    from pairs
    where gender_agreement = 'different'
    union all
    select record_id, 'PROVINCE_DIFFERENT', 'province_code'
    from pairs
    where province_code <> citizen_province
    union all
    select pairs.record_id, 'DUPLICATE_INSURANCE', 'record_id'
    from pairs
    semi join several_records on pairs.personal_id = several_records.personal_id
    union all
    select record_id, 'DECEASED_ACTIVE', 'status'
    from pairs
    where citizen_status = 'deceased' and status = 'active'
    union all
    select record_id, 'AMBIGUOUS', 'record_id'
    from in_review
    union all
    select pairs.record_id, 'NOT_IN_POPULATION', 'record_id'
    from pairs
    anti join in_review on pairs.record_id = in_review.record_id
    where pairs.personal_id is null
),

-- (Names are at hand; of the rest, the source rows of the few records concerned are read.)
recorded as (
    select distinct
        insurance.record_id,
        insurance.id_number,
        insurance.insurance_number,
        insurance.health_card_number,
        insurance.date_of_birth,
        insurance.gender,
        insurance.status,
        insurance.province_code
    from raw.insurance as insurance
    semi join (
        select record_id
        from found
        where field <> 'full_name'
    ) as concerned
        on insurance.record_id = concerned.record_id
),

of_citizens as (
    select distinct
        citizens.personal_id,
        population.date_of_birth,
        population.gender,
        population.date_of_death,
        population.province_code
    from raw.population as population
    inner join clean.population as citizens
        on population.personal_id = citizens.recorded_personal_id
    semi join (
        select links.personal_id
        from core.links as links
        semi join (
            select record_id
            from found
            where field <> 'full_name'
        ) as concerned
            on links.record_id = concerned.record_id
    ) as compared
        on citizens.personal_id = compared.personal_id
)

-- Both sides of each field; of the numbers, the right one stands on the citizen's side.
select
    found.record_id,
    found.code,
    found.field,
    case found.field
        when 'id_number' then recorded.id_number
        when 'insurance_number' then recorded.insurance_number
        when 'health_card_number'
            then concat_ws(' / ', recorded.health_card_number, recorded.insurance_number)
        when 'full_name' then insurance.recorded_name
        when 'date_of_birth' then recorded.date_of_birth
        when 'gender' then recorded.gender
        when 'status' then recorded.status
        when 'province_code' then recorded.province_code
        when 'record_id' then if(found.code = 'DUPLICATE_INSURANCE', recorded.insurance_number, null)
    end as insurance_value,
    case
        when codes.field = 'id_number' or found.code = 'DUPLICATE_INSURANCE'
            then links.personal_id
        when found.field = 'full_name' then population.recorded_name
        when found.field = 'date_of_birth' then of_citizens.date_of_birth
        when found.field = 'gender' then of_citizens.gender
        when found.field = 'status' then of_citizens.date_of_death
        when found.field = 'province_code' then of_citizens.province_code
    end as population_value,
    codes.severity,
    codes.owner,
    nullif(codes.portal_code, '') as portal_code
from found
inner join ref.mismatch_codes as codes on found.code = codes.code
inner join clean.insurance as insurance on found.record_id = insurance.record_id
left join recorded on found.record_id = recorded.record_id
left join core.links as links on found.record_id = links.record_id
left join clean.population as population on links.personal_id = population.personal_id
left join of_citizens on links.personal_id = of_citizens.personal_id
