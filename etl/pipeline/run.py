"""The run that is writing: its file, its parameters, its start.

Belongs here: the warehouse of one run, ``ops.parameters`` and ``ops.runs``. Does not belong here:
what a run does (``assets/``), and those who read (``snapshots.py``).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from etl.domain.errors import ConfigError, DamagedError
from etl.engine.opening import connect, trouble, unreadable_file
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.basis import basis_of, last_basis, why_not_a_delta
from etl.pipeline.graph import pipeline
from etl.pipeline.lock import Lock, lock_file
from etl.pipeline.reference import load_configured_words, load_reference
from etl.pipeline.snapshots import (
    begins_anew,
    keep_snapshot,
    prune,
    run_of_file,
    snapshot_file,
    snapshots,
)
from etl.process.files import copy_large, whole_file
from etl.process.home import make_room, notice, set_aside
from etl.process.privacy import load_record_key, owner_only
from etl.settings import Settings
from etl.state.copying import begin, make_ops, make_views
from etl.state.tables import SCOPES

FULL, DELTA = "full", "delta"
"""How much a run reads and builds: all of it, or what has changed since the last run."""

PARAMETERS = TableName("ops", "parameters")
RUNS = TableName("ops", "runs")


@dataclass(frozen=True, slots=True)
class Run:
    """One sync run.

    Attributes:
        dagster_run_id: Dagster's id, as in the UI's address.
        mode: ``full``, or ``delta``: continue with the tables of the last run, where these can be
            trusted.
        replace: Publish to a target of another installation, too, and whatever share of its rows
            would vanish.
        whole: It builds every table, so that nothing of the last run is needed.
        not_a_delta: Why it is full, although a delta was asked for.
        part: Somebody chose only some of its steps.
    """

    dagster_run_id: str
    mode: str = "full"
    replace: bool = False
    whole: bool = False
    not_a_delta: str = ""
    part: bool = False


def last_published(warehouse: Warehouse) -> tuple[str, datetime] | None:
    """Returns the run whose result the target holds, and when (UTC); None before the first."""
    found: list[dict[str, Any]] = warehouse.rows(
        "select run_id, published_at from ops.runs where published_at is not null "
        "order by published_at desc limit 1"
    )
    return (found[0]["run_id"], found[0]["published_at"]) if found else None


@contextmanager
def warehouse_for(settings: Settings, run: Run) -> Iterator[Warehouse]:
    """Lends the warehouse to one step of a run.

    The first step of a run takes the lock, opens the warehouse for the whole run, loads the
    reference tables and writes the run's parameters, which every statement reads; later steps
    find them there.

    Raises:
        WarehouseBusyError: Another run or process is writing.
    """
    held = Lock.take(lock_file(settings), run.dagster_run_id)
    with owner_only():
        try:
            if held.warehouse is None:
                held.warehouse = _opened(settings, run)
            yield held.warehouse
        except BaseException as error:
            held.close()  # the next step must not find the rest of one that broke off
            path = settings.warehouse_path
            known = trouble(error, path)
            if known is None or (isinstance(known, DamagedError) and known.file == path):
                known = unreadable_file(error, path) or known  # the engine does not name the file
            if isinstance(known, DamagedError):
                set_aside(known.file)
            raise known or error from None


def _opened(settings: Settings, run: Run) -> Warehouse:
    if _of_run(settings) == run.dagster_run_id:
        return _connected(settings)
    _clear_spilled(settings)
    warehouse = _new_file(settings, run)
    try:
        begin(warehouse, settings, replace=run.replace)
        last = last_basis(warehouse)
        load_reference(warehouse)
        load_configured_words(warehouse, settings)
        make_views(warehouse)
        basis = basis_of(warehouse, settings)
        if run.mode == DELTA and (reason := why_not_a_delta(warehouse, last, basis)):
            warehouse.close()
            _forget_file(settings)
            if run.part:
                raise ConfigError(
                    f"Steps of a delta cannot be run by themselves: {reason}.",
                    remedy="Run all of it: doisoat sync, or 'Materialize all' of the job full_sync "
                    "in the UI.",
                )
            notice(f"This run reads and builds everything: {reason}.")
            return _opened(settings, replace(run, mode=FULL, whole=True, not_a_delta=reason))
        # (A run of some tables keeps the others, so the basis remains that of the last run.)
        decided_by = json.dumps(basis) if run.whole else last or ""
        run_id = _begin(warehouse, settings, run, decided_by)
        with whole_file(run_of_file(settings)) as file:
            file.write_text(f"{run_id}\n{run.dagster_run_id}\n", "utf-8")
        begins_anew(settings).unlink(missing_ok=True)
    except BaseException:
        warehouse.close()
        raise
    return warehouse


def _of_run(settings: Settings) -> str | None:
    """Returns Dagster's id of the run that wrote the warehouse's file."""
    file = run_of_file(settings)
    if not (file.is_file() and settings.warehouse_path.is_file()):
        return None
    return file.read_text("utf-8").splitlines()[-1]


def _new_file(settings: Settings, run: Run) -> Warehouse:
    """Begins the file of a run: it holds only the state, or, for a run of some tables, a copy.

    What the last run left becomes a snapshot. A damaged file is set aside: the run builds the
    tables that it needs again, and the working copy is read from the state's database.
    """
    last = _last(settings)
    path = settings.warehouse_path
    if last is None and snapshots(settings):
        begins_anew(settings).touch(mode=0o600)
    _forget_file(settings)
    if last is not None and not run.whole:
        copy_large(last, path)
    warehouse = _opened_without_damage(settings)
    if run.whole:
        _forget_built(warehouse)
    if last is None or not run.whole:
        return warehouse
    make_ops(warehouse)
    try:
        warehouse.copy_from(last, [TableName("ops", name) for name in (*SCOPES, "copies")])
    except DamagedError:
        set_aside(last.parent)
        warehouse.close()
        path.unlink()
        return _opened_without_damage(settings)
    return warehouse


def _forget_built(warehouse: Warehouse) -> None:
    """Deletes the tables that an engine keeps as Parquet and that this run builds again.

    A run that breaks off must not leave tables of the last run beside its own; those are kept in
    the last run's snapshot.
    """
    for name, table in pipeline().items():
        if table.statement and warehouse.kept(name):
            warehouse.discard(name)


def _forget_file(settings: Settings) -> None:
    """Deletes the file of a run, which was kept as a snapshot, or has nothing in it."""
    path = settings.warehouse_path
    # Without the name of its run, a file counts as one that has nothing in it: so whoever finds
    # only the first deletion done takes the newest snapshot.
    for of_it in (run_of_file(settings), path, path.with_name(f"{path.name}.wal")):
        of_it.unlink(missing_ok=True)


def _last(settings: Settings) -> Path | None:
    """Returns the file that the last run left, kept as a snapshot."""
    path = settings.warehouse_path
    make_room(path, folder=False)
    try:
        kept = keep_snapshot(settings)
        prune(settings)
    except DamagedError as damaged:
        if path.exists():
            set_aside(path)
        for log in (path.with_name(f"{path.name}.wal"), damaged.file):
            if log.exists():
                set_aside(log)
        return None
    return snapshot_file(kept) if kept else None


def _opened_without_damage(settings: Settings) -> Warehouse:
    """Opens the file of a run; Parquet files that cannot be read are set aside, and built anew."""
    while True:
        try:
            return _connected(settings)
        except DamagedError as damaged:
            set_aside(damaged.file)


def _connected(settings: Settings) -> Warehouse:
    key = load_record_key(settings.home)
    return connect(settings.warehouse_path, key=key, limits=settings.engine)


def _clear_spilled(settings: Settings) -> None:
    """Deletes what a killed process left outside of its memory: it is personal data."""
    spilled = settings.warehouse_path.with_name(f"{settings.warehouse_path.name}.tmp")
    shutil.rmtree(spilled, ignore_errors=True)
    for unfinished in settings.warehouse_path.with_suffix(".files").glob("raw.*.incoming"):
        unfinished.unlink(missing_ok=True)


def _begin(warehouse: Warehouse, settings: Settings, run: Run, basis: str) -> str:
    started = datetime.now(UTC).replace(tzinfo=None)
    run_id = f"{started:%Y%m%dT%H%M%S}-{run.dagster_run_id[:8]}"
    common = {
        "run_id": [run_id],
        "dagster_run_id": [run.dagster_run_id],
        "mode": [run.mode],
        "started_at": pa.array([started], pa.timestamp("us")),
    }
    warehouse.load(
        PARAMETERS,
        pa.table(
            {
                **common,
                **{k: [v] for k, v in settings.reconcile.model_dump().items()},
                "basis": [basis],
                "not_a_delta": [run.not_a_delta],
            }
        ),
    )
    warehouse.append(RUNS, pa.table(common))
    return run_id
