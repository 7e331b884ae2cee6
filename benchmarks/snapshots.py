"""In which form a run should leave its result, so that readers never wait for the writer's lock.

    python -m benchmarks.snapshots --records 1000000 [--ways duckdb,sqlite] [--home FOLDER]

The tables that ``doisoat explain`` reads are built from simulated registers and multiplied, with
new ids, to the wanted size. For each way of keeping them, one process writes and new ones read.
Measured are the size, the time to write (until it is on disk), the time from opening to the first
answer with a cold and a warm disk, the time of later answers, a question that scans, four readers
at once, memory, and what a reader sees when its snapshot is deleted.

An answer is all that explain needs about one record: its rows in ten tables, the citizens to whom
it is or may be linked, and which of its strings were refused. Python's start and imports are not
counted.

Belongs here: ways to keep a result for readers, and their timing. Does not belong here: whether
what is read is right (the tests). Multiplied rows repeat themselves more than a nation's would,
so packed sizes are a little too small.

DuckLake is measured only if its extension is installed as a wheel and fits this DuckDB:
``.uv/bin/uv run --with duckdb==V --with duckdb-extension-ducklake==V python -m
benchmarks.snapshots``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

CITIZENS = 100_000
"""How many are simulated; further records are made by multiplying."""
SECRET = bytes(range(32))
WRITER_MEMORY = "8GB"
LOOKUPS = 30
READERS = 4
ONE_THREAD: dict[str, Any] = {"threads": 1}
"""One thread finds one record in half the time; questions that scan use all threads."""
STEPS = ("steward", "personal_id", "former_id", "repaired_id", "demographic", "probabilistic")

_STEPS = " union all by name ".join(
    f"select '{step}' as step, record_id, personal_id, verdict, reason, name_agreement, "
    f"birth_agreement, gender_agreement from base.core.step_{step}"
    for step in STEPS
)

SHAPE: dict[str, tuple[str | None, str]] = {
    "reconciled": ("record_key", "from base.core.reconciled"),
    "recorded": (
        "record_key",
        "select distinct * exclude (run_id, read_at, row_number) from base.raw.insurance",
    ),
    "insurance": ("record_key", "from base.clean.insurance"),
    "claims": ("record_key", "from base.core.claims"),
    "steps": ("record_key", _STEPS),
    "mismatches": ("record_key", "from base.core.mismatches"),
    "candidates": ("record_key", "from base.core.candidates"),
    "corrections": ("record_key", "from base.core.corrections"),
    "near_scores": ("record_key", "from base.core.near_scores"),
    "rejects": (
        "record_key",
        "select record_id, reason, column_name, raw_value from base.clean.rejects "
        "where register = 'insurance'",
    ),
    "citizens": (
        "personal_id",
        "select citizens.*, recorded.status as recorded_status, words.value is null "
        "and trim(recorded.status) <> '' as status_unread "
        "from base.clean.population as citizens inner join base.raw.population as recorded "
        "on citizens.recorded_personal_id = recorded.personal_id "
        "left join base.clean.vocabularies as words on words.register = 'population' "
        "and words.column_name = 'status' and recorded.status = words.raw",
    ),
    "refused": (
        "raw",
        "select 'full_name' as field, raw, reject from base.clean.names where reject is not null "
        "union all select 'date_of_birth', raw, reject from base.clean.births "
        "where reject is not null "
        "union all select field, raw, reject from base.clean.numbers where reject is not null",
    ),
    "provinces": (None, "from base.ref.provinces"),
    "parameters": (
        None,
        "select parameters.*, (select count(*) from base.clean.population) as citizens, "
        "(select min(version) from base.ref.match_model) as model from base.ops.parameters",
    ),
}
"""The tables for readers: the column by which each is sorted, and where it comes from."""

OF_RECORD = tuple(name for name, (key, _) in SHAPE.items() if key == "record_key")

SCAN = (
    "select mismatches.code, reconciled.province_code, count(*) as records "
    "from mismatches inner join reconciled on mismatches.record_key = reconciled.record_key "
    "group by all order by all",
    "select status, province_code, count(*) from reconciled group by all order by all",
)

_IDS = """
create macro other_record(id, k) as 'R' || lpad(
    (((k * 1000000 + substr(id, 2)::bigint) * 7919) % 10000000000)::varchar, 10, '0'
);
create macro other_person(id, k) as
    lpad(((substr(id, 1, 3)::int + k) % 1000)::varchar, 3, '0') || substr(id, 4);
