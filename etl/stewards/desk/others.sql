-- Other records that a person must see beside a record that waits: of the same citizen, or under the
-- same number. At most 20 of each: a number of a crowd says nothing more.
with waiting as (
    select distinct record_id
    from leaving.publish.cases
),

whose as (
    select
        waiting.record_id,
        links.personal_id
    from waiting
    inner join core.links as links on waiting.record_id = links.record_id
    union
    select
        waiting.record_id,
        candidates.personal_id
    from waiting
    inner join core.candidates as candidates on waiting.record_id = candidates.record_id
),

numbered as (
    select
        insurance.record_id,
        insurance.insurance_number,
        insurance.id_number
    from clean.insurance as insurance
    semi join waiting on insurance.record_id = waiting.record_id
),

of_citizens as (
    select
        links.personal_id,
        list(links.record_id order by links.record_id)[:21] as records,
        count(*) as how_many
    from core.links as links
    semi join whose on links.personal_id = whose.personal_id
    group by links.personal_id
),

of_insurance_numbers as (
    select
        insurance.insurance_number,
        list(insurance.record_id order by insurance.record_id)[:21] as records,
        count(*) as how_many
    from clean.insurance as insurance
    semi join numbered on insurance.insurance_number = numbered.insurance_number
    group by insurance.insurance_number
),

of_id_numbers as (
    select
        insurance.id_number,
        list(insurance.record_id order by insurance.record_id)[:21] as records,
        count(*) as how_many
    from clean.insurance as insurance
    semi join numbered on insurance.id_number = numbered.id_number
    group by insurance.id_number
),

beside as (
    select
        whose.record_id,
        'citizen' as shared,
        whose.personal_id,
        unnest(of_citizens.records) as other_id,
        of_citizens.how_many
    from whose
    inner join of_citizens on whose.personal_id = of_citizens.personal_id
    union all
    select
        numbered.record_id,
        'insurance_number' as shared,
        null as personal_id,
        unnest(of_insurance_numbers.records) as other_id,
        of_insurance_numbers.how_many
    from numbered
    inner join of_insurance_numbers
        on numbered.insurance_number = of_insurance_numbers.insurance_number
    union all
    select
        numbered.record_id,
        'id_number' as shared,
        null as personal_id,
        unnest(of_id_numbers.records) as other_id,
        of_id_numbers.how_many
    from numbered
    inner join of_id_numbers on numbered.id_number = of_id_numbers.id_number
)

select
    beside.*,
    reconciled.status,
    reconciled.province_code,
    coalesce(reconciled.office, reconciled.commune) as office,
    reconciled.insurance_number,
    reconciled.compulsory_si,
    reconciled.voluntary_si,
    reconciled.unemployment_insurance,
    reconciled.health_insurance,
    others.status as activity,
    others.updated_at
from beside
inner join core.reconciled as reconciled on beside.other_id = reconciled.record_id
left join clean.insurance as others on beside.other_id = others.record_id
where beside.record_id <> beside.other_id
order by beside.record_id, beside.shared, beside.other_id
