-- How many records carry each mismatch code, by scheme and province, with 'all' totals.
-- A record may be in several schemes, so schemes do not add up to 'all'; provinces do.
-- Kind: total.
with coded as (
    select
        mismatches.code,
        coalesce(reconciled.province_code, 'unknown') as province_code,
        reconciled.compulsory_si,
        reconciled.voluntary_si,
        reconciled.unemployment_insurance,
        reconciled.health_insurance,
        count(*) as mismatches
    from core.mismatches as mismatches
    inner join core.reconciled as reconciled on mismatches.record_id = reconciled.record_id
    group by all
),

coded_by_scheme as (
    select
        code,
        province_code,
        unnest(
            schemes(compulsory_si, voluntary_si, unemployment_insurance, health_insurance)
        ) as scheme,
        mismatches
    from coded
),

present as (
    select
        coalesce(province_code, 'unknown') as province_code,
        compulsory_si,
        voluntary_si,
        unemployment_insurance,
        health_insurance,
        count(*) as records
    from core.reconciled
    group by all
),

present_by_scheme as (
    select
        province_code,
        unnest(
            schemes(compulsory_si, voluntary_si, unemployment_insurance, health_insurance)
        ) as scheme,
        records
    from present
),

counts as (
    select
        code,
        scheme,
        coalesce(province_code, 'all') as province_code,
        sum(mismatches)::bigint as mismatches
    from coded_by_scheme
    group by grouping sets ((code, scheme, province_code), (code, scheme))
),

totals as (
    select
        scheme,
        coalesce(province_code, 'all') as province_code,
        sum(records)::bigint as records
    from present_by_scheme
    group by grouping sets ((scheme, province_code), (scheme))
)

select
    parameters.run_id,
    counts.code,
    counts.scheme,
    counts.province_code,
    counts.mismatches,
    totals.records
from counts
inner join totals
    on counts.scheme = totals.scheme and counts.province_code = totals.province_code
cross join ops.parameters as parameters
