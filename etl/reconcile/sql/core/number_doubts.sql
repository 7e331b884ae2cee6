-- Where name or birth is not quite the owner's: may the number be the wrong field, and not the name?
-- One row per doubtful record and citizen; number_pairs draws the conclusion.
-- Delta: linking.
-- Whole: clean.population.
-- Kind: group.
with doubtful as materialized (
    select distinct
        owners.record_id,
        owners.personal_id,
        insurance.name_key,
        insurance.birth_date,
        insurance.gender,
        population.name_key as owner_key,
        population.birth_date as owner_birth,
        -- Surname and middle name are the owner's, and only the given name is not. (An equal
        -- surname before another middle name is no evidence: a third of all people are called
        -- Nguyễn, so it is equal in every third wrong row, too.)
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

-- (The first and the last citizen of a name, birth date and sex suffice to see whether there is one
-- besides the owner, however many there are.)
namesakes as (
    select
        population.name_key,
        population.birth_date,
        population.gender,
        min(population.personal_id) as first_citizen,
        max(population.personal_id) as last_citizen
    from clean.population as population
    semi join doubtful
        on
            population.name_key = doubtful.name_key
            and population.birth_date = doubtful.birth_date
    group by population.name_key, population.birth_date, population.gender
),

refused as (
    select
        record_id,
        personal_id
    from core.decided
    where verdict = 'not_link' and state = 'stands'
),

-- Somebody else has exactly the recorded name and birth date: a twin, a sibling, a father. (A
-- citizen of whom a person said that the record is not theirs does not count.)
outdone as (
    select distinct
        doubtful.record_id,
        doubtful.personal_id
    from doubtful
    inner join namesakes as rivals
        on
            doubtful.name_key = rivals.name_key
            and doubtful.birth_date = rivals.birth_date
    left join refused as first_refused
        on
            doubtful.record_id = first_refused.record_id
            and rivals.first_citizen = first_refused.personal_id
    left join refused as last_refused
        on
            doubtful.record_id = last_refused.record_id
            and rivals.last_citizen = last_refused.personal_id
    where
        gender_agreement(doubtful.gender, rivals.gender) <> 'different'
        and (
            (
                doubtful.personal_id <> rivals.first_citizen
                and first_refused.personal_id is null
            )
            or (
                doubtful.personal_id <> rivals.last_citizen
                and last_refused.personal_id is null
            )
        )
),

half_named as materialized (
    select *
    from doubtful
    where is_other_given
),

-- Names that differ by one slip have a gap in common, so they are found by an equal key, however
-- many names one birth date has. Their lengths differ by one letter at most, which rules out two
-- thirds of the citizens.
lengths as (
    select distinct
        birth_date,
        split_part(name_key, ' ', 1) as surname,
        unnest([length(name_key) - 1, length(name_key), length(name_key) + 1]) as letters
    from half_named
),

gaps_of_records as (
    select
        birth_date,
        name_key,
        unnest(gaps(name_key)) as gap
    from (select distinct birth_date, name_key from half_named) as recorded
),

gaps_of_citizens as (
    select
        birth_date,
        name_key,
        unnest(gaps(name_key)) as gap
    from (
        select distinct
            population.birth_date,
            population.name_key
        from clean.population as population
        semi join lengths
            on
                population.birth_date = lengths.birth_date
                and split_part(population.name_key, ' ', 1) = lengths.surname
                and length(population.name_key) = lengths.letters
    ) as borne
),

slips as (
    select distinct
        recorded.birth_date,
        recorded.name_key,
        borne.name_key as citizen_key
    from gaps_of_records as recorded
    inner join gaps_of_citizens as borne
        on recorded.birth_date = borne.birth_date and recorded.gap = borne.gap
    where
        damerau_levenshtein(recorded.name_key, borne.name_key) = 1
        and same_first_word(recorded.name_key, borne.name_key)
),

twins as (
    select
        population.name_key,
        population.birth_date,
        population.gender,
        min(population.personal_id) as first_citizen,
        max(population.personal_id) as last_citizen
    from clean.population as population
    semi join slips
        on
            population.name_key = slips.citizen_key
            and population.birth_date = slips.birth_date
    group by population.name_key, population.birth_date, population.gender
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
    union
    select record_id
    from core.claims
    where is_filler
),

-- Not alone: another record's number leads to the owner, another record has the owner's name and
-- birth date, a steward found another record to be the owner's, the record's other number leads to
-- somebody else or is a filler, or another citizen of that birth date has the recorded name but for
-- one slip: a twin whose own name was mistyped.
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
    inner join slips
        on
            half_named.birth_date = slips.birth_date
            and half_named.name_key = slips.name_key
    inner join twins
        on
            slips.birth_date = twins.birth_date
            and slips.citizen_key = twins.name_key
    where
        gender_agreement(half_named.gender, twins.gender) <> 'different'
        and (
            half_named.personal_id <> twins.first_citizen
            or half_named.personal_id <> twins.last_citizen
        )
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
