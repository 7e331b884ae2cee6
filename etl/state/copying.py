"""The working copy of the state in the warehouse: brought up to date, and what is new in it saved.

Statements read the tables of ``ops``, and a run writes to them. The state's database has the truth:
a working copy that is of another state, or of an earlier revision, is read anew; rows that the
database does not have yet are saved, within the transaction of the publish if the target is the
same database.

Belongs here: both directions. Does not belong here: which tables there are (``tables.py``,
``ops.sql``).
"""

from __future__ import annotations

import shutil
from importlib.resources import files

from etl.domain.errors import DoisoatError
from etl.engine.port import Warehouse
from etl.process.home import notice
from etl.settings import Settings
from etl.state.store import State, open_state
from etl.state.tables import SCOPES

_WRITTEN_ONLY = frozenset({"access_log"})
"""No statement reads these: rows that earlier versions wrote are saved, and none are read back."""

BETWEEN_RUNS = ("acknowledgements", "decisions", "models")
"""Small tables that commands write: a reader of a snapshot needs their present content."""


def make_ops(warehouse: Warehouse) -> None:
    """Makes the tables of ``ops`` that are missing, and brings earlier versions' forward."""
    warehouse.execute(files("etl.state").joinpath("ops.sql").read_text("utf-8"))


def make_views(warehouse: Warehouse) -> None:
    """Makes the views of ``ops``, over the tables that the warehouse shows."""
    warehouse.execute(files("etl.state").joinpath("views.sql").read_text("utf-8"))


def begin(warehouse: Warehouse, settings: Settings, *, replace: bool = False) -> None:
    """Makes the working copy equal to the state's database, before a run reads it.

    Args:
        warehouse: Of the run.
        settings: Whose state.
        replace: Take over the state of another installation.

    Raises:
        ConnectionFailedError: The database cannot be reached, and there is no working copy to
            continue with.
        QualityGateError: The state belongs to another installation.
    """
    make_ops(warehouse)
    try:
        with warehouse.transaction(), open_state(settings) as state:
            state.adopt(installation(warehouse), replace=replace)
            read = _bring(warehouse, state)
    except DoisoatError as error:
        if not error.may_pass or not warehouse.number("select count(*) from ops.copies"):
            raise
        notice(f"The state could not be reached, so its copy in the home is used. {error}")
        return
    # Earlier versions kept a copy of the state in the home; it names persons, and nothing reads it.
    shutil.rmtree(settings.home / "memory", ignore_errors=True)
    if "runs" in read:
        notice(f"The warehouse is new. Read back from the state: {', '.join(read)}.")


def refresh(warehouse: Warehouse, settings: Settings) -> None:
    """Reads what commands have written since the last run, for a reader of a snapshot.

    Args:
        warehouse: A snapshot, whose reader has tables of its own for them.
        settings: Whose state.
    """
    with warehouse.transaction(), open_state(settings) as state:
        for name in BETWEEN_RUNS:
            columns = [column.name for column in state.tables[name].columns]
            with warehouse.lending("incoming", state.read(name, columns)):
                # Created again, because a snapshot of an earlier version may lack columns.
                warehouse.execute(
                    f"create or replace table ops.{name} as "  # noqa: S608 - a name of our own
                    "select *, true as saved from incoming"
                )


def save_now(warehouse: Warehouse, settings: Settings) -> None:
    """Saves what the state does not have yet, in a transaction of its own.

    It is called where a run ends without a publish. A database that cannot be reached is no error
    here: the next run saves the rows.
    """
    if not any(_unsaved(warehouse, table) for table in SCOPES):
        return
    try:
        with warehouse.transaction(), open_state(settings) as state:
            state.adopt(installation(warehouse))
            save(warehouse, state)
    except DoisoatError as error:
        notice(f"What this run found could not be kept yet; the next run keeps it. {error}")


def save(warehouse: Warehouse, state: State) -> None:
    """Saves what the state does not have yet, within transactions on both sides.

    Args:
        warehouse: Within ``transaction``, so that rows do not count as saved if the state rolls
            back.
        state: An open transaction.
    """
    for name in SCOPES:
        if _unsaved(warehouse, name):
            _save_table(warehouse, state, name)
            warehouse.execute(f"update ops.{name} set saved = true where not saved")  # noqa: S608
            note_written(warehouse, state, name)


