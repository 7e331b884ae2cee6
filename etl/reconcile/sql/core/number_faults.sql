-- What is wrong with the identity numbers of a record, each judged by itself: one row per record,
-- code, field and number. A record may carry a right number in one column and a wrong one in another.
-- A number is the linked citizen's (now or formerly), somebody else's, or nobody's.
-- Delta: findings.
-- Kind: group.
with claimed as (
    select
        claims.*,
        links.personal_id
    from core.claims as claims
    left join core.links as links on claims.record_id = links.record_id
),

-- The records and citizens whom a number brought together only after a repair, and that number.
repaired_numbers as (
    select distinct
        record_id,
        personal_id,
        number
    from core.number_pairs
    where match_step = 'repaired_id'
),

-- The few records with a number that leads to somebody who looks different.
misled as (
    select distinct record_id
    from core.number_pairs
    where verdict = 'other' and reason in ('looks_different', 'somebody_fits_better', 'decided_not')
),

-- Of these records, the numbers that lead to the linked citizen or to somebody who does not look
-- different. (One CMND may have had several holders; where one of them is the linked citizen, the
-- other holders do not matter.)
own_numbers as (
    select
        considered.record_id,
        considered.number
    from core.number_pairs as considered
    semi join misled on considered.record_id = misled.record_id
    left join core.links as links
        on
            considered.record_id = links.record_id
            and considered.personal_id = links.personal_id
    where
        links.record_id is not null
        or considered.verdict <> 'other'
        or considered.reason = 'repaired_number'
),

-- A number that leads only to people who look different.
numbers_of_others as (
    select distinct
        pairs.record_id,
        pairs.number
    from core.number_pairs as pairs
    anti join own_numbers
        on pairs.record_id = own_numbers.record_id and pairs.number = own_numbers.number
    anti join core.candidates as candidates
        on pairs.record_id = candidates.record_id and pairs.personal_id = candidates.personal_id
    where
        pairs.verdict = 'other'
        and pairs.reason in ('looks_different', 'somebody_fits_better', 'decided_not')
),

-- The same number in records of different people. The record of the number's own citizen needs no
-- correction; the others do, and all of them do where the number is nobody's.
repeated_numbers as (
    select number
    from core.claims
    group by number
    having count(*) > 1
),

carried_numbers as (
    select
        claimed.record_id,
        claimed.field,
        claimed.number,
        claimed.personal_id,
        coalesce(claimed.personal_id, 'record ' || claimed.record_id) as bearer
    from claimed
    semi join repeated_numbers on claimed.number = repeated_numbers.number
),

shared_numbers as (
    select number
    from carried_numbers
    group by number
    having min(bearer) <> max(bearer)
),

-- A personal number says century and sex in its fourth digit and the birth year in the next two
-- (docs/normalisation.md). A number that contradicts this is not invalid: the code only informs.
structure as (
    select
        record_id,
        field,
        number,
        number::bigint // 100000000 % 10 as fourth,
        1900 + 100 * (fourth // 2) + number::bigint // 1000000 % 100 as number_year,
        if(fourth % 2 = 0, 'M', 'F') as number_gender
    from (
        select
            record_id,
            field,
            number
        from core.claims
        where length(number) = 12 and not is_repaired
        union all
        select
            record_id,
            unnest(['id_number', 'insurance_number']) as field,
            unnest([id_number, insurance_personal_id]) as number
        from clean.insurance as insurance
        semi join core.settled as settled on insurance.record = settled.record
    ) as carried
    where number is not null
),

found as (
    select 'ID_INVALID' as code, claimed.record_id, claimed.field, claimed.number
    from claimed
    semi join core.numbers_of_nobody as nobodys
        on claimed.record_id = nobodys.record_id and claimed.number = nobodys.number
    anti join repaired_numbers as repaired
        on
            claimed.record_id = repaired.record_id
            and claimed.number = repaired.number
            and claimed.personal_id = repaired.personal_id
    where length(claimed.number) = 12 and not claimed.is_candidate
    union all
    select 'ID_FORMER', record_id, field, number
    from claimed
    where length(number) = 9 and not is_candidate
    union all
    select 'ID_FORMER', claimed.record_id, claimed.field, claimed.number
    from claimed
    semi join clean.former_numbers as former
        on claimed.personal_id = former.personal_id and claimed.number = former.former_number
    where not claimed.is_filler
    union all
    -- (A repair that leads to nobody does not count as one.)
    select 'ID_REPAIRED', claimed.record_id, claimed.field, claimed.number
    from claimed
    anti join core.numbers_of_nobody as nobodys
        on claimed.record_id = nobodys.record_id and claimed.number = nobodys.number
    where claimed.is_repaired and not claimed.is_candidate
    union all
    select 'ID_REPAIRED', claimed.record_id, claimed.field, claimed.number
    from claimed
    semi join repaired_numbers as repaired
        on
            claimed.record_id = repaired.record_id
            and claimed.number = repaired.number
            and claimed.personal_id = repaired.personal_id
    where claimed.is_repaired or claimed.number <> claimed.personal_id
    union all
    select 'ID_OTHER_PERSON', claimed.record_id, claimed.field, claimed.number
    from claimed
    semi join numbers_of_others as others
        on claimed.record_id = others.record_id and claimed.number = others.number
    union all
    select 'ID_SHARED', carried.record_id, carried.field, carried.number
    from carried_numbers as carried
    semi join shared_numbers on carried.number = shared_numbers.number
    anti join core.number_pairs as own
        on
            carried.record_id = own.record_id
            and carried.number = own.number
            and carried.personal_id = own.personal_id
    union all
    select 'ID_ATTRIBUTE_CONFLICT', structure.record_id, structure.field, structure.number
    from structure
    inner join clean.insurance as insurance on structure.record_id = insurance.record_id
    where structure.number_year <> insurance.birth_year or structure.number_gender <> insurance.gender
)

select distinct
    record_id,
    code,
    field,
    number
from found
