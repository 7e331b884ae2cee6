"""What the same tables cost on each engine: DuckDB, and Spark on this machine.

    python -m benchmarks.engines --citizens 1100000 [--memory 6GB] [--java 6g]

Both engines build every table between the raw files and what is published, one engine after the
other, each in separate processes. Processor time is that of all these processes, including Java and
its Python workers, from the first table to the last; the start of Spark is measured separately.
Then every table is compared row for row.

Belongs here: timing, and the comparison, which the tests use, too. Does not belong here: how
statements reach an engine (``etl/engine``).
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.accuracy.report import Section, show
from benchmarks.reconcile_speed import prepare
from etl.bench.registers import fresh_warehouse, place
from etl.engine.port import Warehouse
from etl.pipeline import runner
from etl.pipeline.graph import pipeline
from etl.pipeline.places import PLACES
from etl.settings import Engine

DECIMALS = 9
"""Decimals after which floats are compared, because sums of floats depend on their order."""

_KEY = secrets.token_hex(32)
"""The secret of the record keys is the same for both engines, because keys are compared, too."""


def differing(warehouse: Warehouse, other: Path) -> dict[str, int]:
    """Compares every table with that of another warehouse.

    Tables with as many rows and the same two sums of their hashes are the same; of the others the
    rows are compared.

    Args:
        warehouse: One warehouse, open.
        other: The file of the other.

    Returns:
        For each table that differs, how many rows only one of the two has.
    """
    warehouse.show_beside("other", other)
    found = {}
    for name in pipeline():
        if name == PLACES:  # each engine stores rows in places of its own
            continue
        columns = {
            str(row["column_name"]): str(row["data_type"])
            for row in warehouse.rows(
                "select column_name, data_type from duckdb_columns() where database_name = 'other' "
                "and schema_name = $schema and table_name = $table order by column_index",
                {"schema": name.schema, "table": name.table},
            )
        }
        if {column for column, _ in warehouse.columns(name)} != columns.keys():
            raise ValueError(f"{name.sql} has other columns")
        listed = ", ".join(
            f'round("{column}", {DECIMALS})' if kind == "DOUBLE" else f'"{column}"::{kind}'
            for column, kind in columns.items()
            if column not in ("run_id", "read_at")
        )
        both = [f"{of}{name.sql}" for of in ("", "other.")]
        if len({_content(warehouse, rows, listed) for rows in both}) == 1:
            continue
        one, two = (f"select {listed} from {rows}" for rows in both)
        rows = warehouse.number(
            f"select count(*) from (({one} except all {two}) union all ({two} except all {one}))"
        )
        if rows:
            found[name.sql] = rows
    return found


def _content(warehouse: Warehouse, rows: str, columns: str) -> object:
    """The number of rows and two sums of their hashes, in any order: of millions, in seconds."""
    return warehouse.value(
        f"select (count(*), sum(hash({columns})::hugeint), bit_xor(hash({columns}, 1)))::varchar "
        f"from {rows}"
    )


def _processor_seconds() -> float:
    """Returns the processor time of this process and all that it started, also those that ended."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _build(folder: Path, engine: Engine) -> dict[str, Any]:
    """Builds all tables with an engine; returns what it took and which differ from DuckDB's."""
    beside = folder / "duckdb" / "warehouse.duckdb" if engine.name == "spark" else None
    started = time.perf_counter(), _processor_seconds()
    with fresh_warehouse(folder / engine.name, engine) as warehouse:
        place(warehouse, folder / "landed")
        began = time.perf_counter(), _processor_seconds()
        built = runner.build_all(warehouse)
        ended = time.perf_counter(), _processor_seconds()
        seconds, used = ended[0] - began[0], ended[1] - began[1]
        if beside:
            print(f"{seconds:.1f} s, {used:.1f} CPU s; comparing", file=sys.stderr, flush=True)
        return {
            "start": [began[0] - started[0], began[1] - started[1]],
            "seconds": seconds,
            "processor_seconds": used,
            "tables": {one.table.sql: [one.rows, one.seconds] for one in built},
            "differing": differing(warehouse, beside) if beside else {},
        }


def _in_its_own(folder: Path, engine: Engine) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.engines", "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--engine", engine.model_dump_json()],
        stdout=subprocess.PIPE,
        env=os.environ | {"DOISOAT_KEY": _KEY},
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measures both engines and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--citizens", type=int, default=110_000)
    parser.add_argument("--memory", default="", help="of DuckDB, also beside Spark")
    parser.add_argument("--java", default="3g", help="of Spark's driver, which is all of local[2]")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.engine:
        print(json.dumps(_build(chosen.folder, Engine.model_validate_json(chosen.engine))))
        return

    engines = [
        Engine(memory=chosen.memory, threads=2),
        Engine(
            name="spark", master="local[2]", memory=chosen.memory, threads=2,
            spark={"driver": {"memory": chosen.java}},
        ),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="doisoat-engines-") as name:
        folder = Path(name)
        prepare(folder, chosen.citizens)
        rows = []
        for engine in engines:
            took = _in_its_own(folder, engine)
            records = took["tables"]["clean.insurance"][0]
            dearest = sorted(took["tables"].items(), key=lambda one: -one[1][1])[:5]
            rows.append((
                engine.name, f"{took['start'][0]:.1f}", f"{took['seconds']:.1f}",
                f"{took['processor_seconds']:.1f}",
                f"{took['processor_seconds'] / records * 1e6:,.0f}",
                ", ".join(f"{table} {seconds:.0f}" for table, (_, seconds) in dearest),
            ))  # fmt: skip
            print(" | ".join(rows[-1]), flush=True)
        heads = ("engine", "start, s", "s", "CPU s", "µs a record", "dearest tables, s")
        show(Section(f"{chosen.citizens:,} citizens, {records:,} records", heads, rows))
        print("tables that differ:", took["differing"] or "none")


if __name__ == "__main__":
    main()
