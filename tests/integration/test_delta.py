"""A delta reads what has changed, and ends where a full run with the same statistics ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from etl.pipeline import runner
from etl.pipeline.graph import pipeline
from tests.support import (
    INSURANCE_COLUMNS,
    POPULATION_COLUMNS,
    Registers,
    Server,
    Synced,
    citizen,
    fill,
    from_state,
    memory_folder,
    record,
    remember,
)

OF_THE_READ = {"record", "citizen", "row_number", "first_row", "run_id", "read_at"}
"""Columns that say where a row stands in what was read, or which run read it."""
OF_THE_RUN = {"first_seen_run", "last_changed_run", "since_run", "since_at", "run_id"}
PUBLISHED = ("reconciled", "mismatches", "candidates", "corrections", "rejects")

MOMENT = datetime(2026, 1, 1, 8)

Database = Callable[[str], str]


class World:
    """Two registers, changed step by step, and what is published of them.

    The first, full run is made once for each kind of source; every world begins as a copy of what
    it left.
    """

    _first: ClassVar[dict[str, Path]] = {}

    def __init__(self, source: Database, *, timed: bool) -> None:
        """Begins with forty people, and a full run.

        Args:
            source: Makes a database of a name, anew or again.
            timed: The registers keep when a row was changed.
        """
        self.timed, self.clock = timed, MOMENT
        self.urls = source("insurance"), source("population")
        self.insurance = [self.touched(record(n)) for n in range(1, 41)]
        self.population = [self.touched(citizen(n)) for n in range(1, 45)]
        self.decisions: list[dict[str, object]] = []
        self.write()
        if self.urls[0] not in self._first:
            first = memory_folder("doisoat-first-")
            self.in_folder(first).sync()
            self._first[self.urls[0]] = first
        self.first = self._first[self.urls[0]]
        self.folder = self.copy()
        self.pair = self.in_folder(self.folder)
        self.next = 100

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @classmethod
    def close_all(cls) -> None:
        for folder in cls._first.values():
            shutil.rmtree(folder, ignore_errors=True)
        cls._first.clear()

    def copy(self) -> Path:
        folder = memory_folder("doisoat-delta-")
        shutil.copytree(self.first, folder, dirs_exist_ok=True)
        return folder

    def in_folder(self, folder: Path) -> Registers:
        target = f"sqlite:///{folder}/target.db"
        return Registers(folder, self.insurance, self.population, *self.urls, target)

    def touched(self, row: dict[str, object]) -> dict[str, object]:
        """Says of a row that it was changed just now."""
        self.clock += timedelta(seconds=1)
        return row | {"updated_at": self.clock.isoformat(sep=" ")}

    def write(self) -> None:
        kinds = {"updated_at": "timestamp"} if self.timed else None
        fill(self.urls[0], "insurance", INSURANCE_COLUMNS, self.insurance, kinds)
        fill(self.urls[1], "population", POPULATION_COLUMNS, self.population, kinds)

    def delta(self) -> Synced:
        self.write()
        return self.pair.sync("delta")

    def fresh(self) -> Registers:
        """A home that rests on the first run's statistics, and has read and built nothing else."""
        pair = self.in_folder(self.copy())
        for file in (pair.folder / ".doisoat").rglob("raw.*.parquet"):
            file.unlink()
        for decision in self.decisions:
            remember(pair.settings, "decisions", **decision)
        return pair

    def decide(self, record_id: str, personal_id: str | None) -> None:
        decision = {
            "decision_id": f"{len(self.decisions):032d}",
            "record_id": record_id,
            "personal_id": personal_id,
            "decided_by": "lan",
            "decided_at": self.clock + timedelta(seconds=len(self.decisions)),
            "reason": "papers seen",
        }
        remember(self.pair.settings, "decisions", **decision)
        self.decisions.append(decision)

    def assert_delta_is_full(self) -> None:
        """After a delta, every table is that of a run which read and built everything."""
        self.delta()
        fresh = self.fresh()
        made = fresh.sync("delta", replace=True)
        assert not made.broken
        try:
            for rows_of in (built, published, linked):
                theirs, ours = rows_of(fresh), rows_of(self.pair)
                assert ours.keys() == theirs.keys()
                for name in ours:
                    assert ours[name] == theirs[name], name
        finally:
            shutil.rmtree(fresh.folder)


