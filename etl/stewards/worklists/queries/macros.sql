-- What the statements of worklists share.

-- Who can correct a mismatch: the police of the commune of residence where the population register's
-- own value is wrong or missing (Decree 70/2024 Art. 6), the participant where papers must decide, the
-- insurance office otherwise. remedy is the reason of the correction that answers it.
create or replace temp macro route_of(owner, remedy) as
case
    when owner = 'population' or remedy in ('look_birth_incomplete', 'look_register_lacks')
        then 'police'
    when owner = 'citizen' then 'citizen'
    else 'insurance'
end;

-- The key of a row: its worklist, and a fingerprint that nobody can make without the secret of the
-- record keys.
create or replace temp macro row_key_of(worklist_id, record_id, code) as
worklist_id || '.' || fingerprint('worklist/' || worklist_id || '/' || code || '/' || record_id);
