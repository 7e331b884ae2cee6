"""Reading worklists that come back: workbooks, CSV and JSON Lines, whatever program saved them.

Belongs here: finding the list in a file, and its rows as text by column. Does not belong here: what
a row means, and whether it may be taken in (``answers.py``).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from etl.domain.errors import ConfigError
from etl.process.files import unreadable
from etl.stewards.worklists.forms import ANSWER, KEY, Form

_LOOK_FOR_HEADINGS = 20
"""Rows of a sheet among which the headings are looked for: somebody may have put lines above."""

_WORKBOOKS = (".xlsx", ".xlsm", ".ods")


@dataclass(frozen=True)
class Given:
    """A row that came back.

    Attributes:
        line: Where it stands in its sheet, from 1.
        cells: All of it, in the order of the headings.
        values: The cells by the names of their columns; the empty ones are left out.
    """

    line: int
    cells: tuple[str, ...]
    values: Mapping[str, str]


@dataclass(frozen=True)
class GivenSheet:
    """A list that came back.

    Attributes:
        file: In which file.
        name: The name of its sheet; of CSV and JSON Lines that of the file.
        form: The form that it is of.
        headings: Its headings, as they are.
        rows: Its rows; those that are empty are left out.
    """

    file: Path
    name: str
    form: Form
    headings: tuple[str, ...]
    rows: tuple[Given, ...]


def read_file(file: Path, forms: Iterable[Form]) -> list[GivenSheet]:
    """Reads the lists of a file.

    Args:
        file: A workbook, a CSV file (with or without the mark of UTF-8, separated by comma,
            semicolon or tab) or a file of JSON Lines.
        forms: The forms that it may be of.

    Raises:
        ConfigError: It cannot be read, or there is no worklist in it.
    """
    suffix = file.suffix.lower()
    try:
        if suffix in _WORKBOOKS:
            tables = _of_workbook(file)
        elif suffix == ".csv":
            tables = [(file.stem, _of_csv(file))]
        elif suffix in (".jsonl", ".ndjson"):
            tables = [(file.stem, _of_json_lines(file))]
        else:
            raise ConfigError(
                f"{file.name} is no file of a worklist.",
                where=str(file),
                remedy="A worklist comes back as .xlsx, .ods, .csv or .jsonl.",
            )
    except OSError as error:
        raise unreadable(file, error, "worklist") from None
    known = tuple(forms)
    found = [sheet for name, table in tables if (sheet := _list(file, name, table, known))]
    if not found:
        raise ConfigError(
            f"There is no worklist in {file.name}: no row of headings has the row key and the "
            "answer.",
            where=str(file),
            remedy="Give a file that 'doisoat worklists export' wrote, with its headings as they "
            "were.",
        )
    return found


Table = Sequence[Sequence[str]]
"""All rows of a list: nothing of a file is read later, when its errors have no words any more."""


def _list(file: Path, name: str, table: Table, forms: Sequence[Form]) -> GivenSheet | None:
    """Finds the headings, and returns what stands below them."""
    rows = enumerate(table, start=1)
    for line, cells in rows:
        if found := _form_of(cells, forms):
            form, names = found
            break
        if line == _LOOK_FOR_HEADINGS:
            return None
    else:
        return None
    headings = tuple(cells)
    below = []
    for line, cells in rows:
        padded = (*cells[: len(headings)], *[""] * (len(headings) - len(cells)))
        if any(padded):
            values = {
                column: text for column, text in zip(names, padded, strict=True) if column and text
            }
            below.append(Given(line, tuple(padded), values))
    return GivenSheet(file, name, form, headings, tuple(below))


def _form_of(cells: Sequence[str], forms: Sequence[Form]) -> tuple[Form, list[str]] | None:
    """Says which form a row of headings belongs to, and which column each heading is."""
    best: tuple[int, Form, list[str]] | None = None
    for form in forms:
        known = {
            _plain(words): column.name
            for column in form.columns
            for words in (column.vi, column.en, column.name)
        }
        names = [known.get(_plain(text), "") for text in cells]
        names = [name if name not in names[:at] else "" for at, name in enumerate(names)]
        fits = sum(bool(name) for name in names)
        if {KEY, ANSWER} <= set(names) and (best is None or fits > best[0]):
            best = (fits, form, names)
    return best[1:] if best else None


def _plain(words: str) -> str:
    return " ".join(words.casefold().split())


def as_text(value: Any) -> str:
    """Returns a cell's value as text; a number that is whole has no decimal point."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return str(value).strip()


# --- formats ------------------------------------------------------------------------------------


def _of_workbook(file: Path) -> list[tuple[str, Table]]:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        with file.open("rb") as opened:
            book = CalamineWorkbook.from_filelike(io.BytesIO(opened.read()))
        return [
            (
                name,
                [
                    [as_text(value) for value in row]
                    for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                ],
            )
            for name in book.sheet_names
        ]
    except PasswordError:
        raise ConfigError(
            "The workbook is locked with a password.",
            where=str(file),
            remedy="Save it without one.",
        ) from None
    except CalamineError as error:
        raise ConfigError(
            f"This is no workbook that can be read ({type(error).__name__}).",
            where=str(file),
            remedy="Open it in a spreadsheet program and save it as .xlsx.",
        ) from None


_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def _decoded(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode(_MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(
            "The file is no text in UTF-8.",
            where=str(file),
            remedy="Save it as CSV UTF-8, or as .xlsx.",
        ) from None


def _of_csv(file: Path) -> list[list[str]]:
    text = _decoded(file)
    first = text.partition("\n")[0]
    sign = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=sign))
    except csv.Error:
        raise ConfigError(
            "The file is no CSV that can be read.",
            where=str(file),
            remedy="Save it as CSV UTF-8, or as .xlsx.",
        ) from None
    return [[cell.strip() for cell in row] for row in rows]


def _of_json_lines(file: Path) -> list[list[str]]:
    """The headings are the names in the first object; names that only later ones have follow."""
    names: dict[str, None] = {}
    rows = []
    for number, line in enumerate(_decoded(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise ConfigError(
                f"Line {number} is no JSON object.",
                where=str(file),
                remedy="JSON Lines has an object on each line.",
            )
        names |= dict.fromkeys(map(str, row))
        rows.append(row)
    return [list(names), *([as_text(row.get(name)) for name in names] for row in rows)]
