"""What the machine refuses is reported as what it is; and limits that the engine accepts."""

from __future__ import annotations

import errno
import io
import os
import sqlite3
import sys
from pathlib import Path

import duckdb
import pytest
from sqlalchemy.exc import OperationalError

from assets.jobs import try_schedule, usable_schedule
from etl.domain.errors import ConfigError, DamagedError, DiskFullError
from etl.domain.showing import as_json
from etl.engine.duckdb import limits
from etl.engine.duckdb.damage import trouble
from etl.engine.duckdb.limits import try_engine, try_memory
from etl.process import machine
from etl.process.machine import (
    machine_memory,
    speak_with_any_terminal,
    trouble_of_the_machine,
    try_home,
)
from etl.settings import Engine, Schedule
from etl.settings.sizes import LEAST_MEMORY, MOST_THREADS, bytes_of


def caused(cause: BaseException) -> Exception:
    try:
        raise RuntimeError("outside") from cause
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (OSError(errno.ENOSPC, "x", "/srv/a"), DiskFullError, "/srv/a"),
        (OSError(errno.EDQUOT, "x", "/srv/a"), DiskFullError, "full"),
        (OSError(errno.EROFS, "x", "/srv/a"), ConfigError, "can only be read"),
        (PermissionError(errno.EACCES, "x", "/srv/a"), ConfigError, "this user may not"),
        (OSError(errno.EMFILE, "x", "/srv/a"), ConfigError, "ulimit"),
        (caused(OSError(errno.ENOSPC, "x", "/srv/a")), DiskFullError, "/srv/a"),
        (OperationalError("insert", {}, sqlite3.OperationalError("database or disk is full")),
         DiskFullError, "Free some space"),
        (caused(sqlite3.OperationalError("disk I/O error")), DiskFullError, "system's log"),
        (sqlite3.OperationalError("attempt to write a readonly database"), ConfigError, "home"),
    ],
)  # fmt: skip
def test_an_error_of_the_system_is_told_as_what_it_is(
    error: Exception, kind: type[Exception], said: str
) -> None:
    known = trouble_of_the_machine(error, "the home")
    assert type(known) is kind
    assert said in str(known)


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), FileNotFoundError(errno.ENOENT, "x"), sqlite3.DatabaseError("malformed"),
     BrokenPipeError(errno.EPIPE, "x")],
)  # fmt: skip
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert trouble_of_the_machine(error) is None


@pytest.mark.parametrize(
    "words",
    ["Cannot open file \"/h/w.duckdb\": Permission denied",
     "Cannot open file \"/h/w.duckdb.wal\": Read-only file system"],
)  # fmt: skip
def test_the_engine_that_may_not_write_is_no_fault_of_doisoat(words: str) -> None:
    assert isinstance(trouble(duckdb.IOException(f"IO Error: {words}"), Path("w")), ConfigError)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskFullError), (errno.EDQUOT, DiskFullError), (errno.EFBIG, ConfigError),
     (errno.EMFILE, ConfigError), (errno.EACCES, ConfigError)],
)  # fmt: skip
@pytest.mark.parametrize("what", ["", 'Failure while replaying WAL file "/h/w.duckdb.wal": '])
def test_what_the_system_refuses_the_engine_is_no_damage(
    what: str, number: int, kind: type[Exception]
) -> None:
    words = f'{what}Could not write file "/h/w.duckdb": {os.strerror(number)}'
    assert type(trouble(duckdb.IOException(f"IO Error: {words}"), Path("/h/w.duckdb"))) is kind


def test_the_engine_that_runs_out_of_memory_says_which_setting() -> None:
    known = trouble(duckdb.OutOfMemoryException("failed to allocate data of size 8 KiB"), Path("w"))
    assert "[engine] memory" in str(known)


@pytest.mark.parametrize("written", ["128MB", "1.5 GB", "1GiB", "200000 KB", "0.5TB", "2gib"])
def test_memory_means_what_it_means_to_the_engine(written: str) -> None:
    meant = bytes_of(written)
    assert meant is not None
    with duckdb.connect() as engine:
        engine.execute(f"set memory_limit = '{written}'")
        by_engine = engine.execute("select current_setting('memory_limit')").fetchone()
        engine.execute(f"set memory_limit = '{meant / 1000:.3f}KB'")
        by_us = engine.execute("select current_setting('memory_limit')").fetchone()
    assert by_engine == by_us
    assert Engine(memory=written).memory == written


