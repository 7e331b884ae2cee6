-- Given names that at least one citizen in ten thousand bears. A misspelt name is rarer.
-- Kind: statistic.
select given_name
from (
    select
        lower(split_part(full_name, ' ', -1)) as given_name,
        count(*) as bearers,
        sum(count(*)) over () as citizens
    from clean.population
    where contains(full_name, ' ')
    group by given_name
) as borne
where bearers >= 1e-4 * citizens
