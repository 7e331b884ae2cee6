-- The fast lane: records that agree in everything with a citizen whom no other record claims. The
-- waterfall would link them at the step personal_id, whatever else is in the registers, and its
-- results for other records do not depend on them. So they skip its steps. A record is settled if:
-- * No other record claims the citizen, by the number in use or by a former one: where one does,
--   core.number_doubts must ask whether the record is alone with the citizen. (A filler claims
--   nobody.)
-- * The number is no citizen's former number: such a number would lead to that citizen, too.
-- * Nobody has decided on the record: a decision comes first.
-- Delta: linking.
-- Kind: group.
with claimed_by_others as (
    select
        unnest(list_concat(
            [id_number, insurance_personal_id], string_split(id_candidates, ';')
        )) as number
    from clean.insurance as insurance
    anti join core.agreeing as agreeing on insurance.record = agreeing.record
),

wanted_by_others as (
    select number
    from claimed_by_others
    where number is not null
    union all
    select former.personal_id
    from clean.former_numbers as former
    semi join claimed_by_others on former.former_number = claimed_by_others.number
    anti join clean.fillers as fillers on former.former_number = fillers.number
    union all
    select former_number
    from clean.former_numbers
    where length(former_number) = 12
),

doubtful as (
    select population.citizen
    from clean.population as population
    semi join wanted_by_others on population.personal_id = wanted_by_others.number
    union all
    select citizen
    from core.agreeing
    group by citizen
    having count(*) > 1
),

decided as (
    select insurance.record
    from clean.insurance as insurance
    semi join core.decided as decisions on insurance.record_id = decisions.record_id
)

select agreeing.*
from core.agreeing as agreeing
anti join doubtful on agreeing.citizen = doubtful.citizen
anti join decided on agreeing.record = decided.record
