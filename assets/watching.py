"""The sensor that begins a delta when a register has changed.

Belongs here: what is asked of the registers, and whether the answer has changed. Does not belong
here: the run, and what has changed (``etl/extract``).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.jobs import DELTA_SYNC, FULL_SYNC
from assets.resources import DoisoatResource
from etl.domain.contract import CHANGED_AT, REGISTERS
from etl.domain.errors import DoisoatError
from etl.extract import look_at
from etl.pipeline.lock import run_at_work
from etl.settings import Schedule

WATCH = "watch_registers"

AGAIN = timedelta(hours=1)
"""How long after a failed run its changes are tried again, although nothing is new."""


def watch(job: dg.UnresolvedAssetJobDefinition, schedule: Schedule) -> dg.SensorDefinition:
    """The sensor; it is on where the schedules are on.

    Args:
        job: The delta.
        schedule: How often it looks.
    """

    @dg.sensor(
        name=WATCH,
        job=job,
        minimum_interval_seconds=60 * schedule.watch_minutes,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if schedule.enabled else dg.DefaultSensorStatus.STOPPED
        ),
        description=f"Asks both registers every {schedule.watch_minutes} minutes how many rows "
        f"they have and when one was changed last ({CHANGED_AT}), and begins a delta when either "
        "is news, or an hour after the last run failed.",
    )
    def look(
        context: dg.SensorEvaluationContext, doisoat: DoisoatResource
    ) -> dg.RunRequest | dg.SkipReason:
        settings = doisoat.settings
        if run_at_work(settings):
            return dg.SkipReason("A run is at work; what has changed is seen at the next look.")
        try:
            seen = {
                name: look_at(name, getattr(settings, name), settings.engine) for name in REGISTERS
            }
        except DoisoatError as error:
            return dg.SkipReason(f"A register could not be asked: {error}")
        found = json.dumps(seen)
        if found == context.cursor:
            failed = _failed_at(context.instance)
            if failed is None:
                return dg.SkipReason("Nothing has changed since the last look.")
            if datetime.now(UTC) < (due := failed + AGAIN):
                return dg.SkipReason(
                    "Nothing has changed since the last look. The last run failed; what had "
                    f"changed is tried again at {settings.schedule.shown(due)}."
                )
        context.update_cursor(found)
        return dg.RunRequest()

    return look


def _failed_at(instance: dg.DagsterInstance) -> datetime | None:
    """Returns when the last sync failed; None if it succeeded or a person stopped it."""
    last = [
        record
        for job in (DELTA_SYNC, FULL_SYNC)
        for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
    ]
    newest = max(last, key=lambda record: record.create_timestamp, default=None)
    if newest is None or newest.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    return datetime.fromtimestamp(newest.end_time or newest.create_timestamp.timestamp(), UTC)
