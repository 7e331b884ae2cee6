-- How common each part of a name is among the citizens of each sex, as a share of 1.
-- Counted in the population register itself, so that the shares are right for it. (Whole names are
-- counted first, so that each is split once, however many citizens bear it.)
-- Kind: statistic.
with names as (
    select
        coalesce(gender, '?') as gender,
        name_key,
        count(*) as citizens
    from clean.population
    where name_key is not null
    group by coalesce(gender, '?'), name_key
),

parts as (
    select
        gender,
        unnest(['surname', 'middle', 'given']) as part,
        unnest([
            split_part(name_key, ' ', 1),
            array_to_string(string_split(name_key, ' ')[2:-2], ' '),
            split_part(name_key, ' ', -1)
        ]) as value,
        citizens
    from names
)

select
    gender,
    part,
    value,
    sum(citizens) / sum(sum(citizens)) over (partition by gender, part) as share
from parts
group by gender, part, value
