-- Views of the working copy of the state; each run and each reader creates them anew.

-- The standing of each failing rule, for checks, alerts and triage alike: since when it has failed
-- without a break, and the acknowledgement that lasts longest.
create or replace view ops.standings as
with held as (
    select
        table_name,
        check_name,
        max(checked_at) as last_held
    from ops.quality_results
    where passed
    group by table_name, check_name
),

failing as (
    select
        results.table_name,
        results.check_name,
        min(results.checked_at) as failing_since
    from ops.quality_results as results
    left join held
        on results.table_name = held.table_name and results.check_name = held.check_name
    where results.checked_at > coalesce(held.last_held, timestamp '1970-01-01')
    group by results.table_name, results.check_name
),

notes as (
    select
        table_name,
        check_name,
        max(expires_at) as acknowledged_until,
        arg_max(acknowledged_by, expires_at) as acknowledged_by,
        arg_max(reason, expires_at) as acknowledged_because
    from ops.acknowledgements
    where expires_at > current_timestamp::timestamp
    group by table_name, check_name
)

select
    table_name,
    check_name,
    failing.failing_since,
    notes.acknowledged_until,
    notes.acknowledged_by,
    notes.acknowledged_because
from failing
full join notes using (table_name, check_name);

-- How many rows failed each rule in its last runs, the latest last. (A step that was tried again
-- has judged its table twice in one run: the last time counts.)
create or replace view ops.trends as
with judged as (
    select
        table_name,
        check_name,
        max(checked_at) as checked_at,
        coalesce(max_by(failed_rows, checked_at), 0) as failed_rows
    from ops.quality_results
    group by table_name, check_name, run_id
),

latest as (
    select *
    from judged
    qualify row_number() over (partition by table_name, check_name order by checked_at desc) <= 5
)

select
    table_name,
    check_name,
    list(failed_rows order by checked_at) as failed_rows
from latest
group by table_name, check_name;

-- How frequent each code usually is: over the last 30 published full runs, also where it was absent.
-- (Deltas are left out: they follow each other so closely that a fault would count as usual within
-- hours.)
create or replace view ops.usual_rates as
with recent as (
    select history.run_id
    from ops.mismatch_history as history
    anti join ops.runs as runs on history.run_id = runs.run_id and runs.mode = 'delta'
    group by history.run_id
    order by max(history.published_at) desc
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
