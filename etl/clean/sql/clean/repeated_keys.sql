-- Keys that several source rows share.
-- One version: the same row again, of which the first copy is kept. Several versions: which row is
-- right cannot be told, so none of them is used.
-- Delta: reading.
-- Kind: group.
with insurance_repeats as (
    select
        record_id as row_key,
        count(*) as copies,
        min(row_number) as first_row
    from raw.insurance
    where is_written(record_id)
    group by record_id
    having count(*) > 1
),

insurance_versions as (
    select distinct insurance.* exclude (run_id, read_at, row_number)
    from raw.insurance as insurance
    inner join insurance_repeats on insurance.record_id = insurance_repeats.row_key
),

population_repeats as (
    select
        personal_id as row_key,
        count(*) as copies,
        min(row_number) as first_row
    from raw.population
    where is_written(personal_id)
    group by personal_id
    having count(*) > 1
),

population_versions as (
    select distinct population.* exclude (run_id, read_at, row_number)
    from raw.population as population
    inner join population_repeats on population.personal_id = population_repeats.row_key
)

select
    'insurance' as register,
    repeats.row_key,
    any_value(repeats.copies) as copies,
    any_value(repeats.first_row) as first_row,
    count(*) as versions
from insurance_repeats as repeats
inner join insurance_versions as versions on repeats.row_key = versions.record_id
group by repeats.row_key
union all
select
    'population' as register,
    repeats.row_key,
    any_value(repeats.copies) as copies,
    any_value(repeats.first_row) as first_row,
    count(*) as versions
from population_repeats as repeats
inner join population_versions as versions on repeats.row_key = versions.personal_id
group by repeats.row_key
