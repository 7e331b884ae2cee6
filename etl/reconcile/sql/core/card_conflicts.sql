-- Which of a record's two numbers is wrong where its health card and its insurance number differ.
-- A card carries its holder's insurance number, or since 1/8/2025 the personal number. A number is
-- another citizen's if that citizen's record carries it or if it is that citizen's personal number.
-- Where a citizen has several records, the number that is kept goes on the card, too. Two records
-- are of different people only where both are linked. Where none of this decides, a person looks at
-- card and file, and the value is null.
-- Delta: findings.
-- Kind: group.
with conflicts as (
    select
        insurance.record_id,
        coalesce(insurance.insurance_number, insurance.insurance_personal_id) as insurance_number,
        insurance.card_insurance_number as card_number,
        links.personal_id,
        duplicates.kept_number
    from core.mismatches as mismatches
    inner join clean.insurance as insurance on mismatches.record_id = insurance.record_id
    left join core.links as links on insurance.record_id = links.record_id
    left join core.duplicates as duplicates on insurance.record_id = duplicates.record_id
    where mismatches.code = 'CARD_CONFLICT'
),

in_question as (
    select card_number as number
    from conflicts
    union
    select insurance_number as number
    from conflicts
),

-- The first and the last citizen of a number suffice to see whether anybody but the record's own
-- citizen carries it, however many there are.
carriers as (
    select
        insurance.insurance_number as number,
        min(links.personal_id) as first_citizen,
        max(links.personal_id) as last_citizen
    from clean.insurance as insurance
    semi join in_question on insurance.insurance_number = in_question.number
    inner join core.links as links on insurance.record_id = links.record_id
    group by insurance.insurance_number
    union all
    select
        population.personal_id as number,
        population.personal_id as first_citizen,
        population.personal_id as last_citizen
    from clean.population as population
    semi join in_question on population.personal_id = in_question.number
),

weighed as (
    select
        conflicts.*,
        coalesce(
            conflicts.personal_id <> of_card.first_citizen
            or conflicts.personal_id <> of_card.last_citizen,
            false
        ) as card_is_anothers,
        coalesce(
            conflicts.personal_id <> of_number.first_citizen
            or conflicts.personal_id <> of_number.last_citizen,
            false
        ) as number_is_anothers
    from conflicts
    left join carriers as of_card on conflicts.card_number = of_card.number
    left join carriers as of_number on conflicts.insurance_number = of_number.number
),

judged as (
    select
        *,
        case
            when card_is_anothers and number_is_anothers then 'look_both_elsewhere'
            when kept_number is not null then 'number_of_kept'
            when card_is_anothers and insurance_number is not null then 'card_of_another'
            when number_is_anothers then 'number_of_another_record'
            else 'look_at_card'
        end as reason
    from weighed
)

select
    record_id,
    if(reason = 'number_of_another_record', 'insurance_number', 'health_card_number') as field,
    if(reason = 'number_of_another_record', insurance_number, card_number) as recorded_value,
    case reason
        when 'number_of_kept' then kept_number
        when 'card_of_another' then insurance_number
        when 'number_of_another_record' then card_number
    end as proposed_value,
    reason
from judged
-- A card that already carries the number that is kept needs no correction.
where not (reason = 'number_of_kept' and card_number = kept_number)
