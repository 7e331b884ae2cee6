"""What runs found: ``doisoat runs``, ``charts``; the model that they use: ``doisoat train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etl.cli.common import JsonOption, print_json, settings_of, settings_with_databases
from etl.domain.errors import ConfigError
from etl.domain.showing import in_markup
from etl.report import display

runs = typer.Typer(help="List the last runs; compare two of them.")


@runs.callback(invoke_without_command=True)
def list_runs(
    context: typer.Context,
    last: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the last runs, and say when the next one begins by itself; compare two of them."""
    from assets.jobs import next_nightly
    from etl.report.figures import read_runs

    if context.invoked_subcommand:
        return
    settings = settings_of(context)
    found = read_runs(settings, last)
    if as_json:
        print_json(found)
        return
    display.show_runs(found, settings.schedule)
    try:
        display.show_next(next_nightly(settings))
    except ConfigError as error:  # the list is printed, which is all that was asked for
        display.show_error(error)


@runs.command()
def diff(
    context: typer.Context,
    before: Annotated[
        str | None,
        typer.Argument(help="An earlier published run. Default: the one before the later run."),
    ] = None,
    after: Annotated[
        str | None, typer.Argument(help="The later run. Default: the last published one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what changed between two runs: links, mismatches, records; by step, code, province."""
    from etl.report.changes import read_changes

    settings = settings_of(context)
    changes = read_changes(settings, before, after)
    if as_json:
        print_json(changes.as_dict())
    else:
        display.show_changes(changes, settings.schedule)


def charts(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option(help="The page to write; else charts/run.html in the home.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the last run as one page without personal data: provinces, thresholds, mismatches."""
    from etl.engine.statements import TableName
    from etl.pipeline.snapshots import has, reading
    from etl.report.charts import charts_file, write_charts

    settings = settings_of(context)
    file = output or charts_file(settings)
    with reading(settings, has(TableName("publish", "waterfall"))) as warehouse:
        write_charts(warehouse, file, settings.schedule, private=output is None)
    if as_json:
        print_json({"page": str(file)})
    else:
        display.say(f"Written to {in_markup(file)}: open it in a browser; it needs no network.")


def train(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Chooses the sample: same seed, same model.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Estimate the linkage model from the last run's registers; the next run uses it."""
    from etl.engine.statements import TableName
    from etl.pipeline.snapshots import has, reading
    from etl.reconcile import training

    settings = settings_with_databases(context)
    with reading(settings, has(TableName("core", "claims"))) as warehouse:
        trained = training.train(warehouse, seed)
        folder = (settings.home / "models" / trained.model.version).resolve()
        training.write_pages(trained, folder)
    training.keep(settings, trained.model)
    if as_json:
        print_json({"version": trained.model.version, **trained.model.about,
                     "same_person": trained.model.same_person, "charts": str(folder)})  # fmt: skip
        return
    display.show_model(trained.model.version, trained.model.about, trained.model.same_person)
    display.say(f"The next run uses it. Its charts are in {in_markup(folder)}.")
