-- The citizens among whom a steward chooses, as published, with the values needed to choose.
-- Delta: findings.
-- Kind: record.
with as_recorded as (
    select distinct
        citizens.personal_id,
        population.full_name,
        population.date_of_birth,
        population.gender,
        population.status,
        population.province_code,
        population.address
    from raw.population as population
    inner join clean.population as citizens
        on population.personal_id = citizens.recorded_personal_id
    semi join core.candidates as candidates on citizens.personal_id = candidates.personal_id
),

leaving as (
    select
        published_key(candidates.record_id) as record_id,
        candidates.candidate_rank,
        candidates.personal_id,
        candidates.match_step,
        candidates.reason,
        candidates.name_agreement,
        candidates.birth_agreement,
        candidates.gender_agreement,
        candidates.match_probability,
        printable(as_recorded.full_name) as full_name,
        printable(as_recorded.date_of_birth) as date_of_birth,
        printable(as_recorded.gender) as gender,
        printable(as_recorded.status) as status,
        printable(as_recorded.province_code) as province_code,
        printable(as_recorded.address) as address
    from core.candidates as candidates
    inner join as_recorded on candidates.personal_id = as_recorded.personal_id
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
