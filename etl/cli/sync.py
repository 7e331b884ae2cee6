"""Running the main job: ``doisoat sync``, ``doisoat demo``."""

from __future__ import annotations

from typing import Annotated

import typer

from etl.cli.common import JsonOption, Mode, print_json, settings_with_databases, steps
from etl.demo import demonstration
from etl.domain.errors import DoisoatError
from etl.domain.showing import in_markup
from etl.report import display
from etl.settings import Settings, load_settings


def _alert(settings: Settings, not_begun: DoisoatError | None = None) -> None:
    """Sends alerts of what is new; a message that does not arrive makes no run fail."""
    if not settings.alerts.urls:
        return
    from assets.alerts import tell_news, tell_of_no_run
    from assets.instance import instance_for

    try:
        instance = instance_for(settings)
        if not_begun is not None:
            tell_of_no_run(settings, instance, not_begun)
        else:
            tell_news(settings, instance)
    except DoisoatError as error:
        display.show_error(error)
    except Exception as error:
        # A full disk, say. It does not change how the run ended.
        display.show_problem(f"Alerts could not be sent ({type(error).__name__}).")


def _sync(settings: Settings, mode: Mode, as_json: bool, *, replace_target: bool = False) -> int:
    """Runs the main job and shows what it found."""
    from assets.running import run_sync

    with steps() as progress:
        task = progress.add_task("starting", total=None)

        def show(step: str, done: int, total: int) -> None:
            progress.update(task, description=step, completed=done, total=total)

        try:
            outcome = run_sync(settings, mode.value, show, replace_target=replace_target)
        except DoisoatError as error:
            _alert(settings, error)
            raise
    _alert(settings)
    figures = outcome.figures
    if as_json:
        print_json(
            {
                "run": outcome.run_id,
                "exit_code": outcome.exit_code,
                "problem": outcome.problem,
                "failed_checks": outcome.failed_checks,
                "figures": figures.as_dict() if figures else None,
            }
        )
        return outcome.exit_code
    if figures:
        display.show_figures(figures)
    if outcome.exit_code in (0, 1):
        display.show_checks(outcome.failed_checks)
    if outcome.problem:
        display.show_problem(outcome.problem)
    return outcome.exit_code


def sync(
    context: typer.Context,
    mode: Annotated[
        Mode,
        typer.Option(
            help="full: read both registers whole. delta: read what has changed since the last "
            "run, and go on from its result."
        ),
    ] = Mode.FULL,
    replace_target: Annotated[
        bool,
        typer.Option(
            "--replace-target",
            help="Publish this once although another installation published the target, or most "
            "of its rows would vanish.",
        ),
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, metavar="MINUTES", help="Wait for a run that is at work.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run the main job: read, normalise, reconcile, validate, publish."""
    from etl.pipeline.lock import wait_until_free
    from etl.report.charts import charts_file

    settings = settings_with_databases(context)
    if wait:
        wait_until_free(settings, 60 * wait, display.errors.print)
    code = _sync(settings, mode, as_json, replace_target=replace_target)
    if code == 0 and not as_json:
        display.say(
            f"Published to [bold]{in_markup(settings.target.shown)}[/]. "
            "Next: [bold]doisoat ui[/] shows lineage, checks and this run.\n"
            f"Charts of this run, for a browser: {in_markup(charts_file(settings))}"
        )
    raise typer.Exit(code)


def demo(
    citizens: Annotated[int, typer.Option(min=1_000, help="Simulated citizens.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Same seed, same registers.")] = 2021,
    as_json: JsonOption = False,
) -> None:
    """Run a sync on simulated registers, in a real PostgreSQL that this command starts itself."""
    from etl.report.charts import charts_file

    home = demonstration.DEMO_HOME
    with steps() as progress:
        task = progress.add_task("simulating the registers", total=citizens)
        report = demonstration.prepare(
            citizens, seed, home, lambda done: progress.update(task, completed=done)
        )
    if not as_json:
        display.say(
            f"Simulated {report.population_rows:,} citizens and {report.insurance_rows:,} "
            "insurance records, in two databases of a PostgreSQL of its own."
        )
    settings = load_settings(demonstration.config_file(home))
    code = _sync(settings, Mode.FULL, as_json, replace_target=True)  # another seed, others' rows
    if code == 0 and not as_json:
        display.say(
            "Nobody in these figures exists. Next:\n"
            "  [bold]doisoat ui[/]     lineage, checks and this run in the Dagster UI\n"
            "  [bold]doisoat sync[/]   run again: nothing changes, because nothing changed\n"
            "  docs/configuration.md tells how to point doisoat at real databases.\n"
            f"Charts of this run, for a browser: {in_markup(charts_file(settings))}"
        )
    raise typer.Exit(code)
