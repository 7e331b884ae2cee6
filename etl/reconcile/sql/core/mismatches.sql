-- The mismatches that are counted and published: one row per record and code.
-- Where a number is wrong in two columns of a record, field is the first and both values are shown.
-- Delta: findings.
-- Kind: record.
with repeated as (
    select
        record_id,
        code
    from core.disagreements
    where field in ('id_number', 'insurance_number')
    group by record_id, code
    having count(*) > 1
),

said_twice as (
    select
        record_id,
        code,
        min(field) as field,
        string_agg(distinct insurance_value, ' / ' order by insurance_value) as insurance_value,
        any_value(population_value) as population_value,
        any_value(severity) as severity,
        any_value(owner) as owner,
        any_value(portal_code) as portal_code
    from core.disagreements as disagreements
    semi join repeated
        on disagreements.record_id = repeated.record_id and disagreements.code = repeated.code
    group by record_id, code
)

select disagreements.*
from core.disagreements as disagreements
anti join repeated
    on disagreements.record_id = repeated.record_id and disagreements.code = repeated.code
union all
select *
from said_twice
