"""What the quality rules cost compared with building the tables, on registers of a given size.

    python -m benchmarks.quality --citizens 1100000 [--home FOLDER]

Every table is built once, as by a sync, without extraction and publish. Then every suite runs
twice: first when no failure of an earlier run is known, then as on the next night, when failures
are known.

Belongs here: timing of suites. Does not belong here: how fast tables are built
(``reconcile_speed.py``), and whether rules find what they should (the tests).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy.report import Section, show
from benchmarks.reconcile_speed import prepare
from etl.bench.registers import fresh_warehouse, place
from etl.engine.port import Warehouse
from etl.pipeline import runner
from expectations import SUITES
from expectations.runner import run_suite


@dataclass(frozen=True)
class Validated:
    """One suite on its table.

    Attributes:
        table: The table.
        rows: Its rows.
        rules: Rules of the suite.
        first: Seconds when no earlier failure is known.
        again: Seconds on the next night.
    """

    table: str
    rows: int
    rules: int
    first: float
    again: float


def measure(folder: Path, citizens: int) -> tuple[float, list[Validated]]:
    """Builds every table and validates each.

    Returns:
        The seconds that building took, and what each suite took.
    """
    prepare(folder, citizens)
    with fresh_warehouse(folder / "quality") as warehouse:
        place(warehouse, folder / "landed")
        start = time.perf_counter()
        runner.build_all(warehouse)
        built = time.perf_counter() - start
        run_suite(warehouse, SUITES[0])  # loads Great Expectations, which takes seconds once
        first = _seconds(warehouse)
        again = _seconds(warehouse)
        return built, [
            Validated(suite.table.sql, warehouse.count(suite.table), len(suite.rules), *seconds)
            for suite, *seconds in zip(SUITES, first, again, strict=True)
        ]


def _seconds(warehouse: Warehouse) -> list[float]:
    found = []
    for suite in SUITES:
        start = time.perf_counter()
        run_suite(warehouse, suite)
        found.append(time.perf_counter() - start)
    return found


def _section(built: float, validated: list[Validated]) -> Section:
    rows: list[tuple[object, ...]] = [
        (v.table, v.rows, v.rules, f"{v.first:.2f}", f"{v.again:.2f}", f"{v.again / built:.1%}")
        for v in sorted(validated, key=lambda v: -v.again)
    ]
    first, again = sum(v.first for v in validated), sum(v.again for v in validated)
    rules = sum(v.rules for v in validated)
    rows.append(("all", None, rules, f"{first:.2f}", f"{again:.2f}", f"{again / built:.1%}"))
    return Section(
        f"Every table was built in {built:.1f} s",
        ("suite", "rows", "rules", "first, s", "next night, s", "of building"),
        rows,
        "Loading Great Expectations, once a run, is not in it.",
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--citizens", type=int, default=1_100_000)
    parser.add_argument("--home", type=Path, help="keep registers and warehouse here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = options.home or Path(directory)
        show(_section(*measure(home / str(options.citizens), options.citizens)))


if __name__ == "__main__":
    main()
