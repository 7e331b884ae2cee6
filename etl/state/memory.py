"""A copy of the memory: what a warehouse that was lost or damaged is given back.

Belongs here: writing the tables of ``ops`` that must survive to the home's folder ``memory``, a
Parquet file each, and reading them into a new warehouse. Does not belong here: what is remembered
(``ops.sql``).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.process.home import make_room, notice, set_aside
from etl.process.privacy import owner_only

_RUNS = TableName("ops", "runs")

_OF_THE_RUN = frozenset({"parameters", "quality_rules", "builds", "build_inputs"})
"""Written anew by each run, or of the tables of one warehouse alone."""

_BETWEEN_RUNS = ("acknowledgements", "decisions", "models", "access_log")
"""Written by commands, and small."""


def _folder(warehouse: Warehouse) -> Path:
    return warehouse.files.parent / "memory"


def keep_copy(warehouse: Warehouse) -> None:
    """Copies the memory, each table that has changed since its last copy."""
    _copy(warehouse, _tables(warehouse))


def keep_copy_of_commands(warehouse: Warehouse) -> None:
    """Copies what commands write between runs: acknowledgements, decisions, models, looks."""
    _copy(warehouse, set(_BETWEEN_RUNS) & set(_tables(warehouse)))


def restore(warehouse: Warehouse) -> list[str]:
    """Reads the copy into the tables of a new warehouse.

    A copy that is damaged itself is set aside, and its table begins empty.

    Returns:
        The tables that were given their rows back.
    """
    restored = []
    for table in _tables(warehouse):
        file = _folder(warehouse) / f"{table}.parquet"
        if not file.exists():
            continue
        try:
            warehouse.execute(
                f"insert into ops.{table} by name "  # noqa: S608 - a name of our own
                "select * from read_parquet($file, hive_partitioning = false)",
                {"file": str(file)},
            )
            restored.append(table)
        except warehouse.FAILED:
            set_aside(file)
    return restored


def make_memory(warehouse: Warehouse) -> None:
    """Makes the tables that outlive a run, those that are missing; a new warehouse's of the copy.

    The file of a home that has run before may be new: somebody deleted it, or it was damaged.
    """
    new = not warehouse.exists(_RUNS)
    warehouse.execute(files("etl.state").joinpath("ops.sql").read_text("utf-8"))
    if new and (restored := restore(warehouse)):
        notice(
            "The warehouse is new. Read back from the copy in the home's folder 'memory': "
            f"{', '.join(restored)}."
        )


def _tables(warehouse: Warehouse) -> list[str]:
    return [
        name
        for row in warehouse.rows(
            "select table_name from information_schema.tables "
            "where table_schema = 'ops' and table_type = 'BASE TABLE' order by table_name"
        )
        if (name := str(row["table_name"])) not in _OF_THE_RUN
    ]


def _copy(warehouse: Warehouse, tables: Iterable[str]) -> None:
    folder = _folder(warehouse)
    make_room(folder, folder=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    with owner_only():
        for table in tables:
            name = TableName("ops", table)
            file = folder / f"{table}.parquet"
            make_room(file, folder=False)
            content = _content(warehouse, name)
            if content == _copied(warehouse, file):
                continue
            unfinished = file.with_suffix(".unfinished")
            warehouse.execute(
                f"copy {name.sql} to '{_quoted(unfinished)}' "
                f"(format parquet, compression zstd, kv_metadata {{content: '{content}'}})"
            )
            unfinished.replace(file)


def _content(warehouse: Warehouse, table: TableName) -> str:
    """Returns a word that changes with the rows of a table, whatever their order."""
    return str(
        warehouse.value(
            "select count(*) || '-' || coalesce(sum(hash(rows)::hugeint), 0) "  # noqa: S608
            f"from {table.sql} as rows"
        )
    )


def _copied(warehouse: Warehouse, file: Path) -> str | None:
    if not file.exists():
        return None
    try:
        found = warehouse.value(
            "select value::varchar from parquet_kv_metadata($file) where key::varchar = 'content'",
            {"file": str(file)},
        )
    except warehouse.FAILED:  # damaged: it is written anew
        return None
    return None if found is None else str(found)


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")
