"""What doisoat takes on this machine: ``doisoat bench profile``.

Belongs here: options and tables on the terminal. Does not belong here: measuring (``etl/bench``).
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl.cli.common import JsonOption, print_json, steps
from etl.domain.errors import ConfigError
from etl.report import display

if TYPE_CHECKING:
    from etl.bench.profile import Taken

app = typer.Typer(
    help="Measure doisoat on this machine, with simulated registers.", no_args_is_help=True
)


@app.callback()
def _bench() -> None:
    """Keeps ``profile`` a command with a name, however few commands there are."""


@app.command()
def profile(
    citizens: Annotated[int, typer.Option(min=1, help="Citizens to simulate.")] = 1_100_000,
    registers: Annotated[
        Path | None,
        typer.Option(help="Folder with insurance.parquet and population.parquet instead."),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help="New folder to work in; its registers are kept. Default: one for now."),
    ] = None,
    memory: Annotated[str, typer.Option(help="As [engine] memory: 4GB.")] = "",
    threads: Annotated[int | None, typer.Option(min=1, help="As [engine] threads.")] = None,
    seed: Annotated[int, typer.Option(help="Of the simulation.")] = 101,
    as_json: JsonOption = False,
) -> None:
    """Time, processors, memory and room of each table between raw files and what leaves."""
    from etl.bench.profile import REGISTERS, claim, simulated
    from etl.bench.profile import profile as measure
    from etl.settings import Engine
    from etl.simulate import SimulationSpec

    with ExitStack() as stack:
        folder = home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doisoat-")))
        claim(folder)
        bar = stack.enter_context(steps())
        task = bar.add_task("simulating", total=None)
        if registers is None:
            files = simulated(folder, SimulationSpec(citizens, seed=seed))
        else:
            files = {name: registers / f"{name}.parquet" for name in REGISTERS}
            if missing := [file for file in files.values() if not file.is_file()]:
                raise ConfigError(
                    "There are no registers to measure with.",
                    where=str(missing[0]),
                    remedy="Make some: doisoat simulate --citizens 1000000 --out FOLDER",
                )

        def show(table: str, done: int, total: int) -> None:
            bar.update(task, description=table, completed=done, total=total)

        engine = Engine(**{k: v for k, v in (("memory", memory), ("threads", threads)) if v})
        taken: list[Taken] = measure(folder, files, engine, show)
    if as_json:
        print_json([asdict(one) for one in taken])
    else:
        _show(taken)


def _show(taken: list[Taken]) -> None:
    """Prints the dearest tables first, and the sums."""
    table = display.simple_table()
    for column in ("table", "rows", "seconds", "CPU s", "peak MiB", "disk MiB"):
        table.add_column(column, justify="left" if column == "table" else "right", no_wrap=True)
    for one in sorted(taken, key=lambda one: -one.processor_seconds):
        peak = "–" if one.peak_bytes is None else f"{one.peak_bytes >> 20:,}"
        table.add_row(
            one.table, f"{one.rows:,}", f"{one.seconds:,.2f}",
            f"{one.processor_seconds:,.2f}", peak, f"{one.bytes >> 20:,}",
        )  # fmt: skip
    display.console.print(table)
    peaks = [one.peak_bytes for one in taken if one.peak_bytes is not None]
    peak = f", at most {max(peaks) >> 20:,} MiB of memory" if peaks else ""
    display.say(
        f"{sum(one.seconds for one in taken):,.1f} s, "
        f"{sum(one.processor_seconds for one in taken):,.1f} s of processor time, "
        f"{sum(one.bytes for one in taken) >> 20:,} MiB of disk{peak}."
    )
