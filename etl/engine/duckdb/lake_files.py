"""Which Parquet files a register in a lake has, and whether they can be read as one table.

Belongs here: listing them, and refusing what would be read amiss. Does not belong here: reading
them (``lake.py``).

Whatever is not listed is taken for deleted: a folder that cannot be listed is an error.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path

from etl.domain.errors import ConfigError, ConnectionFailedError, ContractError, ServerAwayError

_ENDS = frozenset({".parquet", ".parq", ".pq"})

Mark = tuple[int, int]
"""A file's size and when it was last written; not its inode, because mounted stores change it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a register.

    Attributes:
        root: The folder below which folders such as ``province_code=01`` are columns.
        marks: Each file with its mark.
    """

    root: Path
    marks: dict[Path, Mark]

    def partitions(self) -> frozenset[str]:
        """Returns the columns that folders below the root give.

        Raises:
            ConfigError: Some files have others.
        """
        found: dict[frozenset[str], Path] = {}
        for file in self.marks:
            found.setdefault(_keys(file.relative_to(self.root).parts[:-1]), file)
        if len(found) > 1:
            one, other = list(found.values())[:2]
            raise ConfigError(
                "The folders of some files of a register name columns (column=value) that those "
                f"of others do not: {one} and {other}.",
                where=str(self.root),
                remedy="Move the files that lie in the wrong folder, or name by a pattern those "
                "that are the register (folder/column=*).",
            )
        return next(iter(found), frozenset())

    def folders_above(self) -> frozenset[str]:
        """Returns the columns that folders above would give, which say nothing of the register."""
        return _keys(self.root.parts)


def _keys(parts: Iterable[str]) -> frozenset[str]:
    return frozenset(part.partition("=")[0] for part in parts if "=" in part[1:])


def listing(path: str) -> Listing:
    """Lists the files that a path names: itself, those below a folder, or those of a pattern.

    Links below it are followed.

    Args:
        path: A path without links, except those that a pattern matches.

    Raises:
        ConfigError: They belong to a table whose files alone do not show its rows, or a link leads
            to files that are read already.
        ConnectionFailedError: There is no such place, or somebody writes there.
        OSError: A folder cannot be listed.
    """
    root, pattern = _taken_apart(Path(path))
    if not pattern and not _is_there(root):
        raise ConnectionFailedError(
            "The folder or file of a register does not exist.",
            where=path,
            remedy="Check the path; relative paths start at the configuration file's folder, "
            "and an absolute one has four slashes: parquet:////lake/insurance.",
        )
    for folder in list(root.parents)[:2]:  # a table's data may lie in data/, by partitions
        _refuse_tables(folder)
    found: set[Path] = set()
    for named in _named(root, pattern):
        found |= set(_below(named)) if named.is_dir() else {named}
    _refuse_twice(found)
    marks = {file: _mark(file) for file in sorted(found)}
    return Listing(root if root.is_dir() else root.parent, marks)


def _taken_apart(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Splits a path into its literal beginning and the pattern below that, if there is one."""
    parts = path.parts
    for n, part in enumerate(parts):
        if has_magic(part) and not _is_there(Path(*parts[: n + 1])):  # [a] may be a name
            return Path(*parts[:n]), parts[n:]
    return path, ()


def _named(folder: Path, pattern: tuple[str, ...]) -> Iterator[Path]:
    """Yields what a pattern names below a folder."""
    if not pattern:
        yield folder
        return
    part, rest = pattern[0], pattern[1:]
    if not has_magic(part):
        _refuse_tables(folder)
        if _is_there(folder / part):
            yield from _named(folder / part, rest)
        return
    if part == "**":
        yield from _named(folder, rest or ("*",))
        part, rest = "*", pattern
    for entry in _entries(folder) if folder.is_dir() else ():
        if fnmatchcase(entry.name, part) and (not rest or entry.is_dir()):
            yield from _named(Path(entry.path), rest)


