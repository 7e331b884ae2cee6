-- Claimed numbers that are no citizen's, now or formerly: one row per record and number.
-- Delta: linking.
-- Kind: record.
with known_numbers as (
    select personal_id as number
    from clean.population
    union all
    select former_number
    from clean.former_numbers
)

select distinct
    claims.record_id,
    claims.number
from core.claims as claims
anti join known_numbers on claims.number = known_numbers.number
