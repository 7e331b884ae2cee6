"""The lake: a folder that several machines share, and that holds the Parquet files of homes.

Each home has a folder of its own in the lake; the home's ``warehouse.files`` is a link to it, and a
file in it names the home.

Belongs here: making that folder, and refusing one that is not there, not this home's, or open to
others. Does not belong here: what lies in it.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from etl.domain.errors import ConfigError
from etl.process.files import refused, to_disk
from etl.process.home import is_open, locked, make_room, refuse_lost_link, shut_all
from etl.process.machine import try_writing
from etl.settings import Engine

MARK = "doisoat_home"
"""The file in a home's folder of the lake that names the home."""


def settle(path: Path, engine: Engine) -> Path:
    """Sees to it that the Parquet files of a home lie where the settings say.

    Args:
        path: The warehouse's file.
        engine: The settings of the engine.

    Returns:
        The folder of the files, in the home or in the lake; in the home it may have to be made.

    Raises:
        ConfigError: They lie elsewhere already, or the lake cannot be used.
    """
    files = path.with_suffix(".files")
    lake = Path(engine.lake) if engine.name == "spark" and engine.lake else None
    refuse_lost_link(files)
    if lake and not files.is_symlink():
        with locked(path.with_suffix(".lake.lock")):
            if not files.is_symlink():  # another process of this home was as fast
                make_room(files, folder=True)
                _refuse_files(files)
                _link(files, lake)
    if not files.is_symlink():
        return files
    folder = files.resolve()
    if engine.name == "spark":
        _refuse_other_place(files, folder, lake)
    in_lake = bool(engine.lake) and folder.parent == Path(engine.lake).resolve()
    if in_lake or (folder / MARK).is_file():
        _refuse_other_owner(files, folder)
        _shut(folder)
    return folder


def try_lake(path: Path, engine: Engine) -> str:
    """Tries the lake before a run needs it.

    Returns:
        Where the tables lie, in words; empty where they lie in the home.

    Raises:
        DoisoatError: The lake cannot be used.
    """
    folder = settle(path, engine)
    if not path.with_suffix(".files").is_symlink():
        return ""
    try_writing(folder, called="lake")
    return f"the tables lie in {folder}"


def _refuse_files(files: Path) -> None:
    """Refuses a home that has files of its own: they would be used, and the lake would not."""
    if files.is_dir() and any(files.iterdir()):
        raise ConfigError(
            "[engine] lake is set, and the tables of this home lie in the home already.",
            where=str(files),
            remedy="Delete that folder and run 'doisoat sync', which reads and builds everything "
            f"in the lake; results of earlier runs stay in {files.parent}/snapshots. Or leave "
            "lake out.",
        )


def _link(files: Path, lake: Path) -> None:
    """Makes a folder of this home's own in the lake, and the link to it."""
    home = files.parent
    folder = lake / f"doisoat-{secrets.token_hex(6)}"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lake.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        mark = os.open(folder / MARK, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(mark, "w", encoding="utf-8") as out:
            out.write(f"{home.resolve()}\n")
        to_disk(folder / MARK)
        with suppress(OSError):  # some mounted stores know files alone
            to_disk(folder)
            to_disk(lake)
    except OSError as error:
        raise refused(lake, error, "home's folder in the lake could not be made") from None
    with suppress(FileNotFoundError):
        files.rmdir()
    files.symlink_to(folder, target_is_directory=True)


def _refuse_other_place(files: Path, folder: Path, lake: Path | None) -> None:
    """Refuses a link to another place than the settings name.

    If they name no lake, a user may still link to a folder of their own, which has no mark.
    """
    if lake is None and not (folder / MARK).is_file():
        return
    if lake is None or folder.parent != lake.resolve():
        named = "names another folder" if lake else "is not set"
        raise ConfigError(
            f"The tables of this home lie outside of it, and [engine] lake {named}.",
            where=str(folder),
            remedy=f"To leave them there, set lake to {folder.parent}. To have them where the "
            f"configuration says, delete the link {files} and run 'doisoat sync', which reads and "
            "builds everything; then delete what it led to, which is personal data.",
        )


def _refuse_other_owner(files: Path, folder: Path) -> None:
    """Refuses a folder of another home: each would take the other's tables for its own."""
    mark, home = folder / MARK, files.parent.resolve()
    owner = mark.read_text("utf-8").strip() if mark.is_file() else ""
    if not owner:
        raise ConfigError(
            "The folder of the lake to which this home leads has no mark that says whose it is.",
            where=str(folder),
            remedy=f"If it is this home's, write {home} into {mark}. If not, delete the link "
            f"{files}: the next run makes a folder of its own.",
        )
    if owner != str(home):
        raise ConfigError(
            f"The folder of the lake to which this home leads belongs to the home {owner}.",
            where=str(folder),
            remedy=f"If this home is a copy of that one, delete the link {files}: the next run "
            f"makes a folder of its own. If it is the same home, moved, write {home} into {mark}.",
        )


def _shut(folder: Path) -> None:
    """Denies other users the folder and what lies in it."""
    with suppress(PermissionError):
        shut_all(folder)
    if is_open(folder):
        raise ConfigError(
            "The home's folder in the lake is open to other users, and this user cannot shut it.",
            where=str(folder),
            remedy="Let it belong to the user that runs doisoat; if the disk knows no rights of "
            "its own, mount it for that user alone (umask=077).",
        )
