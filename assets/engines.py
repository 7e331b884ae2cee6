"""Dagster's SQLite databases, opened so that a run of a thousand events is quick.

Dagster makes a new engine for every event that it stores, so that all statements that SQLAlchemy
has compiled are lost. It also opens and closes the file, at which SQLite copies its log into the
file. Together that was a third of the time of a small run. Here engines are kept, and for as long
as a run works their connections as well.

Belongs here: that. Does not belong here: what is in the databases.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import Engine, Pool, QueuePool, create_engine, event
from sqlalchemy.pool import NullPool

_DATABASES = 32
"""How many engines are kept. Each run has its own database; a process uses few at a time."""

_OPEN: dict[str, Engine] = {}
_HOLDING: list[bool] = []


def keep_engines() -> None:
    """Makes Dagster's storages in this process reuse their engines."""
    for storage in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        storage.create_engine = _kept  # type: ignore[attr-defined]


@contextmanager
def held_open() -> Iterator[None]:
    """Keeps the connections that are opened meanwhile open until the end.

    Use it only while a run works: nobody may move or set aside a database meanwhile.
    """
    _HOLDING.append(True)
    try:
        yield
    finally:
        _HOLDING.clear()
        while _OPEN:
            _OPEN.popitem()[1].pool.dispose()


def _kept(
    url: str, *, poolclass: object = NullPool, connect_args: dict[str, Any] | None = None
) -> Engine:
    if poolclass is not NullPool:
        raise TypeError("Dagster's SQLite storages keep their connections: assets/engines.py")
    arguments = tuple(sorted((connect_args or {}).items()))
    if not _HOLDING:
        return _engine(url, arguments)
    if url not in _OPEN:
        _OPEN[url] = _made(url, arguments, QueuePool)
        # Dagster disposes of the engine after each event; that must do nothing.
        _OPEN[url].dispose = _keep  # type: ignore[method-assign]
    return _OPEN[url]


def _keep(close: bool = True) -> None:
    """Keeps the connections."""


@lru_cache(maxsize=_DATABASES)
def _engine(url: str, connect_args: tuple[tuple[str, Any], ...]) -> Engine:
    return _made(url, connect_args, NullPool)


def _made(url: str, connect_args: tuple[tuple[str, Any], ...], pool: type[Pool]) -> Engine:
    engine = create_engine(url, poolclass=pool, connect_args=dict(connect_args))

    @event.listens_for(engine, "connect")
    def opened(connection: sqlite3.Connection, _: object) -> None:
        # A power cut may lose the last events, but no more, because Dagster has SQLite write ahead.
        connection.execute("pragma synchronous = normal")

    return engine
