-- The verdict on every insurance record, as published: one row per record. row_hash differs where
-- any other column does.
-- Delta: findings.
-- Kind: record.
with leaving as (
    select
        published_key(record_id) as record_id,
        insurance_number,
        personal_id,
        status,
        match_step,
        match_probability,
        name_agreement,
        birth_agreement,
        gender_agreement,
        mismatch_codes,
        province_code,
        printable(employer_code) as employer_code,
        printable(commune) as commune,
        printable(office) as office,
        compulsory_si,
        voluntary_si,
        unemployment_insurance,
        health_insurance
    from core.reconciled
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
