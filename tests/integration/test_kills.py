"""Whatever happens to a run, readers see one whole result, and the next run repairs everything.

Runs are killed, their connections break, the disk fills up, and files of the home are damaged
before they begin.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from etl.domain.errors import DoisoatError
from etl.engine.statements import TableName
from etl.pipeline.snapshots import has, reading
from tests.support import Registers, Server, citizen, from_state, memory_folder, record

OF_THE_RUN = ("first_seen_run", "last_changed_run", "since_run", "since_at")
OF_THE_STATISTICS = ("match_probability", "row_hash")
"""Columns that may differ: a delta uses the counts of the last full run, which may be of the other
state."""
VERDICTS = TableName("core", "reconciled")
PUBLISHED = ("reconciled", "mismatches", "candidates", "corrections", "rejects")


class Home:
    """Registers that change back and forth between two states, and runs on them."""

    def __init__(self, server: Server | None = None) -> None:
        self.folder = memory_folder("doisoat-kills-")
        self.databases = server
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        size = ["-o", "size=2g"]  # a hundred mishaps take 1.3, with Dagster's logs
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", *size, "tmpfs", str(self.disk)],
            capture_output=True,
            check=False,
        )
        self.may_be_full = mounted.returncode == 0
        names = ("insurance", "population", "target")
        urls = [
            server.database() if server else f"sqlite:///{self.folder}/{name}.db" for name in names
        ]
        self.pair = Registers(self.folder, [], [], *urls)
        self.pair.options["quality"] = {"pages_url": "http://127.0.0.1:9"}
        self.pair.options["home"] = str(self.disk / "home")
        self.be(0)
        self.settings = self.pair.settings  # written once, because a run may read it at any time
        self.told = ""
        self.errors = (self.folder / "errors").open("w", encoding="utf-8")
        self.server = subprocess.Popen(
            [sys.executable, "-m", "tests.runs_to_kill", str(self.settings.file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
        )  # fmt: skip

    def close(self) -> None:
        assert self.server.stdin
        self.server.stdin.close()
        self.server.wait(timeout=60)
        self.errors.close()
        if self.may_be_full:
            subprocess.run(["umount", "-l", str(self.disk)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def be(self, state: int) -> None:
        """Brings both registers to a state: 0 or 1."""
        pair = self.pair
        pair.insurance = [record(n) for n in range(1, 61)]
        pair.population = [citizen(n) for n in range(1, 61)]
        if state:
            pair.insurance[3]["full_name"] = "Ai Đó Khác"
            pair.insurance[4]["id_number"] = None
            pair.insurance[5:8] = [record(n) for n in (61, 62)]
            pair.population += [citizen(n) for n in (61, 62)]
            del pair.population[10]
        pair.write()

    def run(
        self, mode: str, befalls: Callable[[int], None] | None = None, after: float = 0
    ) -> int | None:
        """Runs the main job.

        Args:
            mode: ``full`` or ``delta``.
            befalls: What happens to it; called with its process.
            after: When, in seconds from its start.

        Returns:
            Its exit status, or None if it was killed.
        """
        assert self.server.stdin
        assert self.server.stdout
        self.server.stdin.write(f"{mode}\n")
        self.server.stdin.flush()
        child = int(self.server.stdout.readline())
        if befalls:
            time.sleep(after)
            befalls(child)
        status = int(self.server.stdout.readline())
        return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)

    def last_words(self) -> str:
        """The message for a run that should have ended well and did not."""
        said = (self.folder / "errors").read_text("utf-8")
        return f"the next run needs nobody; this one said: {said[-2000:]}"

    def published(self) -> dict[str, list[str]]:
        """What readers of the target see, without the columns that name a run."""
        return {
            name: sorted(
                str({k: v for k, v in row.items() if k not in (*OF_THE_RUN, *OF_THE_STATISTICS)})
                for row in self.pair.published(f"select * from {{{name}}}")
            )
            for name in PUBLISHED
        }

    def reconciled(self) -> list[str]:
        """What readers see of the last result that has the verdicts."""
        with reading(self.settings, has(VERDICTS)) as warehouse:
            rows = warehouse.rows(
                f"select * exclude (match_probability) from {VERDICTS.sql} order by record_id"
            )
        return [str(row) for row in rows]

    def links(self) -> list[str]:
        """The open links, as the state has them."""
        rows = from_state(
            self.settings,
            "select record_id, personal_id, match_step from {link_history} "
            "where closed_run is null",
        )
        return sorted(map(str, rows))


class Reader(threading.Thread):
    """Reads the last result again and again, and keeps each one that was not whole."""

    def __init__(self, home: Home, whole: list[list[str]]) -> None:
        super().__init__(daemon=True)
        self.home, self.whole = home, whole
        self.looks, self.wrong = 0, []
        self.done = threading.Event()

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join(timeout=60)

    def run(self) -> None:
        while not self.done.is_set():
            try:
                seen = self.home.reconciled()
            except (DoisoatError, OSError):
                continue  # a refusal while a run begins, or a full disk
            except Exception as error:
                self.wrong.append([f"{type(error).__name__}: {error}"])
                continue
            self.looks += 1
            if seen not in self.whole:
                self.wrong.append(seen)


@pytest.fixture
def home() -> Iterator[Home]:
    made = Home()
    yield made
    made.close()


# --- what happens to a run ----------------------------------------------------------------------

Mishap = Callable[[Home, random.Random, str, float], int | None]
"""Runs the main job in a mode; something happens to it at a moment, in seconds."""


def killed(home: Home, _chance: random.Random, mode: str, moment: float) -> int | None:
    """The process is killed."""

    def kill(child: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    return home.run(mode, kill, moment)


def cut_off(home: Home, _chance: random.Random, mode: str, moment: float) -> int | None:
    """From a moment on, every connection to the registers and the target breaks."""
    databases = home.databases
    assert databases

    def cut(child: int) -> None:
        while Path(f"/proc/{child}").exists():
            databases.run(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where pid <> pg_backend_pid() and datname like 't\\_%'"
            )
            time.sleep(0.1)

    return home.run(mode, cut, moment)


def filled_up(home: Home, _chance: random.Random, mode: str, moment: float) -> int | None:
    """The disk of the home is full until the test frees space."""
    assert home.may_be_full
    ballast = home.disk / "ballast"

    def fill(_child: int) -> None:
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1_000_000))
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(1_000))

    try:
        return home.run(mode, fill, moment)
    finally:
        ballast.unlink(missing_ok=True)


def damaged(home: Home, chance: random.Random, mode: str, _moment: float) -> int | None:
    """Before the run begins, a file of the home is lost, empty, cut off or overwritten."""
    house = Path(str(home.pair.options["home"]))
    files = [
        *house.glob("warehouse.duckdb"),
        *house.rglob("*.parquet"),
        *(house / "dagster").rglob("*.db"),
    ]
    file = chance.choice(sorted(one for one in files if one.is_file()))
    how = chance.choice(["lost", "empty", "cut", "other", "block"])
    size = file.stat().st_size
    if how == "lost":
        file.unlink()
    elif how == "block":
        with file.open("r+b") as opened:
            opened.seek(size // 2)
            opened.write(os.urandom(min(4096, size // 4)))
    elif how == "other":
        file.write_bytes(os.urandom(size or 1000))
    else:
        os.truncate(file, 0 if how == "empty" else size // 2)
    home.told = f"{file.name} {how}"
    return home.run(mode)


# --- the campaign -------------------------------------------------------------------------------


def _campaign(home: Home, mishaps: list[Mishap], times: int, seed: int) -> None:
    """Lets something happen to so many runs; a run that ended before does not count."""
    chance = random.Random(seed)  # noqa: S311 - moments of a test
    expected, results, remembered, took = [], [], [], 0.0
    for state in (0, 1):
        home.be(state)
        began = time.monotonic()
        assert home.run("full") in (0, 1)
        took = time.monotonic() - began
        expected.append(home.published())
        results.append(home.reconciled())
        remembered.append(home.links())
    with Reader(home, results) as reader:
        state, happened = 1, 0
        while happened < times:
            before, state = state, 1 - state
            home.be(state)
            mishap = mishaps[happened % len(mishaps)]
            mode = chance.choice(["full", "delta"])
            ended = mishap(home, chance, mode, chance.uniform(0, took))
            happened += ended != 0 or mishap is damaged
            assert ended in (None, 0, 2, 3), (mishap.__name__, home.told, home.last_words())
            assert home.published() in (expected[before], expected[state]), "a whole result"
            again = home.run(chance.choice(["full", "delta"]))
            assert again == 0, (mishap.__name__, home.told, home.last_words())
            assert home.published() == expected[state]
            assert home.reconciled() == results[state]
            assert home.links() == remembered[state]
    assert reader.looks > times
    assert not reader.wrong, "readers of the last result always see a whole one"


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_hundred_runs_that_are_killed(home: Home) -> None:
    _campaign(home, [killed], times=100, seed=2)


@pytest.fixture
def served_home(postgresql: Server) -> Iterator[Home]:
    made = Home(postgresql)
    yield made
    made.close()


@pytest.mark.wide
@pytest.mark.timeout(900)
def test_runs_that_something_befalls(served_home: Home) -> None:
    _campaign(served_home, [killed, cut_off, damaged], times=3, seed=3)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_hundred_runs_that_something_befalls(served_home: Home) -> None:
    mishaps = [cut_off, filled_up, damaged, killed]
    if not served_home.may_be_full:
        mishaps.remove(filled_up)
        warnings.warn("no disk is filled: this user may not mount a small one", stacklevel=1)
    _campaign(served_home, mishaps, times=100, seed=4)