"""
"""New ids in the form of the old ones, scattered, so that no table is sorted by chance."""


# --- preparation, not measured -----------------------------------------------------------------


def prepare(home: Path, records: int) -> Path:
    """Returns a warehouse with the tables of ``SHAPE``, unordered and of the wanted size."""
    from benchmarks.reconcile_speed import prepare as land
    from etl.bench.registers import fresh_warehouse, place
    from etl.engine.duckdb.functions import keyed_functions
    from etl.pipeline import runner
    from etl.pipeline.graph import pipeline
    from etl.process.privacy import RecordKey

    base = home / "base"
    if not (base / "built").exists():
        land(base, CITIZENS)
        with fresh_warehouse(base / "built") as warehouse:
            place(warehouse, base / "landed")
            runner.build_all(warehouse, pipeline().of("clean", "core"))
    file = home / f"warehouse_{records}.duckdb"
    if file.exists():
        return file
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with writing(str(draft)) as connection:
        connection.execute(keyed_functions(RecordKey(SECRET)))
        connection.execute(_IDS)
        connection.execute(f"attach '{base / 'built' / 'warehouse.duckdb'}' as base (read_only)")
        there = connection.execute("select count(*) from base.core.reconciled").fetchall()[0][0]
        for name, (key, query) in SHAPE.items():
            _multiply(connection, name, key, query, -(-records // there))
    draft.rename(file)
    return file


def _multiply(
    connection: duckdb.DuckDBPyConnection, name: str, key: str | None, query: str, copies: int
) -> None:
    if key in (None, "raw"):
        connection.execute(f"create table {name} as {query}")
        return
    there = {row[0] for row in connection.execute(f"describe {query}").fetchall()}
    new = {"record_id": "other_record", "personal_id": "other_person"}
    renamed = ", ".join(f"{new[c]}({c}, k) as {c}" for c in sorted(there & set(new)))
    first = "record_key(record_id) as record_key, " if key == "record_key" else ""
    connection.execute(
        f"create table {name} as select {first}* from (select * exclude (k) replace ({renamed}) "
        f"from ({query}), range({copies}) as copies (k))"
    )


@contextmanager
def writing(file: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens a database with the warehouse's settings: any order of rows, text not packed."""
    connection = duckdb.connect(file)
    try:
        connection.execute(f"set memory_limit = '{WRITER_MEMORY}'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set enable_progress_bar = false")
        connection.execute("set disabled_compression_methods = 'dictionary,fsst,dict_fsst'")
        yield connection
    finally:
        connection.close()


