"""Taking answers in: every row of every file that came back is compared with what was sent.

Belongs here: which answer becomes which decision or note, and why a row is returned. Does not
belong here: reading the files (``reading.py``), the statements (``queries``), and what the next run
makes of a decision (``core.decided``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from etl.domain.codes import ANSWER_LABELS
from etl.domain.errors import ConfigError
from etl.engine.port import Warehouse
from etl.pipeline.snapshots import has, reading
from etl.process.files import refused, to_disk, whole_file
from etl.settings import Settings
from etl.state.access import who_asks
from etl.state.copying import refresh
from etl.state.store import State, now, open_state
from etl.stewards.worklists.forms import (
    ANSWER,
    ANSWERS,
    CITIZEN_NUMBER,
    KEY,
    NOTE,
    Form,
    Language,
    load_forms,
)
from etl.stewards.worklists.reading import Given, GivenSheet, read_file
from etl.stewards.worklists.sending import READ, append, query
from etl.stewards.worklists.writing import said, write_returned

COMMAND = "worklists import"
"""What the access log calls it."""

REASONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "unknown_key": (
            "Khóa dòng đã bị sửa, hoặc danh sách không do hệ thống này gửi.",
            "The row key was changed, or this installation never sent the list.",
        ),
        "repeated_key": (
            "Khóa dòng này có ở nhiều dòng: chỉ giữ một dòng.",
            "Several rows have this row key: leave one of them.",
        ),
        "other_row": (
            "Khóa dòng là của hồ sơ khác: các ô của dòng đã bị xê dịch.",
            "The row key is another record's: the cells of this row were moved.",
        ),
        "answer_missing": (
            "Có ghi chú hoặc số định danh nhưng chưa chọn câu trả lời.",
            "Something is written, and no answer is chosen.",
        ),
        "answer_unknown": (
            "Câu trả lời không có trong danh sách.",
            "The answer is none of the list.",
        ),
        "answer_of_another_list": (
            "Câu trả lời này không dùng cho danh sách này.",
            "This answer makes no sense on such a list.",
        ),
        "note_missing": (
            "Chưa giải quyết được thì phải ghi lý do vào cột ghi chú.",
            "What cannot be settled needs its reason in the note.",
        ),
        "record_gone": (
            "Hồ sơ không còn trong CSDL bảo hiểm.",
            "The record is no longer in the insurance register.",
        ),
        "facts_changed": (
            "Dữ liệu của hồ sơ hoặc của công dân đã thay đổi sau khi gửi danh sách: xem danh sách "
            "mới rồi trả lời lại.",
            "The record's or the citizen's data have changed since the list was sent: look at a "
            "new list and answer again.",
        ),
        "number_missing": (
            "Là công dân khác thì phải ghi 12 chữ số định danh.",
            "Another citizen needs the 12 digits of the personal number.",
        ),
        "number_unknown": (
            "CSDL dân cư không có số định danh này.",
            "The population register has no such personal number.",
        ),
        "no_such_candidate": (
            "Dòng này không có ứng viên đó.",
            "This row has no such candidate.",
        ),
        "number_beside_answer": (
            "Số định danh đã ghi không phải của công dân được chọn: chọn 'Là công dân khác', hoặc "
            "xóa số.",
            "The number that is written is not that of the answer: choose 'another citizen', or "
            "take the number out.",
        ),
        "no_duplicate": (
            "Chỉ chọn 'Giữ hồ sơ này' ở dòng trùng hồ sơ.",
            "'Keep this record' is for rows of several records only.",
        ),
        "contradiction": (
            "Các dòng của cùng một hồ sơ trả lời trái ngược nhau.",
            "Rows of one record say different things.",
        ),
    }
)
"""Why a row is returned, in Vietnamese and in English."""


@dataclass(frozen=True)
class Returned:
    """A row that was not taken in.

    Attributes:
        file: Of which file.
        sheet: Of which of its sheets.
        line: Where it stands there.
        reason: Why, as a key of ``REASONS``.
    """

    file: Path
    sheet: str
    line: int
    reason: str


@dataclass(frozen=True)
class Taken:
    """What became of the rows.

    Attributes:
        rows: How many there were.
        unanswered: Those without an answer.
        known: Those whose answer had been taken in before.
        decisions: How many decisions were made.
        notes: How many rows were noted as answered without a decision.
        revised: Of the rows taken in, those that had another answer before.
        returned: Those that were not taken in.
        files: The files with these.
    """

    rows: int
    unanswered: int
    known: int
    decisions: int
    notes: int
    revised: int
    returned: tuple[Returned, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Row:
    """An answered row with where it stands."""

    sheet: GivenSheet
    given: Given


def take_in(settings: Settings, files: Sequence[Path], language: Language = "vi") -> Taken:
    """Takes answers in: good rows become decisions or notes, the others are written to files.

    The state is written in one transaction; of two imports at once, one waits for the other. The
    next run applies the decisions. Files of returned rows are written before the state's commit,
    and put into their places after it: nothing is taken in where they cannot be written.

    Args:
        settings: Whose state and last result.
        files: What came back.
        language: Of the reasons in the files of returned rows.

    Raises:
        ConfigError: A file cannot be read or is no worklist, or the returned rows cannot be
            written; nothing was taken in, unless the message says so.
        NothingYetError: There is no result.
        ConnectionFailedError: The state cannot be reached; nothing was taken in.
    """
    forms = load_forms(settings)
    sheets = [sheet for file in files for sheet in read_file(file, forms.values())]
    rows = [_Row(sheet, given) for sheet in sheets for given in sheet.rows]
    answered = [row for row in rows if _is_answered(row)]
    with ExitStack() as drafts:
        with reading(settings, has(*READ)) as warehouse:
            refresh(warehouse, settings)
            warehouse.execute(query("macros"))
            with open_state(settings) as state:
                state.bump("worklist_items")  # another import waits here
                _read_sent(warehouse, state, answered)
                _judge(warehouse, answered)
                reasons = _reasons(warehouse)
                counts = _write(warehouse, state)
                returned = [
                    (row, reasons[number])
                    for number, row in enumerate(answered)
                    if reasons[number] not in ("", "known")
                ]
                written = tuple(_write_files(returned, language, drafts))
        try:
            drafts.close()
        except ConfigError as error:
            raise ConfigError(
                f"{error.what} The other rows were taken in: {counts['decisions']:,} decisions, "
                f"{counts['notes']:,} notes.",
                where=error.where,
                remedy=f"{error.remedy} Then import the same again: what was taken in is passed "
                "over, and the rows that were not come back.",
            ) from None
    return Taken(
        rows=len(rows),
        unanswered=len(rows) - len(answered),
        known=sum(reason == "known" for reason in reasons),
        decisions=counts["decisions"],
        notes=counts["notes"],
        revised=counts["revised"],
        returned=tuple(
            Returned(row.sheet.file, row.sheet.name, row.given.line, reason)
            for row, reason in returned
        ),
        files=written,
    )


# --- what is written ----------------------------------------------------------------------------


def _inputs(form: Form) -> list[str]:
    return [column.input for column in form.columns if column.input]


def _is_answered(row: _Row) -> bool:
    return any(name in row.given.values for name in _inputs(row.sheet.form))


def _plain(words: str) -> str:
    return " ".join(unicodedata.normalize("NFC", words).casefold().split())


def _answers(form: Form) -> dict[str, str]:
    """Returns answers by every way to write them: their code, and their words in both languages."""
    known = {
        _plain(words): label.code
        for label in ANSWER_LABELS
        for words in (label.code, label.vi, label.en)
    }
    offered = {
        _plain(one.in_(language)): str(one.code) for one in form.answers for language in _LANGUAGES
    }
    return known | offered


_LANGUAGES: tuple[Language, ...] = ("vi", "en")


def _note(row: _Row) -> str:
    """Returns the note, followed by what stands in other inputs of the form."""
    values = row.given.values
    others = [
        f"{column.vi}: {values[column.input]}"
        for column in row.sheet.form.columns
        if column.input not in (None, ANSWER, CITIZEN_NUMBER, NOTE) and column.input in values
    ]
    return "; ".join([*([values[NOTE]] if NOTE in values else []), *others])


def _number(text: str) -> str:
    """Returns the digits of a personal number; a spreadsheet may have dropped zeros in front."""
    plain = re.sub(r"[\s.'-]", "", text)
    return plain.zfill(12) if plain.isdecimal() and plain.isascii() else text


def _told(rows: Sequence[_Row]) -> pa.Table:
    """Returns the rows as the statements read them."""
    words = {id(row.sheet): _answers(row.sheet.form) for row in rows}
    told: dict[str, list[Any]] = {name: [] for name in _TOLD}
    for number, row in enumerate(rows):
        values = row.given.values
        answer = words[id(row.sheet)].get(_plain(values.get(ANSWER, "")))
        trouble = ""
        if answer is None:
            trouble = "answer_unknown" if values.get(ANSWER) else "answer_missing"
        typed = values.get(CITIZEN_NUMBER, "")
        shown = re.sub(r"[\W]", "", values.get("record_id", "")).lower().lstrip("0")
        for name, value in (
            ("row_number", number),
            ("key", values.get(KEY, "")),
            ("answer", answer),
            ("trouble", trouble),
            ("number", _number(typed) if typed else ""),
            ("note", _note(row)),
            # An id with a sign that was written out, or that was rounded as a number, cannot be
            # compared.
            ("shown_record", "" if re.search(r"⟨U\+|E\+", values.get("record_id", "")) else shown),
        ):
            told[name].append(value)
    return pa.table(told, schema=_TOLD_SCHEMA)


_TOLD_SCHEMA = pa.schema(
    [("row_number", pa.int64())]
    + [
        (name, pa.string())
        for name in ("key", "answer", "trouble", "number", "note", "shown_record")
    ]
)
_TOLD = _TOLD_SCHEMA.names


# --- what was sent, and what is known now -------------------------------------------------------

_AT_ONCE = 500
"""How many worklists one question to the state names."""


def _read_sent(warehouse: Warehouse, state: State, rows: Sequence[_Row]) -> None:
    """Reads from the state what was sent in the worklists that the rows name."""
    named = sorted({row.given.values.get(KEY, "").partition(".")[0] for row in rows})
    items, lists = state.tables["worklist_items"], state.tables["worklists"]
    for name, table in (("items", items), ("lists", lists)):
        columns = [column.name for column in table.columns]
        for start in range(0, max(len(named), 1), _AT_ONCE):
            some = [one for one in named[start : start + _AT_ONCE] if _WORKLIST.fullmatch(one)]
            found = state.writer.read(table, columns, table.c.worklist_id.in_(some))
            how = f"insert into {name}" if start else f"create or replace temp table {name} as"
            with warehouse.lending("incoming", found):
                warehouse.execute(f"{how} select * from incoming")  # noqa: S608 - our words
    # The state names records by their published key.
    warehouse.execute(
        "create or replace temp table wanted as "
        "select insurance.record_id, published_key(insurance.record_id) as sent_record "
        "from clean.insurance as insurance "
        "where published_key(insurance.record_id) in (select record_id from items)"
    )
    warehouse.execute(query("facts"))


_WORKLIST = re.compile(r"[A-Z0-9]{1,32}")


def _judge(warehouse: Warehouse, rows: Sequence[_Row]) -> None:
    """Makes ``judged`` and ``made``: what each row means, and the decisions that follow."""
    allowed = [f"{shape}/{answer}" for shape, some in ANSWERS.items() for answer in sorted(some)]
    with (
        warehouse.lending("given", _told(rows)),
        warehouse.lending("allowed", pa.table({"answer": allowed})),
    ):
        warehouse.execute(query("answers"))
    warehouse.execute(query("decisions"))
    warehouse.execute(
        "update judged set reason = 'contradiction' "
        "where row_number in (select row_number from made where contradicts)"
    )


def _reasons(warehouse: Warehouse) -> list[str]:
    """Returns for each row why it is not taken in; empty where it is."""
    found = warehouse.rows("select reason from judged order by row_number")
    return [str(row["reason"]) for row in found]


# --- what comes of it ---------------------------------------------------------------------------


def _write(warehouse: Warehouse, state: State) -> dict[str, int]:
    """Writes decisions, answers and entries of the access log into the state; returns how many."""
    given = {"at": now(), "by": who_asks()}
    warehouse.execute(
        "create or replace temp table taken_answers as "
        "select worklist_id, sent_record as record_id, code, answer, "
        "$at::timestamp as answered_at, $by as answered_by, "
        "nullif(note, '') as note from judged where reason = ''",
        given,
    )
    warehouse.execute(
        "create or replace temp table taken_looks as "
        "select replace(uuid()::varchar, '-', '') as access_id, $at::timestamp as accessed_at, "
        "$by as accessed_by, record_key(record_id) as record_key, $command as command from "
        "(select distinct record_id from judged where record_id is not null)",
        {**given, "command": COMMAND},
    )
    with warehouse.lending("answer_words", _words()):
        warehouse.execute(
            """
            create or replace temp table taken_decisions as
            select
                replace(uuid()::varchar, '-', '') as decision_id,
                made.record_id,
                $by as decided_by,
                $at::timestamp as decided_at,
                made.personal_id,
                'worklist ' || min(made.worklist_id) || ': ' || min(answer_words.words)
                || coalesce(' (' || nullif(min(made.note), '') || ')', '') as reason,
                made.verdict,
                made.kept_record_id,
                made.seen,
                made.machine_verdict,
                made.machine_step,
                made.machine_personal_id,
                made.machine_probability
            from made
            inner join answer_words on made.answer = answer_words.answer
            where not made.contradicts
            group by all
            """,
            given,
        )
    counts = {
        "decisions": warehouse.number("select count(*) from taken_decisions"),
        "notes": warehouse.number(
            "select count(*) from judged where reason = '' "
            "and answer in ('cannot_be_settled', 'corrected_at_source')"
        ),
        "revised": warehouse.number(
            "select count(*) from judged where reason = '' and was_answered"
        ),
    }
    if warehouse.number("select count(*) from taken_looks"):
        append(warehouse, state, "access_log", "taken_looks")
    if counts["decisions"]:
        append(warehouse, state, "decisions", "taken_decisions")
    if warehouse.number("select count(*) from taken_answers"):
        answers = warehouse.batches("select * from taken_answers")
        state.writer.update(state.tables["worklist_items"], answers)
    return counts


def _words() -> pa.Table:
    return pa.table(
        {
            "answer": [label.code for label in ANSWER_LABELS],
            "words": [label.vi for label in ANSWER_LABELS],
        }
    )


def _write_files(
    returned: Sequence[tuple[_Row, str]], language: Language, drafts: ExitStack
) -> Iterator[Path]:
    """Writes the rows that were not taken in, each with the reason, beside their files.

    Args:
        returned: The rows.
        language: Of the reasons.
        drafts: Closing it puts the files into their places; an error in it deletes them.

    Raises:
        ConfigError: A file cannot be written.
    """
    taken: set[Path] = set()
    by_file: dict[Path, dict[int, list[tuple[_Row, str]]]] = {}
    for row, reason in returned:
        by_file.setdefault(row.sheet.file, {}).setdefault(id(row.sheet), []).append((row, reason))
    heading = said("returned", language)
    for file, sheets in by_file.items():
        written = []
        for found in sheets.values():
            sheet = found[0][0].sheet
            # (A file of returned rows that was corrected only in part has the column already.)
            kept = [at for at, words in enumerate(sheet.headings) if words != heading]
            lines = [
                (*(row.given.cells[at] for at in kept), _why(reason, language))
                for row, reason in found
            ]
            name = re.sub(r"[\[\]:*?/\\']", " ", sheet.name)[:31] or "1"
            written.append((name, (*(sheet.headings[at] for at in kept), heading), lines))
        place = file.with_name(f"{file.stem}.rejected.xlsx")
        if place.resolve() in taken:  # of two files that differ in their endings only
            place = file.with_name(f"{file.name}.rejected.xlsx")
        taken.add(place.resolve())
        draft = drafts.enter_context(whole_file(place))
        try:
            write_returned(draft, written)
            to_disk(draft)
        except OSError as error:
            raise refused(place, error) from None
        yield place


def _why(reason: str, language: Language) -> str:
    return REASONS[reason][0 if language == "vi" else 1]


def refuse_nothing(files: Sequence[Path]) -> None:
    """Refuses a command that names no file, or one twice.

    Raises:
        ConfigError: There is none, or one stands twice.
    """
    places = [file.resolve() for file in files]
    if len(set(places)) < len(places):
        raise ConfigError("A file is named twice.", remedy="Name each file once.")
