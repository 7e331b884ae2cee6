-- The working copy of the state in the warehouse, which statements read and a run writes to, and
-- tables that belong to this warehouse only. What is missing is created, and tables of earlier
-- versions are brought forward. A row that is not marked saved is not yet in the state's database
-- (etl/state/copying.py). Times are UTC: each connection of the warehouse is set so.

create table if not exists ops.runs (
    run_id varchar primary key,
    dagster_run_id varchar not null,
    mode varchar not null,
    started_at timestamp not null
);
alter table ops.runs add column if not exists published_at timestamp;
alter table ops.runs add column if not exists saved boolean default false;

-- Every run proves that nothing was lost; left_side and right_side are row counts.
create table if not exists ops.ledger (
    run_id varchar not null,
    equation varchar not null,
    left_side bigint not null,
    right_side bigint not null,
    holds boolean not null
);
-- On which builds of the tables the equation was computed. Stays in this warehouse.
alter table ops.ledger add column if not exists of_state varchar;
alter table ops.ledger add column if not exists saved boolean default false;

-- What each table of this warehouse was built from. Each build has a unique name; a table whose
-- input has been built again since is out of step. Stays in this warehouse.
create table if not exists ops.builds (
    table_name varchar not null,
    build varchar not null,
    run_id varchar not null,
    built_at timestamp not null
);

-- How many rows the table had, if it is one that may lose rows.
alter table ops.builds add column if not exists row_count bigint;

create table if not exists ops.build_inputs (
    table_name varchar not null,
    input_name varchar not null,
    input_build varchar
);

-- The pseudonyms that checks have shown, each with its record, so that explain finds the record
-- without trying all of them. Stays in this warehouse, because it names persons.
create table if not exists ops.shown_keys (
    record_key varchar not null,
    record_id varchar not null
);

create table if not exists ops.quality_results (
    run_id varchar not null,
    table_name varchar not null,
    check_name varchar not null,
    severity varchar not null,
    blocking boolean not null,
    passed boolean not null,
    checked_rows bigint,
    failed_rows bigint,
    observed varchar,
    checked_at timestamp not null
);
-- Against which builds of its tables the rule was checked. Stays in this warehouse.
alter table ops.quality_results add column if not exists of_state varchar;
-- The fingerprint of that rule, and the run that checked it: a delta does not check a rule again
-- whose tables have not changed.
alter table ops.quality_results add column if not exists of_rule varchar;
alter table ops.quality_results add column if not exists asked_in varchar;
alter table ops.quality_results add column if not exists saved boolean default false;

-- The rules as the last run knew them: what triage says of a rule, and how it finds the rows.
create table if not exists ops.quality_rules (
    table_name varchar not null,
    check_name varchar not null,
    severity varchar not null,
    blocking boolean not null,
    owner varchar not null,
    meaning varchar not null,
    key_sql varchar not null
);
alter table ops.quality_rules add column if not exists expected varchar;
alter table ops.quality_rules add column if not exists saved boolean default false;

-- Failing rows, by key only: one line for as long as a row fails without a break. first_run is the
-- first run that saw it fail; closed_run the first that saw it no more.
create table if not exists ops.quality_failures (
    table_name varchar not null,
    check_name varchar not null,
    record_key varchar not null
);
alter table ops.quality_failures add column if not exists first_run varchar;
alter table ops.quality_failures add column if not exists first_seen timestamp;
alter table ops.quality_failures add column if not exists closed_run varchar;
alter table ops.quality_failures add column if not exists closed_at timestamp;
alter table ops.quality_failures drop column if exists run_id;
alter table ops.quality_failures add column if not exists saved boolean default false;
-- Rows of the first versions do not say since when a row has failed.
delete from ops.quality_failures
where first_run is null;

-- Failures that somebody has acknowledged, until expires_at; they still count as failures.
create table if not exists ops.acknowledgements (
    table_name varchar not null,
    check_name varchar not null,
    acknowledged_by varchar not null,
    reason varchar not null,
    acknowledged_at timestamp not null,
    expires_at timestamp not null
);
alter table ops.acknowledgements add column if not exists saved boolean default false;

-- The counts over whole registers that runs decided by: a row for each change of a table's content.
create table if not exists ops.statistics (
    table_name varchar not null,
    run_id varchar not null,
    version varchar not null,
    rows_counted bigint not null,
    counted_at timestamp not null
);
alter table ops.statistics add column if not exists saved boolean default false;

