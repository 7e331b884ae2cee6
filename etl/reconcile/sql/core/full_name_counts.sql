-- How many citizens bear each whole name: an equal name weighs by how rare that very name is.
-- Kind: statistic.
select
    name_key,
    count(*) as citizens
from clean.population
where name_key is not null
group by name_key
