-- What to write where, proposed for a person, with the reason: never written to a source.
-- The population register is the authority on name, birth, sex, personal number and death
-- (Decree 43/2021 Art. 7), the insurance register on its own numbers and records (Art. 6).
-- Every mismatch that asks for a correction has its answer here: a value, in the insurance register's
-- own words, or the reason why a person must look.
-- Slices: core.disagreements.
-- Delta: findings.
-- Kind: record.
with asking as (
    select
        disagreements.record_id,
        disagreements.field,
        disagreements.code,
        disagreements.insurance_value as recorded_value,
        links.personal_id
    from core.disagreements as disagreements
    left join core.links as links on disagreements.record_id = links.record_id
    where disagreements.severity <> 'info' and in_slice(disagreements.record_id)
),

in_review as (
    select distinct record_id
    from core.candidates
),

own as (
    select
        min(word) filter (column_name = 'date_of_birth') as date_form,
        min(word) filter (column_name = 'status' and value = 'ended') as ended
    from core.own_words
),

-- What the population register says of the linked citizen, in the insurance register's way of
-- writing.
of_population as (
    select
        asking.record_id,
        asking.field,
        asking.code,
        asking.recorded_value,
        -- If the citizen's date is 1 January and the record has another day of that year, the
        -- citizen's date may only mean the year.
        asking.code = 'BIRTH_PARTIAL'
        and insurance.birth_date is not null
        and dayofyear(insurance.birth_date) <> 1
            as may_be_filler,
        case asking.field
            when 'full_name' then name_written(population.full_name, asking.recorded_value)
            when 'date_of_birth'
                then if(
                    may_be_filler, null,
                    date_written(
                        population.birth_date,
                        coalesce(date_form(asking.recorded_value), own.date_form, 'yyyy-mm-dd')
                    )
                )
            when 'gender' then coalesce(sexes.word, population.gender)
            else population.personal_id
        end as proposed_value,
        'population' as authority,
        case
            when asking.field = 'date_of_birth' and (population.birth_date is null or may_be_filler)
                then 'look_birth_incomplete'
            when asking.field = 'full_name' and population.full_name is null
                then 'look_register_lacks'
            when asking.field = 'gender' and population.gender is null
                then 'look_register_lacks'
            when asking.code in ('ID_OTHER_PERSON', 'ID_SHARED')
                then coalesce(foreign_numbers.reason, 'register_says')
            else 'register_says'
        end as reason,
        null as evidence
    from asking
    inner join clean.insurance as insurance on asking.record_id = insurance.record_id
    inner join clean.population as population on asking.personal_id = population.personal_id
    cross join own
    left join core.own_words as sexes
        on sexes.column_name = 'gender' and population.gender = sexes.value
    left join core.foreign_numbers as foreign_numbers
        on asking.record_id = foreign_numbers.record_id and asking.field = foreign_numbers.field
    where
        asking.field in ('id_number', 'full_name', 'date_of_birth', 'gender')
        or (asking.field = 'insurance_number' and starts_with(asking.code, 'ID_'))
),

of_the_dead as (
    select
        asking.record_id,
        asking.field,
        asking.code,
        asking.recorded_value,
        coalesce(own.ended, 'ended') as proposed_value,
        'population' as authority,
        if(population.date_of_death is null, 'deceased_without_date', 'deceased') as reason,
        population.date_of_death::varchar as evidence
    from asking
    inner join clean.population as population on asking.personal_id = population.personal_id
    cross join own
    where asking.code = 'DECEASED_ACTIVE'
),