def built(pair: Registers) -> dict[str, list[str]]:
    """Every row of every table that a run builds, but for where it was read."""
    from etl.pipeline.snapshots import reading

    tables = {}
    with reading(pair.settings) as warehouse:
        for name, table in pipeline().items():
            if table.statement is None:
                continue
            columns = ", ".join(c for c, _ in warehouse.columns(name) if c not in OF_THE_READ)
            rows = warehouse.rows(f"select {columns} from {name.sql}")
            tables[name.sql] = sorted(str(row) for row in rows)
    return tables


def published(pair: Registers) -> dict[str, list[str]]:
    return {
        name: sorted(
            str({k: v for k, v in row.items() if k not in OF_THE_RUN})
            for row in pair.published(f"select * from {{{name}}}")
        )
        for name in PUBLISHED
    }


def linked(pair: Registers) -> dict[str, list[str]]:
    """The links that are open, as the memory of links has them."""
    rows = from_state(
        pair.settings,
        "select record_id, personal_id, match_step from {link_history} where closed_run is null",
    )
    return {"link_history": sorted(map(str, rows))}


NAMES = ("Nguyễn Văn Hùng", "NGUYEN VAN HUNG", "Trần Thị Sen", "Lê Văn", "Phạm Thị Dịu Hiền")
BIRTHS = ("1990-01-01", "01/01/1990", "1990", "1951-02-02", "30/02/1991", None)
OTHER_FIELDS = {
    "insurance": {
        "gender": ("Nam", "Nữ", None),
        "province_code": ("01", "79", "nowhere"),
        "status": ("active", "ended"),
        "address": ("12 Hàng Bài", None),
        "employer_code": ("TA0001A", None),
    },
    "population": {
        "gender": ("Nam", "Nữ", None),
        "province_code": ("01", "79"),
        "status": ("alive", "deceased"),
        "former_id_numbers": ("011234567", "012345678;011234567", None),
    },
}
few = st.integers(0, 10**6)


