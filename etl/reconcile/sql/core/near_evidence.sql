-- The pairs of core.near_pairs compared in every field: name, birth date, sex, place, address and
-- number.
-- Slices: core.near_pairs.
-- Delta: nearness.
-- Whole: core.near_records.
-- Kind: record.
with likely as (
    select *
    from core.near_pairs
    where in_slice(record_id)
),

-- (A former number that a crowd lists is no evidence.)
former as (
    select
        former_numbers.personal_id,
        list(former_numbers.former_number order by former_numbers.former_number) as numbers
    from clean.former_numbers as former_numbers
    semi join likely on former_numbers.personal_id = likely.personal_id
    anti join clean.fillers as fillers on former_numbers.former_number = fillers.number
    group by former_numbers.personal_id
),

citizens as (
    select
        population.personal_id,
        population.name_key,
        population.birth_date,
        population.gender,
        population.province_code,
        population.address,
        list_concat([population.personal_id], former.numbers) as numbers
    from clean.population as population
    semi join likely on population.personal_id = likely.personal_id
    left join former on population.personal_id = former.personal_id
),

compared as (
    select
        likely.record_id,
        likely.personal_id,
        citizens.name_key as citizen_key,
        citizens.birth_date as citizen_birth_date,
        likely.name_agreement,
        likely.birth_agreement,
        gender_agreement(records.gender, citizens.gender) as gender_agreement,
        place_agreement(records.province_code, citizens.province_code) as place_agreement,
        number_agreement(records.numbers, citizens.numbers) as number_agreement,
        records.address,
        citizens.address as citizen_address
    from likely
    inner join core.near_records as records on likely.record_id = records.record_id
    inner join citizens on likely.personal_id = citizens.personal_id
),

-- Three pairs in four agree only in the name, or only in the birth date and one end of the name.
-- They are strangers: the best of them has a probability of one in a hundred. They are also the
-- most expensive to compare, so they are left out. (Materialized with the parts of both addresses,
-- because the last SELECT uses these many times.)
promising as materialized (
    select
        compared.*,
        address_parts(compared.address, parameters.street_addresses) as address_parts,
        address_parts(compared.citizen_address, parameters.street_addresses)
            as citizen_address_parts
    from compared
    cross join ops.parameters as parameters
    where
        (birth_agreement <> 'different' and name_agreement not in ('given_shared', 'surname_shared'))
        or place_agreement <> 'different'
        or number_agreement in ('same', 'one_edit')
        or lower(address) = lower(citizen_address)
        or not parameters.relatives
)

select
    record_id,
    personal_id,
    citizen_key,
    citizen_birth_date,
    name_agreement,
    birth_agreement,
    gender_agreement,
    place_agreement,
    address_agreement(address_parts, citizen_address_parts) as address_agreement,
    number_agreement
from promising
