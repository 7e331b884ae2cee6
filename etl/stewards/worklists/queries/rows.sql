-- The rows of the worklists, as they are written, with the office that each is for.
-- Besides the snapshot, it reads: wish (one row: grouping, made_at, rows_per_file), labels (kind,
-- code, words) in the language of the list, clock (route, due_at, due_on), sendings (record_id,
-- code, times_sent) and ages (record_id, code, since_at), both by published key.
create or replace temp table worklist_rows as
with provinces as (
    select
        code_2025 as province_code,
        any_value(province_2025) as province
    from ref.provinces
    group by code_2025
),

words as (
    select
        kind,
        code,
        words
    from labels
),

problems as (
    select
        mismatches.record_id,
        string_agg(words.words, '; ' order by mismatches.code) as problems
    from core.mismatches as mismatches
    semi join worklist_asked as asked on mismatches.record_id = asked.record_id
    inner join words on words.kind = 'mismatch' and mismatches.code = words.code
    where mismatches.severity <> 'info'
    group by mismatches.record_id
),

proposals as (
    select
        corrections.record_id,
        string_agg(
            coalesce(fields.words, corrections.field)
            || ': ' || coalesce(corrections.proposed_value || ' (' || reasons.words || ')', reasons.words),
            '; ' order by corrections.field
        ) as proposals
    from core.corrections as corrections
    semi join worklist_asked as asked on corrections.record_id = asked.record_id
    left join words as fields on fields.kind = 'field' and corrections.field = fields.code
    left join words as reasons on reasons.kind = 'remedy' and corrections.reason = reasons.code
    group by corrections.record_id
),

-- A full date is written as offices write it; anything else as the register has it.
citizens as (
    select
        population.personal_id,
        recorded.full_name as citizen_name,
        upper(coalesce(population.full_name, recorded.full_name)) as citizen_name_capitals,
        coalesce(strftime(population.birth_date, '%d/%m/%Y'), recorded.date_of_birth)
            as citizen_birth,
        recorded.gender as citizen_gender,
        concat_ws(', ', population.address, population.commune, provinces.province)
            as citizen_address,
        population.commune as citizen_commune,
        provinces.province as citizen_province
    from clean.population as population
    inner join raw.population as recorded on population.citizen = recorded.row_number
    left join provinces on population.province_code = provinces.province_code
    where
        population.personal_id in (
            select facts.personal_id from worklist_facts as facts
            where facts.personal_id is not null
        )
        or population.personal_id in (
            select unnest(facts.candidates) from worklist_facts as facts
        )
),

near as (
    select
        candidates.record_id,
        candidates.candidate_rank as place,
        citizens.*,
        words.words as why
    from core.candidates as candidates
    semi join worklist_asked as asked on candidates.record_id = asked.record_id
    inner join citizens on candidates.personal_id = citizens.personal_id
    left join words on words.kind = 'reason' and candidates.reason = words.code
    where candidates.candidate_rank <= 3
),

beside as (
    select
        record_id,
        any_value(personal_id) filter (place = 1) as candidate_1_number,
        any_value(citizen_name) filter (place = 1) as candidate_1_name,
        any_value(citizen_birth) filter (place = 1) as candidate_1_birth,
        any_value(citizen_gender) filter (place = 1) as candidate_1_gender,
        any_value(citizen_address) filter (place = 1) as candidate_1_address,
        any_value(why) filter (place = 1) as candidate_1_why,
        any_value(personal_id) filter (place = 2) as candidate_2_number,
        any_value(citizen_name) filter (place = 2) as candidate_2_name,
        any_value(citizen_birth) filter (place = 2) as candidate_2_birth,
        any_value(citizen_gender) filter (place = 2) as candidate_2_gender,
        any_value(citizen_address) filter (place = 2) as candidate_2_address,
        any_value(why) filter (place = 2) as candidate_2_why,
        any_value(personal_id) filter (place = 3) as candidate_3_number,
        any_value(citizen_name) filter (place = 3) as candidate_3_name,
        any_value(citizen_birth) filter (place = 3) as candidate_3_birth,
        any_value(citizen_gender) filter (place = 3) as candidate_3_gender,
        any_value(citizen_address) filter (place = 3) as candidate_3_address,
        any_value(why) filter (place = 3) as candidate_3_why
    from near
    group by record_id
),

