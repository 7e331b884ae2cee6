"""Dagster's instance in the home: made once, opened, and mended where its databases are damaged.

Belongs here: the files that Dagster keeps: that they exist and can be opened. Does not belong here:
what is in them (``history.py`` prunes it) and running (``running.py``).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import yaml
from alembic.util import CommandError
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy.exc import SQLAlchemyError

from assets.engines import keep_engines
from etl.domain.errors import ConfigError, DoisoatError, ServerAwayError
from etl.process.home import locked, make_room, prepare_home, set_aside
from etl.process.machine import try_writing
from etl.process.privacy import owner_only
from etl.settings import CONFIG_VARIABLE, IN_A_URL, Settings, refuse_raw

WAREHOUSE_POOL = "warehouse"
"""DuckDB has one writer: every step that writes takes this pool's one slot."""

_Found = TypeVar("_Found")

_OF_A_DATABASE = (SQLAlchemyError, sqlite3.Error, CommandError)


def root_file(name: str) -> Path:
    """Returns ``dagster.yaml`` or ``workspace.yaml``, from the checkout or the installed wheel."""
    packaged = Path(str(files("assets").joinpath(name)))
    return packaged if packaged.is_file() else Path(str(files("assets"))).parent / name


def instance_for(settings: Settings) -> dg.DagsterInstance:
    """Returns the Dagster instance of a configuration, making it where it is missing.

    One process at a time: two that make its databases at once leave them so that none can be
    opened again. Damaged files are set aside and replaced; only the UI's history is lost.

    Raises:
        ConfigError: ``dagster.yaml`` of the home says what Dagster does not know, or the home
            cannot be written.
        ServerAwayError: It names a storage elsewhere, which cannot be opened.
        DiskFullError: There is no room.
    """
    prepare_home(settings.home)
    home = settings.dagster_home
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[CONFIG_VARIABLE] = str(settings.file)
    with owner_only(), locked(settings.home / "dagster.lock"):
        make_room(home, folder=True)
        prepare_home(home)
        for name in ("history", "history/runs", "schedules", "storage"):
            make_room(home / name, folder=True)
            (home / name).mkdir(mode=0o700, exist_ok=True)
        _put_instance_file(home)
        elsewhere = _storage_elsewhere(home)
        try:
            return _opened()
        except DagsterInvalidConfigError as error:
            # The full message is shown only for an unknown name: for a value it would quote the
            # value, which may be a secret.
            told = [
                problem.message if "NOT_DEFINED" in problem.reason.name else problem.reason.value
                for problem in error.errors
            ]
            raise ConfigError(
                f"Dagster cannot use its configuration: {'; '.join(told)}",
                where=str(home / "dagster.yaml"),
                remedy="Mend it; or delete it, and the next start puts doisoat's own there.",
            ) from None
        except Exception as error:
            if elsewhere and not isinstance(error, DoisoatError):
                raise _storage_away(home, error) from None
            if not isinstance(error, _OF_A_DATABASE) or not of_damage(error):
                raise
            try_writing(home)  # a full disk looks like damage, too
        set_aside(home)
        prepare_home(home)
        _put_instance_file(home)
        return _opened()


def _put_instance_file(home: Path) -> None:
    """Puts doisoat's ``dagster.yaml`` where there is none that can be read."""
    file = home / "dagster.yaml"
    make_room(file, folder=False)
    if file.exists():
        try:
            found = yaml.safe_load(file.read_text("utf-8"))
            if isinstance(found, dict):
                _complete(file, found)
                return
        except (yaml.YAMLError, UnicodeDecodeError):
            pass
        set_aside(file)
    shutil.copyfile(root_file("dagster.yaml"), file)


def _storage_elsewhere(home: Path) -> bool:
    """Says whether ``dagster.yaml`` places Dagster's storage elsewhere than in the home.

    Raises:
        ConfigError: Its URL has a raw character that may have ended the password: Dagster would
            show what follows as the host.
    """
    found = yaml.safe_load((home / "dagster.yaml").read_text("utf-8"))
    parts = [found[name] for name in _STORAGES if name in found]
    for url in (url for part in parts for url in _urls(part)):
        try:
            refuse_raw(url)
        except ValueError:
            raise ConfigError(
                "The URL of Dagster's storage is none, or has a character in its password that may "
                "have ended it.",
                where=str(home / "dagster.yaml"),
                remedy="In place of postgres_url give postgres_db, with hostname, db_name, "
                "username and password (each may be env: NAME), where no character needs to be "
                f"written otherwise ({IN_A_URL}).",
            ) from None
    return bool(parts)


_STORAGES = ("storage", "run_storage", "event_log_storage", "schedule_storage")


def _urls(part: Any) -> Iterator[str]:
    """The URLs of a section: as written there, or in the environment variable that it names."""
    for name, value in part.items() if isinstance(part, dict) else ():
        if name not in ("postgres_url", "mysql_url"):
            yield from _urls(value)
        elif not isinstance(value, dict):
            yield str(value)
        elif url := os.environ.get(str(value.get("env"))):
            yield url


def _storage_away(home: Path, error: Exception) -> ServerAwayError:
    """Says why a storage elsewhere cannot be opened; the error's own words may quote its URL."""
    return ServerAwayError(
        f"Dagster's storage, which is not in the home, cannot be opened ({type(error).__name__}).",
        where=str(home / "dagster.yaml"),
        remedy="Check that its server runs, the user and the password, and that Dagster's package "
        "for it (dagster-postgres, dagster-mysql) is installed beside doisoat. Or delete the "
        "section: the storage is then in the home.",
    )


def _complete(file: Path, found: Mapping[str, object]) -> None:
    """Adds this version's section on the output of runs to the file of an earlier version."""
    shipped = root_file("dagster.yaml").read_text("utf-8")
    section = shipped[shipped.index(_OUTPUT) :]
    ours = file.read_text("utf-8").startswith(shipped.splitlines()[0])
    if ours and "compute_logs" not in found:
        with file.open("a", encoding="utf-8") as out:
            out.write(f"\n{section}")


_OUTPUT = "# What a run prints"
"""Where that section of ``dagster.yaml`` begins; it is the last."""


def _opened() -> dg.DagsterInstance:
    """Opens the instance and reads from each of its databases, which creates missing ones."""
    keep_engines()
    instance = dg.DagsterInstance.get()
    try:
        instance.get_runs(limit=1)
        instance.get_asset_keys(limit=1)
        instance.all_instigator_state()
        # A user of the UI could have changed it permanently, to no writer or to two.
        instance.event_log_storage.set_concurrency_slots(WAREHOUSE_POOL, 1)
    except BaseException:
        instance.dispose()
        raise
    return instance


def of_damage(error: BaseException) -> bool:
    """Says whether a database is damaged, and not only busy, or on a disk that is full."""
    words = str(error).lower()
    return not any(sign in words for sign in ("locked", "disk is full", "unable to open"))


def with_log(instance: dg.DagsterInstance, run_id: str, work: Callable[[], _Found]) -> _Found:
    """Does something with a run's log; sets a damaged log aside and begins a new one.

    Args:
        instance: Whose run it is.
        run_id: The run.
        work: What is done; with a new log it is done again.
    """
    try:
        return work()
    except _OF_A_DATABASE as error:
        storage = instance.event_log_storage
        if not isinstance(storage, SqliteEventLogStorage) or not of_damage(error):
            raise
        damaged = Path(storage.path_for_shard(run_id))
        try_writing(damaged.parent)
        set_aside(damaged)
        storage._initialized_dbs.discard(run_id)
        return work()
