"""The jobs and when they run.

Belongs here: the main job and its schedule. Does not belong here: assets and checks.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus
from dagster._utils.schedules import get_next_cron_tick, is_valid_cron_schedule

from assets.instance import instance_for
from etl.domain.errors import ConfigError, DoisoatError
from etl.pipeline.run import DELTA, FULL
from etl.process.home import is_locked
from etl.settings import Schedule, Settings

FULL_SYNC = "full_sync"
DELTA_SYNC = "delta_sync"
PRUNE_HISTORY = "prune_history"
JOBS = {FULL: FULL_SYNC, DELTA: DELTA_SYNC}
"""The job of each mode of ``doisoat sync``."""
NIGHTLY = "nightly_sync"
BETWEEN = "delta_sync_between"

UI_LOCK = "ui.lock"
"""The file of the home that ``doisoat ui`` keeps locked; only while it is open, schedules start
runs."""


def full_sync() -> dg.UnresolvedAssetJobDefinition:
    """The main job: every asset and every check, from the registers to the target."""
    return dg.define_asset_job(
        FULL_SYNC,
        selection=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
        description="Reads both registers, normalises, reconciles, validates and publishes.",
    )


def delta_sync() -> dg.UnresolvedAssetJobDefinition:
    """The small job: the same assets and checks, which continue with the last run's tables."""
    return dg.define_asset_job(
        DELTA_SYNC,
        selection=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
        description="Reads what has changed in both registers since the last run, builds what "
        "depends on it, and publishes. If the last run cannot be continued, this becomes a full "
        "run and says why.",
    )


def try_schedule(schedule: Schedule) -> str:
    """Says when the nightly run begins next by the configuration.

    Raises:
        ConfigError: Dagster, which keeps the schedule, does not take its cron expression.
    """
    shown = schedule.shown(_next_start(schedule))
    deltas = ""
    if schedule.delta_cron:
        deltas = f"; the next delta {schedule.shown(_next_start(schedule, 'delta_cron'))}"
    if schedule.enabled:
        return f"the next nightly run begins {shown}{deltas}, while 'doisoat ui' is up"
    return f"no nightly run: [schedule] enabled is false; switched on, the next begins {shown}"


def next_nightly(settings: Settings) -> str:
    """Says whether and when the nightly run begins next: as people switched it, and if it can.

    Raises:
        ConfigError: Dagster, which keeps the schedule, does not take its cron expression.
    """
    schedule = settings.schedule
    shown = schedule.shown(_next_start(schedule))
    switched = _switched(settings)
    if switched is False and schedule.enabled:
        return (
            "no nightly run: it was switched off in the UI, under Automation; switched on, the "
            f"next begins {shown}"
        )
    if not (switched or schedule.enabled):
        return try_schedule(schedule)
    if not is_locked(settings.home / UI_LOCK):
        return (
            f"the next nightly run is due {shown}, but 'doisoat ui', which starts it, is not up: "
            "nothing will begin. Start it: doisoat ui"
        )
    return f"the next nightly run begins {shown}"


def _switched(settings: Settings) -> bool | None:
    """Says how a person switched the nightly run in the UI; None if nobody did or it is unknown."""
    if not settings.dagster_home.is_dir():
        return None
    try:
        with instance_for(settings) as instance:
            states = [
                state.status
                for state in instance.all_instigator_state()
                if state.instigator_name == NIGHTLY
            ]
    except DoisoatError:
        return None
    if InstigatorStatus.RUNNING in states:
        return True
    return False if InstigatorStatus.STOPPED in states else None


def _next_start(schedule: Schedule, setting: str = "cron") -> datetime:
    cron = str(getattr(schedule, setting))
    try:
        usable = is_valid_cron_schedule(cron)
        next_run = get_next_cron_tick(cron, datetime.now(UTC), schedule.timezone)
    except Exception:  # the parser crashes at some expressions instead of refusing them
        usable = False
    if not usable:
        raise ConfigError(
            f'[schedule] {setting} is "{cron}", which is no time of a schedule.',
            where=f"[schedule] {setting}",
            remedy='Write five fields, minute, hour, day, month, weekday: "0 1 * * *" is one in '
            'the night, every day; "30 22 * * 1-5" half past ten at night on working days.',
        )
    return next_run


def usable_schedule(schedule: Schedule) -> Schedule:
    """Returns the schedule, or, if Dagster cannot take it, one that is off, so that the UI starts.

    Args:
        schedule: As configured.
    """
    try:
        try_schedule(schedule)
    except ConfigError:
        return Schedule(timezone=schedule.timezone, keep_days=schedule.keep_days)
    return schedule


def nightly(job: dg.UnresolvedAssetJobDefinition, schedule: Schedule) -> dg.ScheduleDefinition:
    """The nightly sync; off until the configuration or a person in the UI switches it on."""
    return dg.ScheduleDefinition(
        name=NIGHTLY,
        job=job,
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        default_status=_status(schedule),
        description=f"The main job, by cron {schedule.cron} in {schedule.timezone}; the next time "
        "stands beside, once it is on. Switch it on here, or with [schedule] enabled = true in "
        "the configuration.",
    )


def between(job: dg.UnresolvedAssetJobDefinition, schedule: Schedule) -> dg.ScheduleDefinition:
    """The deltas between the full runs, where the configuration names their times."""
    return dg.ScheduleDefinition(
        name=BETWEEN,
        job=job,
        cron_schedule=schedule.delta_cron,
        execution_timezone=schedule.timezone,
        default_status=_status(schedule),
        description=f"Reads what has changed, by cron {schedule.delta_cron} in "
        f"{schedule.timezone}. It is on where the nightly sync is.",
    )


_AT_NOON = "0 12 * * *"
"""Far from the nightly sync, because only one run works at a time."""


def pruning(job: dg.JobDefinition, schedule: Schedule) -> dg.ScheduleDefinition:
    """The daily pruning of Dagster's history; it is on where the nightly sync is."""
    return dg.ScheduleDefinition(
        name="daily_pruning",
        job=job,
        cron_schedule=_AT_NOON,
        execution_timezone=schedule.timezone,
        default_status=_status(schedule),
        description=f"Deletes runs older than {schedule.keep_days} days from Dagster's history. "
        "Switch it on here; [schedule] enabled = true switches it on with the nightly sync.",
    )


def _status(schedule: Schedule) -> dg.DefaultScheduleStatus:
    on, off = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
    return on if schedule.enabled else off