# --- ways to keep it -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """One way to keep a result for readers.

    Attributes:
        what: The way in words.
        write: Writes from the warehouse's file into an existing folder.
        connect: Opens what is in the folder; returns a connection that answers SQL.
        needed: Says whether this way can be tried here.
        key: Converts a record key into the form in which it is kept.
    """

    what: str
    write: Callable[[Path, Path], None]
    connect: Callable[[Path], Any]
    needed: Callable[[], bool] = lambda: True
    key: Callable[[str], object] = str


def _copied(warehouse: Path, folder: Path) -> None:
    shutil.copyfile(warehouse, folder / "snapshot.duckdb")


def _read_file(folder: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(folder / "snapshot.duckdb"), read_only=True, config=ONE_THREAD)


def _number(key: str) -> int:
    return int(key, 16)


def _duckdb(
    options: str = "", *, packed: bool = False, indexed: bool = False, numbers: bool = False
) -> Way:
    def write(warehouse: Path, folder: Path) -> None:
        with writing(":memory:") as connection:
            if packed:
                connection.execute("reset disabled_compression_methods")
            connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
            connection.execute(f"attach '{folder / 'draft'}' as snapshot {options}")
            for name, (key, _) in SHAPE.items():
                order = f" order by {key}" if key and not indexed else ""
                kept = f"from warehouse.{name}"
                if numbers and key == "record_key":
                    kept = f"select * replace (('0x' || {key})::ubigint as {key}) {kept}"
                connection.execute(f"create table snapshot.{name} as {kept}{order}")
                if key and indexed:
                    connection.execute(f"create index {name}_key on snapshot.{name} ({key})")
            connection.execute("detach snapshot")  # moves the log's content into the file
        (folder / "draft").rename(folder / "snapshot.duckdb")

    how = "an index, no order" if indexed else "sorted"
    how += ", keys as numbers" if numbers else ""
    return Way(
        f"DuckDB file, {how}{', text packed' if packed else ''} {options}".strip(),
        write,
        _read_file,
        key=_number if numbers else str,
    )


def _parquet(compression: str, rows: int) -> Way:
    def write(warehouse: Path, folder: Path) -> None:
        with writing(":memory:") as connection:
            connection.execute("set preserve_insertion_order = true")
            connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
            for name, (key, _) in SHAPE.items():
                order = f" order by {key}" if key else ""
                connection.execute(
                    f"copy (from warehouse.{name}{order}) to '{folder / name}.parquet' "
                    f"(format parquet, compression {compression}, row_group_size {rows})"
                )

    return Way(f"Parquet, sorted, {compression}, {rows:,} rows a group", write, _read_parquet)


def _read_parquet(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=ONE_THREAD)
    connection.execute("set parquet_metadata_cache = true")
    for name in SHAPE:
        connection.execute(f"create view {name} as from read_parquet('{folder / name}.parquet')")
    return connection


def _ducklake() -> Way:
    def write(warehouse: Path, folder: Path) -> None:
        with writing(":memory:") as connection:
            connection.execute(f"load '{_ducklake_file()}'")
            connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
            connection.execute(
                f"attach 'ducklake:{folder / 'catalog.ducklake'}' as lake "
                f"(data_path '{folder / 'data'}/')"
            )
            connection.execute("call lake.set_option('parquet_row_group_size', 30720)")
            connection.execute("call lake.set_option('parquet_compression', 'zstd')")
            connection.execute("set preserve_insertion_order = true")
            connection.execute("begin")
            for name, (key, _) in SHAPE.items():
                order = f" order by {key}" if key else ""
                connection.execute(f"create table lake.{name} as from warehouse.{name}{order}")
            connection.execute("commit")

    def connect(folder: Path) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(config=ONE_THREAD)
        connection.execute(f"load '{_ducklake_file()}'")
        connection.execute(f"attach 'ducklake:{folder / 'catalog.ducklake'}' as lake (read_only)")
        connection.execute("use lake")
        return connection

    return Way("DuckLake, sorted, zstd, 30,720 rows a group", write, connect, _ducklake_fits)


def _ducklake_file() -> Path | None:
    found = find_spec("duckdb_extension_ducklake")
    if found is None or found.origin is None:
        return None
    return next(
        Path(found.origin).parent.glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension"), None
    )


def _ducklake_fits() -> bool:
    return _ducklake_file() is not None


class _Sqlite:
    """Answers as a DuckDB connection does, as far as the lookups need it."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)

    def execute(self, query: str, parameters: Any = ()) -> sqlite3.Cursor:
        if query.startswith("from "):
            query = f"select * {query}"
        for word in ("group by all order by all",):
            query = query.replace(word, "group by 1, 2 order by 1, 2")
        return self._connection.execute(query, parameters)

    def close(self) -> None:
        self._connection.close()


def _sqlite() -> Way:
    def write(warehouse: Path, folder: Path) -> None:
        out = sqlite3.connect(folder / "draft")
        out.executescript("pragma journal_mode = off; pragma synchronous = off;")
        with writing(":memory:") as connection:
            connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
            for name, (key, _) in SHAPE.items():
                order = f" order by {key}" if key else ""
                rows = connection.execute(
                    f"select columns(*)::varchar from warehouse.{name}{order}"
                )
                names = [column[0] for column in rows.description or []]
                out.execute(f"create table {name} ({', '.join(names)})")
                marks = ", ".join("?" * len(names))
                while some := rows.fetchmany(50_000):
                    out.executemany(f"insert into {name} values ({marks})", some)
                if key:
                    out.execute(f"create index {name}_key on {name} ({key})")
        out.commit()
        out.close()
        (folder / "draft").rename(folder / "snapshot.sqlite")

    return Way(
        "SQLite file, sorted, an index", write, lambda folder: _Sqlite(folder / "snapshot.sqlite")
    )


WAYS: dict[str, Way] = {
    "copy": Way("the warehouse's file, copied: no order", _copied, _read_file),
    "duckdb": _duckdb(),
    "duckdb-packed": _duckdb("(storage_version 'latest')", packed=True),
    "duckdb-numbers": _duckdb("(storage_version 'latest')", packed=True, numbers=True),
    "duckdb-20k-rows": _duckdb("(row_group_size 20480)"),
    "duckdb-16k": _duckdb("(block_size 16384)"),
    "duckdb-16k-packed": _duckdb("(block_size 16384, storage_version 'latest')", packed=True),
    "duckdb-index": _duckdb(indexed=True),
    "parquet-zstd-10k": _parquet("zstd", 10_240),
    "parquet-zstd-30k": _parquet("zstd", 30_720),
    "parquet-zstd-122k": _parquet("zstd", 122_880),
    "parquet-lz4-30k": _parquet("lz4", 30_720),
    "ducklake": _ducklake(),
    "sqlite": _sqlite(),
}