-- What stewards decided. personal_id is null where the record is no citizen's.
create table if not exists ops.decisions (
    record_id varchar not null,
    personal_id varchar,
    decided_by varchar not null,
    reason varchar not null,
    decided_at timestamp not null
);
alter table ops.decisions add column if not exists decision_id varchar;
-- link, not_link, not_a_person, keep_record, undo; null in decisions of early versions, which were
-- link, or not_a_person without a personal_id.
alter table ops.decisions add column if not exists verdict varchar;
alter table ops.decisions add column if not exists kept_record_id varchar;
-- The decision that an undo takes back.
alter table ops.decisions add column if not exists undoes varchar;
-- Fingerprints of the record's and the citizen's facts as they were shown (etl/reconcile/sql/facts.sql).
alter table ops.decisions add column if not exists seen varchar;
-- What the waterfall had said of the record, and whom it had found: to see how often people agree.
alter table ops.decisions add column if not exists machine_verdict varchar;
alter table ops.decisions add column if not exists machine_step varchar;
alter table ops.decisions add column if not exists machine_personal_id varchar;
alter table ops.decisions add column if not exists machine_probability double;
alter table ops.decisions add column if not exists saved boolean default false;
update ops.decisions
set decision_id = replace(uuid()::varchar, '-', '')
where decision_id is null;

-- Each worklist that was written for an office, and each row of it with what was answered. Commands write
-- them to the state's database (etl/stewards/worklists); runs read them (publish.worklist_status).
create table if not exists ops.worklists (
    worklist_id varchar not null,
    run_id varchar not null,
    made_at timestamp not null,
    made_by varchar not null,
    shape varchar not null,
    province_code varchar,
    office varchar,
    item_count bigint not null,
    saved boolean default false
);

create table if not exists ops.worklist_items (
    worklist_id varchar not null,
    record_id varchar not null,
    code varchar not null,
    route varchar not null,
    sent_at timestamp not null,
    due_at timestamp not null,
    seen varchar,
    answer varchar,
    answered_at timestamp,
    answered_by varchar,
    note varchar,
    saved boolean default false
);

-- A link stays open as long as record, citizen and step are the same. A record is named by its
-- published key.
create table if not exists ops.link_history (
    record_id varchar not null,
    personal_id varchar not null,
    match_step varchar not null,
    opened_run varchar not null,
    opened_at timestamp not null,
    closed_run varchar,
    closed_at timestamp,
    why_closed varchar
);
alter table ops.link_history add column if not exists saved boolean default false;

-- How many records carried each code in each published run, over all schemes.
create table if not exists ops.mismatch_history (
    run_id varchar not null,
    published_at timestamp not null,
    code varchar not null,
    province_code varchar not null,
    mismatches bigint not null,
    records bigint not null
);
alter table ops.mismatch_history add column if not exists saved boolean default false;

-- Every model that was trained here, as its file; the last one is used.
create table if not exists ops.models (
    version varchar primary key,
    trained_at timestamp not null,
    model varchar not null
);
alter table ops.models add column if not exists saved boolean default false;

-- Who looked at whose data, as recorded by earlier versions; now this is written to the state's
-- database.
create table if not exists ops.access_log (
    accessed_at timestamp not null,
    accessed_by varchar not null,
    record_key varchar not null,
    command varchar not null
);
alter table ops.access_log add column if not exists access_id varchar;
alter table ops.access_log add column if not exists saved boolean default false;
update ops.access_log
set access_id = replace(uuid()::varchar, '-', '')
where access_id is null;

-- The rows of the target that each published run compared column by column, to find what somebody
-- else has changed there. slice is the last slice that it compared: the first two digits of the
-- hashes of its rows (one digit in earlier versions); null where all rows were compared.
create table if not exists ops.target_comparisons (
    run_id varchar not null,
    target varchar not null,
    compared_at timestamp not null,
    slice varchar,
    table_name varchar not null,
    compared_rows bigint not null,
    repaired_rows bigint not null
);
alter table ops.target_comparisons add column if not exists saved boolean default false;

-- Which build of each table stands in which target, and which run put it there. Stays in this
-- warehouse.
create table if not exists ops.published_builds (
    target varchar not null,
    table_name varchar not null,
    build varchar not null,
    run_id varchar not null
);

-- Which build of a table of publish differs from the build that was published last only by rows that
-- deltas have replaced. Those rows, as published, are in ops.replaced_<table>: their keys, and
-- row_hash, which is null where there was no such row. Stays in this warehouse.
create table if not exists ops.replacements (
    table_name varchar not null,
    published_build varchar not null,
    build varchar not null
);

-- Which revision of which state the working copy of each table is.
create table if not exists ops.copies (
    table_name varchar primary key,
    state_id varchar not null,
    revision bigint not null
);
