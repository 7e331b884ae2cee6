"""The state, which must outlive every run: ``doisoat state export``, ``import``, ``migrate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from etl.cli.common import settings_with_databases
from etl.domain.errors import WarehouseBusyError
from etl.domain.showing import in_markup
from etl.report import display

app = typer.Typer(
    help="Back up what must outlive every run, move it, bring it forward.", no_args_is_help=True
)


@app.command("export")
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The archive to write; it names persons.")],
) -> None:
    """Write decisions, histories, notes, models and the access log to one file."""
    from etl.state.moving import export_state

    rows = export_state(settings_with_databases(context), file)
    display.say(
        f"{sum(rows.values()):,} rows of {len(rows)} tables written to {in_markup(file)}; only you "
        "may read the file. The secret of the record keys (record_key, in the home) is not in it."
    )


@app.command("import")
def read_back(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What 'doisoat state export' wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of a state that is there.")
    ] = False,
) -> None:
    """Read a state back, in one transaction; the next run continues from it."""
    from etl.pipeline.lock import lock_file, while_no_run_is_at_work
    from etl.state.moving import import_state

    settings = settings_with_databases(context)
    with while_no_run_is_at_work(settings) as alone:
        if not alone:
            raise WarehouseBusyError(
                "A run is at work, which writes to the state; nothing was read.",
                where=str(lock_file(settings)),
                remedy="Wait for it to end ('doisoat runs' lists it).",
            )
        rows = import_state(settings, file, replace=replace)
    display.say(f"{sum(rows.values()):,} rows of {len(rows)} tables read.")


@app.command()
def migrate(
    context: typer.Context,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the statements, and change nothing.")
    ] = False,
) -> None:
    """Create the state's tables, or bring them to this version; every run does so by itself.

    Where doisoat may not create tables, an administrator runs what --sql prints.
    """
    from etl.state.schema import bring_forward, statements_to_head

    settings = settings_with_databases(context)
    if sql:
        sys.stdout.write(statements_to_head(settings))
        return
    bring_forward(settings)
    display.say(f"The state in {in_markup(settings.state_database.shown)} is of this version.")
