-- The present state of what worklists show of a record: the fingerprint of the record with its
-- linked citizen or, where it has none, with its best candidates in their order. wanted (record_id)
-- lists the records; candidates beyond the third are not shown, so they do not count.
create or replace temp table worklist_facts as
with shown_records as (
    select
        insurance.record_id,
        facts_of_record(
            insurance.recorded_name, insurance.birth_date, insurance.birth_year,
            insurance.birth_month, insurance.gender, insurance.id_number,
            insurance.insurance_number, insurance.insurance_personal_id
        ) as facts
    from clean.insurance as insurance
    semi join wanted on insurance.record_id = wanted.record_id
),

near as (
    select
        candidates.record_id,
        candidates.candidate_rank,
        candidates.personal_id
    from core.candidates as candidates
    semi join wanted on candidates.record_id = wanted.record_id
    where candidates.candidate_rank <= 3
),

linked as (
    select
        links.record_id,
        links.personal_id
    from core.links as links
    semi join wanted on links.record_id = wanted.record_id
),

shown_citizens as (
    select
        population.personal_id,
        facts_of_citizen(
            population.recorded_name, population.birth_date, population.birth_year,
            population.birth_month, population.gender, population.personal_id, population.status
        ) as facts
    from clean.population as population
    where
        population.personal_id in (select near.personal_id from near)
        or population.personal_id in (select linked.personal_id from linked)
),

of_candidates as (
    select
        near.record_id,
        list(near.personal_id order by near.candidate_rank) as candidates,
        md5(string_agg(shown_citizens.facts, '/' order by near.candidate_rank)) as facts
    from near
    inner join shown_citizens on near.personal_id = shown_citizens.personal_id
    group by near.record_id
)

select
    shown_records.record_id,
    linked.personal_id,
    coalesce(of_candidates.candidates, []) as candidates,
    shown_records.facts as record_facts,
    '1:' || shown_records.facts || ':'
    || coalesce(shown_citizens.facts, of_candidates.facts, '') as seen
from shown_records
left join linked on shown_records.record_id = linked.record_id
left join shown_citizens on linked.personal_id = shown_citizens.personal_id
left join of_candidates on shown_records.record_id = of_candidates.record_id
