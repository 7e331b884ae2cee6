"""The jobs and when they run.

Belongs here: the main job and its schedule. Does not belong here: assets and checks.
"""

from __future__ import annotations

import dagster as dg

from etl.settings import Schedule

FULL_SYNC = "full_sync"
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
        default_status=(
            dg.DefaultScheduleStatus.RUNNING
            if schedule.enabled
            else dg.DefaultScheduleStatus.STOPPED
        ),
        description="The main job, every night. Switch it on here, or with "
        "[schedule] enabled = true in the configuration.",
    )
