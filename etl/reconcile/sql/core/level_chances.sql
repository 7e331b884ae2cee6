-- How often two strangers agree at each level by chance (u of Fellegi and Sunter), in these
-- registers: a thousand records beside a thousand citizens, drawn by a hash and so the same in
-- every run on the same data; fewer of them where comparing is slow. The counts are smoothed: one
-- pair is added to each level and a thousand to the total, so that a level that was never seen is
-- not impossible, and one that is too rare to be seen in a small register weighs little. The level
-- 'different' gets the share that the other levels leave.
-- Kind: statistic.
with records as (
    select
        recorded_name,
        full_name,
        name_key,
        birth_date,
        birth_year,
        birth_month,
        gender,
        province_code,
        address_parts(address, street_addresses) as address_parts,
        list_filter([id_number], lambda number: number is not null) as numbers,
        row_number() over (order by hash(record_id)) as place_in_sample
    from clean.insurance
    cross join ops.parameters
    qualify place_in_sample <= 1000
),

citizens as (
    select
        recorded_name,
        full_name,
        name_key,
        birth_date,
        birth_year,
        birth_month,
        gender,
        province_code,
        address_parts(address, street_addresses) as address_parts,
        [personal_id] as numbers,
        row_number() over (order by hash(personal_id)) as place_in_sample
    from clean.population
    cross join ops.parameters
    qualify place_in_sample <= 1000
),

-- The slower the comparison, the smaller the sample. (The engine runs the six comparisons in
-- parallel. Pairs of the level 'missing' are counted here and dropped later, because the model has
-- no such level.)
compared as (
    select
        'name' as comparison,
        name_agreement(
            records.recorded_name, records.full_name, records.name_key,
            citizens.recorded_name, citizens.full_name, citizens.name_key
        ) as level
    from records
    cross join citizens
    where records.place_in_sample <= 500 and citizens.place_in_sample <= 500
    union all
    select
        'birth' as comparison,
        birth_agreement(
            records.birth_date, records.birth_year, records.birth_month,
            citizens.birth_date, citizens.birth_year, citizens.birth_month
        ) as level
    from records
    cross join citizens
    union all
    select
        'gender' as comparison,
        gender_agreement(records.gender, citizens.gender) as level
    from records
    cross join citizens
    union all
    select
        'place' as comparison,
        place_agreement(records.province_code, citizens.province_code) as level
    from records
    cross join citizens
    union all
    select
        'address' as comparison,
        address_agreement(records.address_parts, citizens.address_parts) as level
    from records
    cross join citizens
    where records.place_in_sample <= 200 and citizens.place_in_sample <= 200
    union all
    select
        'number' as comparison,
        number_agreement(records.numbers, citizens.numbers) as level
    from records
    cross join citizens
    where records.place_in_sample <= 200 and citizens.place_in_sample <= 200
),

counted as (
    select
        comparison,
        level,
        count(*) as pairs
    from compared
    group by comparison, level
),

smoothed as (
    select
        model.comparison,
        model.level,
        coalesce(counted.pairs, 0) + 1 as pairs,
        sum(coalesce(counted.pairs, 0)) over (partition by model.comparison) + 1000 as all_pairs
    from ref.match_model as model
    left join counted
        on model.comparison = counted.comparison and model.level = counted.level
)

-- (Pairs are subtracted, not shares: a sum of whole numbers is the same in whatever order.)
select
    comparison,
    level,
    case
        when level <> 'different' then pairs
        else all_pairs - coalesce(
            sum(pairs) filter (level <> 'different') over (partition by comparison), 0
        )
    end / all_pairs as chance
from smoothed
