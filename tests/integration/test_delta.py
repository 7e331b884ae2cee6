"""A delta reads what has changed; its result is that of a full run with the same statistics."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql import dialect as postgresql_dialect

from assets.definitions import build_defs
from assets.jobs import DELTA_SYNC
from assets.resources import Doisoat
from etl.clean import dictionaries
from etl.domain.codes import Owner, Severity
from etl.domain.errors import ConfigError, ContractError, QualityGateError
from etl.engine.builds import out_of_step
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.extract import Changes, Extraction, look_at
from etl.extract.streams import reading_register
from etl.normalise import bulk
from etl.pipeline import runner, scope
from etl.pipeline.graph import pipeline
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.pipeline.scope import scope_of
from etl.pipeline.snapshots import reading as snapshot
from etl.publish import transaction
from etl.settings import Settings
from expectations.docs import write_docs
from expectations.rules import (
    Suite,
    holds,
    is_filled,
    is_not_empty,
    is_one_of,
    is_unique,
    never,
    page_file,
)
from expectations.runner import RuleResult, run_suite
from tests.support import (
    INSURANCE_COLUMNS,
    POPULATION_COLUMNS,
    Command,
    Registers,
    Server,
    Synced,
    citizen,
    compared_earlier,
    fill,
    from_state,
    from_warehouse,
    memory_folder,
    record,
    remember,
    run_sql,
    writing,
)

Make = Callable[..., Registers]

OF_THE_READ = {"record", "citizen", "row_number", "first_row", "run_id", "read_at"}
"""Columns that say at which place a row was read, or which run read it."""
OF_THE_RUN = {"first_seen_run", "last_changed_run", "since_run", "since_at", "run_id"}
PUBLISHED = ("reconciled", "mismatches", "candidates", "corrections", "rejects")

MOMENT = datetime(2026, 1, 1, 8)

Database = Callable[[str], str]


class World:
    """Two registers that are changed step by step, and what is published of them.

    The first, full run is made once for each kind of source; every world begins as a copy of its
    result.
    """

    _first: ClassVar[dict[str, Path]] = {}

    def __init__(self, source: Database, *, timed: bool) -> None:
        """Begins with forty people, and a full run.

        Args:
            source: Makes a database with a name, or returns it if it exists.
            timed: Whether the registers keep the time of each row's last change.
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
        """Returns the row with the present time as its time of change."""
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
        """A home that has the first run's statistics, and has read and built nothing else."""
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
        """After a delta, every table equals that of a run which read and built everything."""
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
    """Every row of every table that a run reads or builds, without its place in what was read."""
    tables = {}
    with snapshot(pair.settings) as warehouse:
        for name, table in pipeline().items():
            if table.statement is None and name.schema != "raw":
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
    """The open links, as the link history has them."""
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
    """Random changes of two registers over many runs, and runs that break off."""

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

    @rule(register=registers, which=few)
    def touch(self, register: str, which: int) -> None:
        """A row is written again, or a column has changed that is not read."""
        self._change(register, which)

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
        """A new person, or a second record of a citizen who has one."""
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
        """A key appears in a second row, which is equal or different."""
        rows = self._rows(register)
        row = dict(rows[which % len(rows)])
        rows.append(row if same else self.world.touched(row | {"full_name": "Ai Đó Khác"}))

    @rule(register=registers)
    def have_no_key(self, register: str) -> None:
        row = record(9, record_id=None) if register == "insurance" else citizen(9, personal_id=None)
        self._rows(register).append(self.world.touched(row))

    @rule(register=registers, which=few)
    def come_back_as_before(self, register: str, which: int) -> None:
        """A row is deleted and, after a delta, restored with its old time of change."""
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

    @rule(after=st.integers(0, 100))
    def break_off(self, after: int) -> None:
        """A run fails somewhere; the next run continues."""
        built, real = 0, runner._build_in_delta

        def failing(*arguments: Any) -> int:
            nonlocal built
            built += 1
            if built > after:
                raise RuntimeError("broken off")
            return real(*arguments)

        runner._build_in_delta = failing
        try:
            with suppress(RuntimeError):
                self.world.delta()
        finally:
            runner._build_in_delta = real

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
            # A failing series is reported as it was: finding a shorter one takes very many runs.
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
    _live(databases, timed=False, lives=1, steps=12)


@pytest.mark.wide
def test_a_delta_by_time_of_change_equals_a_full_run(timed_databases: Database) -> None:
    _live(timed_databases, timed=True, lives=1, steps=12)


@pytest.mark.long
@pytest.mark.parametrize("timed", [False, True])
def test_many_lives(timed: bool, request: pytest.FixtureRequest) -> None:
    source = request.getfixturevalue("timed_databases" if timed else "databases")
    _live(source, timed=timed, lives=100, steps=30)


# --- what depends on other people -----------------------------------------------------------------

Rows = list[dict[str, object]]


def _second_record(insurance: Rows, population: Rows) -> None:
    """A record is linked by a former number to a citizen who has another record."""
    population[6]["former_id_numbers"] = "011234567"
    insurance.append(record(7, record_id="N7", id_number="011234567", insurance_number=None))


def _second_record_leaves(insurance: Rows, population: Rows) -> None:
    insurance[-1]["full_name"] = "Đặng Quốc Bảo"


def _card_of_another(insurance: Rows, population: Rows) -> None:
    """A card carries the insurance number of somebody else's record."""
    insurance[4]["insurance_number"] = insurance[4]["id_number"]
    insurance[4]["health_card_number"] = insurance[5]["insurance_number"]


def _other_is_linked_no_longer(insurance: Rows, population: Rows) -> None:
    insurance[5] |= {"id_number": None, "full_name": "Đặng Quốc Bảo", "date_of_birth": "1931"}