# --- a reader ------------------------------------------------------------------------------------


def look_up(connection: Any, key: object) -> int:
    """Reads all that explain needs about one record; returns how many rows that was."""
    found: dict[str, list[Any]] = {}
    for name in OF_RECORD:
        cursor = connection.execute(f"select * from {name} where record_key = ?", [key])
        names = [column[0] for column in cursor.description]
        found[name] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    people = {row["personal_id"] for name in ("reconciled", "candidates") for row in found[name]}
    for person in sorted(filter(None, people)):
        query = "select * from citizens where personal_id = ? limit 1"
        found[f"citizen {person}"] = connection.execute(query, [person]).fetchall()
    strings = [
        row[column] or ""
        for row in found["recorded"]
        for column in ("full_name", "date_of_birth", "id_number", "insurance_number",
                       "health_card_number")
    ]  # fmt: skip
    marks = ", ".join("?" * len(strings))
    query = f"select field, reject from refused where raw in ({marks})"
    found["refused"] = connection.execute(query, strings).fetchall()
    for name in ("provinces", "parameters"):
        found[name] = connection.execute(f"select * from {name}").fetchall()
    if len(found["reconciled"]) != 1 or not found["recorded"]:
        raise LookupError(f"{key}: {len(found['reconciled'])} verdicts")
    return sum(map(len, found.values()))


def scan(connection: Any) -> int:
    """Counts by code and province, and by status and province."""
    return sum(len(connection.execute(query).fetchall()) for query in SCAN)


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def _mib() -> float:
    """Returns this program's peak; getrusage has that of the process from which it was forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def _forget(folder: Path) -> None:
    """Removes the files from the operating system's cache, as after a night."""
    for file in _files(folder):
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def read(way: Way, folder: Path, drawn: list[str], ids: list[str]) -> dict[str, float]:
    """Reads as one process: opens, asks for records, scans."""
    keys = [way.key(key) for key in drawn]
    with duckdb.connect() as nothing:  # which imports pandas for its first parameter
        nothing.execute("select ?::varchar", ["nothing"]).fetchall()
    before = _mib()
    _forget(folder)
    start = time.perf_counter()
    cold_connection = way.connect(folder)
    look_up(cold_connection, keys[0])
    cold = (time.perf_counter() - start) * 1e3
    cold_connection.close()
    start = time.perf_counter()
    connection = way.connect(folder)
    opened = (time.perf_counter() - start) * 1e3
    busy = time.process_time()
    first = _milliseconds(lambda: look_up(connection, keys[1]))
    first_cpu = (time.process_time() - busy) * 1e3
    busy = time.process_time()
    warm = [_milliseconds(lambda key=key: look_up(connection, key)) for key in keys[2:]]  # type: ignore[misc]
    warm_cpu = (time.process_time() - busy) * 1e3 / len(warm)
    query = "select record_key from reconciled where record_id = ?"
    by_id = [
        _milliseconds(lambda it=it: connection.execute(query, [it]).fetchall())  # type: ignore[misc]
        for it in ids[:10]
    ]
    after = _mib()
    if not isinstance(connection, _Sqlite):
        connection.execute("reset threads")
    scans = [_milliseconds(lambda: scan(connection)) for _ in range(3)]
    return {
        "cold": cold,
        "open": opened,
        "first": first,
        "first_cpu": first_cpu,
        "warm": statistics.median(warm),
        "warm_cpu": warm_cpu,
        "worst": max(warm),
        "by_id": statistics.median(by_id),
        "scan": scans[0],
        "scan_again": statistics.median(scans[1:]),
        "mib": after - before,
        "mib_scan": _mib(),
    }


def read_deleted(way: Way, folder: Path, drawn: list[str]) -> dict[str, str]:
    """Says what a reader sees if its snapshot is deleted after its first answer."""
    keys = [way.key(key) for key in drawn]
    connection = way.connect(folder)
    look_up(connection, keys[0])
    shutil.rmtree(folder)
    told = {}
    for name, work in (
        ("another record", lambda: [look_up(connection, key) for key in keys[1:20]]),
        ("a scan", lambda: scan(connection)),
    ):
        try:
            work()
            told[name] = "answered"
        except Exception as error:  # any error is the finding
            told[name] = type(error).__name__
    return told


# --- running them --------------------------------------------------------------------------------


def _child(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.snapshots", "--child", *words],
        stdout=subprocess.PIPE,
        text=True,
    )


