-- Citizens, understood: one row per personal number.
-- Rows without a 12-digit number, or whose number stands for different citizens, are in
-- clean.rejects.
-- Delta: reading.
-- Kind: group.
with single_rows as not materialized (
    select population.* exclude (run_id, read_at)
    from raw.population as population
    anti join clean.repeated_keys as repeated
        on repeated.register = 'population' and population.personal_id = repeated.row_key
    where is_written(population.personal_id)
    union all
    select population.* exclude (run_id, read_at)
    from raw.population as population
    inner join clean.repeated_keys as repeated
        on
            repeated.register = 'population'
            and repeated.versions = 1
            and population.row_number = repeated.first_row
),

-- Only a repaired number can turn out to be another row's number, because all plain numbers differ.
-- A number is looked for in each of its irregular spellings, and in its plain one.
spellings as (
    select
        number,
        raw as spelling
    from clean.numbers
    where field = 'personal' and kind = 'personal'
    union
    select
        number,
        number as spelling
    from clean.numbers
    where field = 'personal' and kind = 'personal'
),

clashes as (
    select spellings.number
    from spellings
    inner join single_rows as recorded on spellings.spelling = recorded.personal_id
    group by spellings.number
    having count(distinct recorded.personal_id) > 1
),

understood as (
    select
        recorded.row_number as citizen,
        case
            when numbers.raw is null then recorded.personal_id
            when numbers.kind = 'personal' then numbers.number
        end as personal_id,
        recorded.personal_id as recorded_personal_id,
        recorded.full_name as recorded_name,
        names.canonical as full_name,
        names.name_key,
        names.notes as name_notes,
        births.birth_date,
        births.birth_year,
        births.birth_month,
        births.precision as birth_precision,
        births.notes as birth_notes,
        genders.value as gender,
        case
            when recorded.date_of_death is not null then 'deceased'
            else coalesce(statuses.value, 'other')
        end as status,
        deaths.birth_date as date_of_death,
        provinces.value as province_code,
        coalesce(provinces.value is null and is_written(recorded.province_code), false)
            as province_unread,
        written(recorded.commune) as commune,
        written(recorded.address) as address,
        written(recorded.former_id_numbers) as former_id_numbers
    from single_rows as recorded
    left join clean.names as names on recorded.full_name = names.raw
    left join clean.births as births on recorded.date_of_birth = births.raw
    left join clean.births as deaths on recorded.date_of_death = deaths.raw
    left join clean.numbers as numbers
        on numbers.field = 'personal' and recorded.personal_id = numbers.raw
    left join clean.vocabularies as genders
        on
            genders.register = 'population' and genders.column_name = 'gender'
            and recorded.gender = genders.raw
    left join clean.vocabularies as statuses
        on
            statuses.register = 'population' and statuses.column_name = 'status'
            and recorded.status = statuses.raw
    left join clean.vocabularies as provinces
        on
            provinces.register = 'population' and provinces.column_name = 'province_code'
            and recorded.province_code = provinces.raw
)

-- Two spellings of one number are one citizen with two versions: neither is used.
select understood.*
from understood
anti join clashes on understood.personal_id = clashes.number
where understood.personal_id is not null