def _one_insurance_number(insurance: Rows, population: Rows) -> None:
    insurance[8]["insurance_number"] = insurance[9]["insurance_number"]


def _its_other_bearer_gets_another(insurance: Rows, population: Rows) -> None:
    insurance[9]["insurance_number"] = "7900009999"


def _found_by_place(insurance: Rows, population: Rows) -> None:
    """A record without a number and with a slip in its name resembles one citizen."""
    person = {"address": "12 Hàng Bài, Hoàn Kiếm", "full_name": "Đặng Quốc Bảo"}
    population[10] |= person
    insurance[10] |= person | {"id_number": None, "full_name": "Đặng Quốc Bả"}


def _citizen_moves(insurance: Rows, population: Rows) -> None:
    population[10]["address"] = "1 Lê Lợi, Huế"


def _citizen_of_one_name(insurance: Rows, population: Rows) -> None:
    """A record's number becomes nobody's, because its last two digits are swapped."""
    number = str(insurance[12]["id_number"])
    insurance[12]["id_number"] = number[:10] + number[11] + number[10]


def _citizen_is_gone(insurance: Rows, population: Rows) -> None:
    population.pop(12)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("before", "then", "code"),
    [
        (_second_record, _second_record_leaves, "DUPLICATE_INSURANCE"),
        (_card_of_another, _other_is_linked_no_longer, "CARD_CONFLICT"),
        (_one_insurance_number, _its_other_bearer_gets_another, "INSURANCE_NUMBER_SHARED"),
        (_found_by_place, _citizen_moves, None),
        (_citizen_of_one_name, _citizen_is_gone, "ID_REPAIRED"),
    ],
)
def test_what_rests_on_somebody_else_changes_with_them(
    databases: Database,
    before: Callable[[Rows, Rows], None],
    then: Callable[[Rows, Rows], None],
    code: str | None,
) -> None:
    world = World(databases, timed=False)
    before(world.insurance, world.population)
    world.delta()
    found = {row["code"] for row in world.pair.published("select code from {mismatches}")}
    assert code is None or code in found

    then(world.insurance, world.population)

    world.assert_delta_is_full()
    world.close()


# --- one claim at a time --------------------------------------------------------------------------


@pytest.fixture
def timed(registers: Make, postgresql: Server) -> Registers:
    """Thirty people in PostgreSQL, with the time of each row's last change, after one read."""
    pair = registers(source=postgresql.database)
    for row in (*pair.insurance, *pair.population):
        row["updated_at"] = "2026-01-01 08:00:00"
    fill_timed(pair)
    pair.sync()
    return pair


def fill_timed(pair: Registers) -> None:
    kinds = {"updated_at": "timestamp"}
    fill(pair.insurance_url, "insurance", INSURANCE_COLUMNS, pair.insurance, kinds)
    fill(pair.population_url, "population", POPULATION_COLUMNS, pair.population, kinds)


def reading(pair: Registers, register: str = "insurance") -> Extraction:
    """Reads what has changed in a register."""
    with writing(pair.settings, "delta") as warehouse:
        assert runner.is_delta(warehouse)
        return runner.read(warehouse, register, pair.settings)


def why_full(pair: Registers) -> str:
    """Begins a delta, and returns the reason why it is a full run."""
    with writing(pair.settings, "delta") as warehouse:
        return str(warehouse.value("select not_a_delta from ops.parameters"))


def test_postgresql_seeks_no_row_of_the_register_in_a_list_of_keys(timed: Registers) -> None:
    """It did, of ten million rows, once a hundred thousand had changed, and came to no end."""
    with reading_register("insurance", timed.settings.insurance) as (_, query):
        asked = query.changed_since(datetime(2026, 1, 1)).compile(
            dialect=postgresql_dialect(), compile_kwargs={"literal_binds": True}
        )
    engine = create_engine(timed.insurance_url)
    with engine.connect() as connection:
        plan = "\n".join(connection.exec_driver_sql(f"explain {asked}").scalars())
    engine.dispose()
    assert "Scan on insurance" in plan
    assert "SubPlan" not in plan


def test_only_what_has_changed_is_replaced(timed: Registers) -> None:
    timed.insurance[2] |= {"full_name": "Ai Đó Khác", "updated_at": "2026-01-02 08:00:00"}
    del timed.insurance[7]
    timed.insurance.append(record(40, updated_at="2026-01-02 08:00:00"))
    fill_timed(timed)

    found = reading(timed)

    assert found.changes == Changes(inserted=1, updated=1, deleted=1)
    assert (found.rows, found.whole_because) == (30, "")
    rows = from_warehouse(
        timed.settings, "select run_id, count(*) as n from raw.insurance group by run_id"
    )
    assert sorted(int(str(row["n"])) for row in rows) == [2, 28], "28 rows are as they were read"


def test_a_register_in_which_nothing_has_changed_is_left_as_it_is(timed: Registers) -> None:
    def file() -> tuple[int, int]:
        found = (timed.settings.home / "warehouse.files" / "raw.insurance.parquet").stat()
        return found.st_ino, found.st_mtime_ns

    before = file()

    assert reading(timed).changes == Changes()
    assert file() == before


def test_a_change_without_a_new_time_is_found_by_the_number_of_rows(
    timed: Registers,
) -> None:
    timed.insurance.append(record(40, updated_at="2020-01-01"))  # restored from an archive
    timed.insurance.append(dict(timed.insurance[3]))  # a second row with the same key
    fill_timed(timed)

    assert reading(timed).changes == Changes(inserted=1, updated=1)


@pytest.mark.wide
def test_a_time_in_the_future_hides_no_change(timed: Registers) -> None:
    timed.insurance[0]["updated_at"] = "2099-01-01"
    fill_timed(timed)
    timed.sync()
    timed.insurance[1] |= {"full_name": "Ai Đó Khác", "updated_at": "2026-01-01 09:00:00"}
    fill_timed(timed)

    assert reading(timed).changes == Changes(updated=1)


