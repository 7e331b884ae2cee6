"""All of it: the definitions that the UI, the daemon and the command line load.

Belongs here: composition. Does not belong here: any definition itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import dagster as dg
from dagster import _loggers as dagster_loggers

from assets.alerts import alert_sensor
from assets.checks import suite_checks
from assets.engines import keep_engines
from assets.history import prune_job
from assets.jobs import between, delta_sync, full_sync, nightly, pruning, usable_schedule
from assets.publishing import publish_assets
from assets.registers import raw_assets, source_specs
from assets.resources import Doisoat
from assets.tables import table_assets
from assets.watching import watch
from etl.domain.errors import ConfigError
from etl.settings import Alerts, Schedule, Settings, load_settings
from expectations import SUITES, Suite, suites


def build_defs(
    settings: Settings | None = None, resources: Mapping[str, object] | None = None
) -> dg.Definitions:
    """Composes the definitions.

    Args:
        settings: The settings; None reads those that ``DOISOAT_CONFIG`` names. If they cannot be
            read, the graph is still shown, and a run says what is wrong.
        resources: Resources in place of the usual ones.
    """
    keep_engines()  # a run of the UI opens Dagster's instance before any other code of ours
    settings = settings or _readable_settings()
    kinds = {
        name: getattr(settings, name).parsed.get_backend_name() if settings else "database"
        for name in ("insurance", "population", "target")
    }
    job, delta, prune = full_sync(), delta_sync(), prune_job()
    schedule = usable_schedule(settings.schedule) if settings else Schedule()
    return dg.Definitions(
        assets=[
            *source_specs(kinds),
            *raw_assets(),
            *table_assets(),
            *publish_assets(kinds["target"]),
        ],
        asset_checks=suite_checks(_readable_suites(settings)),
        jobs=[job, delta, prune],
        schedules=[
            nightly(job, schedule),
            *([between(delta, schedule)] if schedule.delta_cron else []),
            pruning(prune, schedule),
        ],
        sensors=[
            alert_sensor(settings.alerts if settings else Alerts()),
            *([watch(delta, schedule)] if schedule.watch_minutes else []),
        ],
        resources={
            "doisoat": Doisoat(settings.file if settings else None),
            # With Dagster's own, whoever launches a run could name a folder to write to.
            "io_manager": dg.mem_io_manager,
            **(resources or {}),
        },
        # One process: DuckDB has one writer, and Great Expectations takes seconds to load.
        executor=dg.in_process_executor,
    )


def _readable_settings() -> Settings | None:
    try:
        return load_settings()
    except ConfigError:
        return None


def _readable_suites(settings: Settings | None) -> tuple[Suite, ...]:
    """The suites with the configured numbers; if these cannot be read, with the package's."""
    try:
        return suites(settings.quality.thresholds if settings else None)
    except ConfigError:
        return SUITES


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions that the UI, the daemon and their runs load; nobody else calls it."""
    _keep_the_terminal_clear()
    return build_defs()


def _keep_the_terminal_clear() -> None:
    """Keeps the events of the UI's runs, which are in their logs, off ``doisoat ui``'s terminal.

    Dagster prints each of them, a failed step's with its stack, unless the run's configuration says
    otherwise; its own setting for that would keep our warnings out of the run's log, too.
    """

    @dg.logger
    def silent(_: dg.InitLoggerContext) -> logging.Logger:
        return logging.Logger("doisoat", logging.CRITICAL + 1)

    dagster_loggers.colored_console_logger = silent
