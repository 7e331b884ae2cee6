"""Starts runs of the main job that may be killed, by forking a process that has loaded everything.

    python -m tests.runs_to_kill doisoat.toml

Each line of the input is the mode of a run. The answer is the run's process id and, when it has
ended by itself or was killed, its exit status: that of the command.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import expectations.docs  # noqa: F401 - with Great Expectations, loaded once for all runs
from assets.running import run_sync
from etl.domain.errors import DoisoatError
from etl.process.machine import trouble_of_the_machine
from etl.settings import load_settings


def main() -> None:
    """Serves until the input ends."""
    config = Path(sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(_run(config, line.strip()))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(status, flush=True)


def _run(config: Path, mode: str) -> int:
    try:
        outcome = run_sync(load_settings(config), mode)
    except BaseException as error:
        traceback.print_exc()
        known = error if isinstance(error, DoisoatError) else trouble_of_the_machine(error)
        print(known or "", file=sys.stderr)
        return known.exit_code if known else 70
    print(outcome.problem or "", file=sys.stderr)
    return outcome.exit_code


if __name__ == "__main__":
    main()
