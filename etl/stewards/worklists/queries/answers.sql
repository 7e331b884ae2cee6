-- What each row that came back means and, if it cannot be taken in, the first reason why. given
-- (row_number, key, answer, trouble, number, note, shown_record) holds the rows of the files; items
-- and lists hold what was sent in the worklists that these rows name; allowed holds the permitted
-- 'shape/answer'.
create or replace temp table judged as
with known as (
    select
        items.*,
        lists.shape,
        row_key_of(items.worklist_id, items.record_id, items.code) as key
    from items
    inner join lists on items.worklist_id = lists.worklist_id
),

repeated as (
    select key
    from given
    group by key
    having count(*) > 1
),

-- A decision has the time of its answer, so it shows which number the answer gave.
decided as (
    select distinct
        record_id,
        personal_id,
        decided_at
    from ops.decisions
    where verdict = 'link'
),

told as (
    select
        given.*,
        known.worklist_id,
        known.record_id as sent_record,
        known.code,
        known.shape,
        repeated.key is not null as is_repeated,
        wanted.record_id,
        facts.record_facts,
        facts.personal_id as linked,
        facts.candidates,
        facts.seen as seen_now,
        known.seen as seen_then,
        coalesce(known.answer = given.answer, false)
        and coalesce(known.note, '') = coalesce(given.note, '')
        and (given.answer <> 'other_citizen' or decided.record_id is not null)
            as is_known,
        known.answer is not null as was_answered,
        others.personal_id as other,
        case
            when given.answer = 'confirmed' then facts.personal_id
            when given.answer = 'link_1' then facts.candidates[1]
            when given.answer = 'link_2' then facts.candidates[2]
            when given.answer = 'link_3' then facts.candidates[3]
            when given.answer = 'other_citizen' then others.personal_id
        end as chosen
    from given
    left join known on given.key = known.key
    left join repeated on given.key = repeated.key
    left join wanted on known.record_id = wanted.sent_record
    left join worklist_facts as facts on wanted.record_id = facts.record_id
    left join clean.population as others on given.number = others.personal_id
    left join decided
        on
            wanted.record_id = decided.record_id
            and known.answered_at = decided.decided_at
            and given.number = decided.personal_id
)

select
    *,
    case
        when sent_record is null then 'unknown_key'
        when is_repeated then 'repeated_key'
        when
            shown_record <> ''
            and shown_record
            <> ltrim(lower(regexp_replace(sent_record, '[^\p{L}\p{N}_]', '', 'g')), '0')
            then 'other_row'
        when trouble <> '' then trouble
        when is_known then 'known'
        when shape || '/' || answer not in (select allowed.answer from allowed)
            then 'answer_of_another_list'
        when answer = 'cannot_be_settled' and coalesce(note, '') = '' then 'note_missing'
        when answer in ('cannot_be_settled', 'corrected_at_source') then ''
        when record_id is null then 'record_gone'
        when coalesce(seen_then <> seen_now, true) then 'facts_changed'
        when answer = 'other_citizen' and number = '' then 'number_missing'
        when answer = 'other_citizen' and other is null then 'number_unknown'
        when starts_with(answer, 'link_') and chosen is null then 'no_such_candidate'
        when answer = 'no_candidate' and len(candidates) = 0 then 'no_such_candidate'
        when number <> '' and coalesce(number <> chosen, true) then 'number_beside_answer'
        when answer = 'keep_this_record' and code <> 'DUPLICATE_INSURANCE' then 'no_duplicate'
        else ''
    end as reason
from told
