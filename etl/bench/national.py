"""Measuring each step of a run of a nation on one machine; a run that broke off is continued.

Belongs here: which steps there are, what each took, and how many links are right. Does not belong
here: extraction and publishing, whose time depends on other people's databases, and how progress
is shown (``etl/cli/bench.py``).
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files as resources
from pathlib import Path

from etl.bench.memory import forget_peak, peak_bytes
from etl.bench.profile import registers_of, simulated
from etl.bench.registers import clear, land, warehouse_of
from etl.domain.errors import DiskFullError
from etl.engine.macros import macros
from etl.engine.opening import memory_of, packs_text
from etl.engine.port import Warehouse
from etl.normalise import NORMALISER_VERSION
from etl.pipeline import runner
from etl.pipeline.graph import Table, pipeline
from etl.settings import Engine
from etl.simulate import SimulationSpec

ROOM_OF_REGISTERS = 160
"""Bytes of Parquet for each citizen: both registers as they are read, and the truth."""
ROOM_OF_TABLES = 1_450
"""Bytes of the warehouse for each citizen if text is not packed, as measured by
``doisoat bench national --citizens 33000000``."""
ROOM_OF_PACKED_TABLES = 550
"""The same if text is packed, with what a run of 100 million citizens spilled to disk."""

Judge = Callable[[Warehouse], int]
"""Judges a table by its rules, and returns the number of rules."""


@dataclass(frozen=True)
class Step:
    """One step that was done.

    Attributes:
        phase: ``simulate``, ``read``, ``clean``, ``core``, ``publish`` or ``rules``.
        name: The table, or another name of the step.
        rows: How many rows it made; for rules, how many were judged.
        seconds: Wall time.
        processor_seconds: Processor time of all cores together.
        peak_bytes: The most memory of the process meanwhile; None where the system does not tell.
        disk_bytes: Disk space that the folder took afterwards.
    """

    phase: str
    name: str
    rows: int
    seconds: float
    processor_seconds: float
    peak_bytes: int | None
    disk_bytes: int


@dataclass(frozen=True)
class Accuracy:
    """How the links agree with the simulation's truth.

    Attributes:
        records: Records of citizens.
        links: Records that were linked.
        wrong: Links to anybody but the record's citizen.
        precision: Share of the links that are correct.
        recall: Share of the records of citizens that are linked correctly.
    """

    records: int
    links: int
    wrong: int
    precision: float
    recall: float


@dataclass(frozen=True)
class Report:
    """What all steps took, and how many links are right."""

    citizens: int
    steps: tuple[Step, ...]
    accuracy: Accuracy


@dataclass(frozen=True)
class Progress:
    """How far the run is; reported before and after each step.

    Attributes:
        phase: The phase of the step.
        name: The name of the step.
        done: Steps that are done.
        total: Steps in all.
        left: Estimated seconds of the remaining steps; None until an estimate is possible.
        finished: The step, if it has just ended; None if it begins.
    """

    phase: str
    name: str
    done: int
    total: int
    left: float | None
    finished: Step | None = None


def room_of_a_citizen(citizens: int, engine: Engine) -> int:
    """Returns how many bytes of disk a run of so many citizens takes for each of them."""
    packed = packs_text(citizens * ROOM_OF_REGISTERS, memory_of(engine))
    return ROOM_OF_REGISTERS + (ROOM_OF_PACKED_TABLES if packed else ROOM_OF_TABLES)


def room_of(home: Path) -> int:
    """Returns how many bytes the files of a folder take."""
    room = 0
    for file in home.rglob("*"):
        with suppress(FileNotFoundError):  # spilled files vanish meanwhile
            room += file.stat().st_size if file.is_file() else 0
    return room


def try_room(home: Path, citizens: int, engine: Engine) -> None:
    """Refuses a run that the disk has no room for, before hours are spent on it.

    Raises:
        DiskFullError: There is too little room; it says for how many citizens there is enough.
    """
    each, there = room_of_a_citizen(citizens, engine), room_of(home)
    needed, free = max(0, citizens * each - there), shutil.disk_usage(home).free
    if needed > free:
        raise DiskFullError(
            f"{citizens:,} citizens take about {needed / 1e9:,.0f} GB more on this disk, and "
            f"{free / 1e9:,.0f} GB are free.",
            where=str(home),
            remedy="Name a folder on a larger disk with --home, or fewer citizens: "
            f"--citizens {(free + there) // each // 100_000 * 100_000}.",
        )


def national(
    home: Path,
    spec: SimulationSpec,
    judges: Mapping[str, Judge],
    engine: Engine | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Simulates registers once, builds all tables, judges all rules, compares links with the truth.

    Each step is noted in a journal when it is done. A run that broke off, for whatever reason,
    continues with the step at which it broke off, as long as registers and statements are the same.

    Args:
        home: Its folder (see ``profile.claim``).
        spec: What to simulate.
        judges: For each table, the function that judges its rules.
        engine: Limits of memory and threads, where they are not the default.
        progress: Called before and after each step.

    Raises:
        DiskFullError: The disk has too little room.
    """
    try_room(home, spec.citizens, engine or Engine())
    journal = _Journal(home, spec)
    tables = pipeline().of("clean", "core", "publish")
    names = [*(table.name.sql for table in tables), *(f"rules {one}" for one in judges)]
    total = 2 + len(names)

    def do(phase: str, name: str, work: Callable[[], int]) -> None:
        if journal.has(name):
            return
        progress(Progress(phase, name, len(journal.steps), total, journal.left(names)))
        fresh = forget_peak()
        began, processor = time.perf_counter(), time.process_time()
        rows = work()
        step = Step(
            phase, name, rows, time.perf_counter() - began, time.process_time() - processor,
            peak_bytes() if fresh else None, room_of(home),
        )  # fmt: skip
        journal.add(step)
        progress(Progress(phase, name, len(journal.steps), total, journal.left(names), step))

    files = registers_of(home, spec)
    if not (journal.has("raw files") and (home / "warehouse.duckdb").is_file()):
        kept = all(file.is_file() for file in files.values())
        journal.forget_all_but(*(["registers"] if kept else []))
        clear(home)
        do("simulate", "registers", lambda: _simulate(home, spec))
    with warehouse_of(home, engine) as warehouse:
        do("read", "raw files", lambda: _read(warehouse, files))
        for file in files.values():
            file.unlink(missing_ok=True)  # the warehouse has its rows now
        for table in tables:
            work = partial(_build, warehouse, table)
            do(table.name.schema, table.name.sql, work)
        for name, judge in judges.items():
            do("rules", f"rules {name}", partial(judge, warehouse))
        truth = files["insurance"].with_name("truth.parquet")
        return Report(spec.citizens, tuple(journal.steps), _with_truth(warehouse, truth))


