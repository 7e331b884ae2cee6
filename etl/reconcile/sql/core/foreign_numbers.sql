-- Identity numbers that linked records carry and that are somebody else's, or shared: whose they are.
-- They belong to another citizen, who is never named here, or to nobody. personal_id is the number
-- that the record should carry: that of its own citizen. A record that is linked to nobody has no
-- row, because its citizen is not known.
-- Delta: findings.
-- Kind: record.
with carried as (
    select distinct
        faults.record_id,
        faults.field,
        faults.number,
        links.personal_id
    from core.number_faults as faults
    inner join core.links as links on faults.record_id = links.record_id
    anti join clean.former_numbers as own
        on links.personal_id = own.personal_id and faults.number = own.former_number
    where faults.code in ('ID_OTHER_PERSON', 'ID_SHARED') and faults.number <> links.personal_id
),

held as (
    select carried.number
    from carried
    semi join clean.population as population on carried.number = population.personal_id
    union
    select carried.number
    from carried
    semi join clean.former_numbers as former on carried.number = former.former_number
)

select
    carried.record_id,
    carried.field,
    any_value(carried.personal_id) as personal_id,
    min(carried.number) as recorded_value,
    if(count(held.number) > 0, 'number_of_another', 'number_of_nobody') as reason
from carried
left join held on carried.number = held.number
group by carried.record_id, carried.field
