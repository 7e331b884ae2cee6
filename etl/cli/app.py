"""The ``doisoat`` command: all commands by name, and how a command ends.

Belongs here: the list of commands, and turning errors into messages and exit codes. Does not belong
here: a command (the modules beside this one).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from etl.cli import (
    bench,
    check,
    console,
    explain,
    quality,
    report,
    simulate,
    state,
    steward,
    sync,
    ui,
    worklists,
)
from etl.cli.common import Common
from etl.domain.errors import DoisoatError
from etl.process.machine import (
    speak_with_any_terminal,
    trouble_of_the_machine,
)
from etl.process.privacy import mute_uncaught_errors, own_what_is_written, stack_trace
from etl.process.stopping import STOPPED
from etl.report import display

app = typer.Typer(
    name="doisoat",
    help="Đối soát: reconciles the national insurance register with the population register.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Exit codes: 0 done, 1 a quality gate failed, 2 wrong use or configuration, "
    "3 a database, a disk or a receiver of alerts is away or refused, 70 a fault of doisoat "
    "itself, 130 stopped by a signal.",
)


COMMANDS = (
    sync.sync,
    sync.demo,
    simulate.simulate,
    check.check,
    report.train,
    report.charts,
    quality.triage,
    quality.acknowledge,
    quality.alerts,
    explain.explain,
    steward.decide,
    ui.ui,
    explain.normalise,
)
"""Every command, in the order in which the help lists them."""

for _command in COMMANDS:
    app.command()(_command)
app.add_typer(report.runs, name="runs")
app.add_typer(console.app, name="console")
app.add_typer(worklists.app, name="worklists")
app.add_typer(state.app, name="state")
app.add_typer(bench.app, name="bench")


def _tell_version(wanted: bool) -> None:
    if wanted:
        display.console.print(f"doisoat {version('doisoat')}", highlight=False)
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration file; default: $DOISOAT_CONFIG, doisoat.toml, the demo."),
    ] = None,
    debug: Annotated[
        bool, typer.Option(help="Show stack traces; they quote no personal data.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Its version.")
    ] = False,
) -> None:
    context.obj = Common(config, debug)


def _guarded(run: Callable[[], Any], debug: bool) -> int:
    """Runs a command and turns its errors into messages and an exit code."""
    try:
        return int(run() or 0)
    except SystemExit as ended:  # how the command line ends, with or without a failure
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except DoisoatError as error:
        _trace(error, debug)
        display.show_error(error)
        return error.exit_code
    except typer.Abort:
        return STOPPED
    except Exception as error:
        _trace(error, debug)
        if (known := trouble_of_the_machine(error)) is not None:
            display.show_error(known)
            return known.exit_code
        display.show_problem(
            f"doisoat itself failed ({type(error).__name__}).\n"
            "What to do: run again with --debug for the stack trace (it quotes no personal data), "
            "and report it."
        )
        return 70


def _trace(error: Exception, debug: bool) -> None:
    if debug:
        sys.stderr.write(stack_trace(error) + "\n")


def command() -> int:
    """Runs the command line and returns its exit code.

    Files that it and its children write are readable by their user only, except those that a
    person asked for and that hold no personal data.
    """
    own_what_is_written()
    speak_with_any_terminal()
    mute_uncaught_errors()
    debug = "--debug" in sys.argv
    return _guarded(lambda: app(standalone_mode=True), debug)
