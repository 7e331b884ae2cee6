"""A signal ends a sync within seconds, wherever it is, and nothing is half published."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import create_engine, make_url, text

from tests.support import Command, Registers, Server, citizen, read_sql, record

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]

SECONDS = 10
"""Time in which the process must end; usually it takes less than a second."""

COMMAND = str(Path(sys.executable).with_name("doisoat"))


@dataclass
class Ended:
    """How a command ended after a signal."""

    exit_code: int
    seconds: float
    errors: str


@pytest.fixture
def begun(registers: Make, postgresql: Server) -> Registers:
    """A target with an earlier state; the registers have changed since."""
    pair = registers(source=postgresql.database, target=postgresql.database)
    pair.sync()
    pair.insurance.append(record(31))
    pair.insurance[0]["gender"] = None
    return pair.write()


@contextmanager
def started(pair: Registers, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    # Under nohup the tests, and so their child processes, would ignore one of the signals.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    process = subprocess.Popen(
        [COMMAND, "--config", str(pair.file), "sync"],
        cwd=pair.folder, env=environment, text=True, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    signal.signal(signal.SIGHUP, before)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def stop(process: subprocess.Popen[str], number: int) -> Ended:
    """Sends a signal and waits for the end."""
    process.send_signal(number)
    begun_at = time.monotonic()
    try:
        _, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        pytest.fail(f"signal {number} did not end the run within {SECONDS} s")
    return Ended(process.returncode, time.monotonic() - begun_at, errors)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        assert process.poll() is None, process.communicate()[1]
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("the run never came there")


def steps(pair: Registers) -> set[str]:
    """The steps that Dagster has noted as started, read without opening an instance."""
    found: set[str] = set()
    for log in (pair.folder / ".doisoat" / "dagster" / "history" / "runs").glob("*-*.db"):
        with (
            suppress(sqlite3.OperationalError),  # the log is being made
            closing(sqlite3.connect(f"{log.as_uri()}?mode=ro", uri=True)) as events,
        ):
            found |= {
                str(row[0])
                for row in events.execute(
                    "select step_key from event_logs where dagster_event_type = 'STEP_START'"
                )
            }
    return found


def last_status(pair: Registers) -> dg.DagsterRunStatus:
    with dg.DagsterInstance.from_config(str(pair.folder / ".doisoat" / "dagster")) as instance:
        return instance.get_runs(limit=1)[0].status


def _waits_for_a_lock(pair: Registers) -> bool:
    name = make_url(pair.target_url).database
    query = f"select 1 from pg_stat_activity where datname = '{name}' and wait_event_type = 'Lock'"
    return bool(read_sql(pair.target_url, query))


@pytest.mark.wide
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_a_signal_while_the_publish_waits_for_a_lock(
    begun: Registers, command_environment: dict[str, str], number: int
) -> None:
    before = begun.target_state()
    engine = create_engine(make_url(begun.target_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as blocker, started(begun, command_environment) as process:
        # This is the last table that a publish writes, so the run stops within its transaction.
        blocker.execute(text("lock table doisoat.sync_runs in share mode"))
        wait_for(lambda: _waits_for_a_lock(begun), process)

        ended = stop(process, number)

        assert ended.exit_code == 130
        assert "Nothing half-done was published" in ended.errors
        assert "Traceback" not in ended.errors
        # The server was told, too: no locks are held for a run that has ended.
        for _ in range(50):
            if not _waits_for_a_lock(begun):
                break
            time.sleep(0.1)
        assert not _waits_for_a_lock(begun)
    engine.dispose()
    assert begun.target_state() == before
    assert last_status(begun) == dg.DagsterRunStatus.CANCELED

    begun.sync()

    ids = {row["record_id"] for row in begun.published("select record_id from {reconciled}")}
    assert ids == {row["record_id"] for row in begun.insurance}


@pytest.mark.wide
@pytest.mark.parametrize(
    "step",
    [
        "core__mismatches",
        *(
            pytest.param(step, marks=pytest.mark.long)
            for step in ("raw__insurance", "clean__names", "check_core_reconciled")
        ),
    ],
)
def test_a_signal_in_any_step_ends_the_run_and_not_only_the_step(
    begun: Registers, command_environment: dict[str, str], step: str
) -> None:
    before = begun.target_state()
    with started(begun, command_environment) as process:
        wait_for(lambda: step in steps(begun), process)
        ended = stop(process, signal.SIGTERM)
    assert ended.exit_code == 130
    assert begun.target_state() == before
    assert last_status(begun) == dg.DagsterRunStatus.CANCELED


def test_a_signal_before_anything_has_begun(
    begun: Registers, command_environment: dict[str, str]
) -> None:
    with started(begun, command_environment) as process:
        time.sleep(0.5)  # the command is loading its libraries
        assert stop(process, signal.SIGTERM).exit_code == 130


def _is_listed(pair: Registers) -> bool:
    file = pair.folder / ".doisoat" / "dagster" / "history" / "runs.db"
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as runs,
    ):
        return bool(runs.execute("select 1 from runs").fetchone())
    return False


def test_a_signal_while_the_run_is_being_made_leaves_it_canceled(
    begun: Registers, command_environment: dict[str, str]
) -> None:
    with started(begun, command_environment) as process:
        wait_for(lambda: _is_listed(begun), process)
        assert stop(process, signal.SIGTERM).exit_code == 130
    assert last_status(begun) == dg.DagsterRunStatus.CANCELED


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_fifty_signals_over_all_phases(
    registers: Make, postgresql: Server, command_environment: dict[str, str], doisoat: Doisoat
) -> None:
    """After signals of every kind, all through a run, the target is the old or the new state."""
    crowd = range(1, 4001)
    pair = registers(
        [record(n) for n in crowd], [citizen(n) for n in crowd],
        source=postgresql.database, target=postgresql.database,
    )  # fmt: skip
    assert doisoat("--config", pair.file, "sync").exit_code == 0
    begun_at = time.monotonic()
    assert doisoat("--config", pair.file, "sync").exit_code == 0
    whole = time.monotonic() - begun_at
    chance = random.Random(22)  # noqa: S311 - the same moments each time
    late = []
    for number in range(50):
        pair.insurance[number]["gender"] = None
        pair.write()
        before = pair.target_state()
        kind = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)[number % 3]
        with started(pair, command_environment) as process:
            time.sleep(0.4 + (whole - 1) * (number + chance.random()) / 50)
            ended = stop(process, kind)
        if ended.exit_code == 0:  # this run was faster than the one that was timed
            late.append(number)
            continue
        assert (number, ended.exit_code) == (number, 130)
        after = pair.target_state()
        if "had published" in ended.errors:
            assert len(after["sync_runs"]) == len(before["sync_runs"]) + 1
        else:
            assert after == before, number
    assert len(late) < 15
    last = doisoat("--config", pair.file, "sync", "--json")
    assert last.exit_code == 0, last.errors
    assert all(e["holds"] for e in json.loads(last.output)["figures"]["ledger"])
