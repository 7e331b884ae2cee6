"""The publish checks for itself: whatever is launched, the target is a good state or unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import dagster as dg
import pytest

from etl.clean import dictionaries
from etl.domain.errors import QualityGateError
from etl.domain.words import UNTRAINED
from etl.engine.builds import forget_build, note_build
from etl.engine.statements import TableName, statements
from etl.extract import extract_register
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.publish import publish
from etl.publish.gate import Guard
from etl.publish.ledger import balance
from etl.settings import Settings
from expectations import SUITES
from expectations.runner import run_suite
from tests.support import Registers, citizen, from_warehouse, record, run_sql

Make = Callable[..., Registers]

GUARD = Guard(
    TableName("core", "links"),
    "every_link_leads_to_a_citizen",
    frozenset({TableName("clean", "population")}),
)


def _people(rows: int) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    return [record(n) for n in range(rows)], [citizen(n) for n in range(rows)]


def _judge(warehouse, table: str) -> None:
    (suite,) = (suite for suite in SUITES if suite.table.sql == table)
    run_suite(warehouse, suite)


@pytest.fixture
def pair(registers: Make) -> Iterator[Registers]:
    made = registers()
    yield made
    release_lock(made.settings)


# --- one state ----------------------------------------------------------------------------------


def test_a_rule_must_have_passed_on_these_very_tables(pair: Registers):
    pair.sync()
    settings, before = pair.settings, pair.target_state()
    with warehouse_for(settings, Run("later")) as warehouse:
        with pytest.raises(QualityGateError, match="every_link_leads_to_a_citizen"):
            publish(warehouse, settings, [GUARD])
        assert pair.target_state() == before

        _judge(warehouse, "core.links")
        publish(warehouse, settings, [GUARD])

        # It was built anew, so no rule has judged it.
        for name in ("core.links", "core.reconciled", "publish.reconciled"):
            runner.build(warehouse, TableName.parse(name))
        with pytest.raises(QualityGateError):
            publish(warehouse, settings, [GUARD])


def test_a_rule_that_failed_last_is_no_pass(pair: Registers):
    pair.sync()
    settings = pair.settings
    with warehouse_for(settings, Run("later")) as warehouse:
        _judge(warehouse, "core.links")
        warehouse.connection.execute("update core.links set personal_id = '000000000000'")
        _judge(warehouse, "core.links")
        with pytest.raises(QualityGateError, match="have not passed"):
            publish(warehouse, settings, [GUARD])


@pytest.mark.parametrize("table", ["clean.names", "core.claims", "publish.coverage"])
@pytest.mark.wide
def test_tables_of_several_states_are_not_published(pair: Registers, table: str):
    """A register was read anew, or a table built anew, but not the tables that depend on it."""
    pair.sync()
    settings, before = pair.settings, pair.target_state()
    with warehouse_for(settings, Run("later")) as warehouse:
        if table == "clean.names":
            extract_register(warehouse, "insurance", settings.insurance)
        elif table == "publish.coverage":
            warehouse.connection.execute(
                "delete from ops.builds where table_name = 'publish.coverage'"
            )
        else:
            runner.build(warehouse, TableName.parse(table))
        with pytest.raises(QualityGateError, match="do not belong together"):
            publish(warehouse, settings, ())
    assert pair.target_state() == before


def test_the_ledger_must_be_of_these_tables(pair: Registers):
    pair.sync()
    settings = pair.settings
    with warehouse_for(settings, Run("later")) as warehouse:
        for name in ("publish.reconciled", "publish.worklist_status"):
            runner.build(warehouse, TableName.parse(name))
        with pytest.raises(QualityGateError, match="ledger"):
            publish(warehouse, settings, ())
        balance(warehouse)
        publish(warehouse, settings, ())


def test_the_ledger_stands_as_long_as_nothing_is_built(pair: Registers):
    pair.sync()
    with warehouse_for(pair.settings, Run("later")) as warehouse:
        first = balance(warehouse)
        warehouse.execute("delete from core.links")
        assert balance(warehouse) == first, "nothing says that a table has changed"
        forget_build(warehouse, TableName("core", "links"))
        assert not all(equation.holds for equation in balance(warehouse)), "it has no build"
        note_build(warehouse, TableName("core", "links"), ())
        assert not all(equation.holds for equation in balance(warehouse)), "it has another"
        assert not all(equation.holds for equation in balance(warehouse)), "it did not hold"


def test_a_build_that_breaks_off_is_no_build(pair: Registers, monkeypatch: pytest.MonkeyPatch):
    pair.sync()
    settings = pair.settings
    with warehouse_for(settings, Run("later")) as warehouse:
        name = TableName("core", "claims")
        broken = statements()[name]
        monkeypatch.setattr(type(broken), "query", property(lambda _: "select no_such_column"))
        with pytest.raises(Exception, match="no_such_column"):
            runner.build(warehouse, name)
        monkeypatch.undo()
        with pytest.raises(QualityGateError, match=r"core\.claims has not been built"):
            publish(warehouse, settings, ())


@pytest.mark.wide
def test_a_run_that_only_understood_words_is_not_taken_for_published(pair: Registers):
    """Dictionaries outlive a run that a gate stopped; the next run publishes its own result."""
    pair.sync()
    settings = pair.settings
    pair.insurance[0]["full_name"] = "Đặng Thái Mai"
    pair.write()
    with warehouse_for(settings, Run("stopped")) as warehouse:
        extract_register(warehouse, "insurance", settings.insurance)
        assert dictionaries.extend(warehouse, "names").new == 1
    release_lock(settings)
    pair.sync()

    runs = from_warehouse(
        settings, "select dagster_run_id, published_at is null as open from ops.runs"
    )
    assert [row["dagster_run_id"] for row in runs if row["open"]] == ["stopped"]


# --- the target ---------------------------------------------------------------------------------


@pytest.mark.wide
def test_another_installation_does_not_publish_over_a_target(registers: Make):
    first = registers()
    first.sync()
    before = first.target_state()
    home = first.folder / "other"
    home.mkdir()
    second = replace(first, folder=home)

    with pytest.raises(QualityGateError, match="Another installation"):
        second.sync()
    assert first.target_state() == before

    second.sync(replace=True)
    second.sync()
    with pytest.raises(QualityGateError, match="Another installation"):
        first.sync()


@pytest.mark.wide
def test_a_register_that_loses_most_of_its_records_is_not_published(registers: Make):
    """This holds whatever the home has, because the target knows what was published."""
    pair = registers(*_people(80))
    pair.sync()
    before = pair.target_state()
    del pair.insurance[40:]
    pair.write()

    with pytest.raises(QualityGateError, match="40 of 80 published records would vanish"):
        pair.sync()
    assert pair.target_state() == before

    pair.sync(replace=True)
    assert len(pair.published("select * from {reconciled}")) == 40


def test_a_register_that_renumbers_its_records_is_not_published(registers: Make):
    pair = registers(*_people(80))
    pair.sync()
    before = pair.target_state()
    for row in pair.insurance:
        row["record_id"] = f"N{row['record_id']}"
    pair.write()

    with pytest.raises(QualityGateError, match="80 new ones come"):
        pair.sync()
    assert pair.target_state() == before


def test_a_small_change_is_none_of_the_gates_business(registers: Make):
    pair = registers(*_people(80))
    pair.sync()
    del pair.insurance[70:]
    pair.write()
    pair.sync()
    assert len(pair.published("select * from {reconciled}")) == 70


def test_an_earlier_versions_target_becomes_this_installations(pair: Registers):
    pair.sync()
    run_sql(pair.target_url, "drop table installation")
    pair.sync()
    assert len(pair.published("select * from {installation}")) == 1


# --- whatever is launched in the UI -------------------------------------------------------------


@pytest.fixture
def instance(pair: Registers) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def _launch(settings: Settings, instance: dg.DagsterInstance, *groups: str) -> bool:
    """Materialises the assets of some groups with their checks; returns whether it succeeded."""
    from assets.definitions import build_defs

    job = dg.define_asset_job("some", selection=dg.AssetSelection.groups(*groups))
    defs = build_defs(settings)
    launched = dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
    done = launched.resolve_job_def("some").execute_in_process(
        instance=instance, raise_on_error=False,
    )  # fmt: skip
    return done.success


ALL = (
    "2_raw", "3_clean", "4_numbers", "5_names", "6_links", "7_verdicts", "8_publish", "9_target",
)  # fmt: skip


@pytest.mark.long
def test_no_selection_publishes_what_was_not_judged_good(
    pair: Registers, instance: dg.DagsterInstance
):
    settings = pair.settings
    pair.insurance[0]["id_number"] = None
    pair.write()
    assert _launch(settings, instance, *ALL)
    before = pair.target_state()
    event = instance.get_latest_materialization_event(dg.AssetKey(["target", "sync_runs"]))
    assert event is not None
    assert event.asset_materialization is not None
    told = event.asset_materialization.metadata["linkage_model"]
    assert told.value == UNTRAINED.en

    # The target alone, twice: the same state is published again, without a clash of keys.
    for runs in (2, 3):
        assert _launch(settings, instance, "9_target")
        after = pair.target_state()
        assert after["reconciled"] == before["reconciled"]
        assert after["mismatches"] == before["mismatches"]
        assert len(after["sync_runs"]) == runs
        counts = {row["run_id"] for row in after["mismatch_counts"]}
        assert counts == {row["run_id"] for row in after["sync_runs"]}

    # A register that lost half its rows is stopped by its check, and not published by a selection
    # that leaves the check out.
    before = pair.target_state()
    del pair.insurance[len(pair.insurance) // 2 :]
    pair.write()
    assert not _launch(settings, instance, *ALL)
    assert not _launch(settings, instance, *ALL[1:])
    assert not _launch(settings, instance, "9_target")
    assert pair.target_state() == before
