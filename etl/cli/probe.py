"""Trying a configuration without moving a row.

Belongs here: ``doisoat check``. Does not belong here: reading rows (``etl/extract/load.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from etl.databases.connect import encoding, reading
from etl.domain.contract import REGISTERS
from etl.domain.errors import DiskFullError, DoisoatError, NothingYetError, WarehouseBusyError
from etl.engine.opening import try_engine
from etl.extract.delta import must_be_watchable, try_delta
from etl.extract.streams import reading_register
from etl.pipeline import snapshots
from etl.process.machine import trouble_of_the_machine, try_home
from etl.process.privacy import WITHHELD, load_record_key, places
from etl.publish.tables import try_tables
from etl.settings import Engine, Settings, Source, Target
from etl.state.schema import try_to_bring_forward


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one database, or about something else that a run needs.

    Attributes:
        name: ``insurance``, ``population``, ``target``, ``state``, ``home``, ``engine``,
            ``schedule``, ``thresholds``, ``workbench`` or ``terminal``.
        detail: What was found, if all is well.
        error: What is wrong, in words for a person; None if all is well.
        exit_code: 0, or that of the error.
    """

    name: str
    detail: str = ""
    error: str | None = None
    exit_code: int = 0


def probe(settings: Settings) -> list[Finding]:
    """Tries registers, target, state, home and engine; if one fails, the others are tried, too."""
    return [
        *(tried(name, partial(_of_settings, name, settings)) for name in REGISTERS),
        tried("target", lambda: _target(settings.target)),
        tried("state", lambda: try_to_bring_forward(settings)),
        tried("home", lambda: _home(settings)),
        tried("engine", lambda: try_engine(settings.engine, settings.warehouse_path)),
    ]


def tried(name: str, look: Callable[[], str]) -> Finding:
    """Tries one thing and puts into words what was found.

    Args:
        name: What is tried.
        look: Tries it and returns what it found; raises the error if something is wrong.
    """
    try:
        return Finding(name, look())
    except Exception as error:
        known = error if isinstance(error, DoisoatError) else trouble_of_the_machine(error)
        if known is None:
            failed = f"{type(error).__name__} at {places(error)}; {WITHHELD}"
            told = f"doisoat itself failed ({failed}).\nWhat to do: report it with these places."
            return Finding(name, error=told, exit_code=70)
        return Finding(name, error=str(known), exit_code=known.exit_code)


def _of_settings(register: str, settings: Settings) -> str:
    is_watched = bool(settings.schedule.watch_minutes)
    source: Source = getattr(settings, register)
    return _register(register, source, settings.engine, is_watched=is_watched)


def _register(
    register: str, source: Source, limits: Engine | None = None, *, is_watched: bool = False
) -> str:
    keeps_any_bytes = False
    if source.parsed.get_backend_name() == "postgresql":
        with reading(source, f"Connecting to the {register} register") as connection:
            keeps_any_bytes = encoding(connection) == "SQL_ASCII"
    with reading_register(register, source, limits) as (register_now, query):
        rows = register_now.count(query.statement)
        if source.in_lake:  # no server has checked these values: read some
            next(register_now.batches(query.statement), None)
        found_by = try_delta(register, source, register_now, query)
        if is_watched:
            must_be_watchable(register, source, query)
    doubt = ", in SQL_ASCII: a value that is no UTF-8 would stop the read" * keeps_any_bytes
    return f"{rows:,} rows at {source.shown}, every required column is there; {found_by}{doubt}"


def _target(target: Target) -> str:
    try_tables(target)
    return f"reached {target.shown}, the tables are there or can be made"


def _home(settings: Settings) -> str:
    free, needed = try_home(settings.home), snapshots.room_of_a_run(settings)
    if needed > free:
        raise DiskFullError(
            f"The next run takes about {needed / 1e9:,.1f} GB of the disk, as the last did, and "
            f"{free / 1e9:,.1f} GB are free.",
            where=str(settings.home),
            remedy="Free some space there, keep fewer results ([engine] keep_snapshots), or name "
            "a home on a larger disk.",
        )
    load_record_key(settings.home)
    takes = f", of which the next run takes about {needed / 1e9:,.1f}" if needed > 1e8 else ""
    found = f"{settings.home} is this user's only, {free / 1e9:,.0f} GB free{takes}"
    try:
        with snapshots.reading(settings):
            return f"{found}; the last result opens"
    except NothingYetError:
        return f"{found}; nothing has been reconciled yet"
    except WarehouseBusyError:
        return f"{found}; the first run is at work"
