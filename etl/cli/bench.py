"""Measuring doisoat on this machine: ``doisoat bench profile`` and ``national``.

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
from etl.cli.simulate import refusals
from etl.domain.errors import ConfigError
from etl.report import display

if TYPE_CHECKING:
    from etl.bench.national import Progress, Report
    from etl.bench.profile import Taken
    from etl.simulate import SimulationSpec

MemoryOption = Annotated[
    str, typer.Option(help="As memory in section engine of the configuration: 4GB.")
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="As threads in section engine of the configuration.")
]
SeedOption = Annotated[int, typer.Option(help="Of the simulation.")]

app = typer.Typer(
    help="Measure doisoat on this machine, with simulated registers.", no_args_is_help=True
)


@app.command()
def profile(
    citizens: Annotated[int, typer.Option(min=1, help="Citizens to simulate.")] = 1_100_000,
    registers: Annotated[
        Path | None,
        typer.Option(help="Folder with insurance.parquet and population.parquet instead."),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(
            help="New folder to work in; its registers are kept. Default: a temporary folder."
        ),
    ] = None,
    memory: MemoryOption = "",
    threads: ThreadsOption = None,
    seed: SeedOption = 101,
    as_json: JsonOption = False,
) -> None:
    """Measure time, processor time, memory and disk space of each table of a run."""
    from etl.bench.profile import REGISTERS, claim, simulated
    from etl.bench.profile import profile as measure
    from etl.settings import Engine

    with ExitStack() as stack:
        folder = home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doisoat-")))
        claim(folder)
        bar = stack.enter_context(steps())
        task = bar.add_task("simulating", total=None)
        if registers is None:
            files = simulated(folder, _spec(citizens, seed))
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


def _spec(citizens: int, seed: int) -> SimulationSpec:
    from etl.simulate import SimulationSpec

    with refusals():
        return SimulationSpec(citizens, seed=seed)


def _show(taken: list[Taken]) -> None:
    """Prints what each table took, the most processor time first, and the sums."""
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


@app.command()
def national(
    home: Annotated[
        Path,
        typer.Option(
            help="New folder to work in, on a disk with enough space; it is kept, so that a run "
            "that broke off can be continued."
        ),
    ],
    citizens: Annotated[int, typer.Option(min=1, help="Citizens to simulate.")] = 100_000_000,
    memory: MemoryOption = "16GB",
    threads: ThreadsOption = None,
    seed: SeedOption = 101,
    as_json: JsonOption = False,
) -> None:
    """Measure a run of a nation: simulate it, build each table, judge each rule, check the links.

    If it breaks off, the same command continues it.
    """
    from assets.checks import judges
    from etl.bench.national import national as measure
    from etl.bench.profile import claim
    from etl.settings import Engine

    claim(home)
    with steps() as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            left = "" if progress.left is None else f", {_minutes(progress.left)} left"
            bar.update(
                task,
                description=f"{progress.phase}: {progress.name}{left}",
                completed=progress.done,
                total=progress.total,
            )
            if progress.finished:
                bar.console.print(_line(progress), highlight=False, soft_wrap=True)

        engine = Engine(**{k: v for k, v in (("memory", memory), ("threads", threads)) if v})
        report = measure(home, _spec(citizens, seed), judges(), engine, show)
    if as_json:
        print_json(asdict(report))
    else:
        _show_nation(report)


def _minutes(seconds: float) -> str:
    return f"about {seconds / 60:,.0f} min" if seconds >= 90 else f"about {seconds:,.0f} s"


def _line(progress: Progress) -> str:
    """Describes a finished step: phase, rows, rate, memory, disk, time left."""
    step = progress.finished
    assert step is not None  # noqa: S101 - only what is finished has a line
    memory = "" if step.peak_bytes is None else f", {step.peak_bytes / 1e9:.1f} GB of memory"
    left = "" if progress.left is None else f", {_minutes(progress.left)} left"
    return (
        f"{progress.done:>3}/{progress.total} {step.phase:8} {step.name}: {step.rows:,} rows in "
        f"{step.seconds:,.1f} s ({step.rows / max(step.seconds, 1e-3):,.0f}/s){memory}, "
        f"{step.disk_bytes / 1e9:.1f} GB of disk{left}"
    )


def _show_nation(report: Report) -> None:
    """Prints what each phase took, the sums, and how many links are right."""
    table = display.simple_table()
    for column in ("phase", "steps", "seconds", "CPU s", "peak GB", "disk GB"):
        table.add_column(column, justify="left" if column == "phase" else "right", no_wrap=True)
    for phase in dict.fromkeys(step.phase for step in report.steps):
        of_phase = [step for step in report.steps if step.phase == phase]
        peaks = [step.peak_bytes for step in of_phase if step.peak_bytes is not None]
        table.add_row(
            phase, f"{len(of_phase):,}",
            f"{sum(step.seconds for step in of_phase):,.1f}",
            f"{sum(step.processor_seconds for step in of_phase):,.1f}",
            f"{max(peaks) / 1e9:.1f}" if peaks else "–",
            f"{of_phase[-1].disk_bytes / 1e9:.1f}",
        )  # fmt: skip
    display.console.print(table)
    measured = [step for step in report.steps if step.phase != "simulate"]
    seconds = sum(step.seconds for step in measured)
    processor = sum(step.processor_seconds for step in measured)
    right = report.accuracy
    display.say(
        f"{report.citizens:,} citizens, {right.links:,} links: {seconds:,.0f} s, "
        f"{processor:,.0f} s of processor time, without simulating. {right.wrong:,} links are "
        f"wrong, precision {right.precision:.6f}; recall of all citizens' records "
        f"{right.recall:.4f}."
    )
