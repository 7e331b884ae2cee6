"""The files of worklists: workbooks, CSV and JSON Lines.

Belongs here: layout, protection, drop-downs, the cover sheet, and harmless cells. Does not belong
here: which rows there are (``sending.py``) and what the columns are (``forms.py``).
"""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter
from typing_extensions import override

from etl.domain.codes import ROUTE_LABELS
from etl.domain.showing import as_json, cell
from etl.stewards.worklists.forms import ANSWER, CITIZEN_NUMBER, KEY, Form, Language

NUMBERS = frozenset({"number", "age_days", "times_sent"})
"""Sources that are numbers; all else is text, so that zeros in front stay."""

_LONGEST_CELL = 32_767
"""Characters of a cell: Excel's own limit."""

Rows = Iterable[Sequence[Any]]


class Format(StrEnum):
    """What kind of file."""

    XLSX = "xlsx"
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True)
class Sheet:
    """One list in a file.

    Attributes:
        form: How it looks.
        worklist_id: Its name in the state.
        rows: How many rows of it are in this file.
    """

    form: Form
    worklist_id: str
    rows: int


@dataclass(frozen=True)
class Cover:
    """What the cover sheet says besides the text of the forms.

    Attributes:
        office: Whom the file is for.
        province: Of which province.
        run_id: The run whose result it is made of.
        run_at: When that run began, as people read it.
        made_at: When the file was made.
        made_by: By whom.
        due: When answers are due, by the words of who corrects.
        contact: Whom to ask; may be empty.
        part: Which of the office's files it is.
        parts: How many there are.
    """

    office: str
    province: str
    run_id: str
    run_at: str
    made_at: str
    made_by: str
    due: Mapping[str, str]
    contact: str
    part: int
    parts: int


def harmless(value: object) -> object:
    """As ``cell``, but quicker for plain words and numbers, which most values are."""
    if isinstance(value, str):
        if value[:1].isalnum() and ";" not in value and value.isprintable():
            return value
        return cell(value)
    return cell(value)


def harmless_column(column: pa.Array) -> list[Any]:
    """Returns the values of a column, those of text as harmless cells.

    Most columns have no text that could do harm; that is checked for all rows at once.
    """
    values: list[Any] = column.to_pylist()
    if not pa.types.is_string(column.type):
        return values
    suspect = pc.match_substring_regex(column, _SUSPECT)
    if (
        not pc.any(suspect).as_py()
        and (pc.max(pc.utf8_length(column)).as_py() or 0) < _LONGEST_CELL
    ):
        return values
    return [value if value is None else str(harmless(value))[:_LONGEST_CELL] for value in values]


_SUSPECT = r"^[^\p{L}\p{N}]|;|[^\p{L}\p{M}\p{N}\p{P}\p{Sm}\p{Sc}\p{Sk} ]"
"""Text that is checked one by one: it does not begin with a letter or digit, or it has a semicolon
or a sign that may be invisible."""


class File(ABC):
    """A file that rows are written to, sheet by sheet, in the order of the sheets."""

    def values(self, column: pa.Array) -> list[Any]:
        """Returns the values of a column as this kind of file has them: as harmless cells."""
        return harmless_column(column)

    @abstractmethod
    def write(self, sheet: Sheet, rows: Rows) -> None:
        """Writes rows of a sheet; each has a value for each column of the form, inputs too."""

    @abstractmethod
    def close(self) -> None:
        """Ends the file."""


# --- workbooks ----------------------------------------------------------------------------------

