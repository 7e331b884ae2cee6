"""Damaged files are named, set aside and built anew: no damage stops all later runs."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from etl.domain.errors import DamagedError, DiskFullError, WarehouseHeldError
from etl.engine.duckdb.damage import trouble
from etl.engine.duckdb.warehouse import open_warehouse
from etl.engine.statements import TableName
from etl.process.privacy import load_record_key
from etl.reconcile.model import default_model
from tests.support import (
    Registers,
    citizen,
    decide,
    from_state,
    from_warehouse,
    memory_folder,
    record,
    remember,
)

pytestmark = pytest.mark.wide

# What a nightly run, commands and people have stored in the state.
MEMORY = {
    "link_history": "select count(*) as n from {link_history}",
    "acknowledgements": "select count(*) as n from {acknowledgements} where reason = 'known'",
    "decisions": "select count(*) as n from {decisions} where reason = 'seen'",
    "access_log": "select count(*) as n from {access_log} where command = 'explain'",
    "models": "select count(*) as n from {models}",
}


@pytest.fixture(scope="module")
def lived_once() -> Iterator[tuple[Registers, Path]]:
    """A home after a run, with rows in each table of its state; and a copy of it."""
    folder, copy = memory_folder("doisoat-damage-"), memory_folder("doisoat-damage-")
    pair = Registers(
        folder,
        [record(n) for n in range(1, 31)],
        [citizen(n) for n in range(1, 31)],
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    now = datetime(2026, 1, 1)
    remember(pair.settings, "acknowledgements", table_name="core.links", check_name="x",
             acknowledged_by="me", reason="known", acknowledged_at=now, expires_at=now)  # fmt: skip
    decide(pair.settings, "R1", None, reason="seen")
    remember(pair.settings, "access_log", access_id="1", accessed_at=now, accessed_by="me",
             record_key="k", command="explain")  # fmt: skip
    model = default_model().to_json()
    remember(pair.settings, "models", version="v1", trained_at=now, model=model)
    pair.sync()  # reads what commands have written to the state
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    yield pair, copy
    for place in (folder, copy):
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def lived(lived_once: tuple[Registers, Path]) -> Registers:
    """That home as it was, copied back to its place."""
    pair, copy = lived_once
    shutil.rmtree(pair.folder)
    shutil.copytree(copy, pair.folder)
    return replace(pair, insurance=list(pair.insurance), population=list(pair.population))


def remembered(pair: Registers) -> dict[str, object]:
    """How many rows of each the state and the warehouse have; the warehouse must be readable."""
    copied = ("link_history", "acknowledgements", "decisions", "models")
    counts = ", ".join(f"(select count(*) from ops.{name}) as {name}" for name in copied)
    return from_warehouse(pair.settings, f"select {counts}")[0] | {
        f"{name} in the state": from_state(pair.settings, query)[0]["n"]
        for name, query in MEMORY.items()
    }


def _random(file: Path) -> None:
    file.write_bytes(os.urandom(60_000))


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _halved(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _header(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(100)
        opened.write(os.urandom(9_000))


def _log(file: Path) -> None:
    """The engine's log, left by a killed process and then with a bad block in it."""
    died = (
        "import duckdb, os; c = duckdb.connect(os.environ['FILE']);"
        "c.execute('create table ops.died as select range as i from range(99999)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", died], env={**os.environ, "FILE": str(file)}, check=True)
    log = file.with_name(f"{file.name}.wal")
    content = log.read_bytes()
    log.write_bytes(content[:200] + os.urandom(500) + content[700:])


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("read_before", [True, pytest.param(False, marks=pytest.mark.wide)])
@pytest.mark.parametrize("damage", [_random, _empty, _halved, _header, _log, _folder])
def test_a_damaged_warehouse_is_set_aside_and_its_memory_read_back(
    lived: Registers,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
    read_before: bool,
) -> None:
    """This holds whether its file was linked for readers before or not."""
    before, published = remembered(lived), lived.target_state()
    assert before["link_history"]
    if not read_before:
        lived.sync()
    damage(lived.settings.warehouse_path)

    if damage is _folder or (read_before and damage is _log):
        assert remembered(lived) == before  # readers have another link to the file
    else:
        # A reader is told about the damage, and not that somebody else has the file.
        with pytest.raises(DamagedError, match="damaged") as told:
            remembered(lived)
        assert "doisoat sync" in told.value.remedy

    synced = lived.sync()

    assert synced.changes == {}, "the target was right before"
    assert {k: v for k, v in lived.target_state().items() if k == "reconciled"} == {
        "reconciled": published["reconciled"]
    }
    assert remembered(lived) == before
    if not (read_before and damage is _log):
        assert "is damaged; it was set aside as" in caplog.text
        assert list(lived.settings.home.rglob("*.damaged-*"))
    if damage is not _folder and not (read_before and damage is _log):
        assert "Read back from the state" in caplog.text
    assert lived.sync().changes == {}


