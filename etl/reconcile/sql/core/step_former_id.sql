-- Step 3, former_id: as step 2, through an earlier CMND or a cancelled number. Several citizens
-- may have carried one CMND; name, birth and sex say which.
-- Delta: linking.
-- Kind: record.
select pairs.* exclude (match_step, number)
from core.number_pairs as pairs
anti join core.step_steward as steward
    on pairs.record_id = steward.record_id and steward.verdict <> 'other'
anti join core.step_personal_id as personal_id
    on pairs.record_id = personal_id.record_id and personal_id.verdict <> 'other'
where pairs.match_step = 'former_id'
