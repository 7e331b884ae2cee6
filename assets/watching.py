"""The sensor that begins a delta when a register has changed.

Belongs here: what is asked of the registers, and whether that is news. Does not belong here: the
run, and what has changed (``etl/extract``).
"""

from __future__ import annotations

import json

import dagster as dg

from assets.resources import DoisoatResource
from etl.domain.contract import CHANGED_AT, REGISTERS
from etl.domain.errors import DoisoatError
from etl.extract import look_at
from etl.pipeline.lock import run_at_work
from etl.settings import Schedule

WATCH = "watch_registers"


def watch(job: dg.UnresolvedAssetJobDefinition, schedule: Schedule) -> dg.SensorDefinition:
    """The sensor; it is on where the schedules are.

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
        "is news.",
    )
    def look(
        context: dg.SensorEvaluationContext, doisoat: DoisoatResource
    ) -> dg.RunRequest | dg.SkipReason:
        settings = doisoat.settings
        if run_at_work(settings):
            return dg.SkipReason("A run is at work; what has changed is seen at the next look.")
        try:
            seen = {name: look_at(name, getattr(settings, name)) for name in REGISTERS}
        except DoisoatError as error:
            return dg.SkipReason(f"A register could not be asked: {error}")
        found = json.dumps(seen)
        if found == context.cursor:
            return dg.SkipReason("Nothing has changed since the last look.")
        context.update_cursor(found)
        return dg.RunRequest()

    return look