_SAID: Mapping[str, tuple[str, str]] = {
    "cover": ("Hướng dẫn", "Read me"),
    "product": (
        "Đối soát CSDL bảo hiểm với CSDL quốc gia về dân cư",
        "Reconciliation of the insurance register with the population register",
    ),
    "form": ("Mẫu", "Form"),
    "office": ("Gửi", "For"),
    "province": ("Tỉnh, thành phố", "Province"),
    "rows": ("Số dòng", "Rows"),
    "part": ("Tệp", "File"),
    "of": ("trên", "of"),
    "run": ("Lần đối soát", "Run"),
    "made": ("Lập lúc", "Made"),
    "by": ("người lập", "by"),
    "contact": ("Liên hệ khi cần", "Whom to ask"),
    "no_contact": ("người gửi danh sách này", "whoever sent this list"),
    "steps": ("Cách điền", "How to fill it"),
    "colour": (
        "Chỉ điền các ô màu vàng; các ô khác đã khóa. Không sửa, không chép cột khóa dòng: "
        "dòng có khóa bị sửa sẽ bị trả lại.",
        "Fill in the yellow cells only; the others are locked. Leave the row keys as they are: a "
        "row whose key was changed comes back.",
    ),
    "back": (
        "Gửi lại chính tệp này. Dòng chưa trả lời có thể gửi sau. Cùng một tệp gửi hai lần không "
        "làm thay đổi gì.",
        "Send this very file back. Rows without an answer can follow later. The same file sent "
        "twice changes nothing.",
    ),
    "apostrophe": (
        "Dấu nháy (') ở đầu một ô là để bảng tính không hiểu ô đó là công thức; nó không thuộc "
        "dữ liệu.",
        "An apostrophe (') at the head of a cell keeps a spreadsheet from taking it for a "
        "formula; it is no part of the value.",
    ),
    "private": (
        "Danh sách có dữ liệu cá nhân: chỉ dùng để đối soát, không chuyển cho người không có "
        "trách nhiệm, xóa khi xong việc.",
        "The list holds personal data: use it for this purpose only, give it to nobody else, "
        "delete it when it is done.",
    ),
    "answers": ("Các câu trả lời", "The answers"),
    "means": ("Ý nghĩa", "What it means"),
    "who": ("Ai sửa và hạn trả lời", "Who corrects, and when it is due"),
    "choose": ("Chọn trong danh sách", "Choose from the list"),
    "choose_why": (
        "Câu trả lời phải là một trong danh sách; ý nghĩa ở trang hướng dẫn.",
        "The answer must be one of the list; the first sheet says what each means.",
    ),
    "digits": ("12 chữ số", "12 digits"),
    "digits_why": (
        "Số định danh cá nhân có 12 chữ số.",
        "A personal number has 12 digits.",
    ),
    "returned": ("Lý do trả lại", "Why it came back"),
}


def said(what: str, language: Language) -> str:
    """Returns words of the files themselves in a language."""
    return _SAID[what][0 if language == "vi" else 1]


@contextmanager
def _systems_errors() -> Iterator[None]:
    """Raises the system's own error, which says why, where xlsxwriter hides it in another."""
    try:
        yield
    except xlsxwriter.exceptions.FileCreateError as error:
        raise error.args[0] from None


