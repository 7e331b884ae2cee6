"""Some nights of one installation, by the commands that people use, in a real PostgreSQL.

Demo, edits in both registers, delta, decision, delta, undo, delta, what changed, a kill in the
middle of a publish, delta. ``pytest -s tests/integration/test_nightly_life.py`` shows each step and
what came of it, without a value of a person.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from etl.demo.demonstration import DEMO_HOME, start_server
from tests.support import Command

CITIZENS = 3_000
STATE_OF = "select status, match_step, mismatch_codes from reconciled where record_id = :r"
USER = "steward-of-nights"


class Installation:
    """The demo in a folder, its databases, and the commands."""

    def __init__(self, folder: Path, doisoat: Callable[..., Command]) -> None:
        self._run = doisoat
        self.server = start_server(folder / DEMO_HOME)
        self.engines: dict[str, Engine] = {
            name: create_engine(self.server.get_uri(name, driver="psycopg"))
            for name in ("insurance", "population", "target")
        }

    def command(self, *arguments: str) -> Command:
        """Runs a command that must end well, and shows it."""
        done = self.about(*arguments)
        print(f"\n$ doisoat {' '.join(arguments)}\n{done.output}")
        return done

    def about(self, *arguments: str) -> Command:
        """Runs a command that must end well, and shows nothing: it names a record or a citizen."""
        done = self._run(*arguments, DOISOAT_USER=USER)
        assert done.exit_code == 0, done.errors
        return done

    def delta(self) -> None:
        """Runs a delta that must not become a full run."""
        self.command("sync", "--mode", "delta")
        (mode,) = self.one("target", "select mode from sync_runs order by started_at desc limit 1")
        assert mode == "delta", "the delta became a full run"

    @contextmanager
    def begun(self, database: str) -> Iterator[Connection]:
        with self.engines[database].begin() as connection:
            if database == "target":
                connection.execute(text("set local search_path = doisoat, public"))
            yield connection

    def rows(self, database: str, sql: str, **values: object) -> list[tuple[Any, ...]]:
        with self.begun(database) as connection:
            return [tuple(row) for row in connection.execute(text(sql), values)]

    def one(self, database: str, sql: str, **values: object) -> tuple[Any, ...]:
        return self.rows(database, sql, **values)[0]

    def change(self, database: str, sql: str, **values: object) -> None:
        with self.begun(database) as connection:
            assert connection.execute(text(sql), values).rowcount == 1

    def state_of(self, record: str) -> tuple[Any, ...]:
        """Status, step and mismatch codes of a record."""
        state = self.one("target", STATE_OF, r=record)
        print(f"the record is {state[0]} by {state[1]}: {state[2] or 'nothing disagrees'}")
        return state

    def changes(self) -> dict[str, Any]:
        """What changed between the last two published runs."""
        self.command("runs", "diff")
        return json.loads(self.about("runs", "diff", "--json").output)

    def close(self) -> None:
        for engine in self.engines.values():
            engine.dispose()
        self.server.cleanup()


@pytest.fixture
def installation(folder: Path, doisoat_here: Callable[..., Command]) -> Iterator[Installation]:
    """A demo that has run."""
    done = doisoat_here("demo", "--citizens", CITIZENS)
    assert done.exit_code == 0, done.errors
    print(done.output)
    made = Installation(folder, doisoat_here)
    yield made
    made.close()


@pytest.mark.wide
@pytest.mark.timeout(900)
def test_edits_decisions_and_a_kill_come_out_as_expected(
    installation: Installation, folder: Path, command_environment: dict[str, str]
) -> None:
    here = installation
    wrong, right = here.one(
        "target",
        "select record_id, personal_id from reconciled where mismatch_codes = 'NAME_UNACCENTED' "
        "order by record_id limit 1",
    )
    (gone,) = here.one(
        "target",
        "select record_id from reconciled where status = 'VERIFIED' "
        "order by record_id desc limit 1",
    )
    active, dies = here.one(
        "target",
        "select record_id, personal_id from reconciled where status = 'VERIFIED' "
        "and mismatch_codes = '' and match_step = 'personal_id' "
        "order by record_id offset 100 limit 1",
    )
    waiting, candidate = here.one(
        "target",
        "select record_id, personal_id from candidates where candidate_rank = 1 order by record_id "
        "limit 1",
    )

    # Stewards correct a name and delete a record at the source; a citizen dies.
    (name,) = here.one(
        "population", "select full_name from population where personal_id = :p", p=right
    )
    here.change(
        "insurance",
        "update insurance set full_name = :name, updated_at = now() where record_id = :r",
        name=name, r=wrong,
    )  # fmt: skip
    here.change("insurance", "delete from insurance where record_id = :r", r=gone)
    here.change(
        "population",
        "update population set status = (select status from population where date_of_death is not "
        "null limit 1), date_of_death = '2026-11-01', updated_at = now() where personal_id = :p",
        p=dies,
    )
    here.delta()
    assert here.state_of(wrong)[0] == "VERIFIED"
    assert here.rows("target", STATE_OF, r=gone) == []
    assert "DECEASED_ACTIVE" in here.state_of(active)[2]
    changed = here.changes()
    assert _new_and_gone(changed) == (0, 1)
    assert {row["code"] for row in changed["resolved"]} >= {"NAME_UNACCENTED"}
    assert {row["code"] for row in changed["found"]} >= {"DECEASED_ACTIVE"}

    # A steward decides a case, and the next run applies it; it is taken back, and waits again.
    assert here.state_of(waiting)[0] == "REVIEW"
    here.about("decide", waiting, "--link", candidate, "--reason", "papers seen")
    here.delta()
    assert here.state_of(waiting)[1] == "steward"
    (linked,) = here.one(
        "target",
        "select personal_id = :c from reconciled where record_id = :r",
        r=waiting, c=candidate,
    )  # fmt: skip
    assert linked
    assert _links(here.changes()) == {"opened": 1}
    tells_who = USER in here.about("explain", waiting).output
    assert tells_who
    here.about("decide", waiting, "--undo", "--reason", "another person's papers")
    here.delta()
    assert here.state_of(waiting)[0] == "REVIEW"
    assert _links(here.changes()) == {"closed": 1}

    # A run is killed in the middle of its publish: the target stays as it was, and the next run
    # needs nobody.
    here.change(
        "population",
        "update population set status = (select status from population where date_of_death is null "
        "limit 1), date_of_death = null, updated_at = now() where personal_id = :p",
        p=dies,
    )
    before = here.state_of(active)
    _killed_while_publishing(here, folder, command_environment)
    assert here.state_of(active) == before
    here.delta()
    assert here.state_of(active)[::2] == ("VERIFIED", "")

    # A full run of the same registers has nothing to add.
    here.command("sync")
    changed = here.changes()
    assert _new_and_gone(changed) == (0, 0)
    assert _links(changed) == {}


def _new_and_gone(changed: dict[str, Any]) -> tuple[int, int]:
    """How many records are new, and how many gone, over all provinces."""
    records = changed["records"]
    return sum(row["new"] for row in records), sum(row["gone"] for row in records)


def _links(changed: dict[str, Any]) -> dict[str, int]:
    """How many links were opened, closed and so on, over all provinces and steps."""
    counts: Counter[str] = Counter()
    for row in changed["links"]:
        counts[row["change"]] += row["links"]
    return dict(counts)


def _killed_while_publishing(here: Installation, folder: Path, environment: dict[str, str]) -> None:
    """Starts a delta, and kills it while it waits to write the last row of its publish."""
    waits = "select query from pg_stat_activity where wait_event_type = 'Lock'"
    with here.begun("target") as ours:
        ours.execute(text("lock table sync_runs in exclusive mode"))  # others may read it
        run = subprocess.Popen(
            [str(Path(sys.executable).with_name("doisoat")), "sync", "--mode", "delta"],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            while not (waiting := here.rows("population", waits)):
                assert run.poll() is None, "the run ended before it could be killed"
                time.sleep(0.1)
            assert "sync_runs" in waiting[0][0]
        finally:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    print("\nthe run was killed while it published")
