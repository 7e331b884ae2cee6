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
        population.birth_date as owner_birth,
        -- Surname and middle name are the owner's, and only the given name is not. (A surname before
        -- another middle name says nothing: every third name that has strayed into the wrong row
        -- begins with Nguyễn, too.)
        owners.name_agreement = 'surname_shared'
        and owners.birth_agreement = 'same'
        and differs_in_last_word(
            insurance.full_name, insurance.name_key, population.full_name, population.name_key
        )
            as is_other_given
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

half_named as materialized (
    select *
    from doubtful
    where is_other_given
),

owners_of_several as (
    select owners.personal_id
    from core.number_owners as owners
    semi join half_named on owners.personal_id = half_named.personal_id
    group by owners.personal_id
    having min(owners.record_id) <> max(owners.record_id)
),

records_of_several as (
    select owners.record_id
    from core.number_owners as owners
    semi join half_named on owners.record_id = half_named.record_id
    group by owners.record_id
    having min(owners.personal_id) <> max(owners.personal_id)
),

-- Not alone: another record's number leads to the owner, another record has the owner's name and
-- birth date or was found to be the owner's by a steward, the record's other number leads to
-- somebody else, or a citizen of that birth date has the recorded name but for a slip: a twin whose
-- own name was mistyped.
accompanied as (
    select
        half_named.record_id,
        half_named.personal_id
    from half_named
    semi join owners_of_several on half_named.personal_id = owners_of_several.personal_id
    union
    select
        half_named.record_id,
        half_named.personal_id
    from half_named
    semi join clean.insurance as others
        on half_named.owner_key = others.name_key and half_named.owner_birth = others.birth_date
    union
    select
        half_named.record_id,
        half_named.personal_id
    from half_named
    semi join core.step_steward as decided
        on half_named.personal_id = decided.personal_id and decided.verdict = 'link'
    union
    select
        half_named.record_id,
        half_named.personal_id
    from half_named
    semi join records_of_several on half_named.record_id = records_of_several.record_id
    union
    select
        half_named.record_id,
        half_named.personal_id
    from half_named
    inner join clean.population as twin
        on
            half_named.birth_date = twin.birth_date
            and split_part(half_named.name_key, ' ', 1) = split_part(twin.name_key, ' ', 1)
            and half_named.personal_id <> twin.personal_id
    where
        damerau_levenshtein(half_named.name_key, twin.name_key) = 1
        and gender_agreement(half_named.gender, twin.gender) <> 'different'
)

select
    doubtful.record_id,
    doubtful.personal_id,
    outdone.record_id is not null as is_outdone,
    doubtful.is_other_given and accompanied.record_id is null as is_alone
from doubtful
left join outdone
    on doubtful.record_id = outdone.record_id and doubtful.personal_id = outdone.personal_id
left join accompanied
    on
        doubtful.record_id = accompanied.record_id
        and doubtful.personal_id = accompanied.personal_id
