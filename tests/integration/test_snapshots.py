"""Readers read the last run's result, several at once, while a run works; and find one record."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from etl.domain.errors import NothingYetError, WarehouseBusyError
from etl.engine.builds import out_of_step
from etl.engine.duckdb.warehouse import open_warehouse
from etl.engine.statements import TableName
from etl.explain.gather import read_story
from etl.pipeline import places, runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.pipeline.snapshots import has, reading, snapshots
from etl.process.privacy import load_record_key
from etl.state.copying import make_ops
from tests.support import Registers, citizen, from_state, from_warehouse, record

Make = Callable[..., Registers]
COUNT = "select count(*) from core.reconciled"


@pytest.fixture
def pair(registers: Make) -> Registers:
    return registers()


@pytest.fixture
def ran(synced: Make) -> Registers:
    """The same after a first sync."""
    return synced()


def add(pair: Registers, number: int) -> None:
    pair.insurance.append(record(number))
    pair.population.append(citizen(number))
    pair.write()


# --- beside the writer --------------------------------------------------------------------------


@pytest.mark.wide
def test_a_reader_holds_its_snapshot_through_whole_syncs(ran: Registers) -> None:
    """The reader reads what was there when it opened, until it ends; the syncs end well, too."""
    ran.options["engine"] = {"threads": 1, "keep_snapshots": 1}
    with reading(ran.settings) as reader:
        before = reader.number(COUNT)
        for number in (40, 41, 42):
            add(ran, number)
            assert ran.sync().broken == []
        assert reader.number(COUNT) == before == 30
        # Also tables that it has not read yet: Parquet files are opened only when they are read.
        assert reader.number("select count(*) from raw.insurance") == before
        assert reader.number("select count(*) from clean.names")
    with reading(ran.settings) as reader:
        assert reader.number(COUNT) == 33


def test_many_read_while_a_run_works(ran: Registers) -> None:
    add(ran, 40)
    with warehouse_for(ran.settings, Run("at work", whole=True)) as warehouse:
        runner.run(warehouse, ran.settings)
        with ExitStack() as opened, ThreadPoolExecutor(4) as pool:
            readers = [opened.enter_context(reading(ran.settings)) for _ in range(4)]
            counts = list(pool.map(lambda one: one.number(COUNT), readers))
        assert warehouse.number(COUNT) == 31
    release_lock(ran.settings)
    assert counts == [30] * 4
    with reading(ran.settings) as reader:
        assert reader.number(COUNT) == 31


def test_a_process_of_its_own_reads_while_a_run_works(ran: Registers) -> None:
    script = (
        "import sys; from etl.pipeline.snapshots import reading; "
        "from etl.settings import load_settings\n"
        f"with reading(load_settings(sys.argv[1])) as r: print(r.number('{COUNT}'))"
    )
    with warehouse_for(ran.settings, Run("at work", whole=True)):
        read = subprocess.run(
            [sys.executable, "-c", script, str(ran.file)], capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
    release_lock(ran.settings)
    assert (read.stdout, read.returncode) == ("30\n", 0), read.stderr


def test_nothing_to_read_is_told_and_so_is_a_first_run_at_work(pair: Registers) -> None:
    pair.write()
    with pytest.raises(NothingYetError), reading(pair.settings):
        pass
    with (
        warehouse_for(pair.settings, Run("first", whole=True)),
        pytest.raises(WarehouseBusyError, match="first run"),
        reading(pair.settings),
    ):
        pass
    release_lock(pair.settings)


def test_a_snapshot_cannot_be_changed(ran: Registers) -> None:
    with reading(ran.settings) as reader:
        with pytest.raises(Exception, match="read-only"):
            reader.execute("delete from stored.core.reconciled")
        reader.execute("delete from ops.runs")  # changes only the reader's own copy
    with reading(ran.settings) as reader:
        assert reader.number("select count(*) from ops.runs") == 1


# --- which are kept -----------------------------------------------------------------------------


@pytest.mark.wide
@pytest.mark.parametrize("keep", [1, 2])
def test_so_many_are_kept_as_were_asked_for(pair: Registers, keep: int) -> None:
    pair.options["engine"] = {"threads": 1, "keep_snapshots": keep}
    for _ in range(4):
        pair.sync()
    with reading(pair.settings):
        pass
    assert len(snapshots(pair.settings)) == keep


@pytest.mark.wide
def test_one_that_is_read_is_pruned_later(ran: Registers) -> None:
    ran.options["engine"] = {"threads": 1, "keep_snapshots": 1}
    with reading(ran.settings):
        (held,) = snapshots(ran.settings)
        ran.sync()
        ran.sync()
        assert held in snapshots(ran.settings)
    ran.sync()
    assert held not in snapshots(ran.settings)


def test_runs_that_break_off_do_not_push_out_the_last_whole_one(ran: Registers) -> None:
    ran.options["engine"] = {"threads": 1, "keep_snapshots": 1}
    for number in range(3):
        with warehouse_for(ran.settings, Run(f"dies {number}", whole=True)):
            pass  # killed before it made any table
        release_lock(ran.settings)
    asked = has(TableName("core", "reconciled"))
    with reading(ran.settings, asked) as reader:
        assert reader.number(COUNT) == 30
    assert len(snapshots(ran.settings)) == 2
    with reading(ran.settings) as reader:  # without a condition the newest is opened
        assert not reader.exists(TableName("core", "reconciled"))


@pytest.mark.wide
def test_a_killed_process_leaves_a_log_that_the_next_reader_gets_over(ran: Registers) -> None:
    script = (
        "import os, sys; from etl.pipeline.run import Run, warehouse_for; "
        "from etl.pipeline import runner; from etl.settings import load_settings\n"
        "settings = load_settings(sys.argv[1])\n"
        "with warehouse_for(settings, Run('killed', whole=True)) as warehouse:\n"
        "    runner.run(warehouse, settings)\n"
        "    os._exit(9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(ran.file)], capture_output=True, check=False,
        timeout=120,
    )  # fmt: skip
    assert killed.returncode == 9
    with reading(ran.settings, has(TableName("core", "reconciled"))) as reader:
        assert reader.number(COUNT) == 30
    assert ran.sync().changes == {}


@pytest.mark.wide
def test_a_log_that_cannot_be_merged_is_told_and_nothing_of_it_is_lost(ran: Registers) -> None:
    """A file may not grow here, as on a full disk; closing the engine would say nothing of it."""
    script = (
        "import os, sys; from etl.pipeline.run import Run, warehouse_for\n"
        "from etl.settings import load_settings\n"
        "with warehouse_for(load_settings(sys.argv[1]), Run('killed')) as warehouse:\n"
        "    warehouse.execute('create table core.many as select hash(range) as n '"
        "        'from range(300_000)')\n"
        "    os._exit(9)"
    )
    asked = [sys.executable, "-c", script, str(ran.file)]
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 9
    file = ran.settings.warehouse_path
    limit = f"ulimit -f {(file.stat().st_size >> 10) + 400}; trap '' XFSZ; exec \"$@\""
    read = (
        "import sys; from etl.pipeline.snapshots import reading; "
        "from etl.settings import load_settings\n"
        "with reading(load_settings(sys.argv[1])) as warehouse:\n"
        "    print(warehouse.number('select count(*) from core.many'))"
    )
    asked = [sys.executable, "-c", read, str(ran.file)]

    told = subprocess.run(
        ["bash", "-c", limit, "bash", *asked], capture_output=True, text=True, check=False
    )

    assert "ConfigError" in told.stderr, told
    assert "larger than a file may be" in told.stderr
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout == "300000\n"


def test_a_file_system_without_links_copies(
    pair: Registers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    pair.sync()
    with reading(pair.settings) as reader:
        assert reader.number(COUNT) == 30
    (folder,) = snapshots(pair.settings)
    assert all(file.stat().st_nlink == 1 for file in folder.rglob("*.parquet") if file.is_file())


def test_half_of_a_deleted_snapshot_does_not_stay(ran: Registers) -> None:
    """A process was killed while it deleted a snapshot: its rest is personal data."""
    with reading(ran.settings):
        pass
    (kept,) = snapshots(ran.settings)
    half = kept.with_name("20200101T000000-killed")
    shutil.copytree(kept, half)
    (half / "warehouse.duckdb").unlink()
    aside = kept.with_name(f"{kept.name}.20200101.damaged")
    shutil.copytree(kept, aside)
    (aside / "warehouse.duckdb").unlink()

    ran.sync()
    with reading(ran.settings):
        pass

    assert not half.exists()
    assert aside.exists(), "what was set aside is for a person to look at"


@pytest.mark.parametrize("left", ["nothing", "the file"])
def test_a_run_that_was_killed_as_it_deleted_the_last_file_begins_with_the_snapshot(
    ran: Registers, left: str
) -> None:
    with reading(ran.settings):
        pass
    ran.settings.warehouse_path.with_suffix(".run").unlink()
    if left != "the file":
        ran.settings.warehouse_path.unlink()

    assert ran.sync("delta").changes == {}
    (last,) = from_warehouse(ran.settings, "select mode, not_a_delta from ops.parameters")
    assert last == {"mode": "delta", "not_a_delta": ""}


@pytest.mark.parametrize("ends", ["before it has begun", "as it has begun"])
def test_after_a_file_that_was_taken_away_nothing_is_continued(
    ran: Registers, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """The registers' files may be younger than the last snapshot, so a delta would miss changes."""
    with reading(ran.settings):
        pass
    ran.insurance[3]["full_name"] = "Ai Đó Khác"
    ran.write()
    ran.sync()
    ran.settings.warehouse_path.unlink()  # damaged, and moved away
    broken = "_opened_without_damage" if ends == "before it has begun" else "begin"
    with monkeypatch.context() as killed:
        killed.setattr(f"etl.pipeline.run.{broken}", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ran.sync("delta")

    assert ran.sync("delta").changes == {}
    (last,) = from_warehouse(ran.settings, "select mode, not_a_delta from ops.parameters")
    assert (last["mode"], bool(last["not_a_delta"])) == ("full", True)
    ran.sync("delta")
    (last,) = from_warehouse(ran.settings, "select mode from ops.parameters")
    assert last == {"mode": "delta"}


def test_a_home_that_was_moved_is_read_where_it_is(ran: Registers) -> None:
    with reading(ran.settings):
        pass
    moved = ran.folder / "moved, with a comma"
    ran.settings.home.rename(moved)
    ran.options["home"] = str(moved)
    with reading(ran.settings) as reader:
        assert reader.number("select count(*) from raw.insurance") == 30
    assert ran.sync().changes == {}


@pytest.mark.wide
def test_a_run_that_died_before_its_first_step_left_nothing(ran: Registers) -> None:
    """Its file, not yet named after a run, is no result, nor one of an earlier version."""
    ran.sync()
    ran.settings.warehouse_path.with_suffix(".run").unlink()
    ran.settings.warehouse_path.unlink()
    with open_warehouse(
        ran.settings.warehouse_path, key=load_record_key(ran.settings.home)
    ) as half_begun:
        make_ops(half_begun)
    before = from_state(ran.settings, "select * from {link_history} order by record_id")
    with reading(ran.settings) as reader:
        assert reader.number(COUNT) == 30
    assert ran.sync().changes == {}
    after = from_state(ran.settings, "select * from {link_history} order by record_id")
    assert after == before


def test_what_a_reader_spills_makes_a_snapshot_no_younger(ran: Registers) -> None:
    with reading(ran.settings):
        (old,) = snapshots(ran.settings)
        add(ran, 40)
        ran.sync()
        with reading(ran.settings):
            pass
        (old / "spilled").mkdir()
    assert snapshots(ran.settings)[-1] == old


# --- a run of some tables -----------------------------------------------------------------------


def test_a_run_of_some_tables_begins_with_what_the_last_left(ran: Registers) -> None:
    with warehouse_for(ran.settings, Run("some")) as warehouse:
        assert warehouse.number(COUNT) == 30
        runner.build(warehouse, TableName("core", "links"))
    release_lock(ran.settings)
    with reading(ran.settings) as reader:
        assert reader.number(COUNT) == 30


# --- one record ---------------------------------------------------------------------------------


def story(pair: Registers, record_id: str, *, by_key: bool = False) -> dict[str, object]:
    key = load_record_key(pair.settings.home).of(record_id)
    named = {"record_id": None if by_key else record_id, "record_key": key if by_key else None}
    return read_story(pair.settings, command="explain", **named).as_dict()


@pytest.mark.wide
def test_a_story_is_the_same_with_places_and_without(
    registers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for several records of a citizen, a record in REVIEW and a rejected one."""
    twin = {"personal_id": "001099999999"}
    made = registers(
        [*(record(n) for n in range(1, 31)), record(1, record_id="again"),
         record(3, record_id="other_number", id_number="001099000000"),
         record(4, record_id="nothing", full_name=None, date_of_birth=None, id_number=None,
                insurance_number=None)],
        [*(citizen(n) for n in range(1, 31)), citizen(5, **twin)],
    )  # fmt: skip
    made.sync()
    ids = ["R000001", "again", "R000003", "other_number", "R000005", "nothing"]
    found = [story(made, one) for one in ids]
    assert {one["status"] for one in found} >= {"REJECTED"}
    assert [story(made, one, by_key=True) for one in ids if one != "nothing"] == [
        one for one in found if one["record_id"] != "nothing"
    ]
    with monkeypatch.context() as patched:
        patched.setattr(places, "_known", lambda _: False)
        assert [story(made, one) for one in ids] == found


def test_places_of_other_tables_are_not_used(ran: Registers) -> None:
    """A table was built anew since, so its rows are in other places."""
    before = story(ran, "R000007")
    with warehouse_for(ran.settings, Run("some")) as warehouse:
        assert not out_of_step(warehouse, [places.PLACES])
        runner.build(warehouse, TableName("core", "claims"))
        assert out_of_step(warehouse, [places.PLACES])
    release_lock(ran.settings)
    assert {**story(ran, "R000007"), "run_id": ""} == {**before, "run_id": ""}


@pytest.mark.parametrize(
    "made_by",
    ["update publish.places_tables set engine = '0.1'", "drop table publish.places_later"],
)
def test_places_that_another_version_made_are_not_used(pair: Registers, made_by: str) -> None:
    """Another engine may hash differently, and then no record would be found."""
    with warehouse_for(pair.settings, Run("older", whole=True)) as warehouse:
        runner.run(warehouse, pair.settings)
        warehouse.execute(made_by)
        warehouse.execute("update publish.places set place = place + 1 where place < 1e18")
    release_lock(pair.settings)
    assert story(pair, "R000007")["record_id"] == "R000007"


def test_places_name_every_row_that_is_looked_up(ran: Registers) -> None:
    with reading(ran.settings) as reader:
        for table in places.OF_RECORDS:
            whole = reader.number(f"select count(*) from {table.sql} where record_id = 'R000009'")
            with reading(ran.settings) as focused:
                places.focus_on_record(focused, record_id="R000009")
                assert focused.count(table) == whole, table
        with reading(ran.settings) as focused:
            places.focus_on_citizens(focused, [str(citizen(9)["personal_id"])])
            assert focused.count(places.CITIZENS) == 1


def test_the_snapshots_are_their_owners_alone(pair: Registers) -> None:
    pair.sync()
    with reading(pair.settings):
        pass
    (folder,) = snapshots(pair.settings)
    for path in [folder, *folder.rglob("*")]:
        assert not path.stat().st_mode & 0o077, Path(path).relative_to(folder)
