-- How probable it is that each pair is one person, after Fellegi and Sunter as Splink does it:
-- the prior odds of a random pair, and a weight in bits for each comparison. An equal name or an
-- equal birth date weighs by how rare that very name or date is among the citizens.
-- match_probability weighs a citizen against all others near the record, and against the
-- possibility that the record belongs to none of them.
-- Delta: weighing.
-- Kind: group.
with register as (
    select max(citizens) as citizens
    from core.register_size
),

name_shares as (
    select
        names.name_key,
        names.citizens / register.citizens as share
    from core.full_name_counts as names
    semi join core.near_evidence as pairs on names.name_key = pairs.citizen_key
    cross join register
),

birth_shares as (
    select
        births.birth_date,
        sum(births.births) / any_value(register.citizens) as share
    from core.births_a_day as births
    semi join core.near_evidence as pairs on births.birth_date = pairs.citizen_birth_date
    cross join register
    group by births.birth_date
),

weighed as (
    select
        pairs.*,
        case
            when pairs.name_agreement in ('same', 'format', 'iy_variant', 'unaccented', 'accents_differ')
                then log2(names.same_person / name_shares.share)
            else names.weight
        end as name_weight,
        case
            when pairs.birth_agreement = 'same'
                then log2(births.same_person / birth_shares.share)
            else births.weight
        end as birth_weight,
        genders.weight as gender_weight,
        places.weight as place_weight,
        addresses.weight as address_weight,
        numbers.weight as number_weight
    from core.near_evidence as pairs
    left join name_shares on pairs.citizen_key = name_shares.name_key
    left join birth_shares on pairs.citizen_birth_date = birth_shares.birth_date
    left join core.level_weights as names
        on names.comparison = 'name' and pairs.name_agreement = names.level
    left join core.level_weights as births
        on births.comparison = 'birth' and pairs.birth_agreement = births.level
    left join core.level_weights as genders
        on genders.comparison = 'gender' and pairs.gender_agreement = genders.level
    left join core.level_weights as places
        on places.comparison = 'place' and pairs.place_agreement = places.level
    left join core.level_weights as addresses
        on addresses.comparison = 'address' and pairs.address_agreement = addresses.level
    left join core.level_weights as numbers
        on numbers.comparison = 'number' and pairs.number_agreement = numbers.level
),

totalled as (
    select
        weighed.*,
        log2((1 - parameters.unregistered_share) / register.citizens)
            as prior_weight,
        log2((1 - parameters.unregistered_share) / register.citizens)
        + coalesce(name_weight, 0) + coalesce(birth_weight, 0) + coalesce(gender_weight, 0)
        + coalesce(place_weight, 0) + coalesce(address_weight, 0) + coalesce(number_weight, 0)
            as match_weight,
        parameters.unregistered_share
    from weighed
    cross join register
    cross join ops.parameters as parameters
),

-- The weight of the strongest pair of each record and of each citizen: the weights of the other
-- pairs are taken relative to it.
measured as (
    select
        totalled.*,
        max(match_weight) over (partition by record_id) as record_best,
        max(match_weight) over (partition by personal_id) as citizen_best
    from totalled
),

-- The odds of each pair as a part of the strongest, in whole multiples of 2^-52: a sum of whole
-- numbers is the same in whatever order the engine adds them, a sum of fractions is not.
summed as (
    select
        measured.*,
        sum(round(pow(2, match_weight - record_best + 52))::bigint) over (partition by record_id)
        / pow(2, 52) as record_sum,
        sum(round(pow(2, match_weight - citizen_best + 52))::bigint)
            over (partition by personal_id)
        / pow(2, 52) as citizen_sum
    from measured
)

select
    * exclude (
        unregistered_share, citizen_key, citizen_birth_date,
        record_best, citizen_best, record_sum, citizen_sum
    ),
    round(
        pow(2, match_weight - record_best)
        / (unregistered_share * pow(2, -record_best) + record_sum),
        12
    ) as match_probability,
    -- The other way round: this record against the others that are near the same citizen.
    round(pow(2, match_weight - citizen_best) / citizen_sum, 12) as share_of_citizen
from summed
