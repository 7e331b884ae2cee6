"""Real machines and operators: what is wrong is named before anything runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pytest

from assets.jobs import UI_LOCK
from etl.domain.errors import DiskFullError
from etl.process.home import locked
from tests.support import (
    INSURANCE_COLUMNS,
    POPULATION_COLUMNS,
    Command,
    Registers,
    citizen,
    fill,
    from_warehouse,
    record,
    writing,
)

pytestmark = pytest.mark.wide

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]

NOBODY = 65534
as_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can act as another user"
)

GOOD = """
[insurance]
url = "sqlite:///{folder}/a.db"
table = "insurance"
[population]
url = "sqlite:///{folder}/b.db"
table = "population"
[target]
url = "sqlite:///{folder}/c.db"
"""


@dataclass
class Setup:
    """A good configuration, in which a test breaks something.

    Attributes:
        folder: The folder of everything.
        file: The configuration's file.
        text: Its text.
        encoding: Its encoding.
        user: Who runs the command, if it is another user.
    """

    folder: Path
    file: Path
    text: str
    encoding: str = "utf-8"
    user: int | None = None
    open_things: ExitStack = field(default_factory=ExitStack)

    def add(self, text: str) -> None:
        self.text += text

    def home(self, home: Path) -> None:
        self.text = f'home = "{home}"\n{self.text}'


@pytest.fixture
def setup(folder: Path) -> Iterator[Setup]:
    fill(f"sqlite:///{folder}/a.db", "insurance", INSURANCE_COLUMNS, [record(1)])
    fill(f"sqlite:///{folder}/b.db", "population", POPULATION_COLUMNS, [citizen(1)])
    made = Setup(folder, folder / "doisoat.toml", GOOD.format(folder=folder))
    with made.open_things:
        yield made


@contextmanager
def _mounted(place: Path, options: str) -> Iterator[None]:
    """A file system in memory, as small or as unwritable as needed."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def _checked(setup: Setup, doisoat: Doisoat) -> tuple[int, str]:
    """Runs ``doisoat check`` and returns its exit code and all that it prints."""
    setup.file.write_bytes(setup.text.encode(setup.encoding))
    ended = doisoat("--config", setup.file, "check")
    return ended.exit_code, ended.output + ended.errors


# --- ten broken set-ups -------------------------------------------------------------------------


def no_time(setup: Setup) -> None:
    setup.add('[schedule]\ncron = "25 o\'clock"\n')


def six_fields(setup: Setup) -> None:
    setup.add('[schedule]\ncron = "0 0 1 * * *"\n')


def a_share_of_memory(setup: Setup) -> None:
    setup.add('[engine]\nmemory = "80%"\n')


def more_memory_than_there_is(setup: Setup) -> None:
    setup.add('[engine]\nmemory = "900TB"\n')


def too_many_threads(setup: Setup) -> None:
    setup.add("[engine]\nthreads = 100000\n")


def a_question_mark_in_the_home(setup: Setup) -> None:
    setup.home(setup.folder / "what?" / "home")


def a_disk_that_can_only_be_read(setup: Setup) -> None:
    setup.open_things.enter_context(_mounted(setup.folder / "disk", "ro"))
    setup.home(setup.folder / "disk" / "home")


def a_full_disk(setup: Setup) -> None:
    setup.open_things.enter_context(_mounted(setup.folder / "disk", "size=512k"))
    setup.home(setup.folder / "disk")


def a_home_that_root_ran_in(setup: Setup) -> None:
    home = setup.folder / "home"
    (home / "dagster").mkdir(parents=True)
    home.chmod(0o700)
    (home / "dagster").chmod(0o500)
    os.chown(home, NOBODY, NOBODY)
    setup.home(home)
    setup.user = NOBODY


def letters_of_windows(setup: Setup) -> None:
    setup.add("# Người viết: Trần Thị Hoà\n")
    setup.encoding = "cp1258"
    setup.text = setup.text.replace("ầ", "a").replace("ị", "i").replace("ờ", "o").replace("ế", "e")


