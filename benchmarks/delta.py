"""What a delta costs compared with a full run, including extraction, checks and publish.

    python -m benchmarks.delta --citizens 1100000 [--changed 0.01 0.0001] [--memory 8GB] [--told]

Two registers and a target are in a separate PostgreSQL, as in the demo. After a first run, each
round runs the command in full, as a delta when nothing has changed since then, as another (it need
not read anew what the overlap of the times has it read again), and for each share of both registers
as a delta after that share was touched (the rows have a new time of change, as after a change of a
column that is not read), and as one after that share has changed. Seconds and processor time are
those of the whole command, including its start, without the server's. How long the start takes is
told by a delta of a thousand citizens of whom none has changed. Where the seconds went is told by
the steps that Dagster timed; the rest is the start, and Dagster between the steps.

With ``--told``, the registers have an index on the time of change and tell which rows were deleted
(``[….delta] deleted``), so that a delta need not read all keys.

Belongs here: timing. Does not belong here: whether a delta is right (the tests).
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text

from assets.instance import instance_for
from benchmarks.accuracy.report import Section, show
from etl.demo.demonstration import config_file, prepare, start_server
from etl.domain.contract import KEYS
from etl.settings import load_settings

_CHANGES = {
    "changed": {
        "population": "address = address || ' ', updated_at = now()",
        "insurance": "full_name = full_name || ' ', updated_at = now()",
    },
    "touched": dict.fromkeys(KEYS, "updated_at = now()"),
}


_FEW = 1000
"""Citizens of registers that are so small that a delta of nothing is all start."""


@dataclass(frozen=True)
class Cost:
    """What one run of the command took.

    Attributes:
        seconds: By the clock.
        processor_seconds: Of its process and of the child processes that it waited for.
        phases: Seconds by the clock of its steps, by what they do.
    """

    seconds: float
    processor_seconds: float
    phases: Mapping[str, float]

    @property
    def in_words(self) -> str:
        """Where the seconds went."""
        rest = self.seconds - sum(self.phases.values())
        told = {**self.phases, "rest": rest}
        return ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in told.items())


_PHASES = {"raw": "extract", "check": "rules", "publish_to_target": "publish"}
"""Phases by how the names of their steps begin; all other steps build tables."""


def sync(config: Path, *options: str) -> Cost:
    """Runs ``doisoat sync``."""
    command = [str(Path(sys.executable).with_name("doisoat")), "--config", str(config), "sync"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(options)} ended with {done.returncode}:\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - began, used, _phases(config))


def _phases(config: Path) -> dict[str, float]:
    """Returns the seconds by the clock that the steps of the last run took."""
    found = dict.fromkeys(("extract", "tables", "rules", "publish"), 0.0)
    with instance_for(load_settings(config)) as instance:
        (run_id,) = instance.get_run_ids(limit=1)
        for step in instance.get_run_step_stats(run_id):
            phase = next(
                (phase for begins, phase in _PHASES.items() if step.step_key.startswith(begins)),
                "tables",
            )
            if step.start_time and step.end_time:
                found[phase] += step.end_time - step.start_time
    return found


def change(home: Path, share: float, salt: str, what: str = "changed") -> int:
    """Changes or touches a share of both registers, and returns how many rows that were."""
    server, changed = start_server(home), 0
    for name, values in _CHANGES[what].items():
        engine = create_engine(server.get_uri(name, driver="psycopg"))
        statement = (
            f"update {name} set {values} "
            f"where abs(hashtext({KEYS[name]} || :salt)) % 1000000 < :share"
        )
        with engine.begin() as connection:
            asked = {"salt": f"{what}{salt}", "share": round(share * 1e6)}
            changed += connection.execute(text(statement), asked).rowcount
        # The server does this by itself in the course of a day, else while the delta is timed.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"vacuum analyze {name}"))
        engine.dispose()
    return changed


def tell_deletions(home: Path, config: Path) -> None:
    """Lets both registers tell which rows were deleted, and find quickly what was changed."""
    server = start_server(home)
    for register, key in KEYS.items():
        engine = create_engine(server.get_uri(register, driver="psycopg"))
        with engine.begin() as connection:
            connection.execute(text(f"create index on {register} (updated_at)"))
            connection.execute(text(f"create table deletions ({key} text, deleted_at timestamp)"))
        engine.dispose()
        with config.open("a", encoding="utf-8") as file:
            told = f"select {key}, deleted_at from deletions"
            file.write(f'\n[{register}.delta]\ndeleted = "{told}"\n')


def _registers(home: Path, citizens: int, memory: str, *, told: bool) -> Path:
    """Makes two registers and a target, runs the command once, and returns the configuration."""
    prepare(citizens, 7, home)
    config = config_file(home)
    if told:
        tell_deletions(home, config)
    if memory:
        with config.open("a", encoding="utf-8") as file:
            file.write(f'\n[engine]\nmemory = "{memory}"\n')
    _tell(f"first run, {citizens:,} citizens", sync(config))
    return config


def measure(
    home: Path,
    citizens: int,
    shares: Sequence[float],
    rounds: int,
    memory: str = "",
    *,
    told: bool = False,
) -> dict[str, list[Cost]]:
    """Returns what each kind of run took, by round."""
    small = _registers(home.with_name("start"), _FEW, memory, told=told)
    config = _registers(home, citizens, memory, told=told)
    found: dict[str, list[Cost]] = {}

    def timed(way: str, *options: str, of: Path = config) -> None:
        found.setdefault(way, []).append(sync(of, *options))
        _tell(way, found[way][-1])

    sync(small, "--mode", "delta")  # what the overlap of the times has it read again
    for round_ in range(rounds):
        timed("full")
        timed(
            f"delta, nothing changed of {_FEW:,} citizens (the start)", "--mode", "delta", of=small
        )
        timed("delta, nothing changed since the full run", "--mode", "delta")
        timed("delta, nothing changed since a delta", "--mode", "delta")
        for share, what in itertools.product(shares, ("touched", "changed")):
            way = f"delta, {share:.2%} of both {what}"
            rows = change(home, share, str(round_), what)
            key = next(
                (known for known in found if known.startswith(way)), f"{way} ({rows:,} rows)"
            )
            timed(key, "--mode", "delta")
    return found


def _tell(way: str, cost: Cost) -> None:
    """Prints what a run took as soon as it ends, because ten million take half an hour in all."""
    print(
        f"{way}: {cost.seconds:.1f} s, {cost.processor_seconds:.1f} CPU s ({cost.in_words})",
        flush=True,
    )


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--citizens", type=int, default=110_000)
    parser.add_argument("--changed", type=float, nargs="+", default=[0.01], help="shares")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--memory", default="", help="of reconciling, such as 8GB")
    parser.add_argument("--told", action="store_true", help="the registers tell deletions")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="doisoat-delta-") as folder:
        found = measure(
            Path(os.path.realpath(folder)) / "demo",
            chosen.citizens, chosen.changed, chosen.rounds, chosen.memory, told=chosen.told,
        )  # fmt: skip
    full = statistics.median(cost.seconds for cost in found["full"])
    rows = [
        (
            way,
            f"{statistics.median(cost.seconds for cost in costs):.1f}",
            f"{statistics.median(cost.processor_seconds for cost in costs):.1f}",
            f"{statistics.median(cost.seconds for cost in costs) / full:.0%}",
        )
        for way, costs in found.items()
    ]
    show(Section(f"{chosen.citizens:,} citizens", ("run", "s", "CPU s", "of full"), rows))


if __name__ == "__main__":
    main()