def test_a_row_without_a_time_is_always_read(timed: Registers) -> None:
    timed.insurance[1] |= {"full_name": "Ai Đó Khác", "updated_at": None}
    fill_timed(timed)

    assert reading(timed).changes == Changes(updated=1)


@pytest.mark.wide
def test_a_change_that_was_committed_late_is_found(timed: Registers) -> None:
    timed.insurance[0]["updated_at"] = "2026-01-02 08:00:00"
    fill_timed(timed)
    timed.sync("delta")
    timed.insurance[1] |= {"full_name": "Ai Đó Khác", "updated_at": "2026-01-02 07:30:00"}
    timed.insurance[2] |= {"full_name": "Ai Đó Khác", "updated_at": "2026-01-01 06:30:00"}
    fill_timed(timed)

    assert reading(timed).changes == Changes(updated=2), "in the overlap, and by its other time"


def test_what_is_read_again_is_compared_in_every_column(timed: Registers) -> None:
    """Two changes in one second: the key is read again, with the time that it had."""
    for name in ("Ai Đó Khác", "Ai Đó Nữa"):
        timed.insurance[1] |= {"full_name": name, "updated_at": "2026-01-02 08:00:00"}
        fill_timed(timed)

        assert [reading(timed).changes for _ in range(3)] == [
            Changes(updated=1), Changes(), Changes(),
        ]  # fmt: skip
    timed.insurance.append(dict(timed.insurance[1]))
    fill_timed(timed)

    assert [reading(timed).changes for _ in range(2)] == [Changes(updated=1), Changes()]


def test_of_a_row_that_was_touched_nothing_is_made_again(timed: Registers) -> None:
    """Its time of change is the only thing that is new: again and again, it keeps its number."""
    touched = timed.insurance[4]
    of_row = "select row_number, updated_at from raw.insurance where record_id = '{record_id}'"
    (before,) = from_warehouse(timed.settings, of_row.format(**touched))
    builds = _builds(timed)

    for moment in ("2026-01-02 08:00:00", "2026-01-03 08:00:00"):
        touched["updated_at"] = moment
        fill_timed(timed)
        told = timed.sync("delta")

        (after,) = from_warehouse(timed.settings, of_row.format(**touched))
        assert after == before | {"updated_at": moment}
        assert not told.broken
        assert not any(map(any, told.changes.values()))
        assert {table for table, build in _builds(timed).items() if build != builds[table]} == {
            "raw.insurance"
        }
        builds = _builds(timed)
        with snapshot(timed.settings) as warehouse:
            assert warehouse.count(TableName("raw", "insurance")) == len(timed.insurance)


def test_a_row_that_was_touched_is_told_apart_from_one_that_has_changed(timed: Registers) -> None:
    timed.insurance[4]["updated_at"] = "2026-01-02 08:00:00"
    timed.insurance[5] |= {"address": "12 Hàng Bài", "updated_at": "2026-01-02 08:00:00"}
    timed.insurance.append(timed.insurance[6] | {"updated_at": "2026-01-02 08:00:00"})
    fill_timed(timed)

    assert reading(timed).changes == Changes(updated=2, touched=1), "a further row is a change"


_NO_NUMBER = {"id_number": None, "insurance_number": None, "health_card_number": None}


@pytest.mark.parametrize(
    ("register", "row"),
    [
        pytest.param("insurance", record(3, record_id="twin"), id="by number"),
        pytest.param("population", citizen(9, personal_id="12345"), id="refused"),
        *(
            pytest.param(register, row, id=name, marks=pytest.mark.wide)
            for register, row, name in [
                ("insurance", record(3, record_id="twin", **_NO_NUMBER), "by name"),
                ("insurance", record(3, record_id="twin", full_name="Ai Đó Khác"), "doubtful"),
                ("insurance", record(9, record_id=None), "no key"),
                (
                    "insurance",
                    record(9, record_id="nothing", full_name=None, **_NO_NUMBER),
                    "nothing to compare",
                ),
                ("population", citizen(9, personal_id=None), "no number"),
            ]
        ),
    ],
)
def test_rows_that_were_touched_are_as_in_a_full_run(
    timed_databases: Database, register: str, row: dict[str, object]
) -> None:
    world = World(timed_databases, timed=True)
    rows = world.insurance if register == "insurance" else world.population
    rows.append(world.touched(row))
    world.delta()

    for other in (world.insurance, world.population):
        rows[-1] = world.touched(rows[-1])
        rows[2] = world.touched(rows[2])
        other[9] = world.touched(other[9] | {"full_name": "Ai Đó Nữa"})
        world.assert_delta_is_full()
    world.close()


def test_a_delta_builds_what_a_full_run_that_broke_off_did_not(synced: Make) -> None:
    pair = synced()
    with warehouse_for(pair.settings, Run("broken off")) as warehouse:
        runner.run(warehouse, pair.settings)
        for table in ("core.near_keys", "core.contested_numbers", "publish.coverage"):
            runner.forget_build(warehouse, TableName.parse(table))
            warehouse.execute(f"drop table {table}")
    release_lock(pair.settings)

    assert not pair.sync("delta").broken
    assert pair.published("select count(*) as n from {reconciled}") == [{"n": 30}]


def test_which_record_is_kept_follows_the_time_of_change(timed: Registers) -> None:
    """The time of change alone decides between two records of one citizen that are equal else."""
    kept = "select kept_record_id from core.duplicates where record_id = 'R000003'"
    timed.insurance.append(record(3, record_id="twin", updated_at="2026-01-02 08:00:00"))
    fill_timed(timed)
    timed.sync("delta")
    assert from_warehouse(timed.settings, kept) == [{"kept_record_id": "twin"}]

    timed.insurance[2]["updated_at"] = "2026-01-03 08:00:00"
    fill_timed(timed)
    timed.sync("delta")

    assert from_warehouse(timed.settings, kept) == [{"kept_record_id": "R000003"}]


