-- Insurance numbers that records of different people carry: which of them it belongs to, the
-- registers do not say. Several records of one citizen may carry one number: they do not contest
-- it. A record that is linked to no citizen counts as a person of its own.
-- Kind: group.
with carried as (
    select
        insurance.insurance_number,
        coalesce(links.personal_id, 'record ' || shared.record_id) as bearer
    from core.mismatches as shared
    inner join clean.insurance as insurance on shared.record_id = insurance.record_id
    left join core.links as links on shared.record_id = links.record_id
    where shared.code = 'INSURANCE_NUMBER_SHARED'
)

select
    insurance_number,
    count(distinct bearer) as bearers
from carried
group by insurance_number
having count(distinct bearer) > 1
