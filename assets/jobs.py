"""The jobs and when they run.

Belongs here: the main job and its schedule. Does not belong here: assets and checks.
"""

from __future__ import annotations

import dagster as dg

from etl.settings import Schedule

FULL_SYNC = "full_sync"
PRUNE_HISTORY = "prune_history"
JOBS = {"full": FULL_SYNC}
"""The job of each mode of ``doisoat sync``."""


def full_sync() -> dg.UnresolvedAssetJobDefinition:
    """The main job: every asset and every check, from the registers to the target."""
    return dg.define_asset_job(
        FULL_SYNC,
        selection=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
        description="Reads both registers, normalises, reconciles, validates and publishes.",
    )


def nightly(job: dg.UnresolvedAssetJobDefinition, schedule: Schedule) -> dg.ScheduleDefinition:
    """The nightly sync; off until the configuration or a person in the UI switches it on."""
    return dg.ScheduleDefinition(
        name="nightly_sync",
        job=job,
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        default_status=_status(schedule),
        description="The main job, every night. Switch it on here, or with "
        "[schedule] enabled = true in the configuration.",
    )


_AT_NOON = "0 12 * * *"
"""Far from the night's sync, for which it would have to wait: one run at a time."""


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
