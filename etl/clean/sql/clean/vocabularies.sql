-- The words of each register: every spelling in a column that has few, how often it stands there,
-- and what it was understood to mean; null where it was not.
-- What the configuration says of a spelling ([population.values.status]) comes before what the
-- dictionaries say. The commonest spelling of a meaning is the register's own word for it: mismatches
-- and corrections are written in these words.
with spelt as (
    select 'insurance' as register, 'gender' as column_name, gender as raw, count(*) as copies
    from raw.insurance
    group by gender
    union all
    select 'insurance', 'status', status, count(*)
    from raw.insurance
    group by status
    union all
    select 'insurance', 'province_code', province_code, count(*)
    from raw.insurance
    group by province_code
    union all
    select 'insurance', 'compulsory_si', compulsory_si, count(*)
    from raw.insurance
    group by compulsory_si
    union all
    select 'insurance', 'voluntary_si', voluntary_si, count(*)
    from raw.insurance
    group by voluntary_si
    union all
    select 'insurance', 'unemployment_insurance', unemployment_insurance, count(*)
    from raw.insurance
    group by unemployment_insurance
    union all
    select 'insurance', 'health_insurance', health_insurance, count(*)
    from raw.insurance
    group by health_insurance
    union all
    select 'population', 'gender', gender, count(*)
    from raw.population
    group by gender
    union all
    select 'population', 'status', status, count(*)
    from raw.population
    group by status
    union all
    select 'population', 'province_code', province_code, count(*)
    from raw.population
    group by province_code
)

select
    spelt.register,
    spelt.column_name,
    spelt.raw,
    spelt.copies,
    coalesce(configured.value, genders.value, statuses.value, provinces.value, flags.value::varchar)
        as value
from spelt
left join ref.configured_words as configured
    on
        spelt.register = configured.register
        and spelt.column_name = configured.column_name
        and lower(trim(spelt.raw)) = configured.spelling
left join clean.genders as genders
    on spelt.column_name = 'gender' and spelt.raw = genders.raw
left join clean.statuses as statuses
    on
        spelt.column_name = 'status'
        and spelt.register = statuses.field
        and spelt.raw = statuses.raw
left join clean.provinces as provinces
    on spelt.column_name = 'province_code' and spelt.raw = provinces.raw
left join clean.flags as flags
    on
        spelt.column_name not in ('gender', 'status', 'province_code')
        and spelt.raw = flags.raw
where trim(spelt.raw) <> ''
