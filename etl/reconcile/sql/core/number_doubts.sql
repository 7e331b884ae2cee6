-- Where name or birth is not quite the owner's: may the number be the wrong field, and not the name?
-- One row per doubtful record and citizen; number_pairs draws the conclusion.
with doubtful as materialized (
    select distinct
        owners.record_id,
        owners.personal_id,
        insurance.name_key,
        insurance.birth_date,
        insurance.gender,
        population.name_key as owner_key,
        population.birth_date as owner_birth
    from core.number_owners as owners
    inner join clean.insurance as insurance on owners.record_id = insurance.record_id
    inner join clean.population as population on owners.personal_id = population.personal_id
    where not (name_agrees(owners.name_agreement) and owners.birth_agreement = 'same')
),

-- Somebody else has exactly the recorded name and birth date: a twin, a sibling, a father.
outdone as (
    select distinct
        doubtful.record_id,
        doubtful.personal_id
    from doubtful
    inner join clean.population as rival
        on
            doubtful.name_key = rival.name_key
            and doubtful.birth_date = rival.birth_date
            and doubtful.personal_id <> rival.personal_id
            and gender_agreement(doubtful.gender, rival.gender) <> 'different'
),

-- Another record's number leads to the owner, another record has the owner's name and birth date,
-- or the record's other number leads to somebody else.
accompanied as (
    select
        doubtful.record_id,
        doubtful.personal_id
    from doubtful
    inner join core.number_owners as others
        on doubtful.personal_id = others.personal_id and doubtful.record_id <> others.record_id
    union
    select
        doubtful.record_id,
        doubtful.personal_id
    from doubtful
    inner join clean.insurance as others
        on
            doubtful.owner_key = others.name_key
            and doubtful.owner_birth = others.birth_date
            and doubtful.record_id <> others.record_id
    union
    select
        doubtful.record_id,
        doubtful.personal_id
    from doubtful
    inner join core.number_owners as others
        on doubtful.record_id = others.record_id and doubtful.personal_id <> others.personal_id
)

select
    doubtful.record_id,
    doubtful.personal_id,
    outdone.record_id is not null as is_outdone,
    accompanied.record_id is null as is_alone,
    -- Surname and middle name are the owner's, and only the given name is not. (A surname before
    -- another middle name says nothing: every third name that has strayed into the wrong row begins
    -- with Nguyễn, too.)
    coalesce(
        contains(doubtful.name_key, ' ')
        and all_but_last(doubtful.name_key) = all_but_last(doubtful.owner_key),
        false
    ) as is_other_given
from doubtful
left join outdone
    on doubtful.record_id = outdone.record_id and doubtful.personal_id = outdone.personal_id
left join accompanied
    on
        doubtful.record_id = accompanied.record_id
        and doubtful.personal_id = accompanied.personal_id
