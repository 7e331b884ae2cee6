-- The fingerprint of the facts that a person saw when deciding on a record and a citizen. It is
-- kept with the decision: '1:record:citizen'. The number is the version of the macros that made it;
-- a fingerprint of another version cannot be compared. Whoever changes these macros must change the
-- number.

create or replace temp macro facts_of_record(
    recorded_name, birth_date, birth_year, birth_month, gender,
    id_number, insurance_number, insurance_personal_id
) as
md5(to_json([
    recorded_name, birth_date::varchar, birth_year::varchar, birth_month::varchar, gender,
    id_number, insurance_number, insurance_personal_id
])::varchar);

create or replace temp macro facts_of_citizen(
    recorded_name, birth_date, birth_year, birth_month, gender, personal_id, status
) as
md5(to_json([
    recorded_name, birth_date::varchar, birth_year::varchar, birth_month::varchar, gender,
    personal_id, status
])::varchar);

-- The second part of a fingerprint is the record's, the third the citizen's; empty where none was seen.
create or replace temp macro was_seen_otherwise(seen, part, facts) as
coalesce(
    split_part(seen, ':', 1) = '1'
    and split_part(seen, ':', part) <> ''
    and split_part(seen, ':', part) <> facts,
    false
);
