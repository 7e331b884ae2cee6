-- The pairs of a record and a citizen near it who may be one person, by birth date and name.
-- Birth dates are compared first, because that is cheaper: where they differ, the names must be
-- near.
-- Left out as two different people are pairs whose names differ altogether, and pairs whose names
-- have only one end in common and whose birth dates are not the same: at the same address they are
-- relatives. Where ops.parameters says that there are no relatives, none are left out: an address
-- may identify a person better than name and birth date, and it may be the same person with an
-- unrecognisable name.
-- (Materialized, so that names are compared after the join: that takes a quarter less time.)
-- Slices: core.near_citizens.
-- Delta: nearness.
-- Whole: core.near_records.
-- Kind: record.
with dated as materialized (
    select
        citizens.record_id,
        citizens.personal_id,
        records.recorded_name,
        records.full_name,
        records.name_key,
        population.recorded_name as citizen_recorded_name,
        population.full_name as citizen_full_name,
        population.name_key as citizen_key,
        birth_agreement(
            records.birth_date, records.birth_year, records.birth_month,
            population.birth_date, population.birth_year, population.birth_month
        ) as birth_agreement
    from core.near_citizens as citizens
    inner join core.near_records as records on citizens.record_id = records.record_id
    inner join clean.population as population on citizens.personal_id = population.personal_id
    cross join ops.parameters
    where
        in_slice(citizens.record_id)
        and (
            birth_agreement <> 'different'
            or levenshtein(records.name_key, population.name_key) <= 4
            or not parameters.relatives
        )
),

compared as (
    select
        record_id,
        personal_id,
        birth_agreement,
        name_agreement(
            recorded_name, full_name, name_key,
            citizen_recorded_name, citizen_full_name, citizen_key
        ) as name_agreement
    from dated
)

select compared.*
from compared
cross join ops.parameters as parameters
where
    name_agreement not in ('given_shared', 'surname_shared', 'different')
    or (name_agreement <> 'different' and birth_agreement = 'same')
    or not parameters.relatives