def _builds(pair: Registers) -> dict[object, object]:
    rows = from_warehouse(pair.settings, "select table_name, build from ops.builds")
    return {row["table_name"]: row["build"] for row in rows}


def test_deleted_rows_may_be_told_by_the_register(timed: Registers) -> None:
    url = timed.insurance_url
    gone = str(timed.insurance.pop(4)["record_id"])
    fill_timed(timed)
    run_sql(
        url,
        "create table gone (id text, at timestamp)",
        f"insert into gone values ('{gone}', '2026-01-02'), ('never there', '2026-01-02'), "
        "('R000002', '2025-01-01')",  # which has since come back
    )
    timed.options["insurance"] = {"delta": {"deleted": "select id, at from gone"}}

    assert reading(timed).changes == Changes(deleted=1)


def test_what_does_not_add_up_is_read_whole(timed: Registers) -> None:
    timed.insurance.pop(4)  # and nothing reports it
    fill_timed(timed)
    run_sql(timed.insurance_url, "create table gone (id text, at timestamp)")
    timed.options["insurance"] = {"delta": {"deleted": "select id, at from gone"}}

    found = reading(timed)

    assert found.changes is None
    assert "it would have 30 rows, but the register has 29" in found.whole_because
    assert found.rows == 29


def test_another_shape_of_the_register_is_read_whole(timed: Registers) -> None:
    run_sql(timed.insurance_url, "alter table insurance drop column office")

    assert "its columns or their mapping have changed" in reading(timed).whole_because


@pytest.mark.parametrize(
    ("section", "setting", "told"),
    [
        ("reconcile", {"block_limit": 50}, "[reconcile] changed since the last run"),
        ("population", {"values": {"status": {"x": "alive"}}}, "[population] changed"),
        ("engine", {"threads": 2}, ""),
        ("schedule", {"keep_days": 3}, ""),
    ],
)
def test_a_delta_goes_on_from_runs_that_decided_alike(
    synced: Make, section: str, setting: dict[str, object], told: str
) -> None:
    pair = synced()
    pair.options[section] = setting

    why = why_full(pair)

    assert told in why
    assert bool(told) == bool(why)


def test_without_a_run_before_a_delta_is_a_full_run(registers: Make) -> None:
    pair = registers()

    assert pair.sync("delta").changes["reconciled"] == (30, 0, 0)
    assert pair.published("select mode from {sync_runs}") == [{"mode": "full"}]
    assert pair.sync("delta").changes == {}
    assert {row["mode"] for row in pair.published("select mode from {sync_runs}")} == {
        "full", "delta",
    }  # fmt: skip


def test_times_that_a_register_does_not_keep_cannot_be_demanded(synced: Make) -> None:
    pair = synced()
    pair.options["population"] = {"delta": {"by": "change_time"}}

    with pytest.raises(ContractError, match="does not keep 'updated_at' as a date or a time"):
        reading(pair, "population")


def test_a_table_is_built_again_only_where_what_it_rests_on_has_changed(synced: Make) -> None:
    pair = synced()
    before = _builds(pair)
    pair.population[3]["address"] = "12 Hàng Bài"
    pair.write()

    pair.sync("delta")

    after = _builds(pair)
    kept = {name for name in after if after[name] == before[name]}
    assert {"raw.insurance", "clean.births", "core.births_a_day"} <= kept
    assert not {"raw.population", "clean.population", "core.links", "publish.places"} & kept


@pytest.mark.wide
def test_rules_are_asked_again_only_where_their_tables_have_changed(
    synced: Make, doisoat_here: Callable[..., Command]
) -> None:
    pair = synced()
    assert doisoat_here("--config", pair.file, "sync").exit_code in (0, 1)
    assert doisoat_here("--config", pair.file, "sync", "--mode", "delta").exit_code in (0, 1)

    rows = from_warehouse(
        pair.settings,
        "select check_name, asked_in = run_id as asked from ops.quality_results "
        "where run_id = (select max(run_id) from ops.runs)",
    )
    asked = {row["check_name"] for row in rows if row["asked"]}
    assert asked == set(), "those that look at earlier runs or the clock hold by their SQL"
    assert len(rows) > 200, "each rule has an outcome in each run"


def _in_delta(pair: Registers, suite: Suite, *, delta: bool = True) -> dict[str, RuleResult]:
    """Judges a suite, in a delta after all its tables were built; its page can be written."""
    with writing(pair.settings, "delta" if delta else "full") as warehouse:
        if delta:
            runner.run(warehouse, pair.settings)
        found = run_suite(warehouse, suite)
        write_docs(warehouse, suite, found, pair.folder / "docs", pair.settings.schedule)
    page = page_file(pair.folder / "docs", suite.table).read_text("utf-8")
    assert all(rule.name in page for rule in suite.rules)
    return {result.rule.name: result for result in found}


UNBORN = "birth_date is null"
OF_ITS_RECORD = f"count(*) filter ({UNBORN}) over (partition by record_id) > 0"
OF_ITS_SEX = f"count(*) filter ({UNBORN}) over (partition by gender) > 0"


