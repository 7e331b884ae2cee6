"""Every rule of the suites can fail: one deliberate fault for each rule, on real tables.

The list of rules comes from the suites themselves, so a rule without a failing example fails here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from etl.clean import dictionaries
from etl.domain.codes import MatchStep
from etl.domain.contract import DIFFERENCE_TABLES
from etl.engine.port import Warehouse
from etl.engine.statements import TableName, statements
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from expectations import SUITES, Rule, Suite
from expectations.rules import AT_MOST, Kind
from expectations.runner import RuleResult, run_suite
from expectations.thresholds import thresholds
from tests.support import Registers, citizen, decide, memory_folder, record

CITIZENS = 60
_PLACE = {"commune": "Phường Bạch Mai", "office": "BHXH Hai Bà Trưng", "employer_code": "HN0001"}
CASES = [
    pytest.param(suite, rule, id=f"{suite.table.sql}.{rule.name}")
    for suite in SUITES
    for rule in suite.rules
]

_STALE = "update {table} set updated_at = '2001-01-01'"
FAULTS = {
    "clean.names.every_string_is_understood_or_refused": "set reject = null, name_key = null",
    "clean.births.year_of_birth_or_death_is_possible": "set birth_year = 1066",
    "clean.numbers.understood_numbers_are_digits": "set number = '12a'",
    "clean.insurance.numbers_have_their_length": "set insurance_number = '123'",
    "clean.insurance.scheme_is_known": "set health_insurance = false",
    "clean.population.personal_number_is_12_digits": "set personal_id = '12345'",
    "clean.population.deaths_follow_births": "set date_of_death = birth_date - 1",
    "clean.former_numbers.former_number_is_9_or_12_digits": "set former_number = '1'",
    "clean.fillers.each_filler_stands_once":
        "insert into {table} (number, holders) values ('1', 500), ('1', 500)",
    "clean.fillers.filler_is_listed_by_a_crowd": "set number = '1', holders = 1",
    "clean.rejects.keys_are_not_in_conflict": "set reason = 'record_id_conflict'",
    "raw.insurance.has_fresh_changes": _STALE,
    "raw.population.has_fresh_changes": _STALE,
    "core.claims.nobody_here_is_settled":
        "set record_id = (select min(record_id) from clean.insurance semi join core.settled "
        "using (record))",
    "core.claims.claimed_numbers_are_whole": "set number = '12345'",
    **{
        f"core.step_{step}.one_citizen_at_most":
            "insert into {table} (record_id, verdict) values ('R', 'link'), ('R', 'link')"
        for step in MatchStep
    },
    "clean.statuses.each_string_stands_once": "insert into {table} from {table} limit 1",
    "clean.provinces.each_string_stands_once": "insert into {table} from {table} limit 1",
    "clean.vocabularies.each_spelling_means_one_thing": "insert into {table} from {table} limit 1",
    **{
        f"clean.vocabularies.{register}_{what}_are_{how}understood":
            "insert into {table} (register, column_name, raw, copies) "
            f"values ('{register}', '{column}', '§', 1000000)"
        for register in ("insurance", "population")
        for what, column in (("statuses", "status"), ("sexes", "gender"),
                             ("provinces", "province_code"), ("flags", "health_insurance"))
        for how in ("", "mostly_")
    },
    "core.numbers_of_nobody.each_number_once":
        "insert into {table} (record_id, number) values ('R', '1'), ('R', '1')",
    "core.disagreements.said_once_of_each_field": "insert into {table} from {table} limit 1",
    "core.own_words.one_word_for_each_meaning": "insert into {table} from {table} limit 1",
    "publish.mismatches.every_mismatch_is_answered": "set remedy = 'none', severity = 'error'",
    "publish.coverage.provinces_are_mostly_known":
        "update {table} set province_code = 'unknown' where province_code <> 'all'",
    "core.residue.nobody_here_was_linked_by_number":
        "set record_id = (select min(record_id) from core.step_personal_id where verdict = 'link')",
    "core.near_keys.keys_are_of_the_records_that_are_weighed": "set record_id = 'nobody'",
    "core.near_citizens.records_are_those_that_are_weighed": "set record_id = 'nobody'",
    "core.near_pairs.one_row_per_record_and_citizen":
        "insert into {table} (record_id, personal_id) values ('R', '1'), ('R', '1')",
    "core.foreign_numbers.a_foreign_number_is_not_the_citizens_own":
        "set personal_id = '001090000001', recorded_value = '001090000001'",
    "clean.rejects.rows_have_their_key": "set reason = 'record_id_missing'",
    "clean.rejects.rows_come_once": "set reason = 'row_repeated'",
    "clean.rejects.records_have_something_to_compare": "set reason = 'nothing_to_compare'",
    "clean.rejects.personal_numbers_are_understood": "set reason = 'personal_id_invalid'",
    **{
        f"clean.rejects.{register}_rows_are_mostly_used":
            "insert into {table} (register, reason, column_name) "
            f"select '{register}', 'personal_id_invalid', 'personal_id' from raw.{register}"
        for register in ("insurance", "population")
    },
    "core.decided.the_last_word_counts":
        "insert into {table} select * replace (decided_at - interval 1 day as decided_at)"
        " from {table} limit 1",
    "core.links.nobody_held_back_is_linked": "set record_id = 'again'",
    "core.links.every_link_leads_to_a_citizen": "set personal_id = '000000000000'",
    "core.links.no_link_by_number_alone":
        "set name_agreement = 'different', birth_agreement = 'one_digit'",
    "core.links.a_repaired_number_needs_full_agreement":
        "set match_step = 'repaired_id', birth_agreement = 'one_digit'",
    "core.duplicates.one_record_is_kept_of_each_group": "set kept_record_id = 'nobody'",
    "core.corrections.proposes_something_or_says_who_must_look": "set reason = 'look_who'",
    "core.corrections.each_field_has_its_authority":
        "set field = 'gender', authority = 'insurance'",
    "core.candidates.rank_begins_at_one": "set candidate_rank = 0",
    "core.reconciled.linked_means_verified_or_mismatch": "set status = 'REVIEW', personal_id = '1'",
    "core.reconciled.mismatch_says_what_differs": "set status = 'MISMATCH', mismatch_codes = ''",
    "core.reconciled.nobody_dead_is_active": "set mismatch_codes = 'DECEASED_ACTIVE'",
    "core.reconciled.numbers_are_not_shared": "set mismatch_codes = 'ID_SHARED'",
    "core.reconciled.nobody_waits_for_a_person": "set status = 'REVIEW', personal_id = null",
    "core.reconciled.everybody_is_found": "set status = 'NOT_FOUND', personal_id = null",
    **{
        f"publish.{table}.hash_is_complete": "set row_hash = null"
        for table in DIFFERENCE_TABLES
    },
    **{
        f"publish.{table}.every_record_is_reconciled": "set record_id = 'nobody'"
        for table in ("mismatches", "candidates", "corrections", "worklist_status")
    },
    "publish.worklist_status.one_row_per_record_and_code":
        "insert into {table} (record_id, code) values ('R', 'C'), ('R', 'C')",
    "publish.worklist_status.what_is_corrected_is_no_mismatch":
        "insert into {table} by name select record_id, code, 'corrected' as status "
        "from publish.mismatches limit 1",
    "publish.reconciled.every_linked_number_is_a_citizens": "set personal_id = '000000000000'",
    "publish.candidates.every_candidate_is_a_citizen": "set personal_id = '000000000000'",
    "publish.mismatch_counts.rates_are_as_usual":
        "update {table} set mismatches = records where scheme = 'all'",
    "publish.mismatch_counts.no_code_has_vanished":
        "delete from {table} where code = 'GENDER_DIFFERENT'",
    "publish.mismatch_counts.provinces_add_up": "set mismatches = mismatches + 1",
    "publish.mismatch_counts.mismatches_are_within_records": "set mismatches = records + 1",
    "publish.waterfall.steps_add_up": "set linked = -1",
    "publish.coverage.statuses_add_up": "set verified = verified + 1",
    "core.number_pairs.another_name_needs_all_else":
        "set reason = 'nobody_else', birth_agreement = 'one_digit'",
    "core.number_doubts.doubted_once":
        "insert into {table} (record_id, personal_id) values ('R', '1'), ('R', '1')",
    "core.mismatches.one_row_per_record_and_code": "insert into {table} from {table} limit 1",
    "raw.insurance.has_not_shrunk": "delete from {table} where rowid % 2 = 0",
    "raw.population.has_not_shrunk": "delete from {table} where rowid % 2 = 0",
}  # fmt: skip
"""Faults by table and check; one that begins with set changes one row. Other rules fail by kind."""


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    """Registers with a little of everything, reconciled and published once."""
    folder = memory_folder("doisoat-suites-")
    odd = [
        record(1, record_id="twin", full_name="Nguyễn Văn Quyền", id_number=None),
        record(2, record_id="letters", id_number="0O1052000OO2"),
        record(5, record_id="again"),
        record(900, record_id="stranger", id_number=None),
        record(3, record_id="repeated"),
        record(3, record_id="repeated", full_name="Ai Đó"),
        record(4, record_id="half", date_of_birth="1/1/1901"),
    ]
    registers = Registers(
        folder,
        [record(n, gender="Nam" if n % 9 else "Nữ", **_PLACE) for n in range(CITIZENS)] + odd,
        [citizen(n, former_id_numbers=f"{n:09d}") for n in range(CITIZENS)],
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    settings = registers.settings
    decide(settings, "twin", citizen(1)["personal_id"])
    # A decision on a record that has changed since: the machine's link is held back.
    decide(settings, "again", None, seen="1:other:")
    with warehouse_for(settings, Run("suites")) as opened:
        runner.run(opened, settings)
        yield opened
    release_lock(settings)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def kept(warehouse: Warehouse, table: TableName) -> Iterator[None]:
    """Restores a table after the block. (Validation reads only what is committed.)"""
    connection = warehouse.connection
    copy = f"kept_{table.table}"
    connection.execute(f"create table {copy} as from {table.sql}")
    of_files = warehouse.file(table).exists()
    if of_files:  # a view of Parquet files
        connection.execute(f"drop view {table.sql}")
        connection.execute(f"create table {table.sql} as from {copy}")
    try:
        yield
    finally:
        connection.execute(f"drop table {table.sql}")
        if of_files:
            warehouse.show(table)
        else:
            connection.execute(f"create table {table.sql} as from {copy}")
        connection.execute(f"drop table {copy}")


def _fault(suite: Suite, rule: Rule) -> str:
    """The statement that makes a rule fail: from the list, else by the rule's kind."""
    table = suite.table.sql
    column = rule.arguments.get("column")
    one = f"where rowid = (select min(rowid) from {table})"
    by_kind = {
        Kind.COLUMNS_MATCH: f"alter table {table} add column surprise varchar",
        Kind.ROW_COUNT: f"delete from {table}",
        Kind.UNIQUE: f"insert into {table} from {table} limit 1",
        Kind.IN_SET: f"update {table} set {column} = 'nonsense' {one}",
        Kind.BETWEEN: f"update {table} set {column} = -1 {one}",
        Kind.NOT_NULL: f"update {table} set {column} = null "
        + ("" if "mostly" in rule.arguments else one),
    }
    if rule.kind is Kind.ROW_COUNT and "max_value" in rule.arguments:
        most = rule.arguments["max_value"]
        return f"insert into {table} select t.* from {table} as t, range({most} + 1)"
    if rule.kind in by_kind:
        return by_kind[rule.kind]
    assert f"{table}.{rule.name}" in FAULTS, "has no failing example; add one to FAULTS"
    fault = FAULTS[f"{table}.{rule.name}"].format(table=table)
    return f"update {table} {fault} {one}" if fault.startswith("set ") else fault