class Workbook(File):
    """An Excel workbook, written row by row in constant memory."""

    def __init__(
        self, file: Path, sheets: Sequence[Sheet], cover: Cover, language: Language
    ) -> None:
        self._language = language
        self._book = xlsxwriter.Workbook(str(file), _OPTIONS)
        self._formats = _Formats(self._book)
        self._next: dict[str, int] = {}
        self._sheets: dict[str, Any] = {}
        places = self._write_cover(sheets, cover)
        for sheet in sheets:
            self._begin(sheet, places[sheet.worklist_id])

    @override
    def write(self, sheet: Sheet, rows: Rows) -> None:
        target = self._sheets[sheet.worklist_id]
        shown = [
            (
                at,
                self._formats.key if column.source == KEY else self._formats.text,
                column.source in NUMBERS,
            )
            for at, column in enumerate(sheet.form.columns)
            if column.source
        ]
        wrapped = [
            (at, column.width / _CHARACTER)
            for at, column in enumerate(sheet.form.columns)
            if column.source not in (None, KEY, *NUMBERS)
        ]
        place = self._next[sheet.worklist_id]
        for row in rows:
            lines = max(len(row[at] or "") / width for at, width in wrapped) if wrapped else 0
            if lines > 1:  # not every program finds the height by itself
                target.set_row(place, _LINE * min(int(lines) + 1, _MOST_LINES))
            for at, kind, is_number in shown:
                value = row[at]
                if value is None or value == "":
                    continue
                if is_number:
                    target.write_number(place, at, value, self._formats.number)
                else:
                    target.write_string(place, at, value, kind)
            place += 1
        self._next[sheet.worklist_id] = place

    @override
    def close(self) -> None:
        with _systems_errors():
            self._book.close()

    def _say(self, what: str) -> str:
        return said(what, self._language)

    def _write_cover(self, sheets: Sequence[Sheet], cover: Cover) -> dict[str, str]:
        """Writes the first sheet; returns in which cells of it each list's answers stand."""
        name, formats = self._say("cover"), self._formats
        page = self._book.add_worksheet(name)
        page.hide_gridlines(2)
        page.set_column(0, 0, 34)
        page.set_column(1, 1, 100)
        page.set_portrait()
        page.set_paper(_A4)
        page.fit_to_pages(1, 0)
        lines = _Lines(page)
        lines.add((self._say("product"), formats.small))
        for sheet in sheets:
            form = sheet.form
            number = f" ({self._say('form')} {form.form})" if form.form else ""
            lines.add((f"{form.title.in_(self._language)}{number}", formats.title), height=24)
        lines.skip()
        of = f"{cover.part} {self._say('of')} {cover.parts}"
        counts = "; ".join(f"{one.form.sheet.in_(self._language)}: {one.rows:,}" for one in sheets)
        for what, value in (
            ("office", cover.office),
            ("province", cover.province),
            ("rows", counts),
            ("part", of),
            ("run", f"{cover.run_id} ({cover.run_at})"),
            ("made", f"{cover.made_at}, {self._say('by')} {cover.made_by}"),
            ("contact", cover.contact or self._say("no_contact")),
        ):
            lines.add((self._say(what), formats.label), (value, formats.said))
        lines.skip()
        lines.add((self._say("steps"), formats.head))
        for what in ("colour", "back", "apostrophe", "private"):
            lines.add(("", formats.label), (self._say(what), formats.said))
        lines.skip()
        lines.add((self._say("who"), formats.head))
        for who, due in cover.due.items():
            lines.add((due, formats.label), (who, formats.said))
        places = {}
        for sheet in sheets:
            places[sheet.worklist_id] = self._write_answers(lines, sheet, name)
        page.protect()
        page.activate()
        return places

    def _write_answers(self, lines: _Lines, sheet: Sheet, cover: str) -> str:
        form, language, formats = sheet.form, self._language, self._formats
        lines.skip()
        lines.add((form.sheet.in_(language), formats.head), (f"{sheet.worklist_id}", formats.small))
        lines.add(("", formats.label), (form.purpose.in_(language), formats.said))
        for number, step in enumerate(form.steps, start=1):
            lines.add((str(number), formats.step), (step.in_(language), formats.said))
        lines.add((self._say("answers"), formats.heading), (self._say("means"), formats.heading))
        first = lines.at + 1
        for answer in form.answers:
            lines.add(
                (answer.in_(language), formats.answer), (answer.means.in_(language), formats.meant)
            )
        quoted = cover.replace("'", "''")
        return f"='{quoted}'!$A${first}:$A${lines.at}"

    def _begin(self, sheet: Sheet, answers: str) -> None:
        form, formats = sheet.form, self._formats
        page = self._book.add_worksheet(form.sheet.in_(self._language))
        page.set_row(0, 48)
        page.hide_gridlines(0)  # they would be printed, too
        last = max(sheet.rows, 1)
        for at, column in enumerate(form.columns):
            # (Whole columns are opened for input, so that no cell is written for each row.)
            page.set_column(at, at, column.width, formats.input if column.input else None)
            if column.input:
                page.conditional_format(
                    1,
                    at,
                    last,
                    at,
                    {"type": "formula", "criteria": "=TRUE", "format": formats.fill},
                )
            kind = formats.asked if column.input else formats.heading
            page.write_string(0, at, column.in_(self._language), kind)
            if column.input == ANSWER:
                page.data_validation(1, at, last, at, self._choice(answers))
            elif column.input == CITIZEN_NUMBER:
                page.data_validation(1, at, last, at, self._twelve())
        names = [column.name for column in form.columns]
        held = names.index("full_name") + 1 if "full_name" in names[:5] else 1
        page.freeze_panes(1, held)
        page.autofilter(0, 0, last, len(names) - 1)
        page.ignore_errors({"number_stored_as_text": f"A1:XFD{last + 1}"})
        page.protect("", _MAY)
        page.set_landscape()
        page.set_paper(_A4)
        # On paper, columns are as wide as can be read, and the headings stand on each page.
        wide = sum(column.width for column in form.columns)
        page.fit_to_pages(max(round(wide / _CHARACTERS_OF_A_PAGE), 1), 0)
        page.repeat_rows(0)
        page.repeat_columns(0, max(held - 1, 0))
        page.set_footer("&L&A&R&P/&N")
        self._sheets[sheet.worklist_id] = page
        self._next[sheet.worklist_id] = 1

    def _choice(self, answers: str) -> dict[str, Any]:
        return {
            "validate": "list",
            "source": answers,
            "error_title": self._say("choose"),
            "error_message": self._say("choose_why"),
        }

    def _twelve(self) -> dict[str, Any]:
        return {
            "validate": "length",
            "criteria": "==",
            "value": 12,
            "error_type": "warning",
            "error_title": self._say("digits"),
            "error_message": self._say("digits_why"),
        }


_OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
_A4 = 9
_CHARACTERS_OF_A_PAGE = 190
_CHARACTER = 1.1  # of Arial 10, in the characters that widths are counted in
_LINE = 13.5
_MOST_LINES = 12
_MAY = {
    "autofilter": True,
    "format_columns": True,
    "format_rows": True,
    "select_locked_cells": True,
    "select_unlocked_cells": True,
}
"""What a protected sheet lets a person do beside filling in the open cells."""


class _Formats:
    """How cells look. Every cell is text, so that zeros in front of a number stay."""

    def __init__(self, book: Any) -> None:
        font = {"font_name": "Arial", "font_size": 10}
        plain = {**font, "num_format": "@", "valign": "top"}
        line = {"border": 1, "border_color": "#C8CDD3"}
        blue = {**plain, **line, "bold": True, "bg_color": "#1F4E79", "font_color": "#FFFFFF"}
        wrapped = {"text_wrap": True}
        # (Wrapped: otherwise a long text would run over the cells that are to be filled in.) Empty
        # cells are not written, so the lines are the sheet's own and not borders of cells.
        self.text = book.add_format({**plain, **wrapped})
        self.number = book.add_format({**font, "valign": "top", "align": "center"})
        self.key = book.add_format({**plain, "font_color": "#8A9099", "align": "fill"})
        self.input = book.add_format({**plain, **wrapped, "locked": False})
        self.fill = book.add_format({**line, "bg_color": "#FFF8DB"})
        self.heading = book.add_format({**blue, **wrapped, "valign": "vcenter"})
        self.asked = book.add_format(
            {**blue, **wrapped, "valign": "vcenter", "bg_color": "#FFD966", "font_color": "#000000"}
        )
        self.title = book.add_format({**font, "font_size": 16, "bold": True})
        self.head = book.add_format({**font, "font_size": 12, "bold": True, "bottom": 1})
        self.small = book.add_format({**font, "font_color": "#5A6270"})
        self.label = book.add_format({**plain, "bold": True})
        self.step = book.add_format({**plain, "bold": True, "align": "right", "indent": 1})
        self.said = book.add_format({**plain, **wrapped})
        self.answer = book.add_format({**plain, **line, **wrapped, "bold": True})
        self.meant = book.add_format({**plain, **line, **wrapped})


