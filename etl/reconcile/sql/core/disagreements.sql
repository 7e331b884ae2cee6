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
    left join core.links as links on insurance.record = links.record
    left join clean.population as population on links.citizen = population.citizen
),

-- What one record and its citizen tell: every code a column, so that the registers are read once.
told as (
    select
        record_id,
        id_reject in ('number_missing', 'number_placeholder') and insurance_personal_id is null
            as id_missing,
        -- (Unreadable, so it is no claim.)
        id_reject not in ('number_missing', 'number_placeholder') as id_invalid,
        insurance_number_reject in ('number_missing', 'number_placeholder')
            as insurance_number_missing,
        insurance_number is null and insurance_personal_id is null
        and coalesce(insurance_number_reject, '') not in ('number_missing', 'number_placeholder')
            as insurance_number_invalid,
        -- Two insurance numbers that differ; or a personal number on the card that is not the holder's.
        if(
            length(card_number) = 12,
            card_number <> coalesce(
                personal_id, insurance_personal_id, if(id_kind = 'personal', id_number, null)
            ),
            card_number <> insurance_number
        ) as card_conflict,
        name_agreement in ('format', 'iy_variant') as name_format,
        name_agreement = 'unaccented' as name_unaccented,
        personal_id is not null and not name_agrees(name_agreement) as name_different,
        birth_agreement in ('consistent', 'filler', 'missing') as birth_partial,
        birth_agreement in (
            'day_month_swapped', 'year_off_by_one', 'one_digit', 'part_shared', 'different'
        ) as birth_different,
        gender is null as gender_missing,
        gender_agreement = 'different' as gender_different,
        province_code <> citizen_province as province_different,
        citizen_status = 'deceased' and status = 'active' as deceased_active
    from pairs
),

told_at_once as (
    select
        record_id,
        unnest(list_filter(
            [
                if(id_missing, 'ID_MISSING', null),
                if(id_invalid, 'ID_INVALID', null),
                if(insurance_number_missing, 'INSURANCE_NUMBER_MISSING', null),
                if(insurance_number_invalid, 'INSURANCE_NUMBER_INVALID', null),
                if(card_conflict, 'CARD_CONFLICT', null),
                if(name_format, 'NAME_FORMAT', null),
                if(name_unaccented, 'NAME_UNACCENTED', null),
                if(name_different, 'NAME_DIFFERENT', null),
                if(birth_partial, 'BIRTH_PARTIAL', null),
                if(birth_different, 'BIRTH_DIFFERENT', null),
                if(gender_missing, 'GENDER_MISSING', null),
                if(gender_different, 'GENDER_DIFFERENT', null),
                if(province_different, 'PROVINCE_DIFFERENT', null),
                if(deceased_active, 'DECEASED_ACTIVE', null)
            ],
            lambda code: code is not null
        )) as code
    from told
    where
        id_missing or id_invalid or insurance_number_missing or insurance_number_invalid
        or card_conflict or name_format or name_unaccented or name_different or birth_partial
        or birth_different or gender_missing or gender_different or province_different
        or deceased_active
),

shared_insurance_numbers as (
    select insurance_number::ubigint as number
    from clean.insurance
    where insurance_number is not null
    group by insurance_number::ubigint
    having count(*) > 1
),

-- A card whose ten digits are the insurance number of another citizen's record, beside a record that
-- has the twelve digits of a personal number in its place.
cards_of_others as (
    select insurance.record_id
    from clean.insurance as insurance
    inner join core.links as own on insurance.record = own.record
    inner join clean.insurance as others
        on insurance.card_insurance_number = others.insurance_number
    inner join core.links as links on others.record = links.record
    where insurance.insurance_personal_id is not null and insurance.insurance_number is null
    group by insurance.record_id
    having
        bool_or(links.citizen <> own.citizen)
        and not bool_or(links.citizen = own.citizen)
),

with_several_records as (
    select citizen
    from core.links
    group by citizen
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
    select told_at_once.record_id, codes.code, codes.field
    from told_at_once
    inner join ref.mismatch_codes as codes on told_at_once.code = codes.code
    union all
    select record_id, 'INSURANCE_NUMBER_SHARED', 'insurance_number'
    from clean.insurance as insurance
    semi join shared_insurance_numbers as shared
        on insurance.insurance_number::ubigint = shared.number
    union all
    select record_id, 'CARD_CONFLICT', 'health_card_number'
    from cards_of_others
    union all
    select links.record_id, 'DUPLICATE_INSURANCE', 'record_id'
    from core.links as links
    semi join with_several_records on links.citizen = with_several_records.citizen
    union all
    select record_id, 'AMBIGUOUS', 'record_id'
    from in_review
    union all
    select insurance.record_id, 'NOT_IN_POPULATION', 'record_id'
    from clean.insurance as insurance
    anti join core.links as links on insurance.record = links.record
    anti join in_review on insurance.record_id = in_review.record_id
),

placed as (
    select
        found.*,
        insurance.record,
        insurance.recorded_name,
        links.citizen,
        links.personal_id
    from found
    inner join clean.insurance as insurance on found.record_id = insurance.record_id
    left join core.links as links on insurance.record = links.record
),

-- (Names are at hand; of the rest, the source rows of the few records concerned are read.)
recorded as (
    select
        row_number,
        id_number,
        insurance_number,
        health_card_number,
        date_of_birth,
        gender,
        status,
        province_code
    from raw.insurance
    semi join placed on raw.insurance.row_number = placed.record and placed.field <> 'full_name'
),

of_citizens as (
    select
        row_number,
        full_name,
        date_of_birth,
        gender,
        date_of_death,
        province_code
    from raw.population
    semi join placed on raw.population.row_number = placed.citizen
)

-- Both sides of each field; of the numbers, the right one stands on the citizen's side.
select
    placed.record_id,
    placed.code,
    placed.field,
    case placed.field
        when 'id_number' then recorded.id_number
        when 'insurance_number' then recorded.insurance_number
        when 'health_card_number'
            then concat_ws(' / ', recorded.health_card_number, recorded.insurance_number)
        when 'full_name' then placed.recorded_name
        when 'date_of_birth' then recorded.date_of_birth
        when 'gender' then recorded.gender
        when 'status' then recorded.status
        when 'province_code' then recorded.province_code
        when 'record_id' then if(placed.code = 'DUPLICATE_INSURANCE', recorded.insurance_number, null)
    end as insurance_value,
    case
        when codes.field = 'id_number' or placed.code = 'DUPLICATE_INSURANCE'
            then placed.personal_id
        when placed.field = 'full_name' then of_citizens.full_name
        when placed.field = 'date_of_birth' then of_citizens.date_of_birth
        when placed.field = 'gender' then of_citizens.gender
        when placed.field = 'status' then of_citizens.date_of_death
        when placed.field = 'province_code' then of_citizens.province_code
    end as population_value,
    codes.severity,
    codes.owner,
    nullif(codes.portal_code, '') as portal_code
from placed
inner join ref.mismatch_codes as codes on placed.code = codes.code
left join recorded on placed.record = recorded.row_number
left join of_citizens on placed.citizen = of_citizens.row_number
