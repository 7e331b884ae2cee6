-- Step 4, repaired_id: by a number that was understood only after a repair (lost zeros, a letter
-- for a digit, one wrong or two swapped digits), and only with full agreement of name, birth and
-- sex.
-- Delta: linking.
-- Kind: record.
select pairs.* exclude (match_step, number)
from core.number_pairs as pairs
anti join core.step_steward as steward
    on pairs.record_id = steward.record_id and steward.verdict <> 'other'
anti join core.step_personal_id as personal_id
    on pairs.record_id = personal_id.record_id and personal_id.verdict <> 'other'
anti join core.step_former_id as former_id
    on pairs.record_id = former_id.record_id and former_id.verdict <> 'other'
where pairs.match_step = 'repaired_id'
