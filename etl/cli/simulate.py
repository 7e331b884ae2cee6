"""Registers with known truth: ``doisoat simulate``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError

from etl.cli.common import JsonOption, print_json, steps
from etl.domain.errors import ConfigError
from etl.report import display
from etl.settings import Database


class Crowd(StrEnum):
    """What can be as crowded as among 100 million citizens."""

    NUMBERS = "numbers"


def _reach(option: str, url: str) -> None:
    """Connects once to a database that was named on the command line."""
    from etl.databases.connect import engine_for
    from etl.databases.refusals import plain_errors

    try:
        database = Database(url=SecretStr(url))
    except ValidationError:
        raise ConfigError(
            f"{option} is not a database URL.",
            remedy="Write it as dialect://user:password@host:port/database.",
        ) from None
    engine = engine_for(database, read_only=False)
    with plain_errors(database, f"Connecting to {option}"), engine.connect():
        pass


@contextmanager
def refusals() -> Iterator[None]:
    """Turns refusals of the simulation into configuration errors."""
    try:
        yield
    except FileExistsError as error:
        raise ConfigError(
            f"Nothing was written: {error}.",
            remedy="Add --replace to overwrite it, or name another place.",
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"Such registers cannot be made: {error}.", remedy="See 'doisoat simulate --help'."
        ) from None


def simulate(
    citizens: Annotated[int, typer.Option(min=1, help="Citizens in the population register.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for insurance, population and truth .parquet.")
    ] = None,
    insurance_url: Annotated[str, typer.Option(help="Database for the table insurance.")] = "",
    population_url: Annotated[str, typer.Option(help="Database for the table population.")] = "",
    truth: Annotated[str, typer.Option(help="Parquet file or database URL for the truth.")] = "",
    seed: Annotated[int, typer.Option(help="Same seed, same registers.")] = 2021,
    birth_window_days: Annotated[
        int | None,
        typer.Option(help="All births fall within this many days, to crowd them as in a nation."),
    ] = None,
    crowded: Annotated[
        Crowd | None,
        typer.Option(help="numbers: their last six digits are shared as among 100 million."),
    ] = None,
    fault_rates: Annotated[
        Path | None, typer.Option(help="Another fault_rates.toml.", exists=True, dir_okay=False)
    ] = None,
    replace: Annotated[bool, typer.Option(help="Overwrite what is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make two registers with known truth."""
    from etl.simulate import SimulationSpec, write_database, write_parquet

    if (out is None) == (not (insurance_url and population_url)):
        raise ConfigError(
            "Say where the registers go.",
            remedy="Give either --out FOLDER, or --insurance-url and --population-url.",
        )
    given = {"--insurance-url": insurance_url, "--population-url": population_url}
    if "://" in truth:
        given["--truth"] = truth
    for option, url in given.items():
        if url:
            _reach(option, url)
    with steps() as progress, refusals():
        task = progress.add_task("simulating", total=citizens)

        def done(count: int) -> None:
            progress.update(task, completed=count)

        spec = SimulationSpec(
            citizens=citizens,
            seed=seed,
            birth_window_days=birth_window_days,
            crowded_numbers=crowded is Crowd.NUMBERS,
            fault_rates=fault_rates,
        )
        report = (
            write_parquet(spec, out, done, replace=replace)
            if out is not None
            else write_database(
                spec,
                insurance_url,
                population_url,
                truth=truth or None,
                replace=replace,
                progress=done,
            )
        )
    if as_json:
        print_json(asdict(report))
        return
    display.say(
        f"{report.population_rows:,} citizens and {report.insurance_rows:,} insurance records in "
        f"{report.seconds:.1f} s; {report.clean_rows:,} records have no fault at all."
    )
