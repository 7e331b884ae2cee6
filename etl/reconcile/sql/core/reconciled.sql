-- The verdict on every insurance record: linked to whom, by which step, and what disagrees.
-- Records that could not be used stand here too, as REJECTED, so that each record of the
-- register has exactly one row.
with coded as (
    select
        record_id,
        array_to_string(list_sort(list(code)), ';') as mismatch_codes,
        bool_or(severity <> 'info') as needs_correction
    from core.mismatches
    group by record_id
),

in_review as (
    select distinct record_id
    from core.candidates
),

compared as (
    select
        insurance.record_id,
        coalesce(insurance.insurance_number, insurance.insurance_personal_id) as insurance_number,
        links.personal_id,
        case
            when links.personal_id is not null and coalesce(coded.needs_correction, false)
                then 'MISMATCH'
            when links.personal_id is not null then 'VERIFIED'
            when in_review.record_id is not null then 'REVIEW'
            else 'NOT_FOUND'
        end as status,
        links.match_step,
        links.match_probability,
        links.name_agreement,
        links.birth_agreement,
        links.gender_agreement,
        coalesce(coded.mismatch_codes, '') as mismatch_codes,
        insurance.province_code,
        insurance.employer_code,
        insurance.compulsory_si,
        insurance.voluntary_si,
        insurance.unemployment_insurance,
        insurance.health_insurance
    from clean.insurance as insurance
    left join core.links as links on insurance.record_id = links.record_id
    left join coded on insurance.record_id = coded.record_id
    left join in_review on insurance.record_id = in_review.record_id
),

rejected as (
    select distinct rejects.record_id
    from clean.rejects as rejects
    anti join clean.insurance as insurance on rejects.record_id = insurance.record_id
    where rejects.register = 'insurance' and rejects.reason <> 'record_id_missing'
)

select * from compared
union all
select
    record_id,
    null as insurance_number,
    null as personal_id,
    'REJECTED' as status,
    null as match_step,
    null as match_probability,
    null as name_agreement,
    null as birth_agreement,
    null as gender_agreement,
    '' as mismatch_codes,
    null as province_code,
    null as employer_code,
    false as compulsory_si,
    false as voluntary_si,
    false as unemployment_insurance,
    false as health_insurance
from rejected
