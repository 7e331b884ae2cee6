"""How fast two registers are reconciled, compared with Splink, recordlinkage and dedupe.

Every contender runs in a separate process, so that its peak of memory can be measured, and in turn,
so that other work on the machine affects all alike. Medians are printed. doisoat starts from the
raw files of an extraction and builds every table up to those that are published. The others start
from the clean tables that doisoat made, so they are spared that work. recordlinkage and dedupe get
registers of a size that they finish in minutes.

    python -m benchmarks.reconcile_speed --citizens 1100000 --rounds 3
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.accuracy.report import Section, console, show, write
from etl.engine.statements import TableName

SEED = 101
_TABLES = ("insurance", "population", "former_numbers")
_WEIGHTS = (0, 5, 10, 20)
_LABELS = 200
"""Pairs by which dedupe is trained, half of them matches: what a person labels in an afternoon."""


# --- preparation, not measured ---------------------------------------------------------------


def prepare(folder: Path, citizens: int) -> None:
    """Simulates the registers and writes them as raw files."""
    from etl.bench.registers import fresh_warehouse, land
    from etl.simulate import SimulationSpec, write_parquet

    if (folder / "landed").exists():
        return
    write_parquet(SimulationSpec(citizens, seed=SEED), folder, replace=True)
    registers = {name: folder / f"{name}.parquet" for name in ("insurance", "population")}
    with fresh_warehouse(folder / "landing") as warehouse:
        land(warehouse, registers)
        warehouse.files.rename(folder / "landed")


# --- the contenders, each in its own process ---------------------------------------------------


def doisoat(folder: Path) -> dict[str, Any]:
    """Builds everything between extraction and the target."""
    from benchmarks.accuracy import judge, limits
    from etl.bench.registers import fresh_warehouse, place
    from etl.pipeline import runner

    truth, judged = folder / "truth.parquet", folder / "judged.parquet"
    with fresh_warehouse(folder / "doisoat") as warehouse:
        place(warehouse, folder / "landed")
        start = time.perf_counter()
        built = runner.build_all(warehouse)
        found = _measured(start) | {
            "statements": {b.table.sql: b.seconds for b in built},
            "citizens": warehouse.count(TableName("clean", "population")),
            "records": warehouse.count(TableName("clean", "insurance")),
        }
        judge.judge(warehouse, truth, judged, SEED)
        for table in _TABLES:
            warehouse.execute(
                f"copy clean.{table} to '{folder / f'clean_{table}.parquet'}' (format parquet)"
            )
        swept = limits.sweep(warehouse, truth, judged)
    citizens, _ = judge.totals([judged])
    quality = {at.label: _quality(at.links, at.right, citizens) for at in swept}
    return found | {"quality": quality}


def splink(folder: Path) -> dict[str, Any]:
    """Splink alone, as in benchmarks/accuracy: tables, training, prediction, best links."""
    from benchmarks.accuracy import splink_alone

    with duckdb.connect() as connection:
        start = time.perf_counter()
        splink_alone.tables(connection, *(folder / f"clean_{t}.parquet" for t in _TABLES))
        training = splink_alone.link(connection)
        found = _measured(start) | {"training": training}
        connection.execute(f"create table truth as {_TRUTH}", _truth_files(folder))
        citizens, _ = splink_alone.totals(connection)
        quality = {
            f"weight from {weight:g}": _quality(links, right, citizens)
            for weight, one_to_one, links, right, _ in splink_alone.sweep(connection, _WEIGHTS)
            if not one_to_one
        }
    return found | {"quality": quality}


def recordlinkage(folder: Path) -> dict[str, Any]:
    """recordlinkage: pairs that share birth date, name or number; its ECM classifier."""
    import recordlinkage as toolkit

    left, right = (frame.set_index("key") for frame in _frames(folder))
    start = time.perf_counter()
    index = toolkit.Index()
    for column in ("number", "birth_date", "name_key"):
        index.block(column)
    compare = toolkit.Compare(n_jobs=1)
    compare.string("name_key", "name_key", method="jarowinkler", threshold=0.92)
    for column in ("number", "birth_date", "birth_year", "gender", "province_code"):
        compare.exact(column, column)
    features = compare.compute(index.index(left, right), left, right)
    pairs = toolkit.ECMClassifier(binarize=0.5).fit_predict(features)
    return _measured(start) | {"quality": {"": _judged(folder, pairs)}}


def dedupe(folder: Path) -> dict[str, Any]:
    """dedupe: trained with labels from the truth, one to one."""
    import dedupe as library
    from dedupe import variables as kind

    fields = ["name_key", "birth_date", "number", "gender", "province_code"]
    records, citizens = (
        frame.set_index("key")[fields].to_dict("index") for frame in _frames(folder)
    )
    labels = _labels(folder, records, citizens)
    start = time.perf_counter()
    # Fuzzy fields index every pair of a sample, which takes minutes for each: only one is fuzzy.
    kinds = (kind.ShortString, kind.Exact, kind.Exact, kind.Exact, kind.Exact)
    linker = library.RecordLink(
        [of(field, has_missing=True) for of, field in zip(kinds, fields, strict=True)], num_cores=2
    )
    linker.prepare_training(records, citizens, training_file=labels)
    linker.train()
    links = linker.join(records, citizens, threshold=0.5)
    pairs = [(str(left), str(right)) for (left, right), _ in links]
    return _measured(start) | {"quality": {"": _judged(folder, pairs)}}


CONTENDERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "doisoat": doisoat,
    "splink": splink,
    "recordlinkage": recordlinkage,
    "dedupe": dedupe,
}


# --- helpers of the contenders -----------------------------------------------------------------

_TRUTH = (
    "select record_id, truth.personal_id, judged.identifiable from read_parquet(?) as truth "
    "inner join read_parquet(?) as judged using (record_id)"
)


def _truth_files(folder: Path) -> list[str]:
    return [str(folder / "truth.parquet"), str(folder / "judged.parquet")]


def _measured(start: float) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.perf_counter() - start, "mib": peak}


def _quality(links: int, right: int, citizens: int) -> list[float]:
    return [right / links if links else 0.0, right / citizens]


def _frames(folder: Path) -> list[Any]:
    """Returns records and citizens as pandas frames, in Splink's shape."""
    from benchmarks.accuracy import splink_alone

    with duckdb.connect() as connection:
        splink_alone.tables(connection, *(folder / f"clean_{t}.parquet" for t in _TABLES))
        frames = []
        for table in ("records", "citizens"):
            frame = connection.execute(f"select *, unique_id as key from {table}").df()
            frames.append(frame.astype(object).where(frame.notna(), None))
        return frames


