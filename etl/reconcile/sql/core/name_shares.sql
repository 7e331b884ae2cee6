-- How common each part of a name is among the citizens of each sex, as a share of 1.
-- From the population register itself, so that it is right for the register at hand.
-- Kind: statistic.
with parts as (
    select
        coalesce(gender, '?') as gender,
        unnest(['surname', 'middle', 'given']) as part,
        unnest([
            split_part(name_key, ' ', 1),
            array_to_string(string_split(name_key, ' ')[2:-2], ' '),
            split_part(name_key, ' ', -1)
        ]) as value
    from clean.population
    where name_key is not null
)

select
    gender,
    part,
    value,
    count(*) / sum(count(*)) over (partition by gender, part) as share
from parts
group by gender, part, value
