-- What to write where, proposed for a person, with the reason: never written to a source.
-- The population register is the authority on name, birth, sex, personal number and death
-- (Decree 43/2021 Art. 7), the insurance register on its own numbers and records (Art. 6).
-- A row without a proposed value says that a person must look, and why.
with of_population as (
    select
        mismatches.record_id,
        mismatches.field,
        mismatches.code,
        mismatches.insurance_value as recorded_value,
        case mismatches.field
            when 'id_number' then population.personal_id
            when 'full_name' then population.full_name
            when 'date_of_birth' then mismatches.population_value
            when 'gender' then population.gender
        end as proposed_value,
        'population' as authority,
        if(
            mismatches.code in ('ID_OTHER_PERSON', 'ID_SHARED'),
            coalesce(foreign_numbers.reason, 'register_says'), 'register_says'
        ) as reason,
        null as evidence
    from core.mismatches as mismatches
    inner join core.links as links on mismatches.record_id = links.record_id
    inner join clean.population as population on links.personal_id = population.personal_id
    left join core.foreign_numbers as foreign_numbers
        on
            mismatches.record_id = foreign_numbers.record_id
            and mismatches.field = foreign_numbers.field
    where
        mismatches.severity <> 'info'
        and mismatches.field in ('id_number', 'full_name', 'date_of_birth', 'gender')
),

-- Somebody else's personal number in the column of the insurance number.
of_foreign_numbers as (
    select
        foreign_numbers.record_id,
        foreign_numbers.field,
        min(mismatches.code) as code,
        any_value(foreign_numbers.recorded_value) as recorded_value,
        any_value(foreign_numbers.personal_id) as proposed_value,
        'population' as authority,
        any_value(foreign_numbers.reason) as reason,
        null as evidence
    from core.foreign_numbers as foreign_numbers
    inner join core.mismatches as mismatches
        on
            foreign_numbers.record_id = mismatches.record_id
            and mismatches.code in ('ID_OTHER_PERSON', 'ID_SHARED')
    where foreign_numbers.field = 'insurance_number'
    group by foreign_numbers.record_id, foreign_numbers.field
),

of_the_dead as (
    select
        record_id,
        field,
        code,
        insurance_value as recorded_value,
        'ended' as proposed_value,
        'population' as authority,
        if(population_value is null, 'deceased_without_date', 'deceased') as reason,
        population_value as evidence
    from core.mismatches
    where code = 'DECEASED_ACTIVE'
),

-- The record to keep is told in every row of its group, in its own as well.
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
    union all
    select
        mismatches.record_id,
        mismatches.field,
        mismatches.code,
        mismatches.insurance_value as recorded_value,
        null as proposed_value,
        'insurance' as authority,
        'look_number_of_several' as reason,
        null as evidence
    from core.mismatches as mismatches
    semi join core.contested_numbers as contested
        on mismatches.insurance_value = contested.insurance_number
    where mismatches.code = 'INSURANCE_NUMBER_SHARED'
),

proposals as (
    select * from of_population
    where proposed_value is not null and recorded_value is distinct from proposed_value
    union all
    select * from of_foreign_numbers
    union all
    select * from of_the_dead
    union all
    select * from of_duplicates
    where proposed_value is not null
    union all
    select * from of_numbers
)

-- One per field, whatever number of codes speak of it: one that proposes before one that asks,
-- the graver code before the lighter.
select proposals.*
from proposals
inner join ref.mismatch_codes as codes on proposals.code = codes.code
qualify
    row_number() over (
        partition by proposals.record_id, proposals.field
        order by
            proposals.proposed_value is null, codes.severity <> 'error', proposals.code
    ) = 1
