-- Identity numbers that linked records carry and that are not their citizen's: whose they are.
-- They belong to another citizen, or to nobody. That citizen is never named: the record's own
-- citizen's number is what it should carry. Of a record that is linked to nobody nothing is
-- proposed, because nothing is known.
with suspected as (
    select distinct record_id
    from core.mismatches
    where code in ('ID_OTHER_PERSON', 'ID_SHARED')
),

carried as (
    select
        claims.record_id,
        claims.field,
        claims.number,
        links.personal_id
    from core.claims as claims
    semi join suspected on claims.record_id = suspected.record_id
    inner join core.links as links on claims.record_id = links.record_id
    anti join clean.former_numbers as own
        on links.personal_id = own.personal_id and claims.number = own.former_number
    where claims.number <> links.personal_id
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
