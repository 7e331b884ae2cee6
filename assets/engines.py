"""One SQLAlchemy engine for each of Dagster's SQLite databases, in place of one for each event.

Dagster makes an engine anew for every event that it stores, and with it goes what SQLAlchemy had
compiled: half of the time that storing events took, a tenth of a small run under the profiler. The
engines are kept; connections are still opened and closed each time, so that a database may be
moved or set aside as before.

Belongs here: that. Does not belong here: what is in the databases.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

_DATABASES = 32
"""Each run has a database of its own; a process works on few of them at a time."""


def keep_engines() -> None:
    """Lets Dagster's storages of this process use an engine again."""
    for storage in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        storage.create_engine = _kept  # type: ignore[attr-defined]


def _kept(
    url: str, *, poolclass: object = NullPool, connect_args: dict[str, Any] | None = None
) -> Engine:
    if poolclass is not NullPool:
        raise TypeError("Dagster's SQLite storages keep their connections: assets/engines.py")
    return _engine(url, tuple(sorted((connect_args or {}).items())))


@lru_cache(maxsize=_DATABASES)
def _engine(url: str, connect_args: tuple[tuple[str, Any], ...]) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args=dict(connect_args))
