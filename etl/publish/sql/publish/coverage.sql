-- What became of the records of each scheme and province, and how many living citizens they cover.
-- Citizens are counted where the population register has them, records where insurance has them.
-- Kind: total.
with counted as (
    select
        coalesce(province_code, 'unknown') as province_code,
        compulsory_si,
        voluntary_si,
        unemployment_insurance,
        health_insurance,
        status,
        count(*) as records
    from core.reconciled
    group by all
),

by_scheme as (
    select
        province_code,
        status,
        unnest(
            schemes(compulsory_si, voluntary_si, unemployment_insurance, health_insurance)
        ) as scheme,
        records
    from counted
),

statuses as (
    select
        scheme,
        coalesce(province_code, 'all') as province_code,
        sum(records)::bigint as records,
        coalesce(sum(records) filter (status = 'VERIFIED'), 0)::bigint as verified,
        coalesce(sum(records) filter (status = 'MISMATCH'), 0)::bigint as mismatch,
        coalesce(sum(records) filter (status = 'REVIEW'), 0)::bigint as review,
        coalesce(sum(records) filter (status = 'NOT_FOUND'), 0)::bigint as not_found,
        coalesce(sum(records) filter (status = 'REJECTED'), 0)::bigint as rejected
    from by_scheme
    group by grouping sets ((scheme, province_code), (scheme))
),

-- One row per linked citizen: the schemes of all records of that citizen together.
covered_citizens as (
    select
        links.citizen,
        bool_or(insurance.compulsory_si) as compulsory_si,
        bool_or(insurance.voluntary_si) as voluntary_si,
        bool_or(insurance.unemployment_insurance) as unemployment_insurance,
        bool_or(insurance.health_insurance) as health_insurance
    from core.links as links
    inner join clean.insurance as insurance on links.record = insurance.record
    group by links.citizen
),

citizens as (
    select
        coalesce(population.province_code, 'unknown') as province_code,
        covered.compulsory_si,
        covered.voluntary_si,
        covered.unemployment_insurance,
        covered.health_insurance,
        covered.citizen is not null as is_covered,
        count(*) as citizens
    from clean.population as population
    left join covered_citizens as covered on population.citizen = covered.citizen
    where population.status <> 'deceased'
    group by all
),

residents as (
    select
        coalesce(province_code, 'all') as province_code,
        sum(citizens)::bigint as citizens
    from citizens
    group by grouping sets ((province_code), ())
),

covered_by_scheme as (
    select
        province_code,
        unnest(
            schemes(compulsory_si, voluntary_si, unemployment_insurance, health_insurance)
        ) as scheme,
        citizens
    from citizens
    where is_covered
),

covered as (
    select
        scheme,
        coalesce(province_code, 'all') as province_code,
        sum(citizens)::bigint as citizens
    from covered_by_scheme
    group by grouping sets ((scheme, province_code), (scheme))
)

select
    parameters.run_id,
    statuses.*,
    coalesce(covered.citizens, 0) as citizens_covered,
    coalesce(residents.citizens, 0) as citizens
from statuses
left join covered
    on statuses.scheme = covered.scheme and statuses.province_code = covered.province_code
left join residents on statuses.province_code = residents.province_code
cross join ops.parameters as parameters
