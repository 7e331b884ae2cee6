-- The records that no number settled: what is left for the steps that go by name and birth.
-- Kind: record.
with unsettled as (
    select insurance.*
    from clean.insurance as insurance
    anti join core.settled as settled on insurance.record_id = settled.record_id
    anti join core.step_steward as steward
        on insurance.record_id = steward.record_id and steward.verdict <> 'other'
    anti join core.step_personal_id as personal_id
        on insurance.record_id = personal_id.record_id and personal_id.verdict <> 'other'
    anti join core.step_former_id as former_id
        on insurance.record_id = former_id.record_id and former_id.verdict <> 'other'
    anti join core.step_repaired_id as repaired_id
        on insurance.record_id = repaired_id.record_id and repaired_id.verdict <> 'other'
    where insurance.name_key is not null
),

numbers as (
    select
        claims.record_id,
        list(distinct claims.number order by claims.number) as numbers
    from core.claims as claims
    semi join unsettled on claims.record_id = unsettled.record_id
    group by claims.record_id
)

select
    unsettled.record_id,
    unsettled.recorded_name,
    unsettled.full_name,
    unsettled.name_key,
    unsettled.birth_date,
    unsettled.birth_year,
    unsettled.birth_month,
    unsettled.gender,
    unsettled.province_code,
    unsettled.address,
    numbers.numbers
from unsettled
left join numbers on unsettled.record_id = numbers.record_id