class Registered(RuleBasedStateMachine):
    """What may befall two registers in a life, and runs that break off."""

    source: ClassVar[Database]
    timed: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.world = World(type(self).source, timed=self.timed)

    def _rows(self, register: str) -> list[dict[str, object]]:
        return self.world.insurance if register == "insurance" else self.world.population

    def _change(self, register: str, which: int, **changes: object) -> None:
        rows = self._rows(register)
        if rows:
            place = which % len(rows)
            rows[place] = self.world.touched(rows[place] | changes)

    registers = st.sampled_from(["insurance", "population"])

    @rule(register=registers, which=few, name=st.sampled_from(NAMES))
    def rename(self, register: str, which: int, name: str) -> None:
        self._change(register, which, full_name=name)

    @rule(register=registers, which=few, birth=st.sampled_from(BIRTHS))
    def change_birth(self, register: str, which: int, birth: str | None) -> None:
        self._change(register, which, date_of_birth=birth)

    @rule(register=registers, which=few, data=st.data())
    def change_another_field(self, register: str, which: int, data: st.DataObject) -> None:
        column = data.draw(st.sampled_from(sorted(OTHER_FIELDS[register])))
        value = data.draw(st.sampled_from(OTHER_FIELDS[register][column]))
        self._change(register, which, **{column: value})

    @rule(which=few, of=few, what=st.sampled_from(["typed", "cmnd", "none", "of another"]))
    def change_number(self, which: int, of: int, what: str) -> None:
        own = str(self.world.insurance[which % len(self.world.insurance)]["id_number"] or "0")
        others = self.world.population[of % len(self.world.population)]["personal_id"]
        number = {
            "typed": own[:-1] + "7", "cmnd": "011234567", "none": None, "of another": others,
        }[what]  # fmt: skip
        self._change("insurance", which, id_number=number)

    @rule(one=few, other=few)
    def swap_numbers(self, one: int, other: int) -> None:
        rows = self.world.insurance
        first, second = one % len(rows), other % len(rows)
        numbers = rows[first]["id_number"], rows[second]["id_number"]
        self._change("insurance", first, id_number=numbers[1])
        self._change("insurance", second, id_number=numbers[0])

    @rule(which=few, day=st.sampled_from(["2026-01-02", "2025-05-05"]))
    def die(self, which: int, day: str) -> None:
        self._change("population", which, status="deceased", date_of_death=day)

    @rule(register=registers, known=st.booleans())
    def arrive(self, register: str, known: bool) -> None:
        """Somebody new; or a second record of a citizen who has one."""
        self.world.next += 1
        number = 7 if known and register == "insurance" else self.world.next
        row = record(number, record_id=f"N{self.world.next}")
        if register == "population":
            row = citizen(self.world.next)
        self._rows(register).append(self.world.touched(row))

    @rule(register=registers, which=few)
    def leave(self, register: str, which: int) -> None:
        rows = self._rows(register)
        if len(rows) > 25:
            rows.pop(which % len(rows))

    @rule(register=registers, which=few, same=st.booleans())
    def stand_twice(self, register: str, which: int, same: bool) -> None:
        """A key stands in a second row, which says the same or something else."""
        rows = self._rows(register)
        row = dict(rows[which % len(rows)])
        rows.append(row if same else self.world.touched(row | {"full_name": "Ai Đó Khác"}))

    @rule(register=registers)
    def have_no_key(self, register: str) -> None:
        row = record(9, record_id=None) if register == "insurance" else citizen(9, personal_id=None)
        self._rows(register).append(self.world.touched(row))

    @rule(register=registers, which=few)
    def come_back_as_before(self, register: str, which: int) -> None:
        """A row is deleted and, after a delta, restored with the time that it had."""
        rows = self._rows(register)
        row = rows.pop(which % len(rows))
        self.world.delta()
        rows.append(row)

    @rule(which=few, of=few, person=st.booleans())
    def decide(self, which: int, of: int, person: bool) -> None:
        record_id = self.world.insurance[which % len(self.world.insurance)]["record_id"]
        number = self.world.population[of % len(self.world.population)]["personal_id"]
        if record_id is not None and number is not None:
            self.world.decide(str(record_id), str(number) if person else None)

    @rule()
    def sync(self) -> None:
        assert not self.world.delta().broken

    @rule(after=st.integers(0, 60))
    def break_off(self, after: int) -> None:
        """A run fails somewhere; the next goes on."""
        built, real = 0, runner._build

        def failing(*arguments: Any) -> int:
            nonlocal built
            built += 1
            if built > after:
                raise RuntimeError("broken off")
            return real(*arguments)

        runner._build = failing
        try:
            with suppress(RuntimeError):
                self.world.delta()
        finally:
            runner._build = real

    def teardown(self) -> None:
        self.world.assert_delta_is_full()
        self.world.close()


@pytest.fixture(scope="module", autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    World.close_all()


def _live(source: Database, *, timed: bool, lives: int, steps: int) -> None:
    class Life(Registered):
        pass

    Life.source, Life.timed = staticmethod(source), timed
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            # A life that fails is told as it was: to find a shorter one takes very many runs.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def databases(tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder = tmp_path_factory.mktemp("registers")
    return lambda name: f"sqlite:///{folder}/{name}.db"


@pytest.fixture
def timed_databases(postgresql: Server) -> Database:
    made: dict[str, str] = {}
    return lambda name: made.setdefault(name, postgresql.database())


def test_a_delta_equals_a_full_run(databases: Database) -> None:
    _live(databases, timed=False, lives=2, steps=12)


def test_a_delta_by_time_of_change_equals_a_full_run(timed_databases: Database) -> None:
    _live(timed_databases, timed=True, lives=2, steps=12)


@pytest.mark.long
@pytest.mark.parametrize("timed", [False, True])
def test_many_lives(timed: bool, request: pytest.FixtureRequest) -> None:
    source = request.getfixturevalue("timed_databases" if timed else "databases")
    _live(source, timed=timed, lives=100, steps=30)