class _Lines:
    """Writes a sheet line by line; long texts get the height that they need."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self.at = 0

    def add(self, *cells: tuple[str, Any], height: float | None = None) -> None:
        lines = -(-len(cells[-1][0]) // 112) if len(cells) > 1 else 1
        self._page.set_row(self.at, height or 15 * max(lines, 1))
        for column, (text, kind) in enumerate(cells):
            self._page.write_string(self.at, column, str(harmless(text)), kind)
        self.at += 1

    def skip(self) -> None:
        self.at += 1


def write_returned(
    file: Path, sheets: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]]
) -> None:
    """Writes rows that could not be taken in, each with the reason beside it.

    Args:
        file: The workbook.
        sheets: Of each: its name, its headings, and its rows; the last column is the reason.

    Raises:
        OSError: It cannot be written.
    """
    with _systems_errors(), xlsxwriter.Workbook(str(file), _OPTIONS) as book:
        formats = _Formats(book)
        for name, headings, rows in sheets:
            page = book.add_worksheet(name)
            page.set_row(0, 48)
            for at, heading in enumerate(headings):
                last = at == len(headings) - 1
                width = max([len(heading), *(len(row[at]) for row in rows[:200])], default=10)
                page.set_column(at, at, 70 if last else min(max(width + 2, 8), 40))
                page.write_string(
                    0, at, str(harmless(heading)), formats.asked if last else formats.heading
                )
            for place, row in enumerate(rows, start=1):
                for at, value in enumerate(row):
                    text = str(harmless(value))[:_LONGEST_CELL]
                    page.write_string(place, at, text, formats.text)
            page.freeze_panes(1, 0)
            page.autofilter(0, 0, max(len(rows), 1), max(len(headings) - 1, 0))


# --- text ---------------------------------------------------------------------------------------


class Csv(File):
    """A CSV file in UTF-8 with the mark that Excel wants; headings are the columns' names."""

    def __init__(self, file: Path, sheet: Sheet) -> None:
        self._out = file.open("w", newline="", encoding="utf-8-sig")
        self._writer = csv.writer(self._out)
        self._writer.writerow([column.name for column in sheet.form.columns])

    @override
    def write(self, sheet: Sheet, rows: Rows) -> None:
        self._writer.writerows(rows)

    @override
    def close(self) -> None:
        self._out.close()


class JsonLines(File):
    """A JSON object a line, in UTF-8; values are as they are recorded."""

    @override
    def values(self, column: pa.Array) -> list[Any]:
        values: list[Any] = column.to_pylist()
        return values

    def __init__(self, file: Path, sheet: Sheet) -> None:
        self._out = file.open("w", encoding="utf-8")
        self._names = [column.name for column in sheet.form.columns]

    @override
    def write(self, sheet: Sheet, rows: Rows) -> None:
        for row in rows:
            self._out.write(as_json(dict(zip(self._names, row, strict=True))) + "\n")

    @override
    def close(self) -> None:
        self._out.close()


def routes(language: Language) -> dict[str, str]:
    """Returns who corrects, in words, by the code of the route."""
    return {label.code: label.vi if language == "vi" else label.en for label in ROUTE_LABELS}


# --- whole files --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Draft:
    """A file that is to be written.

    Attributes:
        place: Where.
        kind: What kind of file.
        sheets: Its lists; of CSV and JSON Lines one.
        cover: What its first sheet tells.
        language: Of headings and words.
        tables: The rows of each list: the columns that its form shows.
    """

    place: Path
    kind: Format
    sheets: Sequence[Sheet]
    cover: Cover
    language: Language
    tables: Sequence[pa.Table]


def write_file(draft: Draft) -> int:
    """Writes a file whole; returns how many rows it has."""
    file: File
    if draft.kind is Format.XLSX:
        file = Workbook(draft.place, draft.sheets, draft.cover, draft.language)
    else:
        file = (Csv if draft.kind is Format.CSV else JsonLines)(draft.place, draft.sheets[0])
    try:
        for sheet, table in zip(draft.sheets, draft.tables, strict=True):
            for batch in table.to_batches():
                empty = [None] * batch.num_rows
                columns = [
                    file.values(batch.column(column.source)) if column.source else empty
                    for column in sheet.form.columns
                ]
                file.write(sheet, zip(*columns, strict=True))
    finally:
        file.close()
    return sum(sheet.rows for sheet in draft.sheets)
