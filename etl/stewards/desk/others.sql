-- Other records that a person must see beside a record that waits: of the same citizen, or under the
-- same number. At most 20 of each: more records of a number that a crowd shares would say nothing
-- new.
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

numbers as (
    select
        record_id,
        'insurance_number' as shared,
        insurance_number as number
    from clean.insurance
    where insurance_number is not null
    union all
    select
        record_id,
        'id_number' as shared,
        id_number as number
    from clean.insurance
    where id_number is not null
),

numbered as (
    select numbers.*
    from numbers
    semi join waiting on numbers.record_id = waiting.record_id
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

of_numbers as (
    select
        numbers.shared,
        numbers.number,
        list(numbers.record_id order by numbers.record_id)[:21] as records,
        count(*) as how_many
    from numbers
    semi join numbered on numbers.shared = numbered.shared and numbers.number = numbered.number
    group by numbers.shared, numbers.number
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
        numbered.shared,
        null as personal_id,
        unnest(of_numbers.records) as other_id,
        of_numbers.how_many
    from numbered
    inner join of_numbers
        on numbered.shared = of_numbers.shared and numbered.number = of_numbers.number
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
    try_cast(recorded.updated_at as timestamp) as updated_at
from beside
inner join core.reconciled as reconciled on beside.other_id = reconciled.record_id
left join clean.insurance as others on beside.other_id = others.record_id
left join raw.insurance as recorded on others.record = recorded.row_number
where beside.record_id <> beside.other_id
order by beside.record_id, beside.shared, beside.other_id
