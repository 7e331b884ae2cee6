-- What became of each question that an office was sent: one row per record and code, by the last
-- time that it was sent. 'corrected': this run no longer finds the mismatch. 'answered': the office
-- wrote an answer. 'open': the time for an answer is over. 'sent': there is still time.
-- Kind: total.
with sent as (
    select
        items.record_id,
        items.code,
        items.worklist_id,
        items.route,
        items.sent_at,
        items.due_at,
        items.answer,
        items.answered_at,
        lists.shape,
        lists.province_code,
        lists.office
    from ops.worklist_items as items
    inner join ops.worklists as lists on items.worklist_id = lists.worklist_id
),

counted as (
    select
        record_id,
        code,
        count(distinct sent_at) as times_sent,
        max(sent_at) as last_sent_at
    from sent
    group by record_id, code
),

-- One export may contain a record and code in two shapes: the one that was answered counts for
-- both.
last_sent as (
    select
        sent.*,
        counted.times_sent
    from sent
    inner join counted
        on
            sent.record_id = counted.record_id
            and sent.code = counted.code
            and sent.sent_at = counted.last_sent_at
    qualify
        row_number() over (
            partition by sent.record_id, sent.code
            order by sent.answer is null asc, sent.answered_at desc, sent.shape asc, sent.worklist_id asc
        ) = 1
),

-- A record that has left the register is left out. A record that can no longer be compared
-- (REJECTED) shows no mismatch, but that does not make it corrected. Nor can a code be corrected
-- that never was a mismatch, such as a match that a participant was asked to confirm.
standing as (
    select
        last_sent.*,
        case
            when
                codes.code is not null
                and mismatches.record_id is null
                and reconciled.status <> 'REJECTED'
                then 'corrected'
            when last_sent.answer is not null then 'answered'
            when last_sent.due_at < parameters.started_at then 'open'
            else 'sent'
        end as status
    from last_sent
    inner join publish.reconciled as reconciled on last_sent.record_id = reconciled.record_id
    left join publish.mismatches as mismatches
        on last_sent.record_id = mismatches.record_id and last_sent.code = mismatches.code
    left join ref.mismatch_codes as codes on last_sent.code = codes.code
    cross join ops.parameters as parameters
),

leaving as (
    select
        record_id,
        code,
        worklist_id,
        shape,
        province_code,
        printable(office) as office,
        route,
        date_trunc('second', sent_at) as sent_at,
        date_trunc('second', due_at) as due_at,
        times_sent,
        answer,
        date_trunc('second', answered_at) as answered_at,
        status
    from standing
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