def _judge(warehouse: Warehouse, suite: Suite, rule: Rule) -> RuleResult:
    (result,) = run_suite(warehouse, Suite(suite.table, (rule,), suite.key))
    return result


@pytest.fixture(scope="module")
def validated(warehouse: Warehouse) -> Warehouse:
    """The same after a validation and three published runs of a register three times as large."""
    for suite in SUITES:
        for result in run_suite(warehouse, suite):
            assert result.passed or not result.rule.blocking, (suite.table.sql, result)
    warehouse.connection.execute("""
        insert into ops.mismatch_history by name
        select
            run as run_id,
            current_timestamp::timestamp as published_at,
            code,
            province_code,
            3 * mismatches as mismatches,
            3 * records as records
        from publish.mismatch_counts cross join unnest(['a', 'b', 'c']) as runs (run)
        where scheme = 'all'
    """)
    warehouse.connection.execute("""
        insert or replace into ops.runs by name
        select run_id, '' as dagster_run_id, 'full' as mode, started_at, started_at as published_at
        from ops.parameters
    """)
    warehouse.connection.execute("update ops.parameters set run_id = 'the next run'")
    return warehouse


@pytest.mark.parametrize(("suite", "rule"), CASES)
def test_a_rule_fails_on_its_fault_and_names_the_rows(
    validated: Warehouse, suite: Suite, rule: Rule
) -> None:
    with kept(validated, suite.table):
        if not validated.count(suite.table) and rule.kind is not Kind.ROW_COUNT:
            validated.connection.execute(f"insert into {suite.table.sql} default values")
        validated.connection.execute(_fault(suite, rule))
        result = _judge(validated, suite, rule)
        remembered = validated.number(
            "select count(*) from ops.quality_failures where closed_run is null "
            "and table_name = $table and check_name = $check",
            {"table": suite.table.sql, "check": rule.name},
        )

    assert not result.passed
    assert result.observed != "could not be evaluated"
    assert result.failed >= 1
    assert (remembered >= 1) == bool(rule.failing)
    assert bool(result.sample) == bool(rule.failing)


