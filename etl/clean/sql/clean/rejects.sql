-- Every source row that could not be used, with the reason: the rows of raw that are not in clean.
-- Rows are told apart by their content, so that a row that comes again tomorrow is the same reject,
-- whenever it was changed.
-- Their key is a keyed hash of the content: the content holds more than is published, and a plain
-- hash could be guessed by trying values.
-- Delta: reading.
-- Kind: group.
with insurance_unused as (
    select insurance.* exclude (run_id, read_at, updated_at)
    from raw.insurance as insurance
    semi join (
        select unused.row_number
        from raw.insurance as unused
        anti join clean.insurance as used on unused.row_number = used.record
    ) as unused
        on insurance.row_number = unused.row_number
),

-- Of identical rows clean.insurance keeps the first, if it keeps any; the numbers of the other
-- copies continue from there.
insurance_copies as (
    select
        recorded.*,
        repeated.versions,
        -- (The row number is not part of the content.)
        fingerprint(
            regexp_replace(to_json(recorded)::varchar, ',"row_number":[0-9]+}$', '}')
        ) as content_hash,
        if(kept.record is null, 0, 1)
        + row_number() over (partition by content_hash order by recorded.row_number)
            as copy_number
    from insurance_unused as recorded
    left join clean.repeated_keys as repeated
        on repeated.register = 'insurance' and recorded.record_id = repeated.row_key
    left join clean.insurance as kept on repeated.first_row = kept.record
),

-- The columns at fault in a row with nothing to compare: those that hold something unreadable or,
-- where there are none, the empty ones.
insurance_read as (
    select
        insurance_copies.*,
        case
            when coalesce(trim(insurance_copies.record_id), '') = '' then 'record_id_missing'
            when versions > 1 then 'record_id_conflict'
            when versions = 1 and copy_number > 1 then 'row_repeated'
            else 'nothing_to_compare'
        end as reason,
        list_filter(
            [
                {
                    'name': 'full_name',
                    'value': insurance_copies.full_name,
                    'is_read': names.name_key is not null
                },
                {
                    'name': 'date_of_birth',
                    'value': insurance_copies.date_of_birth,
                    'is_read': births.birth_year is not null
                },
                {
                    'name': 'id_number',
                    'value': insurance_copies.id_number,
                    'is_read': false
                }
            ],
            lambda field: not field['is_read']
        ) as unread
    from insurance_copies
    left join clean.names as names on insurance_copies.full_name = names.raw
    left join clean.births as births on insurance_copies.date_of_birth = births.raw
),

insurance_named as (
    select
        insurance_read.*,
        if(
            len(list_filter(unread, lambda field: trim(field['value']) <> '')) > 0,
            list_filter(unread, lambda field: trim(field['value']) <> ''),
            unread
        ) as at_fault
    from insurance_read
),

insurance_rejects as (
    select
        'insurance' as register,
        named.record_id,
        content_hash,
        copy_number,
        reason,
        if(
            reason = 'nothing_to_compare',
            array_to_string(list_transform(at_fault, lambda field: field['name']), ';'),
            'record_id'
        ) as column_name,
        if(
            reason = 'nothing_to_compare',
            nullif(array_to_string(list_filter(
                list_transform(at_fault, lambda field: field['value']), lambda value: value is not null
            ), ' | '), ''),
            named.record_id
        ) as raw_value,
        provinces.value as province_code,
        nullif(trim(named.employer_code), '') as employer_code,
        nullif(trim(named.commune), '') as commune,
        nullif(trim(named.office), '') as office,
        coalesce(compulsory.value = 'true', false) as compulsory_si,
        coalesce(voluntary.value = 'true', false) as voluntary_si,
        coalesce(unemployment.value = 'true', false) as unemployment_insurance,
        coalesce(health.value = 'true', false) as health_insurance
    from insurance_named as named
    left join clean.vocabularies as provinces
        on
            provinces.register = 'insurance' and provinces.column_name = 'province_code'
            and named.province_code = provinces.raw
    left join clean.vocabularies as compulsory
        on
            compulsory.register = 'insurance' and compulsory.column_name = 'compulsory_si'
            and named.compulsory_si = compulsory.raw
    left join clean.vocabularies as voluntary
        on
            voluntary.register = 'insurance' and voluntary.column_name = 'voluntary_si'
            and named.voluntary_si = voluntary.raw
    left join clean.vocabularies as unemployment
        on
            unemployment.register = 'insurance' and unemployment.column_name = 'unemployment_insurance'
            and named.unemployment_insurance = unemployment.raw
    left join clean.vocabularies as health
        on
            health.register = 'insurance' and health.column_name = 'health_insurance'
            and named.health_insurance = health.raw
),

population_unused as (
    select population.* exclude (run_id, read_at, updated_at)
    from raw.population as population
    semi join (
        select unused.row_number
        from raw.population as unused
        anti join clean.population as used on unused.row_number = used.citizen
    ) as unused
        on population.row_number = unused.row_number
),

population_copies as (
    select
        recorded.personal_id,
        recorded.province_code,
        repeated.versions,
        -- (The row number is not part of the content.)
        fingerprint(
            regexp_replace(to_json(recorded)::varchar, ',"row_number":[0-9]+}$', '}')
        ) as content_hash,
        if(kept.citizen is null, 0, 1)
        + row_number() over (partition by content_hash order by recorded.row_number)
            as copy_number
    from population_unused as recorded
    left join clean.repeated_keys as repeated
        on repeated.register = 'population' and recorded.personal_id = repeated.row_key
    left join clean.population as kept on repeated.first_row = kept.citizen
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
        provinces.value as province_code
    from population_copies
    left join clean.numbers as numbers
        on numbers.field = 'personal' and population_copies.personal_id = numbers.raw
    left join clean.vocabularies as provinces
        on
            provinces.register = 'population' and provinces.column_name = 'province_code'
            and population_copies.province_code = provinces.raw
),

set_aside as (
    select * from insurance_rejects
    union all by name
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
    set_aside.province_code,
    set_aside.employer_code,
    set_aside.commune,
    set_aside.office,
    set_aside.compulsory_si,
    set_aside.voluntary_si,
    set_aside.unemployment_insurance,
    set_aside.health_insurance
from set_aside
left join ref.labels as labels on set_aside.reason = labels.code
