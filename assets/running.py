"""Running the main job from the command line, on the same instance as the UI.

Belongs here: one run from start to end. Does not belong here: the instance (``instance.py``), what
the job does, and how its outcome is shown (``etl/cli/app.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

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
from assets.engines import held_open
from assets.instance import instance_for
from assets.jobs import JOBS, try_schedule
from assets.outcomes import Outcome, note
from assets.processes import bury_dead_runs, cancelled_by_signals, this_process
from assets.tags import REPLACE_TAG
from etl.domain.errors import DoisoatError
from etl.engine.opening import try_memory
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.pipeline.snapshots import room_of_a_run
from etl.process.home import notice
from etl.process.machine import try_home
from etl.process.stopping import end_run
from etl.publish.tables import try_tables
from etl.report.figures import Figures, figures_of
from etl.settings import Settings

LOCATION = "doisoat"
"""The code location's name in workspace.yaml."""


def _origin(job_name: str) -> RemoteJobOrigin:
    """Names the job as the UI knows it, so that a run of the command line is shown under it."""
    location = ManagedGrpcPythonEnvCodeLocationOrigin(
        loadable_target_origin=LoadableTargetOrigin(module_name="assets.definitions"),
        location_name=LOCATION,
    )
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job_name)


def run_sync(
    settings: Settings,
    mode: str = "full",
    on_step: Callable[[str, int, int], None] | None = None,
    *,
    replace_target: bool = False,
) -> Outcome:
    """Runs the main job in this process.

    Args:
        settings: The settings.
        mode: ``full`` or ``delta``.
        on_step: Called with the step's name, steps done and steps in all.
        replace_target: Publish to a target of another installation, too, and whatever share of its
            rows would vanish.

    Returns:
        How it ended; a failure of the run is an outcome, not an exception.

    Raises:
        ConfigError: The home, the engine's limits or the schedule cannot be used; nothing was run.
        ConnectionFailedError: The target cannot be reached or refuses; nothing was run.
    """
    free = try_home(settings.home)  # the examples' target lies there, too, as a SQLite file
    if (needed := room_of_a_run(settings)) > free:
        notice(
            f"The last run took {needed / 1e9:,.1f} GB of the disk, and {free / 1e9:,.1f} GB are "
            "free: this run may not come to its end, and publishes nothing then."
        )
    try_memory(settings.engine)
    try_schedule(settings.schedule)
    # A target that refuses is better found now than after hours of work.
    try_tables(settings.target)
    instance = instance_for(settings)
    bury_dead_runs(instance, settings)
    with held_open():
        return _run(settings, instance, mode, on_step, replace_target=replace_target)


def _run(
    settings: Settings,
    instance: dg.DagsterInstance,
    mode: str,
    on_step: Callable[[str, int, int], None] | None,
    *,
    replace_target: bool,
) -> Outcome:
    job_name = JOBS[mode]
    job = build_defs(settings).resolve_job_def(job_name)
    run_id = str(uuid4())
    cancelled_by_signals(instance, run_id)  # creating the run takes seconds, and lists it at once
    run = instance.create_run_for_job(
        job,
        run_id=run_id,
        # The console stays clear for the progress; everything is in the run's log in the UI.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={
            **this_process(),
            "doisoat/mode": mode,
            **({REPLACE_TAG: "yes"} if replace_target else {}),
        },
        remote_job_origin=_origin(job_name),
    )
    outcome = Outcome(run.run_id)
    total = _planned_steps(instance, run)
    try:
        for event in execute_run_iterator(InMemoryJob(job), run, instance):
            note(event, outcome)
            if on_step and event.event_type in _SHOWN:
                on_step(event.step_key or "", outcome.steps, total)
        if outcome.exit_code == 0:
            outcome.figures = _figures(settings, run)
    finally:
        release_lock(settings)
        end_run()
    return outcome


def _figures(settings: Settings, run: dg.DagsterRun) -> Figures | None:
    """Reads the figures while the run still holds the warehouse, before any other run writes."""
    try:
        with warehouse_for(settings, Run(run.run_id)) as warehouse:
            return figures_of(warehouse)
    except DoisoatError as error:
        notice(f"Published, but its figures cannot be read: {error}")
        return None


def _planned_steps(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    assert run.execution_plan_snapshot_id is not None  # noqa: S101 - every created run has a plan
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    return len(plan.step_keys_to_execute)


_SHOWN = (dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS)
