-- The records whose one number, name, birth date and sex are a citizen's, all of them: most records
-- of a register. Those among them whose citizen nobody else claims are settled by that
-- (core.settled); the others go the way of all records.
-- Delta: linking.
-- Kind: record.
select
    insurance.record,
    population.citizen,
    same_key_agreement(
        insurance.recorded_name, insurance.full_name,
        population.recorded_name, population.full_name
    ) as name_agreement
from clean.insurance as insurance
inner join clean.population as population
    on
        insurance.id_number = population.personal_id
        and insurance.name_key = population.name_key
        and insurance.birth_date = population.birth_date
        and insurance.gender = population.gender
-- (Written as it should be: a number that had to be repaired counts for less.)
where
    insurance.id_repairs = ''
    and insurance.id_candidates = ''
    and (
        insurance.insurance_personal_id is null
        or (
            insurance.insurance_personal_id = insurance.id_number
            and insurance.insurance_number_repairs = ''
        )
    )
    and name_agrees(name_agreement)
