-- The records that no number settled: what is left for the steps that go by name and birth.
-- Delta: linking.
-- Kind: record.
with stopped as (
    select record_id from core.step_steward
    where verdict <> 'other'
    union all
    select record_id from core.step_personal_id
    where verdict <> 'other'
    union all
    select record_id from core.step_former_id
    where verdict <> 'other'
    union all
    select record_id from core.step_repaired_id
    where verdict <> 'other'
),

unsettled as (
    select insurance.*
    from clean.insurance as insurance
    anti join core.settled as settled on insurance.record = settled.record
    anti join stopped on insurance.record_id = stopped.record_id
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
