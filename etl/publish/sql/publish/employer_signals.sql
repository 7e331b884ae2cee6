-- Inspection leads: employers whose participants are doubtful more often than usual.
-- Doubtful: not found, deceased but active, carrying another person's or a shared number. A small
-- employer with one bad record is no lead: there must be at least three, and the lower bound of
-- the share (Wilson, 95%) must lie above the share among all employed records.
-- Kind: total.
with participants as (
    select
        employer_code,
        status = 'NOT_FOUND' as is_not_found,
        contains(mismatch_codes, 'DECEASED_ACTIVE') as is_deceased,
        contains(mismatch_codes, 'ID_OTHER_PERSON') as is_other_person,
        contains(mismatch_codes, 'ID_SHARED') as is_shared
    from core.reconciled
    where employer_code is not null
),

employers as (
    select
        employer_code,
        count(*) as records,
        count(*) filter (is_not_found) as not_found,
        count(*) filter (is_deceased) as deceased_active,
        count(*) filter (is_other_person) as other_person,
        count(*) filter (is_shared) as shared_numbers,
        count(*) filter (is_not_found or is_deceased or is_other_person or is_shared) as suspects,
        suspects / records as suspect_share
    from participants
    group by employer_code
),

usual as (
    select sum(suspects) / sum(records) as share
    from employers
)

select
    parameters.run_id,
    published_key(employers.employer_code) as employer_code,
    employers.* exclude (employer_code, suspects)
from employers
cross join usual
cross join ops.parameters as parameters
where
    employers.suspects >= 3
    and (
        employers.suspect_share + 1.92 / employers.records
        - 1.96 * sqrt(
            employers.suspect_share * (1 - employers.suspect_share) / employers.records
            + 0.9604 / (employers.records * employers.records)
        )
    ) / (1 + 3.8416 / employers.records) > usual.share
