"""What every command shares: its settings, its options, how it prints.

Belongs here: what two modules of commands need. Does not belong here: any command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from etl.demo import demonstration
from etl.domain.showing import as_json as to_json
from etl.process.machine import (
    foreign_encoding,
)
from etl.process.stopping import on_stop
from etl.report import display
from etl.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, Settings, load_settings


@dataclass
class Common:
    """The options before a command, which every command gets."""

    config: Path | None = None
    debug: bool = False


class Mode(StrEnum):
    """How much a sync reads."""

    FULL = "full"
    DELTA = "delta"


class Language(StrEnum):
    """The languages of explanations."""

    VI = "vi"
    EN = "en"


def settings_of(context: typer.Context) -> Settings:
    """Reads the configuration that was named, else ``doisoat.toml``, else the demo's."""
    common: Common = context.obj
    chosen = common.config or os.environ.get(CONFIG_VARIABLE)
    if not chosen and not Path(DEFAULT_CONFIG).exists():
        of_demo = demonstration.config_file()
        chosen = of_demo if of_demo.exists() else None
    return load_settings(chosen)


def settings_with_databases(context: typer.Context) -> Settings:
    """``settings_of``, for a command that uses the databases or the state.

    If the configuration is the demo's, the demo's server is started; it stops by itself when the
    last process that uses it ends.
    """
    settings = settings_of(context)
    if demonstration.is_demo(settings.file):
        demonstration.start_server(settings.file.parent)
    return settings


def print_json(value: Any, indent: int | None = 2) -> None:
    """Prints JSON, in ASCII if the output's encoding lacks some letters."""
    sys.stdout.write(to_json(value, indent, ascii_only=foreign_encoding() is not None) + "\n")


@contextmanager
def steps() -> Iterator[Progress]:
    """Shows a progress bar; also when a signal stops the process, the terminal is left in order."""
    shown = Progress(
        TextColumn("{task.description:<38}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=display.errors,
        transient=True,
    )
    with shown, on_stop(shown.stop):
        yield shown


JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
