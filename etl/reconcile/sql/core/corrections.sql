-- What to write where, proposed for a person: the population register is the authority on name,
-- birth and sex (Decree 43/2021 Art. 7). Nothing is ever written to a source.
with proposals as (
    select
        mismatches.record_id,
        mismatches.field,
        mismatches.code,
        mismatches.insurance_value as recorded_value,
        case mismatches.field
            when 'id_number' then population.personal_id
            when 'full_name' then population.full_name
            when 'date_of_birth' then mismatches.population_value
            when 'gender' then population.gender
        end as proposed_value
    from core.mismatches as mismatches
    inner join core.links as links on mismatches.record_id = links.record_id
    inner join clean.population as population on links.personal_id = population.personal_id
    where
        mismatches.severity <> 'info'
        and mismatches.field in ('id_number', 'full_name', 'date_of_birth', 'gender')
)

-- One proposal per field, whatever number of codes speak of it.
select
    record_id,
    field,
    min(code) as code,
    arg_min(recorded_value, code) as recorded_value,
    arg_min(proposed_value, code) as proposed_value,
    'population' as authority
from proposals
where proposed_value is not null and recorded_value is distinct from proposed_value
group by record_id, field
