-- What is read of the memory beside the reference tables; made anew by each run.

-- How frequent each code usually is: over the last 30 published runs, also where it was absent.
create or replace view ops.usual_rates as
with recent as (
    select run_id
    from ops.mismatch_history
    group by run_id
    order by max(published_at) desc
    limit 30
),

sizes as (
    select
        history.run_id,
        history.province_code,
        max(history.records) as records
    from ops.mismatch_history as history
    semi join recent on history.run_id = recent.run_id
    group by history.run_id, history.province_code
),

provinces as (
    select
        province_code,
        count(*) as runs,
        sum(records) as records
    from sizes
    group by province_code
),

found as (
    select
        history.code,
        history.province_code,
        sum(history.mismatches) as mismatches
    from ops.mismatch_history as history
    semi join recent on history.run_id = recent.run_id
    group by history.code, history.province_code
)

select
    codes.code as usual_code,
    provinces.province_code as usual_province,
    provinces.runs,
    provinces.records / provinces.runs as usual_records,
    coalesce(found.mismatches, 0) / provinces.records as usual_rate
from provinces
cross join ref.mismatch_codes as codes
left join found on provinces.province_code = found.province_code and codes.code = found.code;
