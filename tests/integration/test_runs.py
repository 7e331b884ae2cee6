"""Whole runs through Dagster by the real command: the gate, two runs at once, a killed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest
from sqlalchemy import create_engine, make_url, text

from assets.alerts import tell_news
from assets.processes import bury_dead_runs, this_process
from etl.pipeline.lock import wait_until_free
from etl.publish.asking import published_run
from tests.receivers import Hook
from tests.support import Command, Registers, Server, from_state, from_warehouse, read_sql, record

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]


def test_the_warehouse_keeps_utc_wherever_the_machine_stands(tmp_path: Path) -> None:
    asked = """
from datetime import UTC, datetime
from pathlib import Path
from etl.process.privacy import RecordKey
from etl.engine.duckdb.warehouse import open_warehouse
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
    registers: Make, doisoat_here: Doisoat, hook: Hook
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

    ended = doisoat_here("--config", pair.file, "sync", "--json")

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


def test_training_before_the_first_sync_says_what_comes_first(
    registers: Make, doisoat_here: Doisoat
) -> None:
    pair = registers()

    ended = doisoat_here("--config", pair.file, "train")

    assert ended.exit_code == 2
    assert "Nothing has been reconciled yet" in ended.errors
    assert "doisoat sync" in ended.errors


@pytest.mark.long
def test_statuses_that_are_not_understood_stop_the_run(
    registers: Make, doisoat_here: Doisoat
) -> None:
    """Otherwise deceased citizens would pass for living, and every check would pass."""
    pair = registers()
    pair.sync()
    before = pair.target_state()
    for row in pair.population:
        row["status"] = "S"
    pair.population[0]["status"] = "D"
    pair.write()

    ended = doisoat_here("--config", pair.file, "sync", "--json")

    assert ended.exit_code == 1
    checks = json.loads(ended.output)["failed_checks"]
    assert {c["check"] for c in checks if c["blocking"]} == {
        "population_statuses_are_mostly_understood"
    }
    assert pair.target_state() == before
    pair.options["population"] = {"values": {"status": {"S": "alive", "D": "deceased"}}}
    ended = doisoat_here("--config", pair.file, "sync", "--json")
    assert ended.exit_code == 0


@pytest.mark.long
def test_a_register_that_is_rejected_whole_stops_the_run_and_blames_no_record(
    registers: Make, doisoat_here: Doisoat
) -> None:
    """This happens if the mapping takes the names for the personal numbers."""
    pair = registers()
    pair.sync()
    before = pair.target_state()
    for row in pair.population:
        row["personal_id"] = row["full_name"]
    pair.write()

    ended = doisoat_here("--config", pair.file, "sync", "--json")

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
    """A target with an earlier state; the registers have changed since."""
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


