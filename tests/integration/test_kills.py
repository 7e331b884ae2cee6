"""A run may be killed at any moment: readers see one whole result, and the next run mends all."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from etl.domain.errors import DoisoatError
from etl.engine.statements import TableName
from etl.pipeline.snapshots import has, reading
from tests.support import Registers, citizen, from_state, memory_folder, record

OF_THE_RUN = ("first_seen_run", "last_changed_run", "since_run", "since_at")
OF_THE_STATISTICS = ("match_probability", "row_hash")
"""A delta goes by the counts of the last full run, which may be one of the other state."""
VERDICTS = TableName("core", "reconciled")
PUBLISHED = ("reconciled", "mismatches", "candidates", "corrections", "rejects")


class Home:
    """Registers that change to and fro between two states, and runs of them."""

    def __init__(self) -> None:
        self.folder = memory_folder("doisoat-kills-")
        self.pair = Registers(
            self.folder, [], [],
            *(f"sqlite:///{self.folder}/{x}.db" for x in ("insurance", "population", "target")),
        )  # fmt: skip
        self.pair.options["quality"] = {"pages_url": "http://127.0.0.1:9"}
        self.be(0)
        self.settings = self.pair.settings  # written once: a run reads it at any moment
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
        shutil.rmtree(self.folder, ignore_errors=True)

    def be(self, state: int) -> None:
        """Brings both registers to a state: 0, or 1."""
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

    def run(self, mode: str, kill_after: float | None = None) -> int | None:
        """Runs the main job; returns its exit status, or None where it was killed."""
        assert self.server.stdin
        assert self.server.stdout
        self.server.stdin.write(f"{mode}\n")
        self.server.stdin.flush()
        child = int(self.server.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = int(self.server.stdout.readline())
        return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)

    def last_words(self) -> str:
        """What a run that should have gone well says at its end."""
        said = (self.folder / "errors").read_text("utf-8")
        return f"the next run needs nobody; this one said: {said[-2000:]}"

    def published(self) -> dict[str, list[str]]:
        """What readers of the target see, but for which run wrote it."""
        return {
            name: sorted(
                str({k: v for k, v in row.items() if k not in (*OF_THE_RUN, *OF_THE_STATISTICS)})
                for row in self.pair.published(f"select * from {{{name}}}")
            )
            for name in PUBLISHED
        }

    def reconciled(self) -> list[str]:
        """What readers of the last result that has the verdicts see."""
        with reading(self.settings, has(VERDICTS)) as warehouse:
            rows = warehouse.rows(
                f"select * exclude (match_probability) from {VERDICTS.sql} order by record_id"
            )
        return [str(row) for row in rows]

    def links(self) -> list[str]:
        """The links that stand, as the state remembers them."""
        rows = from_state(
            self.settings,
            "select record_id, personal_id, match_step from {link_history} "
            "where closed_run is null",
        )
        return sorted(map(str, rows))


class Reader(threading.Thread):
    """Reads the last result over and over, and keeps whatever was no whole one."""

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
            except DoisoatError:
                continue  # a run begins; said in words
            self.looks += 1
            if seen not in self.whole:
                self.wrong.append(seen)


@pytest.fixture
def home() -> Iterator[Home]:
    made = Home()
    yield made
    made.close()


def _campaign(home: Home, kills: int, seed: int) -> None:
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
        state, killed = 1, 0
        while killed < kills:
            before, state = state, 1 - state
            home.be(state)
            mode = chance.choice(["full", "delta"])
            killed += home.run(mode, kill_after=chance.uniform(0, took)) is None
            assert home.published() in (expected[before], expected[state]), "a whole result"
            assert home.run(chance.choice(["full", "delta"])) == 0, home.last_words()
            assert home.published() == expected[state]
            assert home.reconciled() == results[state]
            assert home.links() == remembered[state]
    assert reader.looks > kills
    assert not reader.wrong, "readers of the last result always see a whole one"


@pytest.mark.wide
def test_runs_that_are_killed(home: Home) -> None:
    _campaign(home, kills=2, seed=1)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_hundred_runs_that_are_killed(home: Home) -> None:
    _campaign(home, kills=100, seed=2)
