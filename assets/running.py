"""Running the main job from the command line, on the same instance as the UI.

Belongs here: the instance, one run from start to end, and runs whose process died. Does not belong
here: what the job does, and how its outcome is shown (``etl/cli.py``).
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from assets.definitions import build_defs
from assets.jobs import JOBS
from etl.publish.writers import try_tables
from etl.settings import CONFIG_VARIABLE, Settings
from etl.warehouse.run import release_lock

LOCATION = "doisoat"
"""The code location's name in workspace.yaml."""

# The UI hides tags of this prefix: they are for bury_dead_runs, not for people.
_HOST_TAG, _PROCESS_TAG, _STARTED_TAG = (
    ".dagster/doisoat_host",
    ".dagster/doisoat_process",
    ".dagster/doisoat_began",
)
_INTERNAL = 70  # EX_SOFTWARE of sysexits.h: a fault of doisoat itself


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        run_id: Dagster's id of the run.
        exit_code: What the command ends with.
        problem: Why it failed, for a person; empty where it did not.
        failed_checks: Table, check, severity and what was observed, of each check that failed.
        steps: Steps that ended well.
    """

    run_id: str
    exit_code: int = 0
    problem: str = ""
    failed_checks: list[dict[str, Any]] = field(default_factory=list)
    steps: int = 0


def root_file(name: str) -> Path:
    """Returns ``dagster.yaml`` or ``workspace.yaml``, from the checkout or the installed wheel."""
    packaged = Path(str(files("assets").joinpath(name)))
    return packaged if packaged.is_file() else Path(str(files("assets"))).parent / name


def instance_for(settings: Settings) -> dg.DagsterInstance:
    """Returns the Dagster instance of a configuration, making it where it is missing."""
    home = settings.dagster_home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(root_file("dagster.yaml"), home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[CONFIG_VARIABLE] = str(settings.file)
    return dg.DagsterInstance.get()


def _origin(job_name: str) -> RemoteJobOrigin:
    """Names the job as the UI knows it, so that a run of the command line is shown under it."""
    location = ManagedGrpcPythonEnvCodeLocationOrigin(
        loadable_target_origin=LoadableTargetOrigin(module_name="assets.definitions"),
        location_name=LOCATION,
    )
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job_name)


def bury_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Marks runs of this machine failed whose process is no more (killed, or a power cut).

    Returns:
        Their ids.
    """
    buried = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if run.tags.get(_HOST_TAG) == socket.gethostname() and not _lives(run.tags):
            instance.report_run_failed(
                run, "The process of this run ended before the run did. Run it again: nothing "
                "half-done was published."
            )  # fmt: skip
            buried.append(run.run_id)
    return buried


def _lives(tags: Mapping[str, str]) -> bool:
    try:
        process = psutil.Process(int(tags[_PROCESS_TAG]))
        return f"{process.create_time():.0f}" == tags[_STARTED_TAG]
    except (KeyError, ValueError, psutil.Error):
        return False


def run_sync(
    settings: Settings, mode: str = "full", on_step: Callable[[str, int, int], None] | None = None
) -> Outcome:
    """Runs the main job in this process.

    Args:
        settings: The settings.
        mode: ``full``.
        on_step: Called with the step's name, steps done and steps in all.

    Returns:
        How it ended; a failure of the run is an outcome, not an exception.

    Raises:
        ConnectionFailedError: The target cannot be reached or refuses; nothing was run.
    """
    # The target of an example lives in the home, as a SQLite file.
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A target that refuses is better known now than after hours of work.
    try_tables(settings.target)
    instance = instance_for(settings)
    bury_dead_runs(instance)
    job_name = JOBS[mode]
    job = build_defs(settings).resolve_job_def(job_name)
    me = psutil.Process()
    run = instance.create_run_for_job(
        job,
        # The console stays clear for the progress; everything is in the run's log in the UI.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={
            _HOST_TAG: socket.gethostname(),
            _PROCESS_TAG: str(me.pid),
            _STARTED_TAG: f"{me.create_time():.0f}",
            "doisoat/mode": mode,
        },
        remote_job_origin=_origin(job_name),
    )
    outcome = Outcome(run.run_id)
    total = _planned_steps(instance, run)
    try:
        for event in execute_run_iterator(InMemoryJob(job), run, instance):
            _note(event, outcome)
            if on_step and event.event_type in _SHOWN:
                on_step(event.step_key or "", outcome.steps, total)
    finally:
        release_lock(settings)
    return outcome


def _planned_steps(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    assert run.execution_plan_snapshot_id is not None  # noqa: S101 - every created run has a plan
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    return len(plan.step_keys_to_execute)


_SHOWN = (dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS)


def _note(event: dg.DagsterEvent, outcome: Outcome) -> None:
    """Takes from an event what the person at the terminal will want to know."""
    if event.event_type == dg.DagsterEventType.STEP_SUCCESS:
        outcome.steps += 1
    elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        _note_check(event, outcome)
    elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
        _note_failure(event, outcome)
    elif event.event_type == dg.DagsterEventType.RUN_FAILURE and not outcome.exit_code:
        outcome.exit_code = _INTERNAL
        outcome.problem = outcome.problem or (event.message or "The run failed.")


def _note_check(event: dg.DagsterEvent, outcome: Outcome) -> None:
    check = event.asset_check_evaluation_data
    if not check.passed:
        outcome.failed_checks.append(
            {
                "table": ".".join(check.asset_key.path),
                "check": check.check_name,
                "severity": check.severity.value.lower(),
                "observed": str(getattr(check.metadata.get("observed"), "value", "")),
                "blocking": bool(check.blocking),
            }
        )


def _note_failure(event: dg.DagsterEvent, outcome: Outcome) -> None:
    data = event.step_failure_data
    failure = data.user_failure_data
    if failure is not None:
        code = failure.metadata.get("exit_code")
        outcome.exit_code = int(code.value) if code is not None else _INTERNAL  # type: ignore[arg-type]
        outcome.problem = failure.description or ""
    elif data.error and data.error.cls_name == "DagsterAssetCheckFailedError":
        outcome.exit_code = 1
        outcome.problem = (
            "A blocking quality check failed, so nothing was published; the target is as it was."
        )
    else:
        outcome.exit_code = _INTERNAL
        outcome.problem = f"The step {event.step_key} failed; its log is in the UI."