-- The record to keep is named for every record of its group, itself included.
of_duplicates as (
    select
        record_id,
        'record_id' as field,
        'DUPLICATE_INSURANCE' as code,
        record_id as recorded_value,
        kept_record_id as proposed_value,
        'insurance' as authority,
        reason,
        null as evidence
    from core.duplicates
    where in_slice(record_id)
    union all
    select
        duplicates.record_id,
        'insurance_number' as field,
        'DUPLICATE_INSURANCE' as code,
        coalesce(insurance.insurance_number, insurance.insurance_personal_id) as recorded_value,
        duplicates.kept_number as proposed_value,
        'insurance' as authority,
        'number_of_kept' as reason,
        null as evidence
    from core.duplicates as duplicates
    inner join clean.insurance as insurance on duplicates.record_id = insurance.record_id
    where
        duplicates.kept_number
        is distinct from coalesce(insurance.insurance_number, insurance.insurance_personal_id)
        and duplicates.kept_number is not null
        and in_slice(duplicates.record_id)
),

-- Numbers on cards that no record has as its insurance number.
free_card_numbers as (
    select
        insurance.record_id,
        insurance.card_insurance_number as number
    from asking
    inner join clean.insurance as insurance on asking.record_id = insurance.record_id
    anti join clean.insurance as others
        on insurance.card_insurance_number = others.insurance_number
    where
        asking.code in ('INSURANCE_NUMBER_MISSING', 'INSURANCE_NUMBER_INVALID')
        and length(insurance.card_insurance_number) = 10
),

-- A missing or unreadable insurance number is taken from the card; where the card has none that is
-- free, the personal number replaces it (letter 1804/BHXH-QLT, from 1/8/2025).
of_lacking_numbers as (
    select
        asking.record_id,
        asking.field,
        asking.code,
        asking.recorded_value,
        coalesce(free.number, asking.personal_id) as proposed_value,
        'insurance' as authority,
        if(free.number is not null, 'number_on_card', 'personal_number_replaces') as reason,
        null as evidence
    from asking
    left join free_card_numbers as free on asking.record_id = free.record_id
    where
        asking.code in ('INSURANCE_NUMBER_MISSING', 'INSURANCE_NUMBER_INVALID')
        and coalesce(free.number, asking.personal_id) is not null
),

of_numbers as (
    select
        record_id,
        field,
        'CARD_CONFLICT' as code,
        recorded_value,
        proposed_value,
        'insurance' as authority,
        reason,
        null as evidence
    from core.card_conflicts
    where in_slice(record_id)
    union all
    select
        asking.record_id,
        asking.field,
        asking.code,
        asking.recorded_value,
        null as proposed_value,
        'insurance' as authority,
        if(contested.insurance_number is null, 'look_same_person', 'look_number_of_several')
            as reason,
        null as evidence
    from asking
    inner join clean.insurance as insurance on asking.record_id = insurance.record_id
    left join core.contested_numbers as contested
        on insurance.insurance_number = contested.insurance_number
    where asking.code = 'INSURANCE_NUMBER_SHARED'
),

-- For a record that is linked to nobody no value is known: its citizen must be found first.
of_unlinked as (
    select
        asking.record_id,
        asking.field,
        asking.code,
        asking.recorded_value,
        null as proposed_value,
        if(
            asking.field in ('record_id', 'insurance_number', 'health_card_number'),
            'insurance', 'population'
        ) as authority,
        if(in_review.record_id is null, 'look_for_the_citizen', 'look_at_candidates') as reason,
        null as evidence
    from asking
    left join in_review on asking.record_id = in_review.record_id
    where asking.personal_id is null
),

proposals as (
    select * exclude (may_be_filler) from of_population
    where proposed_value is null or recorded_value is distinct from proposed_value
    union all
    select * from of_the_dead
    union all
    select * from of_duplicates
    union all
    select * from of_lacking_numbers
    union all
    select * from of_numbers
    union all
    select * from of_unlinked
)

-- One row per field, however many codes are about it: a row with a value comes before one without,
-- the graver code before the lighter.
select proposals.*
from proposals
inner join ref.mismatch_codes as codes on proposals.code = codes.code
qualify
    row_number() over (
        partition by proposals.record_id, proposals.field
        order by
            proposals.proposed_value is null, codes.severity <> 'error', proposals.code,
            proposals.reason
    ) = 1