def _said(child: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = child.communicate()
    if child.returncode:
        raise SystemExit(f"a reader or writer ended with {child.returncode}")
    return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]


def _as_child(task: str, name: str, warehouse: Path, folder: Path) -> dict[str, Any]:
    way = WAYS[name]
    if task == "write":
        start = time.perf_counter()
        way.write(warehouse, folder)
        for file in _files(folder):
            with file.open("rb+") as handle:
                os.fsync(handle.fileno())
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "wall": time.perf_counter() - start,
            "cpu": used.ru_utime + used.ru_stime,
            "mib": _mib(),
        }
    drawn = json.loads(warehouse.with_suffix(".json").read_text())
    offset = 0 if task == "read" else os.getpid() % 50
    keys, ids = drawn["keys"][offset : offset + LOOKUPS], drawn["ids"]
    if task == "deleted":
        return dict(read_deleted(way, folder, keys))
    return dict(read(way, folder, keys, ids))


def draw(warehouse: Path) -> None:
    """Chooses the records that readers ask for, and keeps their keys beside the warehouse."""
    file = warehouse.with_suffix(".json")
    if file.exists():
        return
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            f"select record_key, record_id from reconciled order by hash(record_id) "
            f"limit {LOOKUPS * 2}"
        ).fetchall()
    file.write_text(json.dumps({"keys": [r[0] for r in rows], "ids": [r[1] for r in rows]}))


def measure(name: str, warehouse: Path, home: Path) -> dict[str, Any]:
    """Writes a snapshot in one process and reads it in others."""
    folder = home / f"snapshot_{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    places = (name, str(warehouse), str(folder))
    found: dict[str, Any] = {"write": _said(_child("write", *places))}
    found["bytes"] = sum(file.stat().st_size for file in _files(folder))
    rounds = [_said(_child("read", *places)) for _ in range(2)]
    found["read"] = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
    together = [_said(child) for child in [_child("crowd", *places) for _ in range(READERS)]]
    found["crowd"] = {key: statistics.median(r[key] for r in together) for key in together[0]}
    found["deleted"] = _said(_child("deleted", *places))
    shutil.rmtree(folder, ignore_errors=True)
    return found


def machine() -> str:
    """Names the machine and the versions that were measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return (
        f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"DuckDB {duckdb.__version__}, SQLite {sqlite3.sqlite_version}; "
        f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[1]:.1f}"
    )


def _report(records: int, found: dict[str, dict[str, Any]]) -> None:
    from benchmarks.accuracy.report import Section, show

    show(
        Section(
            f"{records:,} records: written",
            ("way", "MB", "seconds", "processor seconds", "MiB of memory", "what it is"),
            [
                (
                    name,
                    round(f["bytes"] / 1e6),
                    f"{f['write']['wall']:.1f}",
                    f"{f['write']['cpu']:.1f}",
                    round(f["write"]["mib"]),
                    WAYS[name].what,
                )
                for name, f in found.items()
            ],
            machine(),
        )
    )
    columns = (
        "cold", "open", "first", "first_cpu", "warm", "warm_cpu", "worst", "by_id", "scan",
        "scan_again", "mib",
    )  # fmt: skip
    for group, title in (("read", "one reader"), ("crowd", f"{READERS} readers at once")):
        show(
            Section(
                f"{records:,} records: {title}, milliseconds",
                ("way", *columns),
                [(n, *(f"{f[group][c]:.1f}" for c in columns)) for n, f in found.items()],
                "cold: opened and answered, nothing in the disk's cache; first: the same, apart "
                "from opening, with the cache; by_id: finding a record_key by record_id without "
                "the secret; mib: memory that the lookups took",
            )
        )
    show(
        Section(
            "a reader whose snapshot is deleted",
            ("way", "another record", "a scan"),
            [(n, f["deleted"]["another record"], f["deleted"]["a scan"]) for n, f in found.items()],
        )
    )


def main() -> None:
    """Measures every way and prints the tables."""
    if sys.argv[1:2] == ["--child"]:
        task, name, warehouse, folder = sys.argv[2:]
        print(json.dumps(_as_child(task, name, Path(warehouse), Path(folder))))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--home", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = args.home or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        source = prepare(home, args.records)
        draw(source)
        found = {}
        for name in args.ways.split(","):
            if not WAYS[name].needed():
                print(f"{name}: left out; no extension for DuckDB {duckdb.__version__}")
                continue
            found[name] = measure(name, source, home)
            print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
        _report(args.records, found)
        if args.json:
            args.json.write_text(json.dumps({"machine": machine(), "found": found}, indent=1))


if __name__ == "__main__":
    main()