def test_the_pseudonyms_that_a_check_shows_lead_to_their_records(validated: Warehouse) -> None:
    suite = next(s for s in SUITES if s.table.sql == "core.links")
    rule = next(r for r in suite.rules if r.name == "record_id_is_unique")
    with kept(validated, suite.table):
        validated.execute(f"insert into {suite.table.sql} from {suite.table.sql} limit 1")
        (shown,) = _judge(validated, suite, rule).sample

    found = validated.rows(
        "select record_id, record_key(record_id) as key from ops.shown_keys "
        "where record_key = $shown",
        {"shown": shown},
    )
    assert [row["key"] for row in found] == [shown]


def test_each_number_has_its_reason_and_its_rule() -> None:
    rules = {f"{suite.table.sql}.{rule.name}": rule for suite in SUITES for rule in suite.rules}
    for name, entry in thresholds().items():
        assert name in rules
        assert len(entry["why"]) > 20
    for name, rule in rules.items():
        numbered = "mostly" in rule.arguments or (
            rule.kind is Kind.ROW_COUNT and "max_value" in rule.arguments
        )
        assert not numbered or name in thresholds()
        assert AT_MOST not in str(rule.arguments)


def test_every_table_of_the_flow_has_its_suite() -> None:
    judged = {suite.table for suite in SUITES}
    registers = {TableName("raw", "insurance"), TableName("raw", "population")}
    understood = {TableName("clean", table) for table in dictionaries.tables()}
    assert judged == {*registers, *understood, *statements()}


