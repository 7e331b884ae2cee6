-- The mismatches, as published: one row per record and code, with both registers' values, who must
-- correct it, and the correction that answers it.
-- Slices: core.mismatches.
-- Delta: findings.
-- Kind: record.
with of_insurance_numbers as (
    select
        record_id,
        reason
    from core.corrections
    where field = 'insurance_number'
),

answers as (
    select
        mismatches.record_id,
        mismatches.code,
        case
            when mismatches.severity = 'info' then 'none'
            -- Where card and number differ, the number may be the wrong one.
            when mismatches.code = 'CARD_CONFLICT'
                then coalesce(of_field.reason, of_number.reason, 'none')
            else coalesce(of_field.reason, 'none')
        end as remedy
    from core.mismatches as mismatches
    left join core.corrections as of_field
        on
            mismatches.record_id = of_field.record_id
            and mismatches.field = of_field.field
    left join of_insurance_numbers as of_number on mismatches.record_id = of_number.record_id
    where in_slice(mismatches.record_id)
),

leaving as (
    select
        published_key(mismatches.record_id) as record_id,
        mismatches.code,
        mismatches.field,
        printable(mismatches.insurance_value) as insurance_value,
        printable(mismatches.population_value) as population_value,
        mismatches.severity,
        mismatches.owner,
        mismatches.portal_code,
        answers.remedy,
        reconciled.province_code,
        printable(reconciled.commune) as commune,
        printable(reconciled.office) as office
    from core.mismatches as mismatches
    inner join answers
        on mismatches.record_id = answers.record_id and mismatches.code = answers.code
    inner join core.reconciled as reconciled on mismatches.record_id = reconciled.record_id
    where in_slice(mismatches.record_id)
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