def installation(warehouse: Warehouse) -> str:
    """The pseudonym of the secret of the record keys, which says to whom a state belongs."""
    return str(warehouse.value("select record_key('installation')"))


def _unsaved(warehouse: Warehouse, table: str) -> bool:
    return bool(
        warehouse.value(f"select exists (select 1 from ops.{table} where not saved)")  # noqa: S608
    )


def _save_table(warehouse: Warehouse, state: State, name: str) -> None:
    table, scope = state.tables[name], SCOPES[name]
    columns = ", ".join(column.name for column in table.columns)
    unsaved = f"from ops.{name} where not saved"
    rows = f"select {columns} {unsaved}"
    if not scope:
        state.writer.delete_where(table)
        rows = f"select {columns} from ops.{name}"  # noqa: S608
    elif scope == ("run_id",):
        for row in warehouse.rows(f"select distinct run_id {unsaved}"):
            state.writer.delete_run(table, str(row["run_id"]))
        rows = (
            f"select {columns} from ops.{name} semi join (select run_id {unsaved}) using (run_id)"  # noqa: S608
        )
    elif state.revisions().get(name):
        keys = ", ".join(scope)
        state.writer.delete(table, warehouse.batches(f"select {keys} {unsaved}"))
    state.writer.insert(table, warehouse.batches(rows))


def _bring(warehouse: Warehouse, state: State) -> list[str]:
    """Reads the tables again whose copy is out of date; a new state is filled from the copy.

    Returns:
        The tables that were read.
    """
    state_id, revisions = state.state_id, state.revisions()
    if state_id is None:
        return []
    copies = {
        str(row["table_name"]): (row["state_id"], row["revision"])
        for row in warehouse.rows("select * from ops.copies")
    }
    of_another = any(known != state_id for known, _ in copies.values())
    if not revisions:  # a new state, which gets all that is known here
        for name in SCOPES:
            warehouse.execute(f"update ops.{name} set saved = false where saved")  # noqa: S608
    if not (of_another and revisions):
        save(warehouse, state)
        revisions = state.revisions()
        copies = {
            str(row["table_name"]): (row["state_id"], row["revision"])
            for row in warehouse.rows("select * from ops.copies")
        }
    warehouse.execute("delete from ops.access_log where saved")
    read = []
    for name in SCOPES:
        revision = revisions.get(name, 0)
        if name in _WRITTEN_ONLY or copies.get(name, (state_id, 0)) == (state_id, revision):
            continue
        _read_table(warehouse, state, name)
        _note_copy(warehouse, name, state_id, revision)
        read.append(name)
    return read


def _read_table(warehouse: Warehouse, state: State, name: str) -> None:
    columns = [column.name for column in state.tables[name].columns]
    warehouse.execute(f"delete from ops.{name}")  # noqa: S608 - a name of our own
    with warehouse.lending("incoming", state.read(name, columns)):
        warehouse.execute(
            f"insert into ops.{name} by name select *, true as saved from incoming"  # noqa: S608
        )


def note_written(warehouse: Warehouse, state: State, name: str) -> None:
    """Notes that a table was written in the state and in the copy alike.

    A copy that was out of date (because a command has written meanwhile, say) stays so, and the
    next run reads it again.
    """
    before = (state.state_id, state.revisions().get(name, 0))
    copies = warehouse.rows(
        "select state_id, revision from ops.copies where table_name = $name", {"name": name}
    )
    known = (copies[0]["state_id"], copies[0]["revision"]) if copies else (state.state_id, 0)
    revision = state.bump(name)
    if known == before:
        _note_copy(warehouse, name, state.state_id, revision)


def _note_copy(warehouse: Warehouse, table: str, state_id: str | None, revision: int) -> None:
    """Notes that the working copy of a table is that of a revision of the state."""
    warehouse.execute(
        "insert or replace into ops.copies values ($table, $state, $revision)",
        {"table": table, "state": state_id, "revision": revision},
    )
