-- The records that have one number, and agree in number, name, birth date and sex with the citizen
-- who holds it: most records of a register. Those whose citizen no other record claims are settled at once (core.settled); the
-- others go through all steps of the waterfall.
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
-- (Only numbers that needed no repair: a repaired number is weaker evidence.)
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
