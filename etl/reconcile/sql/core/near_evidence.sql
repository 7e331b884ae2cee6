-- The pairs of which something can come, compared in every respect.
-- Another name altogether, or another date and no more of the name than one end of it, is another
-- person: a relative, if the address is the same. Where there are no relatives, it may be the
-- same person with a name past recognition.
-- Kind: record.
with likely as (
    select *
    from core.near_pairs
    where
        name_agreement not in ('given_shared', 'surname_shared', 'different')
        or (name_agreement <> 'different' and birth_agreement = 'same')
        or not (select relatives from ops.parameters)
),

-- (A number that a crowd lists is no evidence.)
former as (
    select
        former_numbers.personal_id,
        list(former_numbers.former_number order by former_numbers.former_number) as numbers
    from clean.former_numbers as former_numbers
    semi join likely on former_numbers.personal_id = likely.personal_id
    where former_numbers.holders <= (select block_limit from ops.parameters)
    group by former_numbers.personal_id
),

citizens as (
    select
        population.personal_id,
        population.name_key,
        population.birth_date,
        population.gender,
        population.province_code,
        address_parts(population.address, parameters.street_addresses)
            as address_parts,
        list_concat([population.personal_id], former.numbers) as numbers
    from clean.population as population
    semi join likely on population.personal_id = likely.personal_id
    left join former on population.personal_id = former.personal_id
    cross join ops.parameters as parameters
),

records as (
    select
        near_records.*,
        address_parts(near_records.address, parameters.street_addresses) as address_parts
    from core.near_records as near_records
    cross join ops.parameters as parameters
)

select
    likely.record_id,
    likely.personal_id,
    citizens.name_key as citizen_key,
    citizens.birth_date as citizen_birth_date,
    likely.name_agreement,
    likely.birth_agreement,
    gender_agreement(records.gender, citizens.gender) as gender_agreement,
    place_agreement(records.province_code, citizens.province_code) as place_agreement,
    address_agreement(records.address_parts, citizens.address_parts) as address_agreement,
    number_agreement(records.numbers, citizens.numbers) as number_agreement
from likely
inner join records on likely.record_id = records.record_id
inner join citizens on likely.personal_id = citizens.personal_id
