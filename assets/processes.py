"""Runs whose process died: which process executes a run, and runs that only seem to be at work.

Belongs here: noting a run's process, and marking dead runs as failed. Does not belong here: running
(``running.py``).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dagster as dg
import psutil

from assets.instance import with_log
from assets.outcomes import has_published
from etl.pipeline.lock import run_at_work
from etl.process.stopping import begin_run, outcome_in_words, watch
from etl.publish.asking import AskPublished, asking
from etl.settings import Settings

# The UI hides tags of this prefix: they are for bury_dead_runs, not for people.
_HOST_TAG, _PROCESS_TAG, _STARTED_TAG = (
    ".dagster/doisoat_host",
    ".dagster/doisoat_process",
    ".dagster/doisoat_began",
)


def this_process() -> dict[str, str]:
    """Returns the tags that name this process as the one that executes a run."""
    me = psutil.Process()
    return {
        _HOST_TAG: socket.gethostname(),
        _PROCESS_TAG: str(me.pid),
        _STARTED_TAG: _began(me),
    }


def cancelled_by_signals(instance: dg.DagsterInstance, run_id: str) -> None:
    """Makes a signal that stops this process also mark the run as cancelled."""

    def cancel() -> None:
        known = instance.get_run_by_id(run_id)
        if known is not None and not known.is_finished:
            instance.report_run_canceled(
                known, message=f"Stopped by a signal. {outcome_in_words()}"
            )

    begin_run(cancel)
    watch()


_UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

_SLOWEST_START = timedelta(minutes=10)
"""How long a run may be without the warehouse, before its first step or between two steps."""


def bury_dead_runs(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """Marks runs as failed whose process is gone (killed, a power cut, a replaced container).

    On this machine the process itself is looked for. A run of another machine, or of an unknown
    process, counts as dead if it does not hold the warehouse (the operating system frees it when a
    process dies) and has written no event for some minutes.

    Args:
        instance: Where the runs are.
        settings: Whose warehouse they would hold, and the target that is asked whether a run that
            died at its publish was published.

    Returns:
        Their ids.
    """
    ask = asking(settings.target)
    buried = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY)):
        run = record.dagster_run
        if _is_dead(record, settings):
            with_log(instance, run.run_id, partial(_bury, instance, run, ask))
            buried.append(run.run_id)
    return buried


def _is_dead(record: dg.RunRecord, settings: Settings) -> bool:
    run = record.dagster_run
    if run.tags.get(_HOST_TAG) == socket.gethostname():
        return not _lives(run.tags)
    known = record.update_timestamp
    aware = known if known.tzinfo else known.replace(tzinfo=UTC)
    silent = datetime.now(UTC) - aware > _SLOWEST_START
    return silent and run_at_work(settings) != run.run_id


_STEPS = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS}

_ENDED = "The process of this run ended before the run did. "
_EPITAPHS = {
    False: _ENDED + "Nothing was published; the target is as it was. Run it again.",
    True: _ENDED + "It had published all the same: the target holds its result, whole. What comes "
    "after the publish was not done; the next run does it.",
    None: _ENDED + "Whether it had published, only the target knows, which could not be asked: "
    "'doisoat runs' asks it. It holds the old state or the new one, never a mix. Run it again.",
}


def _epitaph(instance: dg.DagsterInstance, run_id: str, ask: AskPublished | None) -> str:
    """Says why a run is marked as failed, and what became of its publish."""
    logs = instance.all_logs(run_id, of_type=_STEPS)
    events = [entry.dagster_event for entry in logs if entry.dagster_event]
    return _EPITAPHS[has_published(events, run_id, ask)]


def _bury(instance: dg.DagsterInstance, run: dg.DagsterRun, ask: AskPublished | None) -> None:
    instance.report_run_failed(run, _epitaph(instance, run.run_id, ask))


def _lives(tags: Mapping[str, str]) -> bool:
    try:
        process = psutil.Process(int(tags[_PROCESS_TAG]))
        noted = tags[_STARTED_TAG]
        if "/" not in noted:  # by the time of day: an earlier version, or another system
            return abs(process.create_time() - float(noted)) < _CORRECTED
        return _began(process) == noted
    except (KeyError, ValueError, psutil.Error):
        return False


def _began(process: psutil.Process) -> str:
    """Returns when a process began, and so which one of its number it is.

    On Linux in ticks since the machine started, and which start that was: nobody sets that clock.
    The time of day that psutil works out moves with every correction of the machine's clock.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        about = Path(f"/proc/{process.pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return f"{process.create_time():.0f}"
    # (The name of the program, in brackets, may hold anything.)
    return f"{boot}/{about.rpartition(')')[2].split()[_STARTTIME]}"


_CORRECTED = 60.0
"""Seconds by which a clock may have been corrected. (Nobody's process has this number so soon
again.)"""

_STARTTIME = 19
"""The place of ``starttime`` behind the program's name (``man proc_pid_stat``)."""