def test_rules_that_no_row_failed_are_judged_by_their_sql_in_a_delta(synced: Make) -> None:
    """Great Expectations judges those that rows fail, on the rows that were built or elsewhere."""
    pair = synced()
    suite = Suite(
        TableName("clean", "insurance"),
        (
            is_filled("birth_date", "Why."),
            is_unique("record_id", "Why."),
            is_unique("id_number", "Why."),
            is_one_of("gender", ("M", "F"), "Why."),
            is_not_empty("records", Owner.ENGINEERING),
            never("born", UNBORN, "Why."),
            never("born_by_record", OF_ITS_RECORD, "Why."),
            never("born_by_sex", OF_ITS_SEX, "Why."),
            never("a_citizen", "record_id in (select personal_id from clean.population)", "Why."),
            never("seldom_true", "record_id = 'R000009'", "Why.", severity=Severity.WARNING),
        ),
        "record_key(record_id)",
    )
    _in_delta(pair, suite, delta=False)
    pair.insurance[3]["full_name"] = "Ai Đó Khác"
    pair.write()

    good = _in_delta(pair, suite)

    assert {name for name, result in good.items() if not result.asked_in} == {"seldom_true"}
    assert {name for name, result in good.items() if not result.passed} == {"seldom_true"}
    pair.insurance[4]["date_of_birth"] = None
    pair.insurance.append(record(40) | {"id_number": pair.insurance[6]["id_number"]})
    pair.write()

    bad = _in_delta(pair, suite)

    assert {name for name, result in bad.items() if not result.passed} == {
        "birth_date_is_filled", "born", "born_by_record", "born_by_sex", "id_number_is_unique",
        "seldom_true",
    }  # fmt: skip
    assert {result.checked for result in bad.values()} == {31}
    assert bad["born"].failed == bad["born_by_record"].failed == 1
    pair.insurance[4]["date_of_birth"] = pair.insurance[5]["date_of_birth"]
    pair.insurance[-1]["id_number"] = record(40)["id_number"]
    pair.write()

    assert {name for name, result in _in_delta(pair, suite).items() if not result.passed} == {
        "seldom_true"
    }


@pytest.mark.parametrize(
    ("failing", "whole_by", "expected"),
    [
        ("a is null", (), True),
        ("a is null", ("a",), True),
        ("count(*) over (partition by a, b) > 1", ("a",), True),
        ("count(*) over (partition by a) > 1", ("a", "b"), False),
        ("count(*) over (partition by a) > 1", (), False),
        ("count(*) over () > 1", ("a",), False),
        ("count(*) over (partition by a order by b) > 1", ("a",), False),
        ("count(*) over (partition by a) + count(*) over (partition by b) > 1", ("a",), False),
        ("count(*) over (partition by lower(a)) > 1", ("a",), False),
        ("a in (select b from batch)", ("a",), False),
        ("a < now()", ("a",), False),
        ("a in (select b from core.links)", ("a",), False),
        ("", ("a",), False),
    ],
)
def test_only_rules_about_rows_that_are_built_together_are_judged_by_some_rows(
    failing: str, whole_by: tuple[str, ...], expected: bool
) -> None:
    rule = never("rule", failing or "true", "Why.")
    if not failing:
        rule = holds("rule", "select 1 from {batch}", "Why.")
    assert rule.is_judged_by_rows(frozenset(whole_by)) is expected


Look = Callable[[str | None], tuple[object, str | None]]
"""Asks the sensor with a cursor; returns its answer and its new cursor."""


