-- The records that no number settled: what is left for the steps that go by name and birth.
with numbers as (
    select
        record_id,
        list(number order by number) as numbers
    from core.claims
    group by record_id
)

select
    insurance.record_id,
    insurance.recorded_name,
    insurance.full_name,
    insurance.name_key,
    insurance.birth_date,
    insurance.birth_year,
    insurance.birth_month,
    insurance.gender,
    insurance.province_code,
    insurance.address,
    numbers.numbers
from clean.insurance as insurance
left join numbers on insurance.record_id = numbers.record_id
anti join core.step_steward as steward
    on insurance.record_id = steward.record_id and steward.verdict <> 'other'
anti join core.step_personal_id as personal_id
    on insurance.record_id = personal_id.record_id and personal_id.verdict <> 'other'
anti join core.step_former_id as former_id
    on insurance.record_id = former_id.record_id and former_id.verdict <> 'other'
anti join core.step_repaired_id as repaired_id
    on insurance.record_id = repaired_id.record_id and repaired_id.verdict <> 'other'
where insurance.name_key is not null