@pytest.mark.parametrize(
    ("broken", "exit_code", "said"),
    [
        (no_time, 2, ["[schedule] cron", "25 o'clock", "five fields"]),
        (six_fields, 2, ["[schedule] cron", "0 0 1 * * *", "five fields"]),
        (a_share_of_memory, 2, ["engine.memory", "80% cannot be given", "8GB"]),
        (more_memory_than_there_is, 2, ["[engine] memory is 900TB", "this machine", "Lower it"]),
        (too_many_threads, 2, ["engine.threads", "1024"]),
        (a_question_mark_in_the_home, 2, ["home: the path", "'?'", "name a folder without it"]),
        (a_disk_that_can_only_be_read, 2, ["home", "that disk can only be read"]),
        (a_full_disk, 3, ["home", "The disk is full", "Free some space"]),
        pytest.param(
            a_home_that_root_ran_in, 2, ["dagster", "it belongs to root", "chown"], marks=as_root
        ),
        (letters_of_windows, 2, ["no text in UTF-8", "line 10", "Save it"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)  # fmt: skip
def test_ten_broken_setups_are_named_before_anything_runs(
    setup: Setup,
    doisoat: Doisoat,
    broken: Callable[[Setup], None],
    exit_code: int,
    said: list[str],
) -> None:
    broken(setup)

    code, words = _as_user(setup) if setup.user else _checked(setup, doisoat)

    assert code == exit_code, words
    for expected in [*said, "What to do:"]:
        assert expected in words, words
    for unwanted in ("Traceback", "doisoat itself failed", "report it"):
        assert unwanted not in words
    assert not (setup.folder / "c.db").exists() or not (setup.folder / "c.db").stat().st_size
    assert not list(setup.folder.rglob("warehouse.duckdb"))


def _as_user(setup: Setup, *arguments: str, **environment: str) -> tuple[int, str]:
    """The same command run by another user, who can read everything: the interpreter is root's."""
    setup.file.write_bytes(setup.text.encode(setup.encoding))
    setup.folder.chmod(0o777)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOISOAT_", "DAGSTER_"))}
    done = subprocess.run(
        ["setpriv", f"--reuid={setup.user}", f"--regid={setup.user}", "--clear-groups",
         "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
         str(Path(sys.executable).with_name("doisoat")), "--config", str(setup.file),
         *(arguments or ["check"])],
        cwd=setup.folder, env={**kept, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


# --- what is not broken -------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_of_windows_editors_is_read(
    setup: Setup, doisoat_here: Doisoat, encoding: str
) -> None:
    setup.encoding = encoding
    setup.text = setup.text.replace(" = ", "\t=\t").replace("\n", "\r\n") + "# Hoà\r\n"
    code, words = _checked(setup, doisoat_here)
    assert code == 0, words


@pytest.mark.long
def test_a_home_may_have_spaces_and_most_signs(
    setup: Setup, doisoat: Doisoat, registers: Make
) -> None:
    pair = registers()
    home = setup.folder / "ổ đĩa #1 (cũ) & 'mới'; a=b"
    pair.options["home"] = str(home)
    ended = doisoat("--config", pair.file, "sync", "--json")
    assert ended.exit_code == 0, ended
    assert "telemetry" not in ended.errors
    assert (home / "dagster" / "history" / "runs.db").is_file()
    assert (home / "warehouse.duckdb").is_file()


def test_runs_and_check_say_when_the_next_run_begins_and_whether_it_can(
    registers: Make, doisoat_here: Doisoat
) -> None:
    pair = registers()

    for command in ("runs", "check"):
        told = doisoat_here("--config", pair.file, command).output
        assert "o nightly run: [schedule] enabled is false; switched on, the next begins 20" in told
    pair.options["schedule"] = {"enabled": True}
    pair.sync()
    for command in ("runs", "check"):
        told = doisoat_here("--config", pair.file, command).output
        assert "he next nightly run is due 20" in told
        assert "'doisoat ui', which starts it, is not up" in told
    with locked(pair.settings.home / UI_LOCK):
        told = doisoat_here("--config", pair.file, "runs").output
    assert "The next nightly run begins 20" in told
    pair.options["schedule"] = {"enabled": True, "cron": "never"}
    ended = doisoat_here("--config", pair.file, "runs")
    assert ended.exit_code == 0
    assert '[schedule] cron is "never"' in ended.errors


def test_the_version_is_told(doisoat_here: Doisoat) -> None:
    told = doisoat_here("--version")
    assert told.exit_code == 0
    assert told.output == f"doisoat {version('doisoat')}\n"


def test_text_is_packed_where_the_tables_would_not_fit_in_memory(
    registers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = registers([record(n, address=f"Số {n} phố Huế") for n in range(1, 3001)])
    ways = (
        "select string_agg(distinct compression) from pragma_storage_info('stored.clean.insurance')"
    )
    rows = "select record_id, row_hash from {reconciled} order by 1"
    pair.sync()
    (loose,), before = from_warehouse(pair.settings, ways), pair.published(rows)
    assert "FSST" not in str(loose)

    monkeypatch.setattr("etl.engine.duckdb.limits._ROOM_OF_TABLES", 10**9)
    pair.sync()

    (packed,) = from_warehouse(pair.settings, ways)
    assert "FSST" in str(packed)
    assert pair.published(rows) == before
    assert len(before) == 3000


def test_a_disk_without_room_for_another_run_is_told_before_it(
    synced: Make,
    doisoat_here: Doisoat,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pair = synced()
    assert "home: " in doisoat_here("--config", pair.file, "check").output
    large = pair.settings.warehouse_path.with_suffix(".files") / "raw.large.parquet"
    with large.open("wb") as file:
        file.truncate(1 << 43)  # it takes no space on the disk

    told = doisoat_here("--config", pair.file, "check")

    assert told.exit_code == 3
    assert "The next run takes about 8,796." in told.output + told.errors
    assert "keep_snapshots" in told.output + told.errors
    large.unlink()
    monkeypatch.setattr("assets.running.room_of_a_run", lambda _: 1 << 43)
    pair.options["schedule"] = {"cron": "never"}  # refused in the next check, before anything runs
    assert doisoat_here("--config", pair.file, "sync").exit_code == 2
    assert "this run may not come to its end" in caplog.text


@pytest.mark.long
@as_root
def test_a_user_without_a_name_and_a_home_can_work(setup: Setup) -> None:
    """As OpenShift starts containers."""
    setup.user = 1_234_567
    for command in ("check", "sync", "runs"):
        code, words = _as_user(setup, command, HOME="/nonexistent", USER="", LOGNAME="")
        assert code == 0, words


def test_a_disk_that_is_full_at_a_commit_is_told(setup: Setup, registers: Make) -> None:
    """The engine takes such a transaction back by itself, and has none to take back after it."""
    pair = registers()
    disk = setup.folder / "disk"
    setup.open_things.enter_context(_mounted(disk, "size=60m"))
    pair.options["home"] = str(disk / "home")

    def work() -> None:
        with writing(pair.settings) as warehouse, warehouse.transaction():
            rows = "select md5(range::varchar) from range(500_000)"
            warehouse.execute(f"create table numbers as {rows}")
            with (disk / "x").open("wb", buffering=0) as file:
                for size in (100_000, 1_000):
                    with suppress(OSError):
                        while True:
                            file.write(bytes(size))

    with pytest.raises(DiskFullError):
        work()


@pytest.mark.long
@pytest.mark.parametrize("seconds", [3, 8])
def test_a_disk_that_fills_up_in_a_run_is_told_and_nothing_is_lost(
    setup: Setup, doisoat: Doisoat, registers: Make, seconds: int
) -> None:
    """SQLite reports an error of the disk, which is no damage, so Dagster's history stays."""
    pair = registers()
    disk = setup.folder / "disk"
    setup.open_things.enter_context(_mounted(disk, "size=80m"))
    pair.options["home"] = str(disk / "home")
    again = f"for i in 1 2 3 4 5 6 7 8 9; do cat /dev/zero >> {disk}/x; sleep 1; done"
    fill_up = f"sleep {seconds}; {again}"
    with subprocess.Popen(["sh", "-c", fill_up], stderr=subprocess.DEVNULL):
        ended = doisoat("--config", pair.file, "sync")
    if ended.exit_code:  # a fast machine ends before
        assert ended.exit_code == 3, ended.errors
        assert "The disk is full" in ended.errors
        assert "What to do: Free some space there" in ended.errors
    assert "damaged" not in ended.errors
    (disk / "x").unlink()
    assert doisoat("--config", pair.file, "sync").exit_code == 0