@pytest.fixture
def history(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        yield instance


@pytest.fixture
def look(timed: Registers, history: dg.DagsterInstance) -> Look:
    timed.options["schedule"] = {"watch_minutes": 5}
    sensor = build_defs(timed.settings).get_sensor_def("watch_registers")
    resources = {"doisoat": Doisoat(timed.file)}

    def asked(cursor: str | None) -> tuple[object, str | None]:
        context = dg.build_sensor_context(history, cursor=cursor, resources=resources)
        return sensor(context), context.cursor

    return asked


def test_the_sensor_begins_a_delta_when_a_register_has_changed(
    timed: Registers, look: Look
) -> None:
    first, cursor = look(None)
    assert isinstance(first, dg.RunRequest)
    again, cursor = look(cursor)
    assert isinstance(again, dg.SkipReason)
    timed.insurance[1] |= {"full_name": "Ai Đó Khác", "updated_at": "2026-01-02"}
    fill_timed(timed)
    changed, _ = look(cursor)
    assert isinstance(changed, dg.RunRequest)


def test_the_sensor_begins_again_what_failed(
    look: Look, history: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else would notice what the failed run would have published."""

    @dg.op
    def work() -> None:
        if fails:
            raise dg.Failure

    @dg.job(name=DELTA_SYNC)
    def delta() -> None:
        work()

    _, cursor = look(None)
    fails = True
    delta.execute_in_process(instance=history, raise_on_error=False)
    waits, _ = look(cursor)
    assert isinstance(waits, dg.SkipReason)
    assert "tried again at" in str(waits.skip_message)
    monkeypatch.setattr("assets.watching.AGAIN", timedelta(0))
    again, _ = look(cursor)
    assert isinstance(again, dg.RunRequest)
    fails = False
    delta.execute_in_process(instance=history)
    done, _ = look(cursor)
    assert isinstance(done, dg.SkipReason)


def test_a_register_without_times_cannot_be_watched(synced: Make) -> None:
    with pytest.raises(ContractError, match="has no time of change accurate to the second"):
        look_at("insurance", synced().settings.insurance)


def test_tables_that_stand_as_they_were_published_are_looked_at_by_slices(synced: Make) -> None:
    pair = synced()

    first, second = pair.sync("delta"), pair.sync("delta")

    for made in (first, second):
        assert made.changes == {}
        assert made.counts.rows["reconciled"] == 30
        assert made.counts.differences["reconciled"].compared < 30


def test_what_another_hand_has_changed_is_put_right_by_deltas_too(synced: Make) -> None:
    pair = synced()
    (row,) = pair.published(
        "select record_id, row_hash from {reconciled} order by row_hash limit 1"
    )
    changed = f"where record_id = '{row['record_id']}'"
    run_sql(pair.target_url, f"update reconciled set employer_code = 'mine' {changed}")

    repaired = 0
    for _ in range(int(str(row["row_hash"])[0], 16) + 1):  # a day's slices: one first digit
        compared_earlier(pair, 0.99)
        repaired += pair.sync("delta").counts.differences["reconciled"].repaired

    assert repaired == 1
    assert pair.published(f"select employer_code from {{reconciled}} {changed}") == [
        {"employer_code": None}
    ]


def test_after_a_publish_from_elsewhere_everything_is_compared(synced: Make) -> None:
    pair = synced()
    pair.sync("delta")
    run_sql(
        pair.target_url,
        "insert into sync_runs select 'another', dagster_run_id, mode, started_at, "
        "'2999-01-01 00:00:00.000000', insurance_rows, population_rows, rejected_rows, verified, "
        "mismatch, review, not_found, rejected, rows_inserted, rows_updated, rows_deleted "
        "from sync_runs limit 1",
        "delete from reconciled where record_id = 'R000003'",
    )

    assert pair.sync("delta").changes["reconciled"] == (1, 0, 0)


BY_ANOTHER_HAND = {
    "deleted": "delete from reconciled where record_id = 'R000003'",
    "renamed": "update reconciled set record_id = 'X' where record_id = 'R000003'",
    "another hash": "update reconciled set row_hash = '{hash}' where record_id = 'R000003'",
    "added": "insert into reconciled select 'X', insurance_number, personal_id, status, "
    "match_step, match_probability, name_agreement, birth_agreement, gender_agreement, "
    "mismatch_codes, province_code, employer_code, commune, office, compulsory_si, voluntary_si, "
    "unemployment_insurance, health_insurance, first_seen_run, last_changed_run, '{hash}' "
    "from reconciled where record_id = 'R000003'",
}
HASHES = ("0" * 32, "1" * 32)
"""Of the slices that are read on the first and the second day."""


@pytest.mark.parametrize(
    ("what", "row_hash"),
    [
        ("deleted", ""),
        pytest.param("renamed", "", marks=pytest.mark.wide),
        *((what, row_hash) for what in ("another hash", "added") for row_hash in HASHES),
    ],
)
@pytest.mark.parametrize("with_changes", [True, False])
def test_rows_added_or_deleted_by_another_hand_stop_no_delta(
    synced: Make, what: str, row_hash: str, with_changes: bool
) -> None:
    """A row that a delta does not read is missing, or one is there that it does not know."""
    pair = synced()
    content = "select record_id, personal_id, row_hash from {reconciled} order by record_id"
    before = pair.published(content)
    run_sql(pair.target_url, BY_ANOTHER_HAND[what].format(hash=row_hash))
    for _ in HASHES:
        if with_changes:
            pair.insurance[7]["full_name"] = f"{pair.insurance[7]['full_name']} Anh"
            pair.write()
        compared_earlier(pair, 0.99)
        pair.sync("delta")

    after = pair.published(content)
    assert [row["record_id"] for row in after] == [row["record_id"] for row in before]
    assert after[2] == before[2]


def test_a_key_that_one_citizen_has_twice_is_counted_twice(registers: Make) -> None:
    """A former number that ends like the citizen's own: the key is over the limit, and unused."""
    pair = registers(
        [
            *(record(n) for n in range(1, 31)),
            record(900, id_number="099088000005", full_name="Ai Biết", date_of_birth="1999-09-09"),
        ]
    )
    pair.options["reconcile"] = {"block_limit": 1}
    near = "select personal_id from core.near_citizens where record_id = 'R000900'"
    pair.sync()
    (only,) = from_warehouse(pair.settings, near)
    (citizen,) = (c for c in pair.population if c["personal_id"] == only["personal_id"])
    citizen["former_id_numbers"] = "123000005"
    pair.write()

    pair.sync("delta")

    assert from_warehouse(pair.settings, near) == []


def test_a_table_that_another_hand_has_emptied_is_filled_again(synced: Make) -> None:
    pair = synced()
    before = pair.published("select record_id, personal_id from {reconciled} order by 1")
    run_sql(pair.target_url, "delete from reconciled")
    pair.insurance.append(record(31))
    pair.write()

    pair.sync("delta")

    after = pair.published("select record_id, personal_id from {reconciled} order by 1")
    assert after[:-1] == before
    assert after[-1]["record_id"] == "R000031"


@pytest.mark.parametrize("renamed", ["X", "R000031"])
def test_a_key_that_another_hand_has_changed_stops_no_delta(synced: Make, renamed: str) -> None:
    """The row that a delta deletes is not there, or one whose key it adds is."""
    pair = synced()
    run_sql(
        pair.target_url,
        f"update reconciled set record_id = '{renamed}' where record_id = 'R000008'",
    )
    if renamed == "X":
        del pair.insurance[7]
    else:
        pair.insurance.append(record(31))
    pair.write()

    pair.sync("delta")

    found = pair.published("select record_id from {reconciled} order by 1")
    assert [row["record_id"] for row in found] == [row["record_id"] for row in pair.insurance]


def test_what_a_broken_off_publish_left_is_published_by_the_next_delta(
    synced: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = synced()
    original = [dict(row) for row in pair.insurance]
    pair.insurance[2] |= {"full_name": "Ai Đó Khác"}
    pair.insurance.append(record(40))
    pair.write()
    with monkeypatch.context() as broken:
        broken.setattr(transaction, "_prove", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pair.sync("delta")
    pair.insurance = [*original, record(41)]  # back as it was, and another record
    pair.insurance[5] |= {"full_name": "Ai Đó Khác"}
    pair.write()

    assert pair.sync("delta").changes["reconciled"] == (1, 1, 0)

    after = pair.published("select * from {reconciled} order by record_id")
    assert "reconciled" not in pair.sync("full").changes
    assert pair.published("select * from {reconciled} order by record_id") == after


def test_mismatches_keep_their_age_through_deltas(synced: Make) -> None:
    pair = synced()
    other = {"Nam": "Nữ", "Nữ": "Nam"}
    ages = "select * from {mismatch_ages} where run_id = '{run}' and province_code = 'all'"
    for n in (3, 4, 5):
        pair.insurance[n]["gender"] = other[str(pair.insurance[n]["gender"])]
        pair.write()
        last = pair.sync("delta")
        (row,) = pair.published(
            "select min(since_at) as since, count(*) as n from {mismatches} "
            "where code = 'GENDER_DIFFERENT'"
        )
        assert row["n"] == n - 2
        found = {
            age["code"]: (age["mismatches"], age["oldest_since_at"])
            for age in pair.published(ages.replace("{run}", last.run_id))
        }
        assert found["GENDER_DIFFERENT"] == (row["n"], row["since"])
    pair.insurance[3]["gender"] = other[str(pair.insurance[3]["gender"])]
    pair.write()
    pair.sync("delta")

    sinces = pair.published(
        "select m.since_at = r.started_at as is_of_run from {mismatches} as m "
        "join {sync_runs} as r on m.since_run = r.run_id where code = 'GENDER_DIFFERENT'"
    )
    assert [row["is_of_run"] for row in sinces] == [1, 1]


def test_mismatches_keep_their_age_where_one_is_put_right(synced: Make) -> None:
    other = {"Nam": "Nữ", "Nữ": "Nam"}
    pair = synced(
        [{**(row := record(n)), "gender": other[str(row["gender"])]} for n in range(1, 31)]
    )
    (row,) = pair.published("select code, record_id, row_hash from {mismatches} order by 3 limit 1")
    for _ in range(int(str(row["row_hash"])[0], 16)):  # a day's slices: one first digit
        compared_earlier(pair, 0.99)
        pair.sync("delta")
    compared_earlier(pair, 0.99)
    run_sql(
        pair.target_url,
        f"update mismatches set severity = 'worse' where row_hash = '{row['row_hash']}'",
    )

    last = pair.sync()

    assert last.counts.differences["mismatches"].repaired == 1
    (since,) = pair.published(
        "select min(since_at) as first, max(since_at) as last from {mismatches}"
    )
    assert since["first"] == since["last"]
    ages = pair.published(f"select * from {{mismatch_ages}} where run_id = '{last.run_id}'")
    assert {age["oldest_since_at"] for age in ages} == {since["first"]}


def test_ages_are_right_after_a_warehouse_of_an_earlier_version(synced: Make) -> None:
    """It had no provinces in its copy of the ages, and could not tell ages by province."""
    pair = synced([{**record(n), "full_name": "Ai Đó Khác"} for n in range(1, 31)])
    before = pair.published("select record_id, code, since_at from {mismatches} order by 1, 2")
    with writing(pair.settings, "delta") as warehouse:
        warehouse.execute("alter table ops.mismatches_since drop column province_code")

    last = pair.sync("delta")

    after = pair.published("select record_id, code, since_at from {mismatches} order by 1, 2")
    assert after == before != []
    ages = pair.published(
        "select sum(mismatches) as n, min(oldest_since_at) as since from {mismatch_ages} "
        f"where run_id = '{last.run_id}' and province_code <> 'all'"
    )
    assert ages == [{"n": len(before), "since": before[0]["since_at"]}]


@pytest.mark.parametrize(
    "behind",
    [
        "set closed_run = 'earlier' where record_id = 'R000005'",
        "set personal_id = '001099000001' where record_id = 'R000005'",
    ],
)
def test_links_that_an_older_history_lacks_are_remembered_by_a_delta(
    synced: Make, behind: str
) -> None:
    """Somebody has imported the state of an earlier day: its history is behind the target."""
    pair = synced()
    links = "select record_id, personal_id from ops.link_history where closed_run is null"
    before = from_warehouse(pair.settings, f"{links} order by 1")
    with writing(pair.settings, "delta") as warehouse:
        warehouse.execute(f"update ops.link_history {behind}")

    pair.sync("delta")

    assert len(before) == 30
    assert from_warehouse(pair.settings, f"{links} order by 1") == before


# --- found by a review ----------------------------------------------------------------------------


def test_a_spelling_that_is_new_is_understood(synced: Make) -> None:
    pair = synced()
    pair.population[3]["status"] = "deceased"  # a spelling that no row had before
    pair.insurance[4]["gender"] = "Nam giới"
    pair.write()

    pair.sync("delta")

    (citizens,) = from_warehouse(
        pair.settings, "select count(*) as n from clean.population where status = 'deceased'"
    )
    (records,) = from_warehouse(
        pair.settings, "select gender from clean.insurance where record_id = 'R000005'"
    )
    assert citizens == {"n": 1}
    assert records["gender"] == "M"


@pytest.mark.wide
def test_a_delta_that_builds_tables_whole_says_why_on_their_pages(
    synced: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = synced()
    monkeypatch.setattr(scope, "_ALWAYS", 0)
    monkeypatch.setattr(scope, "_MOST", 0)
    pair.insurance[4]["address"] = "12 Hàng Bài"
    pair.write()
    delta = build_defs(pair.settings).resolve_job_def(DELTA_SYNC)

    with dg.DagsterInstance.ephemeral() as history:
        done = delta.execute_in_process(instance=history)

    def told(table: str) -> object:
        (made,) = done.asset_materializations_for_node(table)
        found = made.metadata.get("built whole because")
        return found and found.value

    assert told("core__links") == "1 records depend on what has changed"
    assert told("clean__rejects") is None, "its rows had been built before that was known"
    assert told("core__near_records") is None, "it is always built whole"


class Yesterday(date):
    """A date that believes it to be the day before."""

    @classmethod
    def today(cls) -> date:
        return date.today() - timedelta(days=1)


def test_of_a_birth_that_was_in_the_future_a_delta_builds_only_its_rows(
    registers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = registers()
    born = {"date_of_birth": f"{date.today():%d/%m/%Y}", "gender": "Nữ"}
    pair.insurance[3] |= born
    pair.population[3] |= born
    pair.population[5] |= {"status": "deceased", "date_of_death": f"{date.today():%d/%m/%Y}"}
    pair.write()
    with monkeypatch.context() as then:
        then.setattr(bulk, "date", Yesterday)
        pair.sync()
    whole = replace(pair, folder=memory_folder("doisoat-whole-"))
    shutil.copytree(pair.folder, whole.folder, dirs_exist_ok=True)
    for file in (whole.folder / ".doisoat").rglob("raw.*.parquet"):
        file.unlink()

    with writing(pair.settings, "delta") as warehouse:
        runner.run(warehouse, pair.settings)
        begun = scope_of(warehouse)
        assert begun is not None
        for name in ("clean.population", "clean.insurance", "publish.reconciled"):
            table = TableName.parse(name)
            rebuilt = begun.rebuilt(table)
            assert rebuilt is not None, name
            assert warehouse.number(f"select count(*) from {rebuilt.rows}") <= 3, name
        assert not out_of_step(warehouse, [table.name for table in pipeline().values()])
        births = "select birth_date, count(*) as n from clean.insurance where record_id = 'R000004'"
        assert warehouse.rows(f"{births} group by all") == [{"birth_date": date.today(), "n": 1}]
    assert not whole.sync("delta", replace=True).broken
    assert built(pair) == built(whole)
    shutil.rmtree(whole.folder)


def test_dates_that_two_midnights_change_are_all_built_anew(synced: Make) -> None:
    pair = synced()
    with writing(pair.settings, "delta") as warehouse:
        for register in ("insurance", "population"):
            runner.read(warehouse, register, pair.settings)
        begun = scope_of(warehouse)
        assert begun is not None
        births = TableName("clean", "births")
        for row in (pair.insurance[3], pair.insurance[8]):
            begun.note_restated(births, pa.array([str(row["date_of_birth"])]))
        runner.forget_build(warehouse, births)
        inputs = dictionaries.inputs_of("births")
        runner.note_build(warehouse, births, inputs, warehouse.count(births))

        runner.build_all(warehouse)

        rebuilt = begun.rebuilt(TableName("clean", "insurance"))
        assert rebuilt is not None
        records = {row["record_id"] for row in warehouse.rows(f"select * from {rebuilt.rows}")}
        assert {"R000004", "R000009"} <= records


def test_a_run_of_some_tables_vouches_for_no_other(synced: Make) -> None:
    pair = synced()
    pair.options["reconcile"] = {"block_limit": 50}
    with writing(pair.settings) as warehouse:
        runner.build(warehouse, TableName("publish", "codes"))

    assert "[reconcile] changed" in why_full(pair)


def test_steps_of_a_delta_that_cannot_go_on_are_refused(synced: Make) -> None:
    pair = synced()
    pair.options["reconcile"] = {"block_limit": 50}
    part = Run(uuid.uuid4().hex, "delta", part=True)

    with (
        pytest.raises(ConfigError, match="Steps of a delta cannot be run by themselves"),
        warehouse_for(pair.settings, part),
    ):
        pass
    release_lock(pair.settings)

    assert pair.sync().changes == {}, "and what the last run left is still there"


def test_a_dictionary_that_has_lost_a_part_is_filled_again(synced: Make) -> None:
    pair = synced()
    for part in (pair.settings.home / "warehouse.files" / "clean.names.parquet").iterdir():
        part.write_bytes(b"damaged")
    pair.insurance[4]["address"] = "12 Hàng Bài"
    pair.write()

    pair.sync("delta")

    (row,) = from_warehouse(
        pair.settings, "select count(*) as n from clean.insurance where name_key is null"
    )
    assert row == {"n": 0}


def test_two_kills_after_a_read_hide_no_change(synced: Make) -> None:
    pair = synced()

    def change_and_be_killed_before_the_note(name: str) -> None:
        pair.insurance[4]["full_name"] = name
        pair.write()
        with writing(pair.settings, "delta") as warehouse:
            assert runner.read(warehouse, "insurance", pair.settings).changes == Changes(updated=1)
            warehouse.execute("delete from ops.builds where table_name = 'raw.insurance'")

    change_and_be_killed_before_the_note("Trần Thị Sen")
    pair.sync("delta")
    change_and_be_killed_before_the_note("Lê Văn Hải")
    pair.sync("delta")

    (row,) = from_warehouse(
        pair.settings, "select recorded_name from clean.insurance where record_id = 'R000005'"
    )
    assert row["recorded_name"] == "Lê Văn Hải"


def test_another_secret_of_the_record_keys_is_a_reason(
    synced: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = synced()
    monkeypatch.setenv("DOISOAT_KEY", "1" * 64)

    with writing_another_installations(pair.settings) as warehouse:
        assert "the secret of the record keys changed" in str(
            warehouse.value("select not_a_delta from ops.parameters")
        )


@contextmanager
def writing_another_installations(settings: Settings) -> Iterator[Warehouse]:
    try:
        with warehouse_for(settings, Run(uuid.uuid4().hex, "delta", replace=True)) as warehouse:
            yield warehouse
    finally:
        release_lock(settings)


def test_little_by_little_a_register_cannot_vanish(registers: Make) -> None:
    pair = registers([record(n) for n in range(1, 301)], [citizen(n) for n in range(1, 301)])
    pair.sync()

    def lose_a_fifteenth() -> None:
        del pair.insurance[:20]
        pair.write()
        pair.sync("delta")

    lose_a_fifteenth()
    with pytest.raises(QualityGateError, match="left of the 300 that the last full run"):
        lose_a_fifteenth()
