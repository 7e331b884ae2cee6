"""Work in several processes: results in order, no job taken early, no worker without a parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl.process.workers import in_processes


def double(number: int) -> tuple[int, int]:
    """The work of a worker: returns its process id, and twice the number."""
    if number < 0:
        raise ValueError("below zero")
    return os.getpid(), 2 * number


def test_results_come_in_the_order_of_the_jobs_and_from_other_processes() -> None:
    found = list(in_processes(double, range(20), 2))
    assert [result for _, result in found] == [2 * number for number in range(20)]
    assert os.getpid() not in {pid for pid, _ in found}
    assert {pid for pid, _ in in_processes(double, range(3), 1)} == {os.getpid()}


def test_jobs_are_taken_as_they_are_needed() -> None:
    taken = []

    def jobs() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_processes(double, jobs(), 2)
    next(results)
    assert len(taken) <= 4
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 4


def test_what_a_worker_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match="below zero"):
        list(in_processes(double, [1, -1, 2], 2))


LONG = """
import os, sys, time
from etl.process.workers import in_processes

def wait(number):
    with open(os.path.join(sys.argv[1], str(os.getpid())), "w"):
        time.sleep(120)

if __name__ == "__main__":
    list(in_processes(wait, range(2), 2))
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script, pids = tmp_path / "long.py", tmp_path / "pids"
    script.write_text(LONG)
    pids.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(pids)])
    try:
        until(lambda: len(list(pids.iterdir())) == 2)
        workers = [int(file.name) for file in pids.iterdir()]
        assert all(map(alive, workers))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: not any(map(alive, workers)))


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds; fails after a minute."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Says whether a process runs; a zombie does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
