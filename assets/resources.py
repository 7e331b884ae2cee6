"""The one resource: settings and warehouse for a step of a run.

Belongs here: how a step gets at its settings and its tables. Does not belong here: what it does
with them.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg

from assets.jobs import DELTA_SYNC, FULL_SYNC
from assets.processes import cancelled_by_signals, this_process
from assets.tags import REPLACE_TAG, tell_failed
from etl.domain.errors import DamagedError, DoisoatError
from etl.engine.port import Warehouse
from etl.pipeline.run import DELTA, FULL, Run, warehouse_for
from etl.process.machine import trouble_of_the_machine
from etl.process.privacy import WITHHELD, places
from etl.settings import Settings, load_settings
from etl.state.copying import save_now
from expectations import suites

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


class Doisoat:
    """Settings and warehouse.

    A plain object, which takes no configuration from a run: otherwise whoever may launch a run
    could name another configuration, and so copy the registers anywhere.
    """

    def __init__(self, config_file: Path | None = None) -> None:
        """Remembers where the settings are.

        Args:
            config_file: The configuration; None means what ``DOISOAT_CONFIG`` names.
        """
        self._file = config_file
        self._settings: Settings | None = None
        self._named = ""
        self._runs: dict[str, Run] = {}

    @property
    def settings(self) -> Settings:
        """The settings, read when first needed: a broken file must not hide the graph.

        Raises:
            ConfigError: They, or the thresholds that they name, cannot be read.
        """
        if self._settings is None:
            found = load_settings(self._file)
            suites(found.quality.thresholds)  # the graph has the package's if these fail
            self._settings = found
        return self._settings

    @contextmanager
    def step(self, context: Context) -> Iterator[Warehouse]:
        """Opens the warehouse for one step; a known error fails the step with a plain message.

        Raises:
            dg.Failure: An error that a person can correct, without a stack trace.
        """
        try:
            self.name_process(context)
            with warehouse_for(self.settings, self._run_of(context)) as warehouse:
                yield warehouse
        except dg.Failure:
            raise
        except Exception as error:
            with suppress(Exception):  # a full disk, say
                tell_failed(context, context.op_execution_context.op.name)
            self._keep_what_was_found(context, error)
            raise self._failure(error) from None

    def _run_of(self, context: Context) -> Run:
        """Returns the run of a step; looked up once, because reading a run's plan takes long."""
        if context.run.run_id not in self._runs:
            self._runs = {context.run.run_id: self._looked_up(context)}
        return self._runs[context.run.run_id]

    @staticmethod
    def _looked_up(context: Context) -> Run:
        run = context.run
        part = bool(run.asset_selection or run.asset_check_selection or _steps_chosen(context))
        return Run(
            run.run_id,
            DELTA if run.job_name == DELTA_SYNC else FULL,
            replace=run.tags.get(REPLACE_TAG) == "yes",
            whole=run.job_name == FULL_SYNC and not part,
            part=part,
        )

    def _keep_what_was_found(self, context: Context, error: Exception) -> None:
        """Saves results of checks after a step failed; if that fails, the next run saves them."""
        if isinstance(error, DamagedError) or (isinstance(error, DoisoatError) and error.may_pass):
            return  # a file was set aside, or a database is out of reach
        with suppress(Exception), warehouse_for(self.settings, self._run_of(context)) as warehouse:
            save_now(warehouse, self.settings)

    def _failure(self, error: Exception) -> dg.Failure:
        """Describes why a step failed, for the run's page and for the command line."""
        where = str(self._settings.home) if self._settings else ""
        known = error if isinstance(error, DoisoatError) else trouble_of_the_machine(error, where)
        if known is not None:
            return dg.Failure(
                description=str(known),
                metadata={"exit_code": known.exit_code},
                allow_retries=known.may_pass,
            )
        # Errors of databases often quote values, and Dagster keeps what it is given.
        return dg.Failure(
            description=f"{type(error).__name__} at {places(error)}; {WITHHELD}.",
            allow_retries=False,
        )

    def name_process(self, context: Context | dg.OpExecutionContext) -> None:
        """Notes once which process executes a run, so that its death is noticed."""
        if self._named != context.run.run_id:
            self._named = context.run.run_id
            context.instance.add_run_tags(context.run.run_id, this_process())
            cancelled_by_signals(context.instance, context.run.run_id)


def _steps_chosen(context: Context) -> bool:
    """Says whether a run executes only some steps of its job, as one that is retried does.

    A run of the command line names all steps.
    """
    run = context.run
    if not (named := run.step_keys_to_execute) or run.execution_plan_snapshot_id is None:
        return bool(named)
    plan = context.instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    return len(named) < len(plan.steps)


DoisoatResource = dg.ResourceParam[Doisoat]
"""The annotation by which an asset, a check, an op or a sensor gets it."""