def _below(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Yields the Parquet files below a folder."""
    real = os.path.realpath(folder)
    if real in above:
        raise _twice(folder)
    for entry in _entries(folder):
        if entry.is_dir():
            yield from _below(Path(entry.path), above | {real})
        elif Path(entry.name).suffix.lower() in _ENDS:
            yield Path(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Lists a folder but for what is hidden, which is a writer's leftover."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    _refuse_tables(folder)
    if any(entry.name == "_temporary" for entry in entries):
        raise ServerAwayError(
            "Somebody writes the files of a register, or broke off: there is a folder _temporary.",
            where=str(folder),
            remedy="Run again when they are written; where nobody writes, delete _temporary.",
        )
    shown = [entry for entry in entries if not _is_hidden(entry.name)]
    for entry in shown:
        if entry.is_symlink() and not Path(entry.path).exists():
            raise ConnectionFailedError(
                "A link among the files of a register leads to what is not there, or cannot be "
                "seen.",
                where=entry.path,
                remedy="Mend the link, or delete it.",
            )
    return shown


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _refuse_tables(folder: Path) -> None:
    """Refuses the files of a table whose log or metadata say which rows still count."""
    if (folder / "_delta_log").is_dir():
        raise ConfigError(
            "The folder is a Delta table: read as Parquet, it has rows that were deleted.",
            where=str(folder),
            remedy="Write delta: in place of parquet: in the url.",
        )
    if any((folder / "metadata").glob("*.metadata.json")):
        raise ConfigError(
            "The folder is an Iceberg table: read as Parquet, it has rows that were deleted.",
            where=str(folder),
            remedy="Write iceberg: in place of parquet: in the url.",
        )
    if (folder / ".hoodie").is_dir():
        raise ConfigError(
            "The folder is a Hudi table: read as Parquet, it has rows that were deleted.",
            where=str(folder),
            remedy="Such tables are not read: name a database that reads them, or have the "
            "register written out as Parquet.",
        )


def _refuse_twice(files: set[Path]) -> None:
    """Refuses links to files that are read anyway: their rows would be read twice."""
    found: dict[str, Path] = {}
    for file in sorted(files):
        if found.setdefault(os.path.realpath(file), file) != file:
            raise _twice(file)


def _twice(path: Path) -> ConfigError:
    return ConfigError(
        "A link among the files of a register leads to files that are read already: their rows "
        "would be there twice.",
        where=str(path),
        remedy="Name the link itself in the url (folder/current), or delete it.",
    )


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _mark(file: Path) -> Mark:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def refuse_lossy(schemas: Iterable[tuple[str, str, str | None, int | None]], where: str) -> None:
    """Refuses files with a column whose values would change when all are read as one type.

    Args:
        schemas: Of each file in turn, its columns and those nested in them, in the order of the
            file: the file, the name, DuckDB's type (None: it has nested columns), how many are
            nested.
        where: Where the files are, for messages.

    Raises:
        ContractError: Only some of the files keep a column with decimals, or with a zone.
    """
    kinds: dict[str, set[str]] = defaultdict(set)
    inside: list[list[object]] = []  # the columns of which the next one is a part
    current = ""
    for file, name, kind, children in schemas:
        if file != current:
            current, inside = file, [["", children]]
            continue
        while inside[-1][1] == 0:
            inside.pop()
        inside[-1][1] = int(str(inside[-1][1])) - 1
        full = f"{inside[-1][0]}.{name}".lstrip(".").lower()
        if children:
            inside.append([full, children])
        elif kind and kind != '"NULL"':
            kinds[full].add(kind)
    for name, found in kinds.items():
        if _is_lossy(found):
            raise ContractError(
                f"The files of a register keep '{name}' in types of which no one holds all values "
                f"({', '.join(sorted(found))}): numbers would be rounded, or zones of times lost.",
                where=where,
                remedy="Have all files written with one type; of numbers of persons it is text.",
            )


def _is_lossy(kinds: set[str]) -> bool:
    zoned = {kind.endswith("WITH TIME ZONE") for kind in kinds if kind.startswith("TIMESTAMP")}
    return len({_decimals(kind) for kind in kinds}) > 1 or len(zoned) > 1


def _decimals(kind: str) -> str:
    """Returns how a type keeps decimals; empty for one without, whose text loses nothing."""
    if kind in ("FLOAT", "DOUBLE"):
        return "float"
    scale = re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", kind)
    return scale[1].lstrip("0") if scale else ""
