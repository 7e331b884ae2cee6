-- The fast lane: records that agree in everything with a citizen whom no other record claims. The
-- waterfall would link them at the step personal_id, whatever else is in the registers, and nothing
-- that it finds of other records rests on them. So it is spared them.
-- * No other record claims the citizen, by the number in use or by a former one: where one does, who
--   is alone with the citizen is a question (core.number_doubts).
-- * The number is no citizen's former number: it would lead to that citizen, too.
-- * Nobody has decided on the record: a decision comes first.
-- Kind: group.
with claimed_by_others as (
    select unnest(claimed_numbers(id_number, insurance_personal_id, id_candidates)) as number
    from clean.insurance as insurance
    anti join core.agreeing as agreeing on insurance.record_id = agreeing.record_id
),

wanted_by_others as (
    select number as personal_id
    from claimed_by_others
    where number is not null
    union all
    select former.personal_id
    from clean.former_numbers as former
    semi join claimed_by_others on former.former_number = claimed_by_others.number
    union all
    select personal_id
    from core.agreeing
    group by personal_id
    having count(*) > 1
)

select agreeing.*
from core.agreeing as agreeing
anti join wanted_by_others on agreeing.personal_id = wanted_by_others.personal_id
anti join clean.former_numbers as former on agreeing.personal_id = former.former_number
anti join ops.decisions as decided on agreeing.record_id = decided.record_id