@pytest.mark.parametrize("written", ["80%", "8", "GB", "-1GB", "8XB", "1KB", "0GB", "1e9 MB"])
def test_memory_that_the_engine_refuses_or_dies_of_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"no size|too little"):
        Engine(memory=written)


def test_more_memory_than_the_container_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("512000000\n")
    monkeypatch.setattr(machine, "_CGROUP", (limit,))
    assert machine_memory() == 512_000_000
    try_memory(Engine(memory="500MB"))
    with pytest.raises(ConfigError, match=r"this container, has 0\.5 GB"):
        try_memory(Engine(memory="600MB"))
    limit.write_text("max\n")
    assert machine_memory() > 512_000_000


def test_the_engine_is_tried_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    least = f"{LEAST_MEMORY // 1000**2}MB"
    assert "2 threads" in try_engine(Engine(memory=least, threads=2))
    assert try_engine(Engine(threads=MOST_THREADS))
    # Whatever the engine does in that process, even if it dies, the test goes on and reports it.
    monkeypatch.setattr(limits, "_TRY", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(ConfigError, match="does not run with"):
        try_engine(Engine())


def test_a_disk_without_room_is_told_before_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert try_home(tmp_path / "home") > 0
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError) as told:
        try_home(tmp_path / "home")
    assert str(tmp_path / "home") in str(told.value)
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("cron", ["0 1 * * *", "*/15 8-17 * * 1-5", "@daily", "30 22 L * *"])
def test_a_schedule_says_when_it_begins_next(cron: str) -> None:
    assert "the next begins 20" in try_schedule(Schedule(cron=cron))
    assert "the next nightly run begins 20" in try_schedule(Schedule(cron=cron, enabled=True))


@pytest.mark.parametrize(
    "cron",
    ["", "x", "0 25 * * *", "0 1 * *", "0 0 1 * * *", "@reboot", "0 1 31 2 *", "1 2 3 4 8 9"],
)
def test_a_time_that_dagster_refuses_is_named_and_hides_nothing_in_the_ui(cron: str) -> None:
    wrong = Schedule(cron=cron, enabled=True)
    with pytest.raises(ConfigError, match="no time of a schedule"):
        try_schedule(wrong)
    usable = usable_schedule(wrong)
    assert not usable.enabled
    assert try_schedule(usable)


def test_a_terminal_without_some_letters_gets_their_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    assert machine.told_of_letters() is not None
    speak_with_any_terminal()
    sys.stdout.write("Đối soát ✓")
    sys.stdout.flush()
    assert raw.getvalue() == b"\\u0110\\u1ed1i so\xe1t \\u2713"
    assert as_json({"a": "Đ😀"}, ascii_only=True) == '{"a": "\\u0110\\ud83d\\ude00"}'


def test_a_damaged_file_is_named_where_the_engine_cuts_its_name(folder: Path) -> None:
    files = folder / "warehouse.files"
    files.mkdir()
    duckdb.sql(f"copy (select 1 as a) to '{files}/clean.births.parquet'")
    damaged = files / "clean.genders.parquet"
    damaged.write_bytes(b"PAR1" + bytes(range(64)))
    warehouse = folder / "warehouse.duckdb"

    for words in ("TProtocolException: Invalid data", "don't know what type: \r"):
        cut = duckdb.Error(f"{words}\n\nLINE 1: create view x as from read_parqu...('/mnt/ho...")
        found = trouble(cut, warehouse)
        assert isinstance(found, DamagedError)
        assert found.file == damaged

    for words in (
        f'Could not read enough bytes from file "{damaged}": attempted to read 9 bytes',
        f"Footer length error in file '{damaged}'\n\nLINE 1: from read_parquet('/mnt/ho...",
    ):
        for kind in (duckdb.IOException, duckdb.InvalidInputException):
            found = trouble(kind(words), warehouse)
            assert isinstance(found, DamagedError)
            assert found.file == damaged

    assert trouble(duckdb.BinderException("no such column"), warehouse) is None
    damaged.unlink()
    assert trouble(duckdb.Error("something else"), warehouse) is None
