-- Which share of the citizens lives in each province: how likely a province agrees by chance.
-- Kind: statistic.
select
    province_code,
    count(*) / sum(count(*)) over () as share
from clean.population
group by province_code
