"""What happens between a signal and the end of a process, each time in a new process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

HEARS = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # even under nohup

RUN = """
import os, signal, sys, threading, time
from etl.process import stopping

def said(word):
    os.write(1, (word + "\\n").encode())

def work():
    said("begun")
    {work}

os._exit(stopping.run(work))
"""


def ended(
    work: str, *numbers: int, before: str = HEARS, wait: float = 0.4
) -> tuple[int, list[str], str]:
    """Sends signals to a process once it has begun; returns its exit code and what it printed."""
    script = before + RUN.format(work=work.replace("\n", "\n    "))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    for number in numbers:
        time.sleep(wait)
        process.send_signal(number)
    killer = threading.Timer(12, process.kill)
    killer.start()
    with process:
        assert process.stderr is not None
        output, errors = process.stdout.read(), process.stderr.read()
    killer.cancel()
    return process.returncode, output.split(), errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_work_wherever_it_is(number: int) -> None:
    code, said, errors = ended("time.sleep(60); said('on')", number)
    assert (code, said) == (130, [])
    assert f"Stopped by {signal.Signals(number).name}. Nothing half-done was published" in errors


def test_work_that_holds_every_lock_is_ended_too() -> None:
    stuck = "lock = threading.Lock(); lock.acquire(); lock.acquire()"
    assert ended(stuck, signal.SIGTERM)[0] == 130


def test_what_was_registered_is_done_and_nothing_waits_for_it_for_ever() -> None:
    work = """
stopping.at_stop(lambda: time.sleep(60))
stopping.at_stop(lambda: 1 / 0)
with stopping.on_stop(lambda: said("gone")):
    pass
with stopping.on_stop(lambda: said("told")):
    stopping.begin_run(lambda: said("cancelled"))
    time.sleep(60)"""
    code, said, errors = ended(work, signal.SIGTERM)
    assert (code, sorted(said)) == (130, ["cancelled", "told"])
    assert "Traceback" not in errors


def test_unfinished_files_are_gone_after_a_stop(tmp_path: Path) -> None:
    """They hold personal data, and lie where a person's own files are."""
    before = f"{HEARS}\nfrom pathlib import Path\n"
    before += "from etl.process.files import scratch_folder, whole_file\n"
    work = (
        f"folder = Path({str(tmp_path)!r})\n"
        "with whole_file(folder / 'state.zip') as draft, scratch_folder(folder) as scratch:\n"
        "    draft.write_text('a name')\n"
        "    (scratch / 'part').write_text('a name')\n"
        "    said('written')\n"
        "    time.sleep(60)"
    )

    code, said, _ = ended(work, signal.SIGTERM, before=before, wait=1)

    assert (code, said) == (130, ["written"])
    assert [*tmp_path.iterdir()] == []


def test_a_commit_under_way_is_waited_for_and_said() -> None:
    work = """
with stopping.committing():
    time.sleep(1)
    said("committed")
time.sleep(60)"""
    code, said, errors = ended(work, signal.SIGTERM)
    assert (code, said) == (130, ["committed"])
    assert "had published its result already" in errors


def test_a_commit_that_only_remembers_publishes_nothing() -> None:
    work = """
stopping.begin_run(lambda: None)
with stopping.committing(publishes=False):
    said("remembered")
time.sleep(60)"""
    code, said, errors = ended(work, signal.SIGTERM)
    assert (code, said) == (130, ["remembered"])
    assert "Nothing half-done was published" in errors


@pytest.mark.wide
def test_a_commit_that_does_not_end_is_not_waited_for_for_ever() -> None:
    code, _, errors = ended("with stopping.committing(): time.sleep(60)", signal.SIGTERM)
    assert code == 130
    assert "'doisoat runs' tells whether the result was published" in errors


def test_nothing_is_committed_after_a_stop_has_begun() -> None:
    work = """
stopping.at_stop(lambda: time.sleep(2))
while not stopping._state.commit.locked():
    time.sleep(0.01)
with stopping.committing():
    said("committed")"""
    code, said, _ = ended(work, signal.SIGTERM)
    assert (code, said) == (130, [])


def test_a_server_ends_by_itself_and_at_once_for_the_impatient() -> None:
    calm = """
asked = threading.Event()
with stopping.ends_by_itself(asked.set):
    asked.wait()
    {then}
return 0"""
    good = calm.format(then="said('closed')")
    assert ended(good, signal.SIGTERM)[:2] == (0, ["closed"])
    slow = calm.format(then="time.sleep(60)")
    assert ended(slow, signal.SIGTERM, signal.SIGTERM)[0] == 130


def test_nohup_is_respected_and_a_background_job_still_hears_ctrl_c() -> None:
    both = "for n in (signal.SIGHUP, signal.SIGINT)"
    deaf = f"import signal\n{both}: signal.signal(n, signal.SIG_IGN)\n"
    work = "time.sleep(1); said('on'); return 0"
    assert ended(work, signal.SIGHUP, before=deaf)[:2] == (0, ["on"])
    assert ended("time.sleep(60)", signal.SIGINT, before=deaf)[0] == 130


def test_what_is_left_for_the_end_is_done_and_can_be_stopped() -> None:
    left = "import atexit; atexit.register(lambda: said('left')); print('printed'); return 0"
    code, said, _ = ended(left)
    assert (code, sorted(said)) == (0, ["left", "printed"])
    slow = "import atexit; atexit.register(lambda: time.sleep(60)); return 0"
    assert ended(slow, signal.SIGTERM)[0] == 130


def test_work_that_ends_says_how() -> None:
    assert ended("return 3")[0] == 3
    assert ended("raise SystemExit(2)")[0] == 70, "the command line turns these into codes"


WATCHED = """
import os, signal
from etl.process import stopping
stopping.begin_run(lambda: os.write(1, b"cancelled\\n"))
signal.signal(signal.SIGINT, lambda *_: None)  # somebody else's, who does nothing at once
stopping.watch()
os.write(1, b"begun\\n")
import duckdb  # a query in the main thread, where Python hears nothing until it ends
duckdb.sql("select count(*) from range(9000000000) where hash(range) = 1").fetchall()
"""


def test_a_query_in_the_main_thread_is_ended() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=12)
    assert (process.returncode, output) == (130, "cancelled\n")
