-- Insurance records, understood: one row per record that can be compared.
-- Names, dates and irregular numbers come from the dictionaries. A number that is not in its
-- dictionary is plain: all others were given to the dictionary. What a status, a sex, a flag or a
-- province means is in clean.vocabularies. A record needs a number, or a name with a birth date or
-- an address; the others are in clean.rejects.
-- Delta: reading.
-- Kind: record.
with single_rows as (
    select insurance.* exclude (run_id, read_at)
    from raw.insurance as insurance
    anti join clean.repeated_keys as repeated
        on repeated.register = 'insurance' and insurance.record_id = repeated.row_key
    where is_written(insurance.record_id)
    union all
    select insurance.* exclude (run_id, read_at)
    from raw.insurance as insurance
    inner join clean.repeated_keys as repeated
        on
            repeated.register = 'insurance'
            and repeated.versions = 1
            and insurance.row_number = repeated.first_row
),

understood as (
    select
        recorded.row_number as record,
        recorded.record_id,
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
            when ids.raw is not null then ids.kind
            when length(recorded.id_number) = 12 then 'personal'
            when length(recorded.id_number) = 9 then 'cmnd'
        end as id_kind,
        if(ids.raw is null, recorded.id_number, ids.number) as id_number,
        coalesce(ids.repairs, '') as id_repairs,
        coalesce(ids.candidates, '') as id_candidates,
        if(recorded.id_number is null, 'number_missing', ids.reject) as id_reject,
        case
            when numbers.kind = 'insurance' then numbers.number
            when numbers.raw is null and length(recorded.insurance_number) = 10
                then recorded.insurance_number
        end as insurance_number,
        case
            when numbers.kind = 'personal' then numbers.number
            when numbers.raw is null and length(recorded.insurance_number) = 12
                then recorded.insurance_number
        end as insurance_personal_id,
        coalesce(numbers.repairs, '') as insurance_number_repairs,
        if(recorded.insurance_number is null, 'number_missing', numbers.reject)
            as insurance_number_reject,
        case
            when cards.raw is not null then cards.card_code
            when length(recorded.health_card_number) = 15
                then left(recorded.health_card_number, 5)
        end as card_code,
        if(cards.raw is null, right(recorded.health_card_number, 10), cards.number)
            as card_insurance_number,
        coalesce(compulsory.value = 'true', false) as compulsory_si,
        coalesce(voluntary.value = 'true', false) as voluntary_si,
        coalesce(unemployment.value = 'true', false) as unemployment_insurance,
        coalesce(health.value = 'true', false) as health_insurance,
        coalesce(statuses.value, 'other') as status,
        written(recorded.employer_code) as employer_code,
        provinces.value as province_code,
        coalesce(provinces.value is null and is_written(recorded.province_code), false)
            as province_unread,
        written(recorded.commune) as commune,
        written(recorded.office) as office,
        written(recorded.address) as address
    from single_rows as recorded
    left join clean.names as names on recorded.full_name = names.raw
    left join clean.births as births on recorded.date_of_birth = births.raw
    left join clean.numbers as ids
        on ids.field = 'id' and recorded.id_number = ids.raw
    left join clean.numbers as numbers
        on numbers.field = 'insurance' and recorded.insurance_number = numbers.raw
    left join clean.numbers as cards
        on cards.field = 'card' and recorded.health_card_number = cards.raw
    left join clean.vocabularies as genders
        on
            genders.register = 'insurance' and genders.column_name = 'gender'
            and recorded.gender = genders.raw
    left join clean.vocabularies as compulsory
        on
            compulsory.register = 'insurance' and compulsory.column_name = 'compulsory_si'
            and recorded.compulsory_si = compulsory.raw
    left join clean.vocabularies as voluntary
        on
            voluntary.register = 'insurance' and voluntary.column_name = 'voluntary_si'
            and recorded.voluntary_si = voluntary.raw
    left join clean.vocabularies as unemployment
        on
            unemployment.register = 'insurance' and unemployment.column_name = 'unemployment_insurance'
            and recorded.unemployment_insurance = unemployment.raw
    left join clean.vocabularies as health
        on
            health.register = 'insurance' and health.column_name = 'health_insurance'
            and recorded.health_insurance = health.raw
    left join clean.vocabularies as statuses
        on
            statuses.register = 'insurance' and statuses.column_name = 'status'
            and recorded.status = statuses.raw
    left join clean.vocabularies as provinces
        on
            provinces.register = 'insurance' and provinces.column_name = 'province_code'
            and recorded.province_code = provinces.raw
)

select *
from understood
where
    id_number is not null
    or id_candidates <> ''
    or insurance_personal_id is not null
    or (name_key is not null and (birth_year is not null or address is not null))
