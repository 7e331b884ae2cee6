-- Step 6, probabilistic: linked where the evidence is overwhelming, before a person where it is
-- good, left alone where it is not.
-- Where the owner of a number may be meant although another citizen has exactly the recorded name
-- and birth date, both citizens go before a person. A link needs a probability of being wrong below
-- wrong_links_per_million, levels that etl/reconcile/agreement_rules.csv would accept beside a
-- number, and a citizen whom no other record claims. Where the given name differs and the recorded
-- one is a name in use, the record may be of a brother or sister of the citizen, such as a twin who
-- is missing in the population register: a person looks, unless a number says that it is the
-- citizen (a record of Trần Đức An, where the register has only a Trần Đức Anh of that birth date).
-- A second record of one citizen is linked, as a duplicate, only where everything agrees and its
-- number is nobody else's.
-- Delta: weighing.
-- Whole: core.settled.
-- Kind: group.
with taken as (
    select population.personal_id
    from clean.population as population
    semi join core.near_scores as found on population.personal_id = found.personal_id
    semi join core.settled as settled on population.citizen = settled.citizen
    union
    select personal_id from core.step_steward
    where verdict = 'link'
    union
    select personal_id from core.step_personal_id
    where verdict = 'link'
    union
    select personal_id from core.step_former_id
    where verdict = 'link'
    union
    select personal_id from core.step_repaired_id
    where verdict = 'link'
    union
    select personal_id from core.step_demographic
    where verdict = 'link'
),

outdone as (
    select distinct
        record_id,
        personal_id
    from core.number_pairs
    where reason = 'somebody_fits_better'
),

contested as (
    select distinct record_id
    from outdone
),

with_numbers_of_others as (
    select distinct record_id
    from core.number_pairs
    where reason in ('looks_different', 'decided_not')
    union
    select record_id
    from core.claims
    where is_filler
),

-- Pairs that are probable although their given names (the last words) differ, and whose numbers do
-- not agree either.
other_given as (
    select
        scores.record_id,
        scores.personal_id,
        lower(split_part(records.full_name, ' ', -1)) as given_name
    from core.near_scores as scores
    inner join core.near_records as records on scores.record_id = records.record_id
    inner join clean.population as citizens on scores.personal_id = citizens.personal_id
    where
        scores.name_agreement in ('accents_differ', 'one_edit', 'similar', 'surname_shared')
        and scores.number_agreement not in ('same', 'one_edit')
        and scores.match_probability >= (select review_probability from ops.parameters)
        and is_unaccented(records.full_name) = is_unaccented(citizens.full_name)
        and not same_last_word(lower(records.full_name), lower(citizens.full_name))
),

siblings as (
    select
        other_given.record_id,
        other_given.personal_id
    from other_given
    semi join core.given_names_in_use as in_use on other_given.given_name = in_use.given_name
),

ranked as (
    select
        scores.*,
        siblings.record_id is not null and parameters.relatives as may_be_sibling,
        outdone.personal_id is not null as is_outdone,
        contested.record_id is not null as is_contested,
        verdicts.verdict as rule,
        1 - parameters.wrong_links_per_million / 1e6 as needed,
        name_agrees(scores.name_agreement) and scores.birth_agreement = 'same'
        and scores.gender_agreement = 'same' and scores.place_agreement = 'same'
        and with_numbers_of_others.record_id is null
            as all_agrees,
        parameters.relatives,
        parameters.review_probability,
        max(scores.match_probability) over (partition by scores.record_id) as best,
        count(*) filter (scores.match_probability > 0.01) over (partition by scores.record_id)
            as contenders
    from core.near_scores as scores
    inner join ref.verdicts as verdicts
        on
            scores.name_agreement = verdicts.name_agreement
            and scores.birth_agreement = verdicts.birth_agreement
            and scores.gender_agreement = verdicts.gender_agreement
    left join outdone
        on scores.record_id = outdone.record_id and scores.personal_id = outdone.personal_id
    left join contested on scores.record_id = contested.record_id
    left join siblings
        on scores.record_id = siblings.record_id and scores.personal_id = siblings.personal_id
    left join with_numbers_of_others on scores.record_id = with_numbers_of_others.record_id
    cross join ops.parameters as parameters
),

reasoned as (
    select
        ranked.*,
        case
            when is_outdone then 'somebody_fits_better'
            when is_contested then 'several_citizens'
            when match_probability < needed and contenders > 1 then 'several_citizens'
            when match_probability < needed then 'weak_evidence'
            when taken.personal_id is not null and not all_agrees then 'citizen_already_linked'
            when share_of_citizen < needed and not all_agrees then 'several_records'
            when rule <> 'link' and relatives then 'partial_agreement'
            when may_be_sibling then 'near_twin'
            else 'agrees'
        end as reason
    from ranked
    left join taken on ranked.personal_id = taken.personal_id
),

settled as (
    select
        *,
        count(*) filter (reason = 'agrees') over (partition by record_id) as linkable
    from reasoned
)

select
    record_id,
    personal_id,
    case
        when reason = 'agrees' then 'link'
        when linkable > 0 or best < review_probability then 'other'
        when match_probability >= 0.01 * best then 'review'
        when is_outdone then 'review'
        when is_contested and name_agrees(name_agreement) and birth_agreement = 'same' then 'review'
        else 'other'
    end as verdict,
    reason,
    name_agreement,
    birth_agreement,
    gender_agreement,
    place_agreement = 'same' as place_agrees,
    match_probability
from settled