@pytest.mark.wide
def test_two_at_once_and_a_killed_run(
    published: Registers,
    doisoat: Doisoat,
    doisoat_here: Doisoat,
    command_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = published
    before = pair.target_state()
    file = pair.file
    command = [str(Path(sys.executable).with_name("doisoat")), "--config", str(file), "sync"]
    engine = create_engine(make_url(pair.target_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as blocker:
        # This is the last table that a publish writes, so the run stops within its transaction.
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

    third = doisoat_here("--config", file, "sync", "--json")

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


_BEFORE_THE_COMMIT = """
from etl.publish import transaction
transaction._prove = die
"""

_AFTER_THE_COMMIT = """
import contextlib
from etl.databases import writers
@contextlib.contextmanager
def committing(publishes):
    yield
    if publishes:
        die()
writers.committing = committing
"""


def _die(pair: Registers, environment: dict[str, str], at: str) -> None:
    """Runs a sync whose process is killed at a place of its publish."""
    script = (
        "import os, signal, sys\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{at}\n"
        f"sys.argv = ['doisoat', '--config', {str(pair.file)!r}, 'sync']\n"
        "from etl.cli.app import command\n"
        "command()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=pair.folder, env=environment, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL


@pytest.fixture
def instance(
    registers: Make, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Registers, dg.DagsterInstance]]:
    """Registers whose runs are reported, and the Dagster instance of their configuration."""
    from assets.instance import instance_for

    pair = registers()
    pair.options["alerts"] = {"urls": [hook.url]}
    pair.insurance[0]["gender"] = "Nữ" if pair.insurance[0]["gender"] == "Nam" else "Nam"
    pair.write()
    for name in ("DAGSTER_HOME", "DOISOAT_CONFIG"):
        monkeypatch.setenv(name, "")
    made = instance_for(pair.settings)
    yield pair, made
    made.dispose()


def _buried(pair: Registers, instance: dg.DagsterInstance) -> str:
    """Marks the only dead run as failed, as the sensor does; returns what is said of it."""
    (run_id,) = bury_dead_runs(instance, pair.settings)
    tell_news(pair.settings, instance)
    failures = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    return " ".join(str(entry.dagster_event.message) for entry in failures if entry.dagster_event)


def _published_of(doisoat: Doisoat, pair: Registers) -> list[bool | None]:
    return [row["published"] for row in json.loads(
        doisoat("--config", pair.file, "runs", "--json").output
    )]  # fmt: skip


@pytest.mark.wide
def test_a_run_that_dies_after_its_commit_is_known_to_have_published(
    instance: tuple[Registers, dg.DagsterInstance],
    doisoat: Doisoat,
    command_environment: dict[str, str],
    hook: Hook,
) -> None:
    pair, dagster = instance
    _die(pair, command_environment, _AFTER_THE_COMMIT)
    unpublished = "select count(*) as n from ops.runs where published_at is null"
    assert from_warehouse(pair.settings, unpublished) == [{"n": 1}]

    said = _buried(pair, dagster)

    assert "It had published all the same" in said
    assert hook.messages[-1].title == (
        "doisoat: đồng bộ lỗi sau khi công bố · sync failed after it had published"
    )
    assert _published_of(doisoat, pair) == [True]
    (ours,) = from_state(pair.settings, "select published_at from {runs}")
    assert ours["published_at"] is not None
    counted = pair.published(
        "select code, mismatches from {mismatch_counts} where scheme = 'all' order by 1, 2"
    )
    remembered = "select code, mismatches from {mismatch_history} order by 1, 2"
    assert counted == from_state(pair.settings, remembered)

    pair.sync()  # completes what the run before could not write

    published = from_state(pair.settings, "select published_at from {runs}")
    assert len(published) == 2
    assert all(run["published_at"] for run in published)
    assert len(from_state(pair.settings, remembered)) == 2 * len(counted)


@contextmanager
def locked_by(lock: Path, words: str) -> Iterator[None]:
    """Another process that holds a lock."""
    script = (
        "import sys, pathlib; from etl.process.home import take\n"
        "held = take(pathlib.Path(sys.argv[1]), words=sys.argv[2]); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(lock), words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.communicate()


def test_a_sync_waits_for_the_run_that_is_at_work_as_long_as_it_is_told(
    synced: Make, doisoat_here: Doisoat
) -> None:
    pair = synced()
    lock = pair.settings.home / "run.lock"
    with locked_by(lock, "run other, process 7"):
        told = doisoat_here("--config", pair.file, "sync", "--wait", "0.01")
        assert told.exit_code == 2
        assert "Run other is at work; waiting for it to end." in told.errors
        assert "still at work after 0.01 minutes; nothing was begun" in told.errors
        waited: list[str] = []
        ended = threading.Timer(1.5, lock.unlink)  # the lock is released: its file is gone
        ended.start()
        wait_until_free(pair.settings, 60, waited.append)
        ended.join()
    assert waited == ["Run other is at work; waiting for it to end."]


def _left_by(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, minutes: int) -> str:
    """Makes a run under another machine's name that has shown no activity for so many minutes."""
    run = dg.DagsterRun(
        job_name="full_sync", status=status,
        tags={".dagster/doisoat_host": "gone", ".dagster/doisoat_process": "1",
              ".dagster/doisoat_began": "0"},
    )  # fmt: skip
    instance.add_run(run)
    storage = instance.run_storage
    seen = datetime.now(UTC) - timedelta(minutes=minutes)
    with storage.connect() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql(
            "update runs set update_timestamp = ? where run_id = ?",
            (seen.replace(tzinfo=None).isoformat(sep=" "), run.run_id),
        )
    return run.run_id


@pytest.mark.parametrize("status", ["STARTED", "CANCELING", "STARTING"])
def test_a_run_of_a_machine_that_is_gone_is_buried_unless_it_holds_the_warehouse(
    instance: tuple[Registers, dg.DagsterInstance], status: str
) -> None:
    """A new container has another name; before, its old run blocked all others for ever."""
    pair, dagster = instance
    state = dg.DagsterRunStatus[status]
    silent, starting = _left_by(dagster, state, 30), _left_by(dagster, state, 1)
    at_work = _left_by(dagster, state, 30)
    lock = pair.settings.home / "run.lock"
    with locked_by(lock, f"run {at_work}, process 7"):
        assert bury_dead_runs(dagster, pair.settings) == [silent]
    assert bury_dead_runs(dagster, pair.settings) == [at_work]
    left = dagster.get_runs(dg.RunsFilter(statuses=[state]))
    assert [run.run_id for run in left] == [starting]


def test_a_run_lives_on_when_the_clock_of_the_machine_is_set(
    instance: tuple[Registers, dg.DagsterInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, dagster = instance
    mine = dg.DagsterRun(
        job_name="full_sync", status=dg.DagsterRunStatus.STARTED, tags=this_process()
    )
    earlier = dg.DagsterRun(
        job_name="full_sync", status=dg.DagsterRunStatus.STARTED,
        tags={**this_process(), ".dagster/doisoat_began": "0"},
    )  # fmt: skip
    began = psutil.Process().create_time()
    of_an_earlier_version = dg.DagsterRun(
        job_name="full_sync", status=dg.DagsterRunStatus.STARTED,
        tags={**this_process(), ".dagster/doisoat_began": f"{began:.0f}"},
    )  # fmt: skip
    for run in (mine, earlier, of_an_earlier_version):
        dagster.add_run(run)
    # (psutil works it out from the time of day at which the machine started.)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: began + 3)

    assert bury_dead_runs(dagster, pair.settings) == [earlier.run_id], "another of its number"


@pytest.mark.long
def test_a_run_that_dies_before_its_commit_is_known_not_to_have_published(
    instance: tuple[Registers, dg.DagsterInstance],
    doisoat: Doisoat,
    command_environment: dict[str, str],
    hook: Hook,
) -> None:
    pair, dagster = instance
    _die(pair, command_environment, _BEFORE_THE_COMMIT)

    said = _buried(pair, dagster)

    assert "Nothing was published; the target is as it was" in said
    assert hook.messages[-1].title.endswith("sync failed, nothing was published")
    assert _published_of(doisoat, pair) == [False]


@pytest.mark.long
def test_a_target_that_cannot_be_asked_is_no_answer(
    instance: tuple[Registers, dg.DagsterInstance],
    doisoat: Doisoat,
    command_environment: dict[str, str],
    hook: Hook,
) -> None:
    pair, dagster = instance
    _die(pair, command_environment, _AFTER_THE_COMMIT)
    file = Path(make_url(pair.target_url).database or "")
    file.rename(file.with_suffix(".away"))

    said = _buried(pair, dagster)

    assert "only the target knows" in said
    assert hook.messages[-1].title.endswith("sync failed, perhaps after it had published")
    assert _published_of(doisoat, pair) == [None]
    shown = doisoat("--config", pair.file, "runs")
    assert "not known" in shown.output
    file.with_suffix(".away").rename(file)
    assert _published_of(doisoat, pair) == [True]


@pytest.mark.wide
@pytest.mark.parametrize("product", ["postgresql", "sqlite", "mariadb"])
def test_the_target_knows_which_runs_were_published(
    request: pytest.FixtureRequest, registers: Make, new_sqlite: Callable[[], str], product: str
) -> None:
    server = None if product == "sqlite" else request.getfixturevalue(product)
    pair = registers(target=server.database if server else new_sqlite)
    if server:
        assert published_run(pair.settings.target, "a run") is None  # no table exists yet
    pair.sync()
    (run,) = pair.published("select dagster_run_id, published_at from {sync_runs}")

    assert published_run(pair.settings.target, run["dagster_run_id"]) is not None
    assert published_run(pair.settings.target, "another run") is None


def _run_statuses(pair: Registers, monkeypatch: pytest.MonkeyPatch) -> list[dg.DagsterRunStatus]:
    """What the UI shows about the runs, newest first."""
    from assets.instance import instance_for

    for name in ("DAGSTER_HOME", "DOISOAT_CONFIG"):
        monkeypatch.setenv(name, "")
    instance = instance_for(pair.settings)
    try:
        return [run.status for run in instance.get_runs()]
    finally:
        instance.dispose()