def test_a_bad_block_that_is_found_in_a_step_ends_that_run_only(lived: Registers) -> None:
    before = remembered(lived)
    file = lived.settings.warehouse_path
    size = file.stat().st_size
    with file.open("r+b") as opened:  # everything except the headers and the table of contents
        opened.seek(size // 20)
        opened.write(os.urandom(size * 3 // 4))

    with suppress(DamagedError):  # any other error fails the test
        lived.sync()
    lived.sync()

    assert remembered(lived) == before
    assert lived.sync().changes == {}


def test_a_deleted_warehouse_loses_nothing(lived: Registers) -> None:
    before = remembered(lived)
    lived.settings.warehouse_path.unlink()

    assert lived.sync().changes == {}
    assert remembered(lived) == before


def parts(pair: Registers, table: str = "names") -> list[Path]:
    folder = pair.settings.warehouse_path.with_suffix(".files") / f"clean.{table}.parquet"
    return sorted(folder.glob("*.parquet"), key=lambda part: -part.stat().st_size)


def test_whatever_is_in_a_damaged_file_readers_are_told_so(lived: Registers) -> None:
    """This holds for every kind of error that the engine has for a damaged Parquet file."""
    chance = random.Random(1)  # noqa: S311 - damage of a test
    part = parts(lived)[0]
    whole = part.read_bytes()
    named = []
    for _ in range(60):
        at = chance.randrange(len(whole))
        garbage = chance.randbytes(chance.choice([4, 40, 400]))
        part.write_bytes((whole[:at] + garbage + whole[at + len(garbage) :])[: len(whole)])
        try:
            from_warehouse(lived.settings, "select count(columns(*)) from clean.names")
        except DamagedError as error:  # any other error fails the test
            named.append(error.file.name)
    assert len(named) > 30
    assert {*named} == {part.name}


@pytest.mark.parametrize("damage", [_random, _empty, _halved])
@pytest.mark.parametrize("table", ["names", "births", "numbers", "genders", "flags"])
def test_a_damaged_part_of_a_dictionary_is_set_aside_and_its_strings_found_again(
    lived: Registers, damage: Callable[[Path], None], table: str
) -> None:
    for part in parts(lived, table):
        damage(part)
    assert lived.sync().changes == {}


def test_a_part_that_may_not_be_read_is_no_damaged_part(lived: Registers) -> None:
    """A run by root left root's files: they are whole, and a person must give them back."""
    names, before = TableName("clean", "names"), parts(lived)
    with open_warehouse(
        lived.settings.warehouse_path, key=load_record_key(lived.settings.home)
    ) as warehouse:
        before[0].chmod(0)
        for folder in before[0].parents:
            if folder.is_relative_to(lived.folder):
                folder.chmod(0o755)
        before[0].parent.chmod(0o777)  # so that it could be set aside
        try:
            os.seteuid(os.geteuid() or 65534)  # root may read everything
            with pytest.raises(PermissionError):
                warehouse.set_damaged_parts_aside(names)
        finally:
            os.seteuid(os.getuid())

    assert parts(lived) == before


def test_a_bad_block_in_a_dictionary_ends_that_run_only(lived: Registers) -> None:
    part = parts(lived)[0]
    content = part.read_bytes()
    part.write_bytes(content[:4] + os.urandom(len(content) // 2) + content[4 + len(content) // 2 :])

    with suppress(DamagedError):
        lived.sync()
    assert lived.sync().changes == {}


@pytest.mark.parametrize(
    ("name", "is_folder"),
    [
        ("run.lock", True),
        ("warehouse.files", False),
        ("warehouse.files/raw.insurance.parquet", True),
        ("warehouse.files/clean.names.parquet", False),
    ],
)
def test_what_is_of_another_kind_is_set_aside(lived: Registers, name: str, is_folder: bool) -> None:
    place = lived.settings.home / name
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    place.mkdir() if is_folder else place.write_text("")
    with suppress(DamagedError):  # a reader may report it, but repairs nothing
        from_warehouse(lived.settings, "select 1 as one")
    assert lived.sync().changes == {}


def test_a_dictionary_folder_without_any_part_is_begun_anew(lived: Registers) -> None:
    """A process died between making the folder and its first part, or while merging parts."""
    for part in parts(lived):
        part.rename(part.with_suffix(".unfinished"))
    assert from_warehouse(lived.settings, "select 1 as one") == [{"one": 1}]
    assert lived.sync().changes == {}


def test_the_words_of_a_damaged_file_are_not_taken_for_a_lock(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    corrupt = duckdb.IOException("Corrupt database file: checksum does not match in block at 4096")
    assert isinstance(trouble(corrupt, file), DamagedError)
    held = duckdb.IOException(
        f'Could not set lock on file "{file}": Conflicting lock is held in /bin/x (PID 7).'
    )
    busy = trouble(held, file)
    assert isinstance(busy, WarehouseHeldError)
    assert "(x, process 7)" in str(busy)
    full = trouble(OSError(28, "No space left on device", "/mnt/x"), file)
    assert isinstance(full, DiskFullError)
    assert "/mnt/x" in str(full)
    assert trouble(duckdb.IOException("something else"), file) is None
    # A folder that somebody named as the file of a page is no damage of the warehouse.
    assert trouble(IsADirectoryError(21, "Is a directory", "/home/x/page.html"), file) is None
    away = duckdb.InvalidInputException("No magic bytes found at end of file '/tmp/x.parquet'")
    assert trouble(away, file) is None


# --- other processes ------------------------------------------------------------------------

HOLDS = """
import duckdb, sys, time
held = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("held", flush=True)
time.sleep(float(sys.argv[3]))
"""


def held(file: Path, how: str, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(file), how, str(seconds)], stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("how", ["read", "write"])
def test_a_run_waits_for_a_reader(lived: Registers, how: str) -> None:
    reader = held(lived.settings.warehouse_path, how, 2)
    try:
        assert lived.sync().changes == {}
    finally:
        reader.wait(30)


def test_a_command_waits_for_a_reader_and_names_one_that_stays(
    lived: Registers, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = held(lived.settings.warehouse_path, "write", 2)
    assert from_warehouse(lived.settings, "select 1 as one") == [{"one": 1}]
    reader.wait(30)
    monkeypatch.setattr("etl.pipeline.snapshots.PATIENCE", 0.3)
    reader = held(lived.settings.warehouse_path, "write", 60)
    try:
        with pytest.raises(WarehouseHeldError, match=f"process {reader.pid}"):
            from_warehouse(lived.settings, "select 1 as one")
    finally:
        reader.kill()
        reader.wait(30)


GREEDY = """
import duckdb, sys, time
for _ in range(20_000):
    try:
        held = duckdb.connect(sys.argv[1])
        break
    except duckdb.Error:
        time.sleep(0.005)
time.sleep(30)
"""


def test_a_sync_that_published_says_so_whoever_takes_the_file_as_it_ends(
    lived: Registers, command_environment: dict[str, str]
) -> None:
    """A reader waits for the file and then keeps it open."""
    lived.insurance.append(record(31))
    lived.write()
    lock = lived.settings.home / "run.lock"
    command = [str(Path(sys.executable).with_name("doisoat")), "--config", str(lived.file), "sync"]
    sync = subprocess.Popen(
        command, cwd=lived.folder, env=command_environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not lock.read_text() and sync.poll() is None:
        time.sleep(0.05)
    time.sleep(1)  # now the run has the file open
    reader = subprocess.Popen([sys.executable, "-c", GREEDY, str(lived.settings.warehouse_path)])
    try:
        output, errors = sync.communicate(timeout=240)
        assert reader.poll() is None
    finally:
        reader.kill()
        reader.wait(30)
        sync.kill()
    assert sync.returncode == 0, errors
    assert "Published to" in output
    assert "Waterfall" in output
