-- How many citizens of each sex were born on each day: how likely a birth date agrees by chance.
-- Where the sex is not known it is '?'.
-- Kind: statistic.
select
    coalesce(gender, '?') as gender,
    birth_date,
    count(*) as births
from clean.population
where birth_date is not null
group by coalesce(gender, '?'), birth_date
