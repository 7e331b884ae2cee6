-- How many citizens there are: one row.
-- Kind: statistic.
select count(*) as citizens
from clean.population
