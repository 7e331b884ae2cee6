-- The verdict on every insurance record: linked to whom, by which step, and what disagrees.
-- Records that could not be used stand here too, as REJECTED, so that each record of the
-- register has exactly one row.
-- Slices: clean.insurance.
-- Delta: findings.
-- Kind: record.
with coded as (
    select
        record_id,
        array_to_string(list_sort(list(code)), ';') as mismatch_codes,
        bool_or(severity <> 'info') as needs_correction
    from core.mismatches
    where in_slice(record_id)
    group by record_id
),

in_review as (
    select distinct record_id
    from core.candidates
    where in_slice(record_id)
),

linked as (
    select *
    from core.links
    where in_slice(record_id)
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
        insurance.commune,
        insurance.office,
        insurance.compulsory_si,
        insurance.voluntary_si,
        insurance.unemployment_insurance,
        insurance.health_insurance
    from clean.insurance as insurance
    left join linked as links on insurance.record = links.record
    left join coded on insurance.record_id = coded.record_id
    left join in_review on insurance.record_id = in_review.record_id
    where in_slice(insurance.record_id)
),

-- A rejected record has a value that is the same in all its rows, and a scheme that any of them
-- has.
rejected as (
    select
        rejects.record_id,
        if(
            min(rejects.province_code) = max(rejects.province_code), min(rejects.province_code), null
        ) as province_code,
        if(
            min(rejects.employer_code) = max(rejects.employer_code), min(rejects.employer_code), null
        ) as employer_code,
        if(min(rejects.commune) = max(rejects.commune), min(rejects.commune), null) as commune,
        if(min(rejects.office) = max(rejects.office), min(rejects.office), null) as office,
        bool_or(rejects.compulsory_si) as compulsory_si,
        bool_or(rejects.voluntary_si) as voluntary_si,
        bool_or(rejects.unemployment_insurance) as unemployment_insurance,
        bool_or(rejects.health_insurance) as health_insurance
    from clean.rejects as rejects
    anti join clean.insurance as insurance on rejects.record_id = insurance.record_id
    where
        rejects.register = 'insurance'
        and rejects.reason <> 'record_id_missing'
        and in_slice(rejects.record_id)
    group by rejects.record_id
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
    province_code,
    employer_code,
    commune,
    office,
    compulsory_si,
    voluntary_si,
    unemployment_insurance,
    health_insurance
from rejected