def _simulate(home: Path, spec: SimulationSpec) -> int:
    simulated(home, spec)
    return spec.citizens


def _read(warehouse: Warehouse, files: Mapping[str, Path]) -> int:
    land(warehouse, files)
    return warehouse.number("select count(*) from raw.insurance")


def _build(warehouse: Warehouse, table: Table) -> int:
    (built,) = runner.build_all(warehouse, [table])
    return built.rows


def _with_truth(warehouse: Warehouse, truth: Path) -> Accuracy:
    file = str(truth).replace("'", "''")
    (found,) = warehouse.rows(
        f"""
        with compared as (
            select
                truth.personal_id as citizen,
                links.personal_id as linked
            from read_parquet('{file}') as truth
            left join core.links as links on truth.record_id = links.record_id
        )
        select
            count(citizen) as records,
            count(linked) as links,
            count(linked) filter (linked is distinct from citizen) as wrong
        from compared
        """  # noqa: S608 - our own file
    )
    records, links, wrong = (int(str(found[name])) for name in ("records", "links", "wrong"))
    return Accuracy(
        records, links, wrong,
        precision=1 - wrong / links if links else 1.0,
        recall=(links - wrong) / records if records else 1.0,
    )  # fmt: skip


class _Journal:
    """The steps that are done, a line of JSON each; the first line identifies the statements."""

    def __init__(self, home: Path, spec: SimulationSpec) -> None:
        self._file = home / f"national-{spec.citizens}-{spec.seed}.jsonl"
        self._head = json.dumps({"statements": _statements()})
        lines = self._file.read_text("utf-8").splitlines() if self._file.is_file() else []
        if lines[:1] != [self._head]:
            self._file.write_text(f"{self._head}\n", "utf-8")
            lines = [self._head]
        self.steps = [Step(**json.loads(line)) for line in lines[1:] if line.endswith("}")]

    def has(self, name: str) -> bool:
        return any(step.name == name for step in self.steps)

    def add(self, step: Step) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(step)) + "\n")
        self.steps.append(step)

    def forget_all_but(self, *names: str) -> None:
        self.steps = [step for step in self.steps if step.name in names]
        told = [self._head, *(json.dumps(asdict(step)) for step in self.steps)]
        self._file.write_text("\n".join(told) + "\n", "utf-8")

    def left(self, names: list[str]) -> float | None:
        """Estimates the time of the remaining steps, from what each step took in an earlier run."""
        known = _usual_seconds()
        typical = sum(known.values()) / max(len(known), 1)
        taken = {step.name: step.seconds for step in self.steps}
        usual = sum(known.get(name, typical) for name in names if name in taken)
        if not usual:
            return None
        rest = sum(known.get(name, typical) for name in names if name not in taken)
        return rest * sum(taken[name] for name in names if name in taken) / usual


def _statements() -> str:
    """A hash of the statements that make the tables; if it differs, the journal begins anew."""
    queries = [t.statement.query for t in pipeline().values() if t.statement is not None]
    told = [str(NORMALISER_VERSION), *(macro.create for macro in macros()), *queries]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _usual_seconds() -> dict[str, float]:
    """What each step took in an earlier run, from ``usual_seconds.csv``."""
    told = resources("etl.bench").joinpath("usual_seconds.csv").read_text("utf-8")
    return {row["step"]: float(row["seconds"]) for row in csv.DictReader(told.splitlines())}
