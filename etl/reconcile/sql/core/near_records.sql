-- What the probabilistic step takes in: the records that no step before it linked.
-- Kind: record.
select residue.*
from core.residue as residue
anti join core.step_demographic as demographic
    on residue.record_id = demographic.record_id and demographic.verdict = 'link'
