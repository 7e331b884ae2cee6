-- Earlier numbers of citizens: CMND and cancelled personal numbers, one row each.
-- CMND are not unique nationally, so one number may stand for several citizens. Those that a crowd
-- lists are in clean.fillers.
-- Delta: reading.
-- Kind: record.
with typed as (
    select
        personal_id,
        trim(unnest(split_numbers(former_id_numbers))) as raw
    from clean.population
    where former_id_numbers is not null
),

understood as (
    select distinct
        typed.personal_id,
        if(numbers.raw is null, typed.raw, numbers.number) as former_number
    from typed
    left join clean.numbers as numbers on numbers.field = 'id' and typed.raw = numbers.raw
    where numbers.raw is null or numbers.number is not null
)

select
    personal_id,
    former_number
from understood