written as (
    select
        asked.shape,
        case asked.shape when 'matched' then 1 when 'not_matched' then 2 else 3 end as shape_order,
        asked.record_id,
        recorded.insurance_number,
        recorded.full_name,
        recorded.date_of_birth,
        recorded.gender,
        recorded.id_number,
        recorded.health_card_number,
        insurance.address,
        insurance.commune,
        insurance.office,
        insurance.employer_code,
        coalesce(insurance.province_code, 'unknown') as province_code,
        coalesce(provinces.province, 'unknown') as province,
        reconciled.status,
        asked.code,
        coalesce(codes.words, statuses.words) as problem,
        problems.problems,
        asked.field,
        coalesce(fields.words, asked.field) as field_name,
        asked.insurance_value as recorded_value,
        asked.population_value,
        asked.proposed_value,
        reasons.words as basis,
        asked.evidence,
        proposals.proposals,
        citizens.*,
        beside.* exclude (record_id),
        asked.route,
        routes.words as corrected_by,
        greatest(date_diff('day', ages.since_at, wish.made_at), 0) as age_days,
        clock.due_at,
        clock.due_on,
        coalesce(sendings.times_sent, 0) as times_sent,
        facts.seen,
        case wish.grouping
            when 'office' then coalesce(insurance.office, insurance.commune)
            -- The police in charge are those of the commune where the citizen lives.
            when 'commune'
                then
                    coalesce(
                        if(asked.route = 'police', citizens.citizen_commune, null),
                        insurance.commune
                    )
            when 'employer' then insurance.employer_code
        end as addressee
    from worklist_asked as asked
    inner join clean.insurance as insurance on asked.record_id = insurance.record_id
    inner join raw.insurance as recorded on insurance.record = recorded.row_number
    inner join core.reconciled as reconciled on asked.record_id = reconciled.record_id
    inner join worklist_facts as facts on asked.record_id = facts.record_id
    inner join clock on asked.route = clock.route
    cross join wish
    left join citizens on facts.personal_id = citizens.personal_id
    left join beside on asked.record_id = beside.record_id
    left join problems on asked.record_id = problems.record_id
    left join proposals on asked.record_id = proposals.record_id
    left join provinces on insurance.province_code = provinces.province_code
    left join words as codes on codes.kind = 'mismatch' and asked.code = codes.code
    left join words as statuses on statuses.kind = 'status' and asked.code = statuses.code
    left join words as fields on fields.kind = 'field' and asked.field = fields.code
    left join words as reasons on reasons.kind = 'remedy' and asked.remedy = reasons.code
    left join words as routes on routes.kind = 'route' and asked.route = routes.code
    left join ages
        on published_key(asked.record_id) = ages.record_id and asked.code = ages.code
    left join sendings
        on published_key(asked.record_id) = sendings.record_id and asked.code = sendings.code
),

-- A worklist is for one office and of one shape. Its id is random, so that it discloses nothing.
lists as (
    select
        shape,
        province_code,
        addressee,
        'W' || upper(left(replace(uuid()::varchar, '-', ''), 15)) as worklist_id
    from written
    group by shape, province_code, addressee
)

select
    written.*,
    lists.worklist_id,
    row_key_of(lists.worklist_id, published_key(written.record_id), written.code) as key,
    row_number() over (
        partition by lists.worklist_id
        order by written.commune, written.employer_code, written.full_name, written.record_id, written.code
    ) as number,
    (
        row_number() over (
            partition by written.province_code, written.addressee
            order by
                written.shape_order, written.commune, written.employer_code, written.full_name,
                written.record_id, written.code
        ) - 1
    ) // wish.rows_per_file + 1 as part
from written
cross join wish
inner join lists
    on
        written.shape = lists.shape
        and written.province_code = lists.province_code
        and written.addressee is not distinct from lists.addressee
