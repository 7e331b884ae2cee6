-- Step 2, personal_id: the 12-digit number is a citizen's, and name, birth date and sex, taken
-- together, do not contradict it. Only records that are not in core.settled are judged here.
-- Delta: linking.
-- Kind: record.
select pairs.* exclude (match_step, number)
from core.number_pairs as pairs
anti join core.step_steward as steward
    on pairs.record_id = steward.record_id and steward.verdict <> 'other'
where pairs.match_step = 'personal_id'
