-- Step 2, personal_id: the 12-digit number is a citizen's, and name, birth and sex do not
-- contradict it together.
-- Kind: record.
select
    record_id,
    personal_id,
    'link' as verdict,
    'agrees' as reason,
    name_agreement,
    'same' as birth_agreement,
    'same' as gender_agreement
from core.settled
union all by name
select pairs.* exclude (match_step, number)
from core.number_pairs as pairs
anti join core.step_steward as steward
    on pairs.record_id = steward.record_id and steward.verdict <> 'other'
where pairs.match_step = 'personal_id'
