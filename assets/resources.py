"""The one resource: settings and warehouse for a step of a run.

Belongs here: how a step gets at its settings and its tables. Does not belong here: what it does
with them.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from assets.processes import this_process
from etl.errors import DoisoatError
from etl.settings import Settings, load_settings
from etl.warehouse.engine import Warehouse
from etl.warehouse.run import Run, warehouse_for

WAREHOUSE_POOL = "warehouse"
"""DuckDB has one writer: every step that writes takes this pool's one slot."""

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


class Doisoat(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings and warehouse.

    Attributes:
        config_file: The configuration; empty means what ``DOISOAT_CONFIG`` names.
    """

    config_file: str = ""
    _settings: Settings | None = PrivateAttr(default=None)
    _named: str = PrivateAttr(default="")

    @property
    def settings(self) -> Settings:
        """The settings, read when first needed: a broken file must not hide the graph."""
        if self._settings is None:
            self._settings = load_settings(self.config_file or None)
        return self._settings

    @contextmanager
    def step(self, context: Context) -> Iterator[Warehouse]:
        """Opens the warehouse for one step; a known trouble fails it in plain words.

        Raises:
            dg.Failure: What a person can mend, without a stack trace's noise.
        """
        self._name_process(context)
        try:
            with warehouse_for(self.settings, Run(context.run.run_id)) as warehouse:
                yield warehouse
        except dg.Failure:
            raise
        except DoisoatError as error:
            raise dg.Failure(
                description=str(error),
                metadata={"exit_code": error.exit_code},
                allow_retries=error.exit_code == 3,
            ) from None
        except Exception as error:
            # Errors of databases love to quote values, and Dagster keeps what it is given.
            raise dg.Failure(
                description=f"{type(error).__name__} at {_places(error)}. Its words are withheld, "
                "because they may quote personal data.",
                allow_retries=False,
            ) from None

    def _name_process(self, context: Context) -> None:
        """Says once which process a run lives in, so that its death is noticed."""
        if self._named != context.run.run_id:
            self._named = context.run.run_id
            context.instance.add_run_tags(context.run.run_id, this_process())


def _places(error: BaseException) -> str:
    """Returns where an error came from, innermost last, without any value."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " > ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames)