def test_a_code_that_is_rarer_than_chance_explains_is_told_and_a_small_change_is_not(
    validated: Warehouse,
) -> None:
    suite = next(s for s in SUITES if s.table.sql == "publish.mismatch_counts")
    rule = next(r for r in suite.rules if r.name == "rates_are_as_usual")
    counts = "update publish.mismatch_counts set records = 100000, mismatches = {} "
    one = "where scheme = 'all' and province_code = 'all' and code = 'GENDER_DIFFERENT'"
    usual = validated.value(
        "select usual_rate from ops.usual_rates "
        "where usual_code = 'GENDER_DIFFERENT' and usual_province = 'all'"
    )
    with kept(validated, suite.table):
        for share, passes in ((1.0, True), (1.3, True), (1.7, False), (0.3, False)):
            count = round(100_000 * float(str(usual)) * share)
            validated.connection.execute(counts.format(count) + one)
            assert _judge(validated, suite, rule).passed == passes, share


@pytest.mark.parametrize("register", ["insurance", "population"])
def test_a_tenth_of_a_register_may_be_rejected_and_copies_do_not_count(
    validated: Warehouse, register: str
) -> None:
    suite = next(s for s in SUITES if s.table.sql == "clean.rejects")
    rule = next(r for r in suite.rules if r.name == f"{register}_rows_are_mostly_used")
    rows = validated.number(f"select count(*) from raw.{register}")
    add = "insert into clean.rejects (register, reason, column_name) select '{}', '{}', 'name' "
    with kept(validated, suite.table):
        for reason, lost, passes in (
            ("nothing_to_compare", rows // 10, True),
            ("row_repeated", rows, True),
            ("nothing_to_compare", rows // 10 + 1, False),
        ):
            validated.connection.execute("delete from clean.rejects")
            validated.connection.execute(add.format(register, reason) + f"from range({lost})")
            result = _judge(validated, suite, rule)
            assert result.passed == passes, (reason, lost)
    assert result.observed == (
        f"{rows // 10 + 1} of {rows} rows of the {register} register rejected, "
        f"{100 * (rows // 10 + 1) / rows:.1f}%; most of them: nothing_to_compare, in name"
    )


def test_a_first_run_has_nothing_to_have_shrunk_from(warehouse: Warehouse) -> None:
    suite = next(s for s in SUITES if s.table.sql == "raw.insurance")
    rule = next(r for r in suite.rules if r.name == "has_not_shrunk")
    with kept(warehouse, TableName("ops", "runs")):
        warehouse.connection.execute("update ops.runs set published_at = null")
        assert _judge(warehouse, suite, rule).passed


def test_what_looks_at_earlier_runs_is_judged_in_a_delta_where_it_holds_no_longer(
    validated: Warehouse,
) -> None:
    suite = next(s for s in SUITES if s.table.sql == "raw.insurance")
    results = TableName("ops", "quality_results")
    with kept(validated, results), kept(validated, TableName("ops", "parameters")):
        run_suite(validated, suite)
        validated.execute("update ops.parameters set mode = 'delta'")
        again = run_suite(validated, suite)
        assert all(result.asked_in for result in again), "nothing has changed"
        validated.execute(
            "update ops.quality_results set checked_rows = 100 * checked_rows "
            "where table_name = 'raw.insurance'"
        )

        now = {result.rule.name: result for result in run_suite(validated, suite)}

    assert not now["has_not_shrunk"].passed
    assert not any(result.asked_in for result in now.values()), "the page is drawn from all"


# --- the memory of failures -----------------------------------------------------------------------


def _sexes(warehouse: Warehouse) -> tuple[Suite, Rule]:
    suite = next(s for s in SUITES if s.table.sql == "clean.insurance")
    return suite, next(r for r in suite.rules if r.name == "sexes_are_mostly_readable")


def _open_since(warehouse: Warehouse) -> dict[object, object]:
    return {
        row["record_key"]: row["first_run"]
        for row in warehouse.rows(
            "select record_key, first_run from ops.quality_failures "
            "where check_name = 'sexes_are_mostly_readable' and closed_run is null"
        )
    }


def _in_run(warehouse: Warehouse, run: str, rows: str) -> dict[object, object]:
    """Evaluates the rule about sexes in a run in which those rows have none."""
    suite, rule = _sexes(warehouse)
    warehouse.connection.execute(f"update ops.parameters set run_id = '{run}'")
    warehouse.connection.execute("update clean.insurance set gender = 'M'")
    warehouse.connection.execute(
        f"update clean.insurance set gender = null where record_id in ({rows})"
    )
    _judge(warehouse, suite, rule)
    return _open_since(warehouse)


def test_a_failure_keeps_its_age_until_it_is_mended_and_begins_anew_when_it_comes_back(
    warehouse: Warehouse,
) -> None:
    memory = TableName("ops", "quality_failures")
    with kept(warehouse, TableName("clean", "insurance")), kept(warehouse, memory):
        warehouse.connection.execute("delete from ops.quality_failures")
        first = _in_run(warehouse, "one", "'R000001', 'R000002'")
        second = _in_run(warehouse, "two", "'R000002', 'R000003'")
        third = _in_run(warehouse, "three", "'R000001'")

    assert sorted(map(str, first.values())) == ["one", "one"]
    assert sorted(map(str, second.values())) == ["one", "two"]
    assert list(third.values()) == ["three"]
    assert set(third) < set(first)


def test_a_column_mapped_wrongly_does_not_put_a_name_into_the_keys(validated: Warehouse) -> None:
    suite = next(s for s in SUITES if s.table.sql == "clean.genders")
    rule = next(r for r in suite.rules if r.name == "value_is_known")
    with kept(validated, suite.table):
        validated.connection.execute("update clean.genders set raw = 'Trần Thị Kín', value = 'X'")
        assert "Kín" not in str(_judge(validated, suite, rule).sample)


def test_a_rule_about_a_whole_table_says_what_was_seen(validated: Warehouse) -> None:
    wanted = {
        "has_not_shrunk": r"[\d,]+ rows; [\d,]+ in the last published full run",
        "has_fresh_changes": "the newest change is of 2001-01-01",
        "no_code_has_vanished": "GENDER_DIFFERENT vanished",
    }
    for suite in SUITES:
        for rule in suite.rules:
            if rule.name in wanted:
                with kept(validated, suite.table):
                    validated.connection.execute(_fault(suite, rule))
                    seen = _judge(validated, suite, rule).observed
                assert re.fullmatch(wanted[rule.name], seen), (suite.table.sql, rule.name, seen)
