-- Which record to keep where one citizen has several, and why: one row per record of such a
-- citizen. One person has one social insurance number for life; the others are merged into it.
-- A person's decision comes first (the last one, if there are several on the group). Otherwise the
-- first difference in this order decides, so that a group has exactly one record to keep:
--   1 active before unknown before ended: contributions or a card depend on it today
--   2 compulsory social insurance: an employer declares and pays under this record
--   3 more schemes
--   4 an insurance number that no other person's record carries, before none
--   5 a number that is the citizen's personal number: since 1/8/2025 it replaces the others
--   6 the citizen was found by a person or by the record's own identity number
--   7 changed last
--   8 the first record id, so that two runs give one answer
-- Where the record that is kept has no number of its own, the number of the next best is kept.
-- Delta: findings.
-- Kind: group.
with several as (
    select
        insurance.*,
        links.personal_id,
        links.match_step,
        try_cast(recorded.updated_at as timestamp) as updated_at
    from core.mismatches as duplicates
    inner join core.links as links on duplicates.record_id = links.record_id
    inner join clean.insurance as insurance on duplicates.record_id = insurance.record_id
    inner join raw.insurance as recorded on insurance.record = recorded.row_number
    where duplicates.code = 'DUPLICATE_INSURANCE'
),

-- Where the insurance number's column holds another citizen's personal number, that does not count
-- as the record's own number.
numbered as (
    select
        several.*,
        case
            when several.insurance_personal_id = several.personal_id then several.personal_id
            when contested.insurance_number is null then several.insurance_number
        end as own_number
    from several
    left join core.contested_numbers as contested
        on several.insurance_number = contested.insurance_number
),

-- The record to keep that a person named, in a decision on any record of the same citizen.
named as (
    select
        several.personal_id,
        decided.kept_record_id as record_id,
        max(decided.decided_at) as named_at
    from core.decided as decided
    inner join several on decided.record_id = several.record_id
    where decided.verdict = 'keep_record'
    group by several.personal_id, decided.kept_record_id
),

weighed as (
    select
        numbered.personal_id,
        numbered.record_id,
        coalesce(named.named_at, timestamp '0001-01-01 00:00:00') as named_at,
        own_number,
        case status when 'active' then 2 when 'ended' then 0 else 1 end as activity,
        compulsory_si::integer as compulsory,
        compulsory_si::integer + voluntary_si::integer + unemployment_insurance::integer
        + health_insurance::integer as schemes,
        (own_number is not null)::integer as has_number,
        coalesce(numbered.own_number = numbered.personal_id, false)::integer as has_personal_number,
        (match_step in ('steward', 'personal_id', 'former_id'))::integer as found_by_number,
        coalesce(updated_at, timestamp '0001-01-01 00:00:00') as changed_at
    from numbered
    left join named
        on
            numbered.personal_id = named.personal_id
            and numbered.record_id = named.record_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by personal_id
            order by
                named_at desc,
                activity desc, compulsory desc, schemes desc, has_number desc,
                has_personal_number desc, found_by_number desc, changed_at desc, record_id asc
        ) as place
    from weighed
),

numbers as (
    select
        personal_id,
        arg_min(own_number, place) as kept_number
    from ranked
    where own_number is not null
    group by personal_id
)

-- The reason: in which respect the kept record comes before this one; for the kept record itself,
-- in which respect it comes before the second.
select
    ranked.record_id,
    ranked.personal_id,
    ranked.place,
    kept.record_id as kept_record_id,
    numbers.kept_number,
    case
        when kept.named_at > rival.named_at then 'keep_decided'
        when kept.activity > rival.activity and kept.activity = 2 then 'keep_active'
        when kept.activity > rival.activity then 'keep_not_ended'
        when kept.compulsory > rival.compulsory then 'keep_compulsory'
        when kept.schemes > rival.schemes then 'keep_more_schemes'
        when kept.has_number > rival.has_number then 'keep_with_number'
        when kept.has_personal_number > rival.has_personal_number then 'keep_personal_number'
        when kept.found_by_number > rival.found_by_number then 'keep_found_by_number'
        when kept.changed_at > rival.changed_at then 'keep_latest'
        else 'keep_first_id'
    end as reason
from ranked
inner join ranked as kept on ranked.personal_id = kept.personal_id and kept.place = 1
inner join ranked as rival
    on ranked.personal_id = rival.personal_id and rival.place = greatest(ranked.place, 2)
left join numbers on ranked.personal_id = numbers.personal_id
