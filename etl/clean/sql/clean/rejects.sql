-- Every source row that could not be used, with the reason: what raw has and clean has not.
-- Kept apart by content, so that a row that comes again tomorrow is the same reject. The content
-- is named by a keyed hash: more stands in it than leaves, and a plain one can be tried out.
with used as (
    select record_id
    from clean.insurance
    anti join clean.repeated_keys as repeats
        on repeats.register = 'insurance' and clean.insurance.record_id = repeats.row_key
),

insurance_rows as (
    select
        recorded.record_id,
        repeated.versions,
        concat_ws(
            ' | ', recorded.full_name, recorded.date_of_birth, recorded.id_number,
            recorded.insurance_number
        ) as content,
        recorded.province_code,
        nullif(trim(recorded.employer_code), '') as employer_code,
        fingerprint(to_json(recorded)::varchar) as content_hash
    from (select * exclude (run_id, read_at) from raw.insurance) as recorded
    left join clean.repeated_keys as repeated
        on repeated.register = 'insurance' and recorded.record_id = repeated.row_key
    anti join used on recorded.record_id = used.record_id
),

insurance_copies as (
    select
        *,
        row_number() over (partition by content_hash) as copy_number
    from insurance_rows
),

insurance_rejects as (
    select
        'insurance' as register,
        insurance_copies.record_id,
        content_hash,
        copy_number,
        case
            when coalesce(trim(insurance_copies.record_id), '') = '' then 'record_id_missing'
            when versions > 1 then 'record_id_conflict'
            when versions = 1 and copy_number > 1 then 'row_repeated'
            else 'nothing_to_compare'
        end as reason,
        case
            when
                coalesce(trim(insurance_copies.record_id), '') = '' or versions is not null
                then 'record_id'
            else 'full_name;date_of_birth;id_number'
        end as column_name,
        content as raw_value,
        insurance_copies.province_code,
        insurance_copies.employer_code
    from insurance_copies
    left join clean.insurance as kept on insurance_copies.record_id = kept.record_id
    -- Of identical rows, the first copy is the one that clean.insurance kept, if it kept one.
    where
        versions is null
        or not (versions = 1 and copy_number = 1 and kept.record_id is not null)
),

population_rows as (
    select
        recorded.personal_id,
        repeated.versions,
        recorded.province_code,
        fingerprint(to_json(recorded)::varchar) as content_hash
    from (select * exclude (run_id, read_at) from raw.population) as recorded
    left join clean.repeated_keys as repeated
        on repeated.register = 'population' and recorded.personal_id = repeated.row_key
    anti join (
        select recorded_personal_id
        from clean.population
        anti join clean.repeated_keys as repeats
            on
                repeats.register = 'population'
                and clean.population.recorded_personal_id = repeats.row_key
    ) as used on recorded.personal_id = used.recorded_personal_id
),

population_copies as (
    select
        *,
        row_number() over (partition by content_hash) as copy_number
    from population_rows
),

population_rejects as (
    select
        'population' as register,
        population_copies.personal_id as record_id,
        content_hash,
        copy_number,
        case
            when coalesce(trim(population_copies.personal_id), '') = '' then 'record_id_missing'
            when versions > 1 then 'personal_id_conflict'
            when versions = 1 and copy_number > 1 then 'row_repeated'
            when numbers.kind = 'personal' or numbers.raw is null
                then 'personal_id_conflict'
            else 'personal_id_invalid'
        end as reason,
        'personal_id' as column_name,
        population_copies.personal_id as raw_value,
        population_copies.province_code,
        null as employer_code
    from population_copies
    left join clean.population as kept
        on population_copies.personal_id = kept.recorded_personal_id
    left join clean.numbers as numbers
        on numbers.field = 'personal' and population_copies.personal_id = numbers.raw
    where
        versions is null
        or not (versions = 1 and copy_number = 1 and kept.personal_id is not null)
),

set_aside as (
    select * from insurance_rejects
    union all
    select * from population_rejects
)

select
    set_aside.register,
    set_aside.content_hash || '-' || set_aside.copy_number as row_key,
    set_aside.record_id,
    record_key(coalesce(nullif(trim(set_aside.record_id), ''), set_aside.content_hash))
        as record_key,
    set_aside.reason,
    set_aside.column_name,
    left(set_aside.raw_value, 500) as raw_value,
    labels.vi as reason_vi,
    labels.en as reason_en,
    provinces.code_2025 as province_code,
    set_aside.employer_code
from set_aside
left join ref.labels as labels on set_aside.reason = labels.code
left join ref.provinces as provinces
    on lpad(trim(set_aside.province_code), 3, '0') = provinces.cccd_code
