-- Each record beside the citizens that its numbers lead to, judged.
-- A number alone never links: etl/reconcile/agreement_rules.csv says what name, birth and sex
-- must agree on. The steps personal_id, former_id and repaired_id read their pairs from here.
-- * Where another citizen has exactly the recorded name and birth date, the number is the wrong
--   field. But if the number's owner has that very name, or if no other record is the owner's,
--   either of the two may be meant.
-- * Where only the given name differs, and surname, middle name, birth date and sex are the same,
--   it is a name in daily use, or a twin who carries the other twin's number. That other twin is
--   most probably insured, too. So the record is linked if no other record is the owner's;
--   otherwise a person looks.
-- * Where a person said that the record is not this citizen's, the number is the wrong field.
-- * A repaired number is weaker evidence: unless all else agrees, the probabilistic step weighs it
--   with all other evidence.
-- Delta: linking.
-- Kind: record.
with reasoned as (
    select
        owners.*,
        name_agrees(owners.name_agreement) as is_that_name,
        verdicts.verdict = 'link_if_alone' and doubts.is_alone as is_nobody_else,
        case
            when refused.record_id is not null then 'decided_not'
            when
                doubts.is_outdone
                and (is_nobody_else or (verdicts.verdict = 'link' and is_that_name))
                then 'somebody_fits_better'
            when doubts.is_outdone then 'looks_different'
            when
                verdicts.verdict = 'link' and owners.match_step = 'repaired_id'
                and not (
                    is_that_name
                    and owners.birth_agreement = 'same'
                    and owners.gender_agreement <> 'different'
                )
                then 'repaired_number'
            when verdicts.verdict = 'link' then 'agrees'
            when is_nobody_else and owners.match_step <> 'repaired_id' then 'nobody_else'
            when verdicts.verdict = 'other' then 'looks_different'
            else 'partial_agreement'
        end as reason
    from core.number_owners as owners
    inner join ref.verdicts as verdicts
        on
            owners.name_agreement = verdicts.name_agreement
            and owners.birth_agreement = verdicts.birth_agreement
            and owners.gender_agreement = verdicts.gender_agreement
    left join core.number_doubts as doubts
        on owners.record_id = doubts.record_id and owners.personal_id = doubts.personal_id
    left join core.decided as refused
        on
            owners.record_id = refused.record_id
            and owners.personal_id = refused.personal_id
            and refused.verdict = 'not_link'
            and refused.state = 'stands'
),

judged as (
    select
        *,
        case
            when reason in ('agrees', 'nobody_else') then 'link'
            when reason = 'partial_agreement' then 'review'
            else 'other'
        end as verdict
    from reasoned
),

-- The few records that one step leads to more than one citizen.
crowded as (
    select
        record_id,
        match_step,
        count(*) filter (verdict = 'link') as linkable
    from judged
    group by record_id, match_step
    having count(*) > 1
)

-- One citizen passes: a link. Several pass: a person chooses among them. None passes but some
-- are near: a person looks. The other pairs look different, and the record goes on to the next
-- step.
select
    judged.record_id,
    judged.personal_id,
    judged.match_step,
    judged.number,
    case
        when judged.verdict = 'link' and crowded.linkable > 1 then 'review'
        when judged.verdict = 'review' and crowded.linkable > 0 then 'other'
        else judged.verdict
    end as verdict,
    if(judged.verdict = 'link' and crowded.linkable > 1, 'several_citizens', judged.reason)
        as reason,
    judged.name_agreement,
    judged.birth_agreement,
    judged.gender_agreement
from judged
left join crowded
    on judged.record_id = crowded.record_id and judged.match_step = crowded.match_step
