-- The words of each register: every spelling in a column that has few, how often it stands there,
-- and what it was understood to mean; null where it was not.
-- What the configuration says of a spelling ([population.values.status]) comes before what the
-- dictionaries say. The commonest spelling of a meaning is the register's own word for it: mismatches
-- and corrections are written in these words.
-- Kind: group.
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
),

understood as (
    select 'insurance' as register, 'gender' as column_name, raw, value
    from clean.genders
    union all
    select 'population', 'gender', raw, value
    from clean.genders
    union all
    select field, 'status', raw, value
    from clean.statuses
    union all
    select 'insurance', 'province_code', raw, value
    from clean.provinces
    union all
    select 'population', 'province_code', raw, value
    from clean.provinces
    union all
    select
        'insurance', unnest([
            'compulsory_si', 'voluntary_si', 'unemployment_insurance', 'health_insurance'
        ]), raw, value::varchar
    from clean.flags
)

select
    spelt.register,
    spelt.column_name,
    spelt.raw,
    spelt.copies,
    coalesce(configured.value, understood.value) as value
from spelt
left join ref.configured_words as configured
    on
        spelt.register = configured.register
        and spelt.column_name = configured.column_name
        and lower(trim(spelt.raw)) = configured.spelling
left join understood
    on
        spelt.register = understood.register
        and spelt.column_name = understood.column_name
        and spelt.raw = understood.raw
where trim(spelt.raw) <> ''
