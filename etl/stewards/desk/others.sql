-- Other records that a person must see beside a record that waits: of the same citizen, or under the
-- same number. At most 20 of each: a number of a crowd says nothing more.
with of_citizens as (
    select
        personal_id,
        list(record_id order by record_id)[:21] as records,
        count(*) as how_many
    from core.links
    group by personal_id
    having count(*) > 0
),

of_numbers as (
    select
        insurance_number,
        list(record_id order by record_id)[:21] as records,
        count(*) as how_many
    from clean.insurance
    where insurance_number is not null
    group by insurance_number
    having count(*) > 1
),

of_ids as (
    select
        id_number,
        list(record_id order by record_id)[:21] as records,
        count(*) as how_many
    from clean.insurance
    where id_number is not null
    group by id_number
    having count(*) > 1
),

waiting as (
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
        insurance.record_id,
        'insurance_number' as shared,
        null as personal_id,
        unnest(of_numbers.records) as other_id,
        of_numbers.how_many
    from waiting
    inner join clean.insurance as insurance on waiting.record_id = insurance.record_id
    inner join of_numbers on insurance.insurance_number = of_numbers.insurance_number
    union all
    select
        insurance.record_id,
        'id_number' as shared,
        null as personal_id,
        unnest(of_ids.records) as other_id,
        of_ids.how_many
    from waiting
    inner join clean.insurance as insurance on waiting.record_id = insurance.record_id
    inner join of_ids on insurance.id_number = of_ids.id_number
)

select
    beside.*,
    reconciled.status,
    reconciled.match_step,
    reconciled.province_code,
    coalesce(reconciled.office, reconciled.commune) as office
from beside
inner join core.reconciled as reconciled on beside.other_id = reconciled.record_id
where beside.record_id <> beside.other_id
order by beside.record_id, beside.shared, beside.other_id
