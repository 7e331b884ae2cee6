-- What disagrees: one row per record, code and field, with both sides' values as their registers have
-- them. A number that is wrong in two columns of a record has a row for each column. The codes'
-- owners, severities and labels stand in etl/domain/codes.py. Where a number belongs to somebody
-- else, that person's data is not shown.
-- Delta: findings.
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

-- The codes that depend on one record and its citizen only, all found at once so that the registers
-- are read once.
told as (
    select
        record_id,
        list_filter(
            [
                if(
                    id_reject in ('number_missing', 'number_placeholder')
                    and insurance_personal_id is null,
                    'ID_MISSING', null
                ),
                -- (Unreadable numbers are not in core.claims, so core.number_faults does not judge
                -- them.)
                if(id_reject not in ('number_missing', 'number_placeholder'), 'ID_INVALID', null),
                if(
                    insurance_number_reject in ('number_missing', 'number_placeholder'),
                    'INSURANCE_NUMBER_MISSING', null
                ),
                if(
                    insurance_number is null and insurance_personal_id is null
                    and coalesce(insurance_number_reject, '')
                    not in ('number_missing', 'number_placeholder'),
                    'INSURANCE_NUMBER_INVALID', null
                ),
                -- Two insurance numbers that differ; or a personal number on the card that is not
                -- the holder's.
                if(
                    if(
                        length(card_number) = 12,
                        card_number <> coalesce(
                            personal_id, insurance_personal_id,
                            if(id_kind = 'personal', id_number, null)
                        ),
                        card_number <> insurance_number
                    ),
                    'CARD_CONFLICT', null
                ),
                if(name_agreement in ('format', 'iy_variant'), 'NAME_FORMAT', null),
                if(name_agreement = 'unaccented', 'NAME_UNACCENTED', null),
                if(
                    personal_id is not null and not name_agrees(name_agreement),
                    'NAME_DIFFERENT', null
                ),
                if(birth_agreement in ('consistent', 'filler', 'missing'), 'BIRTH_PARTIAL', null),
                if(
                    birth_agreement in (
                        'day_month_swapped', 'year_off_by_one', 'one_digit', 'part_shared',
                        'different'
                    ),
                    'BIRTH_DIFFERENT', null
                ),
                if(gender is null, 'GENDER_MISSING', null),
                if(gender_agreement = 'different', 'GENDER_DIFFERENT', null),
                if(province_code <> citizen_province, 'PROVINCE_DIFFERENT', null),
                if(
                    citizen_status = 'deceased' and status = 'active', 'DECEASED_ACTIVE', null
                )
            ],
            lambda code: code is not null
        ) as codes
    from pairs
),

told_each as (
    select
        record_id,
        unnest(codes) as code
    from told
),

shared_insurance_numbers as (
    select insurance_number::ubigint as number
    from clean.insurance
    where insurance_number is not null
    group by insurance_number::ubigint
    having count(*) > 1
),

-- Records that have a personal number of twelve digits instead of an insurance number, and a card
-- whose ten digits are the insurance number of another citizen's record.
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
    select told_each.record_id, codes.code, codes.field
    from told_each
    inner join ref.mismatch_codes as codes on told_each.code = codes.code
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

-- (Names are already in placed; the other columns are read from the source rows of the few records
-- concerned.)
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

-- Both sides' values of each field; for identity numbers, the citizen's side has the right one.
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