def _judged(folder: Path, pairs: Iterable[tuple[str, str]]) -> list[float]:
    """Returns precision and recall of pairs of record and citizen."""
    rows = duckdb.execute(_TRUTH, _truth_files(folder)).fetchall()
    real = {(record, citizen) for record, citizen, _ in rows if citizen is not None}
    found = {(str(record), str(citizen)) for record, citizen in pairs}
    return _quality(len(found), len(found & real), len(real))


def _labels(folder: Path, records: dict[str, Any], citizens: dict[str, Any]) -> io.StringIO:
    """Returns a training file: true pairs, and record and citizen at random."""
    import dedupe as library

    rows = duckdb.execute(_TRUTH, _truth_files(folder)).fetchall()
    real = sorted((r, c) for r, c, _ in rows if r in records and c in citizens)
    draw = random.Random(SEED)  # noqa: S311
    chosen, others = draw.sample(real, _LABELS // 2), draw.sample(real, _LABELS // 2)
    pairs: Any = {
        "match": [(records[r], citizens[c]) for r, c in chosen],
        "distinct": [
            (records[r], citizens[c])
            for (r, own), (_, c) in zip(chosen, others, strict=True)
            if own != c
        ],
    }
    file = io.StringIO()
    library.write_training(pairs, file)
    file.seek(0)
    return file


# --- running them ------------------------------------------------------------------------------


def _in_own_process(
    step: str, folder: Path, citizens: int = 0, limit: float | None = None
) -> dict[str, Any] | None:
    """Runs one step in a separate process; returns what it found, or None if it took too long."""
    command = [sys.executable, "-m", "benchmarks.reconcile_speed", "--once", step,
               "--home", str(folder), "--citizens", str(citizens)]  # fmt: skip
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _once(step: str, folder: Path, citizens: int) -> None:
    warnings.simplefilter("ignore")
    if step == "prepare":
        prepare(folder, citizens)
        print("{}")
    else:
        print(json.dumps(CONTENDERS[step](folder)))


def measure(
    home: Path, citizens: int, names: Iterable[str], rounds: int, limit: float
) -> dict[str, Any]:
    """Runs contenders in turn on registers of one size.

    Returns:
        For each contender what its rounds found; nothing for one that took longer than the limit,
        which is not tried again.
    """
    folder = home / str(citizens)
    found: dict[str, Any] = {name: [] for name in names}
    with console.status(f"{citizens:,} citizens: preparing"):
        _in_own_process("prepare", folder, citizens)
    for number in range(rounds):
        for name, results in found.items():
            with console.status(f"{citizens:,} citizens, round {number + 1}: {name}"):
                if number > len(results):
                    continue
                result = _in_own_process(name, folder, limit=limit)
                results.extend([result] if result else [])
    return found


def _times(seconds: list[float], ours: list[dict[str, Any]]) -> str:
    """Says how many times as long as doisoat each took: by medians, and by round if several."""
    medians = statistics.median(seconds) / statistics.median(r["seconds"] for r in ours)
    each = [theirs / r["seconds"] for theirs, r in zip(seconds, ours, strict=False)]
    rounds = f" ({', '.join(f'{ratio:.1f}' for ratio in each)})" if len(each) > 1 else ""
    return f"{medians:.1f}{rounds}"


def contenders_section(found: dict[str, Any]) -> Section:
    """Makes a table of seconds, memory, precision and recall."""
    size = found["doisoat"][0]
    rows: list[tuple[object, ...]] = []
    for name, rounds in found.items():
        if not rounds:
            rows.append((name, "not finished", None, None, None, None, None))
            continue
        seconds = statistics.median(r["seconds"] for r in rounds)
        training = statistics.median(r.get("training", 0.0) for r in rounds)
        peak = round(statistics.median(r["mib"] for r in rounds))
        for threshold, (precision, recall) in rounds[-1]["quality"].items():
            label = f"{name}, {threshold}" if threshold else name
            times = _times([r["seconds"] for r in rounds], found["doisoat"])
            taught = f"{training:.1f}" if training else None
            rows.append((label, f"{seconds:.1f}", taught, times, peak, precision, recall))
    title = f"{size['records']:,} records against {size['citizens']:,} citizens"
    columns = (
        "contender", "seconds", "of which training", "times doisoat's", "peak MiB", "precision",
        "recall",
    )  # fmt: skip
    return Section(title, columns, rows, "Medians. Extraction and publishing apart.")


def statements_section(rounds: list[dict[str, Any]], most: int = 15) -> Section:
    """Makes a table of the slowest tables."""
    medians = {
        table: statistics.median(r["statements"][table] for r in rounds)
        for table in rounds[0]["statements"]
    }
    slowest = sorted(medians.items(), key=lambda item: -item[1])[:most]
    return Section(
        "doisoat: the slowest tables",
        ("table", "seconds"),
        [(table, f"{seconds:.2f}") for table, seconds in slowest],
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--citizens", type=int, default=1_100_000)
    parser.add_argument("--small", type=int, default=200_000, help="citizens for recordlinkage")
    parser.add_argument("--smaller", type=int, default=3_000, help="citizens for dedupe")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=3600, help="seconds a contender may take")
    parser.add_argument("--only", choices=[*CONTENDERS], nargs="+", default=[*CONTENDERS])
    parser.add_argument("--home", type=Path, help="keep registers and warehouses here")
    parser.add_argument("--json", type=Path, help="write the tables as JSON, too")
    parser.add_argument("--once", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        _once(options.once, options.home, options.citizens)
        return
    with tempfile.TemporaryDirectory() as directory:
        sections = _sections(options, options.home or Path(directory))
    write(sections, options.json, None)


def _sections(options: argparse.Namespace, home: Path) -> list[Section]:
    """Measures each size that was asked for, and prints each result at once."""
    sizes = (
        (options.citizens, ("doisoat", "splink")),
        (options.small, ("doisoat", "recordlinkage")),
        (options.smaller, ("doisoat", "dedupe")),
    )
    sections = []
    for citizens, names in sizes:
        wanted = [name for name in names if name in options.only]
        if not wanted or (wanted == ["doisoat"] and citizens != options.citizens):
            continue
        # doisoat always comes first: it makes the clean tables from which the others start.
        found = measure(
            home, citizens, dict.fromkeys(["doisoat", *wanted]), options.rounds, options.limit
        )
        new = [contenders_section(found)]
        if citizens == options.citizens:
            new.append(statements_section(found["doisoat"]))
        for section in new:
            show(section)
        sections += new
    return sections


if __name__ == "__main__":
    main()
