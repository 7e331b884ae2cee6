-- Links that the steps would make against a person's decision that no longer fits what was seen: a
-- record said to be no citizen's, or not this citizen's. The machine does not overrule a person:
-- somebody must look at the record again.
-- Delta: linked.
-- Kind: record.
with outdated as (
    select *
    from core.decided
    where verdict in ('not_link', 'not_a_person') and state <> 'stands'
)

select
    linkable.*,
    'decision_outdated' as reason
from core.linkable as linkable
semi join outdated
    on
        linkable.record_id = outdated.record_id
        and (outdated.verdict = 'not_a_person' or linkable.personal_id = outdated.personal_id)
where linkable.match_step <> 'steward'
