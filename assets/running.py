"""Running the main job from the command line, on the same instance as the UI.

Belongs here: the instance, and one run from start to end. Does not belong here: what the job does,
and how its outcome is shown (``etl/cli.py``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import dagster as dg
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
from assets.outcomes import Outcome, note
from assets.processes import bury_dead_runs, this_process
from etl.publish.writers import try_tables
from etl.settings import CONFIG_VARIABLE, Settings
from etl.warehouse.run import release_lock

LOCATION = "doisoat"
"""The code location's name in workspace.yaml."""


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
    run = instance.create_run_for_job(
        job,
        # The console stays clear for the progress; everything is in the run's log in the UI.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={**this_process(), "doisoat/mode": mode},
        remote_job_origin=_origin(job_name),
    )
    outcome = Outcome(run.run_id)
    total = _planned_steps(instance, run)
    try:
        for event in execute_run_iterator(InMemoryJob(job), run, instance):
            note(event, outcome)
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
