"""Pruning of Dagster's history: old runs go with all they hold; the latest of each kind stay."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.definitions import build_defs
from assets.history import prune
from assets.instance import root_file
from assets.jobs import DELTA_SYNC, PRUNE_HISTORY
from etl.domain.errors import DoisoatError
from tests.support import Registers

ROWS = "x" * 200_000


@dg.asset
def rare() -> None:
    """An asset that was built once, long ago."""


@dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="nightly")])
def nightly() -> dg.MaterializeResult:  # type: ignore[type-arg]
    """An asset that is built every night; its metadata makes the log of a run large."""
    return dg.MaterializeResult(
        metadata={"weight": ROWS}, check_results=[dg.AssetCheckResult(passed=True)]
    )


CHECK = dg.AssetCheckKey(dg.AssetKey("nightly"), "holds")


@pytest.fixture
def instance(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    shutil.copyfile(root_file("dagster.yaml"), folder / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(folder)) as made:
        yield made


def _night(instance: dg.DagsterInstance, *assets: dg.AssetsDefinition) -> str:
    done = dg.materialize(list(assets), instance=instance, tags={"night": "1"})
    return done.run_id


def _disk(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_old_runs_go_with_their_space_and_the_last_word_on_everything_stays(
    instance: dg.DagsterInstance, folder: Path
) -> None:
    rarely = _night(instance, rare)
    old = [_night(instance, nightly) for _ in range(6)]
    waiting = instance.create_run_for_job(
        dg.define_asset_job("waits").resolve(
            asset_graph=dg.Definitions([rare]).resolve_asset_graph()
        )
    )
    time.sleep(1.1)
    middle = time.time()
    new = _night(instance, nightly)
    before = _disk(folder)

    pruned = prune(instance, timedelta(seconds=time.time() - middle))

    assert {run.run_id for run in instance.get_runs()} == {rarely, waiting.run_id, new}
    assert (pruned.deleted, pruned.kept) == (len(old), 1)
    assert pruned.freed > 0.9 * (before - _disk(folder)) > len(old) * len(ROWS)
    left = [str(file) for file in folder.rglob("*") if any(run in file.name for run in old)]
    assert left == []
    for key, run_id in (("rare", rarely), ("nightly", new)):
        event = instance.get_latest_materialization_event(dg.AssetKey(key))
        assert event is not None
        assert event.run_id == run_id
    checks = instance.event_log_storage
    assert checks.get_latest_asset_check_execution_by_key([CHECK])[CHECK].run_id == new
    history = checks.get_asset_check_execution_history(CHECK, limit=100)
    assert [record.run_id for record in history] == [new]
    assert _orphans(folder) == 0


def _delta(instance: dg.DagsterInstance, *, fails: bool = False) -> str:
    @dg.asset
    def changing() -> None:
        if fails:
            raise dg.Failure

    job = dg.define_asset_job(DELTA_SYNC)
    found = dg.Definitions(assets=[changing], jobs=[job]).resolve_job_def(DELTA_SYNC)
    return found.execute_in_process(instance=instance, raise_on_error=False).run_id


def test_a_delta_that_ended_well_is_kept_a_week(instance: dg.DagsterInstance, folder: Path) -> None:
    """Deltas may run every quarter of an hour; a failed one is kept as long as any other run."""
    eldest, failed = _delta(instance), _delta(instance, fails=True)
    _backdate(folder, days=5)
    younger = _delta(instance)
    _backdate(folder, days=5)
    last = _delta(instance)

    assert prune(instance, timedelta(days=90)).deleted == 1

    kept = {run.run_id for run in instance.get_runs()}
    assert kept == {failed, younger, last}
    assert eldest not in kept
    assert prune(instance, timedelta(days=3)).deleted == 2, "no longer than any other run"


def _orphans(folder: Path) -> int:
    """Counts tags of runs that no longer exist."""
    with closing(sqlite3.connect(folder / "history" / "runs.db")) as runs:
        query = "select count(*) from run_tags where run_id not in (select run_id from runs)"
        return int(runs.execute(query).fetchone()[0])


def test_the_last_good_run_of_a_job_stays_however_old(instance: dg.DagsterInstance) -> None:
    good = _night(instance, nightly)

    assert prune(instance, timedelta(0)).deleted == 0

    assert [run.run_id for run in instance.get_runs()] == [good]
    assert prune(instance, timedelta(0)).kept == 1


def test_the_job_prunes_by_the_setting(
    registers: Callable[..., Registers],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = registers()
    pair.options["schedule"] = {"keep_days": 5, "enabled": True}
    old = [_night(instance, nightly) for _ in range(2)]
    _backdate(Path(os.environ["DAGSTER_HOME"]), days=6)
    new = _night(instance, nightly)
    whole = build_defs(pair.settings)

    done = whole.resolve_job_def(PRUNE_HISTORY).execute_in_process(instance=instance)

    assert done.success
    assert not {run.run_id for run in instance.get_runs()} & set(old)
    assert instance.get_run_by_id(new) is not None
    schedule = whole.get_repository_def().get_schedule_def("daily_pruning")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def _backdate(home: Path, days: int) -> None:
    """Makes all runs so far older by so many days."""
    with closing(sqlite3.connect(home / "history" / "runs.db")) as runs:
        runs.execute(
            "update runs set create_timestamp = datetime(create_timestamp, ?), "
            "end_time = end_time - ?",
            (f"-{days} days", days * 86_400),
        )
        runs.commit()


def _compacting(monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> list[str]:
    """Makes SQLite refuse to compact a database; returns the files that were to be compacted."""
    asked: list[str] = []

    class Refusing(sqlite3.Connection):
        def execute(self, *_: object) -> sqlite3.Cursor:  # type: ignore[override]
            error = sqlite3.OperationalError(words)
            error.sqlite_errorcode, error.sqlite_errorname = code, "SQLITE_SOMETHING"
            raise error

    connect = sqlite3.connect

    def connected(file: str, timeout: float) -> sqlite3.Connection:
        asked.append(Path(file).name)
        return connect(file, timeout, factory=Refusing)

    monkeypatch.setattr("assets.history.sqlite3.connect", connected)
    return asked


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (sqlite3.SQLITE_FULL, "database or disk is full", "The disk is full."),
        (sqlite3.SQLITE_IOERR_WRITE, "disk I/O error", "The disk is full, or reports an error."),
        (sqlite3.SQLITE_CORRUPT, "its words", "SQLite reported SQLITE_SOMETHING"),
    ],
)
def test_what_keeps_space_from_being_given_back_is_told(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, code: int, words: str, told: str
) -> None:
    old = [_night(instance, nightly) for _ in range(2)]
    with monkeypatch.context() as patch:
        asked = _compacting(patch, code, words)
        with pytest.raises(DoisoatError) as caught:
            prune(instance, timedelta(0))

    assert told in caught.value.what
    assert caught.value.where.endswith(".db")
    assert words not in str(caught.value)
    assert asked == ["index.db", "runs.db"]
    assert {run.run_id for run in instance.get_runs()} == {old[-1]}


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY | 2 << 8])
def test_a_reader_in_the_way_leaves_the_space_to_the_next_pruning(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    for _ in range(2):
        _night(instance, nightly)
    with monkeypatch.context() as patch:
        asked = _compacting(patch, code, "database is locked")
        assert prune(instance, timedelta(0)).deleted == 1
    assert len(asked) == 2


def test_the_job_tells_in_plain_words_what_kept_it(
    registers: Callable[..., Registers],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):
        _night(instance, nightly)
    _backdate(Path(os.environ["DAGSTER_HOME"]), days=600)
    job = build_defs(registers().settings).resolve_job_def(PRUNE_HISTORY)
    with monkeypatch.context() as patch:
        _compacting(patch, sqlite3.SQLITE_FULL, "database or disk is full")
        done = job.execute_in_process(instance=instance, raise_on_error=False)

    assert not done.success
    (failed,) = [event for event in done.all_events if event.is_step_failure]
    data = failed.step_failure_data.user_failure_data
    assert data is not None
    assert str(data.description).startswith("The disk is full.")


def test_files_that_go_while_they_are_counted_are_no_trouble(
    instance: dg.DagsterInstance, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's -wal and -shm come and go while the UI is open."""
    for _ in range(2):
        _night(instance, nightly)
    gone = folder / "history" / "runs.db-wal"
    gone.write_bytes(b"")

    def without(measure: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def measured(path: Path, **how: bool) -> os.stat_result:
            if path == gone and traceback.extract_stack()[-2].name in ("_size", "<genexpr>"):
                raise FileNotFoundError(str(path))
            return measure(path, **how)

        return measured

    for name in ("stat", "lstat"):
        monkeypatch.setattr(Path, name, without(getattr(Path, name)))

    assert prune(instance, timedelta(0)).deleted == 1
