"""Whole runs through Dagster, by the real command: the gate, two at once, and a killed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import create_engine, make_url, text

from tests.receivers import Hook
from tests.support import Command, Registers, Server, from_warehouse, read_sql, record

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]


def test_the_warehouse_keeps_utc_wherever_the_machine_stands(tmp_path: Path) -> None:
    asked = """
from datetime import UTC, datetime
from pathlib import Path
from etl.privacy import RecordKey
from etl.warehouse.engine import open_warehouse
with open_warehouse(Path("w.duckdb"), key=RecordKey(bytes(32))) as warehouse:
    for session in (warehouse.connection, warehouse.connection.cursor()):
        (kept,) = session.execute("select current_timestamp::timestamp").fetchone()
        print(abs((datetime.now(UTC).replace(tzinfo=None) - kept).total_seconds()) < 60)
"""
    far = {**os.environ, "TZ": "Asia/Ho_Chi_Minh", "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, env=far, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "True"]


def test_a_failed_gate_stops_the_publish_and_leaves_the_target(
    registers: Make, doisoat: Doisoat, hook: Hook
) -> None:
    """An empty register, and one whose names are nearly all missing."""
    pair = registers()
    pair.options["alerts"] = {"urls": [hook.url]}
    pair.sync()
    before = pair.target_state()
    names = [row["full_name"] for row in pair.population]
    pair.insurance.clear()
    for row in pair.population[1:]:
        row["full_name"] = None
    pair.write()

    ended = doisoat("--config", pair.file, "sync", "--json")

    assert ended.exit_code == 1
    said = json.loads(ended.output)
    blocking = {(c["table"], c["check"]) for c in said["failed_checks"] if c["blocking"]}
    tables = {table for table, _ in blocking}
    assert tables == {"raw.insurance", "raw.population"}
    assert ("raw.population", "full_name_is_mostly_filled") in blocking
    assert "nothing was published" in said["problem"]
    assert "Traceback" not in ended.errors
    assert not any(str(name) in ended.output + ended.errors for name in names)
    assert pair.target_state() == before
    (message,) = hook.messages
    assert f"/runs/{said['run']}" in message.body
    assert all(f"{table}.{check} (error, stops" in message.body for table, check in blocking)


def test_a_register_that_is_rejected_whole_stops_the_run_and_blames_no_record(
    registers: Make, doisoat: Doisoat
) -> None:
    """As where the mapping takes the names for the personal numbers."""
    pair = registers()
    pair.sync()
    before = pair.target_state()
    for row in pair.population:
        row["personal_id"] = row["full_name"]
    pair.write()

    ended = doisoat("--config", pair.file, "sync", "--json")

    assert ended.exit_code == 1
    blocking = {
        (c["table"], c["check"]) for c in json.loads(ended.output)["failed_checks"] if c["blocking"]
    }
    assert blocking == {("clean.rejects", "population_rows_are_mostly_used")}
    assert pair.target_state() == before
    (told,) = from_warehouse(
        pair.settings,
        "select observed from ops.quality_results where check_name = "
        "'population_rows_are_mostly_used'",
    )
    rows = len(pair.population)
    assert told["observed"] == (
        f"{rows} of {rows} rows of the population register rejected, 100.0%; "
        "most of them: personal_id_invalid, in personal_id"
    )


@pytest.fixture
def published(registers: Make, postgresql: Server) -> Registers:
    """A target that holds an earlier state; the registers have moved on."""
    pair = registers(source=postgresql.database, target=postgresql.database)
    pair.sync()
    pair.insurance.append(record(31))
    pair.insurance[0]["gender"] = None
    del pair.insurance[5]
    return pair.write()


def _waits_in_the_publish(pair: Registers) -> bool:
    name = make_url(pair.target_url).database
    return bool(
        read_sql(
            pair.target_url,
            f"select 1 from pg_stat_activity where datname = '{name}' and wait_event_type = 'Lock'",
        )
    )


def test_two_at_once_and_a_killed_run(
    published: Registers,
    doisoat: Doisoat,
    command_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = published
    before = pair.target_state()
    file = pair.file
    command = [str(Path(sys.executable).with_name("doisoat")), "--config", str(file), "sync"]
    engine = create_engine(make_url(pair.target_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as blocker:
        # The last table that a publish writes: the run stops in the middle of its transaction.
        blocker.execute(text("lock table doisoat.sync_runs in share mode"))
        first = subprocess.Popen(
            command,
            cwd=pair.folder,
            env=command_environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            for _ in range(1200):
                assert first.poll() is None, "the first run ended before it published"
                if _waits_in_the_publish(pair):
                    break
                time.sleep(0.1)
            else:
                pytest.fail("the first run never came to its publish")

            second = doisoat("--config", file, "sync")

            assert second.exit_code == 2
            assert "Another run is at work" in second.errors
            assert f"process {first.pid}" in second.errors
            assert "doisoat runs" in second.errors
            assert first.poll() is None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(first.pid, signal.SIGKILL)
            first.wait(30)
        blocker.rollback()
    engine.dispose()
    for _ in range(100):
        if not _waits_in_the_publish(pair):
            break
        time.sleep(0.1)

    assert pair.target_state() == before

    third = doisoat("--config", file, "sync", "--json")

    assert third.exit_code == 0, third.errors
    ids = {row["record_id"] for row in pair.published("select record_id from {reconciled}")}
    assert ids == {row["record_id"] for row in pair.insurance}
    ledger = json.loads(third.output)["figures"]["ledger"]
    assert ledger
    assert all(equation["holds"] for equation in ledger)
    statuses = _run_statuses(pair, monkeypatch)
    assert statuses == [
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.FAILURE,
    ]
    assert (pair.folder / ".doisoat" / "run.lock").read_text() == ""


def _run_statuses(pair: Registers, monkeypatch: pytest.MonkeyPatch) -> list[dg.DagsterRunStatus]:
    """What the UI shows of the runs, newest first."""
    from assets.running import instance_for

    for name in ("DAGSTER_HOME", "DOISOAT_CONFIG"):
        monkeypatch.setenv(name, "")
    instance = instance_for(pair.settings)
    try:
        return [run.status for run in instance.get_runs()]
    finally:
        instance.dispose()
