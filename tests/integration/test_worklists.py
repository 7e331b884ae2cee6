"""Worklists are sent to offices and come back: what is in them, and what an answer does."""

from __future__ import annotations

import csv
import errno
import io
import json
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
import xlsxwriter
import yaml
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from etl.domain.codes import ANSWER_LABELS
from etl.domain.errors import ConfigError
from etl.domain.showing import cell
from etl.state.store import now
from etl.stewards.worklists import sending
from etl.stewards.worklists.writing import harmless, harmless_column
from tests.support import Command, Registers, Server, citizen, from_state, record, run_sql

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]
Run = Callable[..., Command]
Answers = Mapping[str, Mapping[str, str]]

HANOI = {"office": "BHXH cơ sở Ba Đình", "commune": "Phường Ngọc Hà"}
SAIGON = {"province_code": "79", "commune": "Phường Bến Thành"}
HOSTILE = "=Ai Đó Khác"

LAN, MAI, HUNG, BAY, TAM = (str(citizen(n)["personal_id"]) for n in (1, 2, 3, 7, 8))


def word(code: str) -> str:
    """An answer in the words of the drop-down list."""
    return next(label.vi for label in ANSWER_LABELS if label.code == code)


@pytest.fixture
def pair(synced: Make) -> Registers:
    """Records of two offices: faultless ones, and one of each kind that needs a person."""
    return synced(
        [
            *(record(n, **HANOI) for n in range(1, 6)),
            *(record(n, **SAIGON) for n in range(6, 13)),
            record(3, record_id="second", insurance_number="7900000099", **HANOI),
            record(900, record_id="stranger", id_number=None, full_name=HOSTILE, **HANOI),
            record(8, record_id="near", id_number=None, insurance_number="7900000098",
                   full_name=f"{citizen(8)['full_name']}h", **SAIGON),
            record(13, record_id="sexless", gender=None, **SAIGON),
            record(14, record_id="year", date_of_birth="1964", **SAIGON),
        ]
    )  # fmt: skip


@pytest.fixture
def worklists(pair: Registers, doisoat_here: Doisoat) -> Run:
    """Runs ``doisoat worklists``."""

    def run(*arguments: object, by: str = "lan") -> Command:
        return doisoat_here("--config", pair.file, "worklists", *arguments, DOISOAT_USER=by)

    return run


@pytest.fixture
def sent(pair: Registers, worklists: Run) -> Callable[..., list[Path]]:
    """Exports, and returns the files."""

    def export(*options: str, folder: str = "out") -> list[Path]:
        told = worklists("export", "--to", pair.folder / folder, *options, "--json")
        assert told.exit_code == 0, told.errors
        return [Path(file) for file in json.loads(told.output)["files"]]

    return export


# --- reading and filling in, as a person would ---------------------------------------------------


def sheets(file: Path) -> dict[str, list[dict[str, str]]]:
    """The lists of a workbook, with their rows by heading, without the cover sheet."""
    book = CalamineWorkbook.from_path(str(file))
    found = {}
    for name in book.sheet_names[1:]:
        headings, *rows = book.get_sheet_by_name(name).to_python()
        found[name] = [dict(zip(map(str, headings), row, strict=True)) for row in rows]
    return found


def fill(file: Path, answers: Answers, by: str = "Mã hồ sơ", copy: str = "") -> Path:
    """Saves a workbook with answers written into the rows of some records."""
    place = file.with_name(copy or file.name)
    found = sheets(file)
    with xlsxwriter.Workbook(str(place)) as book:
        for name, rows in found.items():
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, list(rows[0]))
            for at, row in enumerate(rows, start=1):
                changed = row | {
                    heading: value
                    for heading, value in answers.get(row[by], {}).items()
                    if heading in row
                }
                for column, value in enumerate(changed.values()):
                    sheet.write_string(at, column, str(value))
    return place


def office(files: list[Path], part: str) -> Path:
    (found,) = (file for file in files if part in file.name)
    return found


def reconciled(pair: Registers) -> dict[str, tuple[object, object, object]]:
    """Status, citizen and step of each record, as published."""
    return {
        row["record_id"]: (row["status"], row["personal_id"], row["match_step"])
        for row in pair.published("select * from {reconciled}")
    }


def reasons(told: Command) -> list[str]:
    return [row["reason"] for row in json.loads(told.output)["returned"]]


# --- what goes out ------------------------------------------------------------------------------


def test_each_office_gets_a_file_of_its_own_records_only(sent: Callable[..., list[Path]]) -> None:
    files = sent()

    assert [file.name for file in files] == [
        "01_bhxh-co-so-ba-dinh.xlsx",
        "79_phuong-ben-thanh.xlsx",  # it names no office, so its commune counts
    ]
    hanoi, saigon = map(sheets, files)
    assert list(hanoi) == ["01 Đã khớp", "02 Chưa khớp", "TK1-TS Điều chỉnh"]
    assert {row["Mã hồ sơ"] for row in hanoi["02 Chưa khớp"]} == {"stranger"}
    assert {row["Mã hồ sơ"] for row in hanoi["TK1-TS Điều chỉnh"]} == {"R000003", "second"}
    assert {row["Mã hồ sơ"] for row in saigon["01 Đã khớp"]} == {"sexless", "year"}
    (near,) = saigon["02 Chưa khớp"]
    assert near["Mã hồ sơ"] == "near"
    assert near["Ứng viên 1: số định danh"] == TAM
    assert near["Ứng viên 1: họ và tên"] == citizen(8)["full_name"]
    assert near["Số ngày tồn"] == 0


def test_a_correction_says_what_is_recorded_what_the_citizen_has_and_on_what_basis(
    sent: Callable[..., list[Path]],
) -> None:
    rows = {row["Mã hồ sơ"]: row for row in sheets(office(sent(), "79"))["TK1-TS Điều chỉnh"]}

    assert rows["sexless"]["Thông tin cần sửa"] == "Giới tính"
    assert rows["sexless"]["Giá trị đang ghi"] == ""
    assert rows["sexless"]["Giá trị đề nghị"] == citizen(13)["gender"]
    assert "Nghị định 43/2021" in rows["sexless"]["Căn cứ"]
    assert (
        rows["sexless"]["TK1-TS: họ và tên (chữ in hoa có dấu)"]
        == str(citizen(13)["full_name"]).upper()
    )
    assert rows["year"]["Giá trị đang ghi"] == "1964"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--by", "province"], {"01.xlsx", "79.xlsx"}),
        (["--by", "commune"], {"01_phuong-ngoc-ha.xlsx", "79_phuong-ben-thanh.xlsx"}),
        (["--province", "79"], {"79_phuong-ben-thanh.xlsx"}),
        (["--shape", "not_matched", "--province", "01"], {"01_bhxh-co-so-ba-dinh.xlsx"}),
        (["--province", "79", "--limit", "2"],
         {f"79_phuong-ben-thanh_{n}.xlsx" for n in (1, 2, 3)}),
        (["--route", "citizen"], {"01_bhxh-co-so-ba-dinh.xlsx"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
@pytest.mark.wide
def test_files_are_parted_and_narrowed_as_asked(
    sent: Callable[..., list[Path]], worklists: Run, options: list[str], names: set[str]
) -> None:
    files = sent(*options)
    assert {file.name for file in files} == names
    if "--limit" in options:
        assert [sum(map(len, sheets(file).values())) for file in files] == [2, 2, 1]


def test_employers_get_their_list_with_room_for_papers(
    pair: Registers, sent: Callable[..., list[Path]]
) -> None:
    for row in pair.insurance:
        row["employer_code"] = "DN01" if row["record_id"] in ("sexless", "R000006") else None
    pair.write()
    pair.sync()

    (row,) = sheets(office(sent("--by", "employer"), "79_dn01"))["D01-TS Bảng kê"]
    assert row["Nội dung điều chỉnh"] == "Giới tính"
    assert row["Số hiệu văn bản"] == ""


def test_files_are_their_owners_only_and_none_is_written_over(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    files = sent()
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
    lists = from_state(pair.settings, "select * from {worklists}")

    again = worklists("export", "--to", files[0].parent)

    assert again.exit_code == 2
    assert "has a worklist of this name already" in again.errors
    assert from_state(pair.settings, "select * from {worklists}") == lists
    assert {file.name for file in files[0].parent.iterdir()} == {file.name for file in files}


def test_two_exports_to_one_folder_do_not_write_over_each_other(
    pair: Registers, worklists: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find the folder empty; who is later with the files has sent nothing."""
    folder = pair.folder / "out"
    write = sending._Files.write

    def late(files: sending._Files, draft: Path, progress: sending.Progress | None) -> None:
        write(files, draft, progress)
        (folder / files.plans[-1].name).write_bytes(b"of the other export")

    monkeypatch.setattr(sending._Files, "write", late)

    refused = worklists("export", "--to", folder)

    assert refused.exit_code == 2
    assert "has a worklist of this name already" in refused.errors
    assert from_state(pair.settings, "select * from {worklists}") == []
    assert from_state(pair.settings, "select * from {access_log}") == []
    assert [file.read_bytes() for file in folder.iterdir()] == [b"of the other export"]


def test_files_that_could_not_be_remembered_leave_nothing_in_the_folder(
    pair: Registers, worklists: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        assert list(folder.glob("*.xlsx")), "the places are taken before anything is remembered"
        raise ConfigError("The state is away.")

    folder = pair.folder / "out"
    monkeypatch.setattr(sending, "_remember", fails)

    assert "The state is away." in worklists("export", "--to", folder).errors
    assert list(folder.iterdir()) == []


def test_files_written_by_several_processes_are_those_that_one_writes(
    pair: Registers, sent: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(files: list[Path]) -> list[dict[str, list[dict[str, str]]]]:
        return [
            {
                name: [{k: v for k, v in row.items() if k not in apart} for row in of_sheet]
                for name, of_sheet in sheets(file).items()
            }
            for file in files
        ]

    apart = {"Khóa dòng (không sửa)", "Số lần đã gửi trước"}  # these differ from list to list
    alone = sent("--to", str(pair.folder / "alone"))
    monkeypatch.setattr("etl.stewards.worklists.sending._ALONE_BELOW", 0)
    pair.options = {"engine": {"threads": 2}}
    together = sent("--to", str(pair.folder / "together"))

    assert [file.name for file in together] == [file.name for file in alone]
    assert rows(together) == rows(alone)
    assert {stat.S_IMODE(file.stat().st_mode) for file in together} == {0o600}


def test_who_is_about_to_be_shown_stands_in_the_access_log(
    pair: Registers, sent: Callable[..., list[Path]]
) -> None:
    sent("--province", "79")
    looks = from_state(pair.settings, "select * from {access_log}")
    assert {(row["accessed_by"], row["command"]) for row in looks} == {("lan", "worklists export")}
    assert len({row["record_key"] for row in looks}) == len(looks) == 3


# --- how a workbook is made ---------------------------------------------------------------------

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def _part(file: Path, name: str) -> ElementTree.Element:
    with zipfile.ZipFile(file) as archive:
        return ElementTree.fromstring(archive.read(name))  # noqa: S314 - our own file


def test_only_the_cells_to_fill_in_are_open_and_the_answer_is_chosen_from_a_list(
    sent: Callable[..., list[Path]],
) -> None:
    file = office(sent(), "79")
    (row, *_) = sheets(file)["02 Chưa khớp"]
    headings = list(row)
    sheet = _part(file, "xl/worksheets/sheet3.xml")  # after the cover and form 01
    styles = next(_part(file, "xl/styles.xml").iter(f"{_MAIN}cellXfs"))
    is_open = [
        any(part.get("locked") == "0" for part in one.iter(f"{_MAIN}protection")) for one in styles
    ]

    opened = {
        headings[at - 1]
        for column in sheet.iter(f"{_MAIN}col")
        if is_open[int(column.get("style", 0))]
        for at in range(int(column.get("min", 0)), int(column.get("max", 0)) + 1)
    }
    cells = {
        re.sub(r"\d", "", str(found.get("r"))): found
        for found in sheet.iter(f"{_MAIN}c")
        if str(found.get("r")).endswith("2")
    }
    letters = {heading: _letters(at) for at, heading in enumerate(headings)}
    assert not any(is_open[int(found.get("s", 0))] for found in cells.values())
    assert opened == {"Trả lời", "Số định danh đúng", "Ghi chú"}
    assert sheet.find(f"{_MAIN}sheetProtection") is not None
    assert sheet.find(f"{_MAIN}autoFilter") is not None
    assert next(sheet.iter(f"{_MAIN}pane")).get("state") == "frozen"
    chosen = {str(one.get("sqref")): one for one in sheet.iter(f"{_MAIN}dataValidation")}[
        f"{letters['Trả lời']}2"
    ]
    assert chosen.get("type") == "list"
    source = chosen.findtext(f"{_MAIN}formula1") or ""
    assert "Hướng dẫn" in source
    assert _words_of(file, source) == [
        word(code) for code in ("link_1", "link_2", "link_3", "other_citizen", "no_candidate",
                                "not_a_person", "corrected_at_source", "cannot_be_settled")
    ]  # fmt: skip
    # Numbers are text, so leading zeros stay.
    assert cells[letters["Mã số BHXH"]].get("t") == "inlineStr"


def _letters(at: int) -> str:
    return chr(65 + at) if at < 26 else chr(64 + at // 26) + chr(65 + at % 26)


def _words_of(file: Path, source: str) -> list[str]:
    first, last = map(int, re.findall(r"\$A\$(\d+)", source))
    book = CalamineWorkbook.from_path(str(file))
    cover = book.get_sheet_by_name(book.sheet_names[0]).to_python(skip_empty_area=False)
    return [str(cover[at - 1][0]) for at in range(first, last + 1)]


def test_the_cover_says_what_it_is_of_which_run_and_whom_to_ask(
    pair: Registers, sent: Callable[..., list[Path]]
) -> None:
    pair.options = {**pair.options, "worklists": {"contact": "Phòng CNTT, số máy 113"}}
    book = CalamineWorkbook.from_path(str(office(sent(), "01")))
    cover = book.get_sheet_by_name(book.sheet_names[0]).to_python()
    said = "\n".join(str(value) for row in cover for value in row)

    (run,) = from_state(pair.settings, "select distinct run_id from {worklists}")
    for words in (run["run_id"], "BHXH cơ sở Ba Đình", "Phòng CNTT, số máy 113", "Mẫu 01",
                  "TK1-TS", "Công an cấp xã", word("cannot_be_settled")):  # fmt: skip
        assert words in said


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_no_cell_is_a_formula(sent: Callable[..., list[Path]], kind: str) -> None:
    files = [file for file in sent("--format", kind) if "01_" in file.name]
    if kind == "xlsx":
        values = [str(v) for rows in sheets(files[0]).values() for r in rows for v in r.values()]
    else:
        text = "".join(file.read_text("utf-8-sig") for file in files)
        values = [value for row in csv.reader(io.StringIO(text)) for value in row]

    assert f"'{HOSTILE}" in values
    assert [value for value in values if value[:1] in "=+-@\t\r" and value] == []


@given(st.lists(st.text() | st.from_regex(r"[;\"= +@\t\r\n-]{0,3}\w*", fullmatch=True)))
def test_a_column_is_made_harmless_as_its_cells_are(texts: list[str]) -> None:
    assert harmless_column(pa.array(texts, pa.string())) == [cell(text) for text in texts]
    for text in texts:
        assert harmless_column(pa.array([text])) == [cell(text)]


@given(st.text() | st.from_regex(r"[;\"= +@\t\r\n-]{0,3}\w*", fullmatch=True))
def test_the_quick_way_makes_harmless_what_the_careful_way_does(text: str) -> None:
    assert harmless(text) == cell(text)
    shown = str(harmless(text))
    assert not re.match(r"[=+\-@\t\r\n＝＋－＠]", shown)
    assert not re.search(r";[ \"]*[=+\-@]", shown)


def test_json_lines_have_values_as_they_are_recorded(sent: Callable[..., list[Path]]) -> None:
    files = sent("--format", "jsonl", "--shape", "not_matched")
    rows = [json.loads(line) for line in office(files, "01").read_text("utf-8").splitlines()]
    assert [(row["record_id"], row["full_name"]) for row in rows] == [("stranger", HOSTILE)]
    assert set(rows[0]) >= {"key", "answer", "citizen_number", "note", "due_on", "times_sent"}


# --- what comes back ----------------------------------------------------------------------------


def test_answers_change_the_records_that_they_are_of_and_no_others(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    before = reconciled(pair)
    files = sent()
    hanoi = fill(
        office(files, "01"),
        {
            "stranger": {"Trả lời": word("not_a_person")},
            "second": {"Trả lời": word("keep_this_record"), "Ghi chú": "hồ sơ mới"},
        },
    )
    saigon = fill(
        office(files, "79"),
        {
            "near": {"Trả lời": word("link_1"), "Ghi chú": "=xem CCCD"},
            "year": {"Trả lời": word("not_this_citizen")},
        },
    )

    told = worklists("import", hanoi, saigon, "--json", by="minh")

    # 'keep' is also on form 01, where it is no answer; 'not this citizen' on both is one answer.
    assert reasons(told) == ["answer_of_another_list"], told.output
    assert told.exit_code == 1
    taken = json.loads(told.output)
    assert (taken["decisions"], taken["notes"]) == (4, 0)
    made = from_state(pair.settings, "select * from {decisions} order by record_id")
    assert [(row["record_id"], row["verdict"], row["decided_by"]) for row in made] == [
        ("near", "link", "minh"),
        ("second", "keep_record", "minh"),
        ("stranger", "not_a_person", "minh"),
        ("year", "not_link", "minh"),
    ]
    assert made[0]["machine_verdict"] == "review"
    assert made[0]["machine_personal_id"] == TAM
    pair.sync()
    after = reconciled(pair)
    assert after["near"][1:] == (TAM, "steward")
    assert after["year"] == ("NOT_FOUND", None, None)
    changed = {record_id for record_id in before if before[record_id] != after[record_id]}
    assert changed - {"near", "year"} <= {"R000008", "R000003"}  # records of the same citizens
    (kept,) = pair.published(
        "select distinct proposed_value as kept from {corrections} where field = 'record_id' "
        "and record_id in ('R000003', 'second')"
    )
    assert kept["kept"] == "second"


def test_a_file_that_a_bulk_answer_came_by_rests_on_the_same_facts_as_a_single_decision(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run, doisoat_here: Doisoat
) -> None:
    worklists("import", fill(office(sent(), "79"), {"near": {"Trả lời": word("link_1")}}))
    doisoat_here("--config", pair.file, "decide", "near", "--link", TAM, "--reason", "seen")
    made = from_state(pair.settings, "select * from {decisions}")
    assert len(made) == 1, "the same was decided already"


@pytest.mark.wide
def test_the_same_file_twice_changes_nothing_before_and_after_a_run(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    file = fill(
        office(sent(), "79"),
        {
            "near": {"Trả lời": word("other_citizen"), "Số định danh đúng": BAY},
            "sexless": {"Trả lời": word("corrected_at_source")},
            "year": {"Trả lời": word("cannot_be_settled"), "Ghi chú": "đi vắng"},
        },
    )
    first = worklists("import", file, "--json")
    assert first.exit_code == 0, first.output
    state = {
        name: from_state(pair.settings, f"select * from {{{name}}}")
        for name in ("decisions", "worklist_items")
    }

    for _ in range(2):
        again = worklists("import", file, "--json")
        assert again.exit_code == 0, again.output
        assert json.loads(again.output)["known"] == 5
        for name, rows in state.items():
            assert from_state(pair.settings, f"select * from {{{name}}}") == rows
        pair.sync()
    assert reconciled(pair)["near"][1:] == (BAY, "steward")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"Khóa dòng (không sửa)": "W000.0000"}, "unknown_key"),
        ({"Mã hồ sơ": "R000009"}, "other_row"),
        ({"Trả lời": "có lẽ"}, "answer_unknown"),
        ({"Trả lời": "", "Ghi chú": "xem lại"}, "answer_missing"),
        ({"Trả lời": word("cannot_be_settled")}, "note_missing"),
        ({"Trả lời": word("link_3")}, "no_such_candidate"),
        ({"Trả lời": word("other_citizen")}, "number_missing"),
        ({"Trả lời": word("other_citizen"), "Số định danh đúng": "123"}, "number_unknown"),
        ({"Số định danh đúng": LAN}, "number_beside_answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.wide
def test_a_bad_row_comes_back_with_its_reason_and_the_good_ones_are_taken(
    pair: Registers,
    sent: Callable[..., list[Path]],
    worklists: Run,
    answers: dict[str, str],
    reason: str,
) -> None:
    file = fill(
        office(sent(), "79"),
        {
            "near": {"Trả lời": word("link_1"), **answers},
            "sexless": {"Trả lời": word("corrected_at_source")},
        },
    )

    told = worklists("import", file, "--json")

    assert told.exit_code == 1
    assert reasons(told) == [reason]
    assert from_state(pair.settings, "select * from {decisions}") == []
    assert json.loads(told.output)["notes"] == 2  # form 01 and the corrections
    returned = file.with_name(f"{file.stem}.rejected.xlsx")
    assert stat.S_IMODE(returned.stat().st_mode) == 0o600
    book = CalamineWorkbook.from_path(str(returned))
    headings, row = book.get_sheet_by_index(0).to_python()
    assert headings[-1] == "Lý do trả lại"
    assert len(str(row[-1])) > 20
    assert len(book.sheet_names) == 1


BAD = {
    "near": {"Trả lời": "có lẽ"},
    "sexless": {"Trả lời": word("corrected_at_source")},
}


def test_nothing_is_taken_in_where_the_returned_rows_cannot_be_written(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    file = fill(office(sent(), "79"), BAD)
    returned = file.with_name(f"{file.stem}.rejected.xlsx")
    returned.mkdir()
    before = from_state(pair.settings, "select * from {worklist_items}")

    refused = worklists("import", file)

    assert refused.exit_code == 2
    assert "could not be written: it is a folder" in refused.errors
    assert str(returned) in refused.errors.replace("\n", "")
    assert from_state(pair.settings, "select * from {worklist_items}") == before
    assert not list(file.parent.glob(".*.unfinished"))
    returned.rmdir()
    told = worklists("import", file, "--json")
    assert (reasons(told), json.loads(told.output)["notes"]) == (["answer_unknown"], 2)


def test_a_disk_that_is_full_while_returned_rows_are_written_is_told_by_its_own_words(
    pair: Registers,
    sent: Callable[..., list[Path]],
    worklists: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Xlsxwriter wraps the system's error in one that is none of the system's."""
    file = fill(office(sent(), "79"), BAD)

    def full(_self: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(xlsxwriter.Workbook, "_store_workbook", full)
    refused = worklists("import", file)

    assert refused.exit_code == 2
    assert "could not be written: the disk is full" in refused.errors
    assert not [row for row in from_state(pair.settings, "select * from {worklist_items}")
                if row["answer"]]  # fmt: skip


def test_what_was_taken_in_is_told_where_returned_rows_cannot_be_put_into_their_place(
    pair: Registers,
    sent: Callable[..., list[Path]],
    worklists: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = fill(office(sent(), "79"), BAD)

    def refuse(path: Path) -> None:
        if "rejected" in path.name:
            raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("etl.process.files.to_disk", refuse)
        refused = worklists("import", file)

    assert refused.exit_code == 2
    told = " ".join(refused.errors.split())
    assert "that disk can only be read. The other rows were taken in: 0 decisions, 2 notes" in told
    again = worklists("import", file, "--json")
    assert (reasons(again), json.loads(again.output)["known"]) == (["answer_unknown"], 2)


def test_returned_rows_of_two_files_that_differ_in_their_endings_are_both_kept(
    sent: Callable[..., list[Path]], worklists: Run
) -> None:
    file = fill(office(sent(), "79"), BAD)
    table = file.with_suffix(".csv")
    (sheet,) = (rows for rows in sheets(file).values() if any(r["Trả lời"] for r in rows[:1]))
    with table.open("w", encoding="utf-8-sig") as out:
        writer = csv.DictWriter(out, list(sheet[0]))
        writer.writeheader()
        writer.writerows([sheet[0] | {"Khóa dòng (không sửa)": "W000.0000"}])

    told = json.loads(worklists("import", file, table, "--json").output)

    assert len(set(told["files"])) == 2
    assert all(Path(one).is_file() for one in told["files"])


def test_a_key_of_another_row_and_one_of_another_installation_are_refused(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    file = office(sent(), "79")
    rows = [row for found in sheets(file).values() for row in found]
    keys = [row["Khóa dòng (không sửa)"] for row in rows]
    twice = {"near": {"Trả lời": word("link_1")},
             "sexless": {"Trả lời": word("corrected_at_source"),
                         "Khóa dòng (không sửa)": str(keys[0])}}  # fmt: skip
    assert "repeated_key" in reasons(
        worklists("import", fill(file, twice, copy="a.xlsx"), "--json")
    )

    (pair.settings.home / "record_key").write_text("ab" * 32)
    told = worklists(
        "import", fill(file, {"near": {"Trả lời": word("link_1")}}, copy="b.xlsx"), "--json"
    )
    assert reasons(told) == ["unknown_key"]


def test_returned_rows_are_mended_and_sent_back(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    bad = {"near": {"Trả lời": word("other_citizen")}}
    file = fill(office(sent(), "79"), bad)
    worklists("import", file)
    returned = file.with_name(f"{file.stem}.rejected.xlsx")

    book = CalamineWorkbook.from_path(str(returned))
    headings, row = book.get_sheet_by_index(0).to_python()
    row[headings.index("Số định danh đúng")] = BAY.lstrip("0")  # taken for a number
    with xlsxwriter.Workbook(str(returned)) as mended:
        sheet = mended.add_worksheet("02 Chưa khớp")
        sheet.write_row(0, 0, headings)
        for at, value in enumerate(row):
            if headings[at] == "Số định danh đúng":
                sheet.write_number(1, at, int(value))
            else:
                sheet.write_string(1, at, str(value))

    told = worklists("import", returned, "--json")
    assert told.exit_code == 0, told.output
    (made,) = from_state(pair.settings, "select * from {decisions}")
    assert (made["verdict"], made["personal_id"]) == ("link", BAY)


def test_a_row_whose_facts_have_changed_since_is_told_and_not_applied(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    file = fill(
        office(sent(), "79"),
        {"near": {"Trả lời": word("link_1")}, "year": {"Trả lời": word("not_this_citizen")}},
    )
    for row in pair.insurance:
        if row["record_id"] == "near":
            row["full_name"] = f"{citizen(8)['full_name']}k"
    pair.write()
    pair.sync()

    told = worklists("import", file, "--json")

    assert reasons(told) == ["facts_changed"]
    made = from_state(pair.settings, "select * from {decisions}")
    assert [row["record_id"] for row in made] == ["year"]
    words = worklists("import", file)
    assert "1 returned: The record's or the citizen's data have changed" in words.output


def test_rows_of_one_record_that_contradict_each_other_come_back(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    file = office(sent(), "79")
    found = sheets(file)
    answers = {
        found["01 Đã khớp"][0]["Khóa dòng (không sửa)"]: {"Trả lời": word("confirmed")},
        found["TK1-TS Điều chỉnh"][0]["Khóa dòng (không sửa)"]: {
            "Trả lời": word("not_this_citizen")
        },
    }
    assert found["01 Đã khớp"][0]["Mã hồ sơ"] == found["TK1-TS Điều chỉnh"][0]["Mã hồ sơ"]

    told = worklists("import", fill(file, answers, by="Khóa dòng (không sửa)"), "--json")

    assert reasons(told) == ["contradiction", "contradiction"]
    assert from_state(pair.settings, "select * from {decisions}") == []


@pytest.mark.parametrize("kind", ["csv", "semicolon", "jsonl"])
def test_text_formats_come_back_too(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run, kind: str
) -> None:
    chosen = "jsonl" if kind == "jsonl" else "csv"
    file = office(sent("--format", chosen, "--shape", "not_matched"), "79")
    if kind == "jsonl":
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        rows[0]["answer"] = "link_1"
        file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    else:
        rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"))))
        rows[0]["answer"] = word("link_1").upper()
        with file.open("w", encoding="utf-8" if kind == "semicolon" else "utf-8-sig") as out:
            writer = csv.DictWriter(out, list(rows[0]), delimiter=";,"[kind == "csv"])
            writer.writeheader()
            writer.writerows(rows)

    told = worklists("import", file, "--json")

    assert told.exit_code == 0, told.output
    (made,) = from_state(pair.settings, "select * from {decisions}")
    assert (made["record_id"], made["personal_id"]) == ("near", TAM)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("list.xlsx", b"no workbook", "no workbook that can be read"),
        ("list.csv", "tên,tuổi\nLan,3\n".encode(), "There is no worklist in list.csv"),
        ("list.csv", b"\xff\x00\xfe", "no text in UTF-8"),
        ("list.jsonl", b"{}\nnothing\n", "Line 2 is no JSON object"),
        ("list.txt", b"", "is no file of a worklist"),
        *(
            (f"gone.{kind}", None, "could not be read: it is not there")
            for kind in ("xlsx", "ods", "csv", "jsonl", "ndjson")
        ),
    ],
)
def test_a_file_that_is_no_worklist_is_refused_whole(
    pair: Registers, worklists: Run, name: str, content: bytes | None, words: str
) -> None:
    file = pair.folder / name
    if content is not None:
        file.write_bytes(content)
    told = worklists("import", file)
    assert told.exit_code == 2
    assert words in told.errors


def test_an_answer_may_be_revised_and_the_last_counts(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    file = office(sent(), "79")
    worklists("import", fill(file, {"near": {"Trả lời": word("no_candidate")}}, copy="a.xlsx"))
    told = worklists(
        "import", fill(file, {"near": {"Trả lời": word("link_1")}}, copy="b.xlsx"), "--json"
    )
    assert json.loads(told.output)["revised"] == 1
    pair.sync()
    assert reconciled(pair)["near"][1:] == (TAM, "steward")


# --- what became of them ------------------------------------------------------------------------


def status(pair: Registers) -> dict[tuple[str, str], tuple[object, ...]]:
    rows = pair.published("select * from {worklist_status}")
    return {
        (row["record_id"], row["code"]): (row["status"], row["route"], row["times_sent"])
        for row in rows
    }


@pytest.mark.wide
def test_the_target_tells_what_was_sent_answered_corrected_and_is_open(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    file = office(sent(), "79")
    pair.sync()
    assert status(pair)["near", "AMBIGUOUS"] == ("sent", "insurance", 1)
    assert status(pair)["stranger", "NOT_IN_POPULATION"] == ("sent", "citizen", 1)

    worklists("import", fill(file, {"sexless": {"Trả lời": word("corrected_at_source")}}))
    sent(folder="again")
    table = "state_worklist_items"
    run_sql(
        pair.target_url,
        f"update {table} set due_at = '2020-01-01 00:00:00.000000' where record_id = 'near'",
    )
    run_sql(pair.target_url, "update state_revisions set revision = revision + 1")
    pair.sync()
    assert status(pair)["near", "AMBIGUOUS"] == ("open", "insurance", 2)
    assert status(pair)["sexless", "GENDER_MISSING"][0] == "sent", "it was sent again"

    for row in pair.insurance:
        if row["record_id"] == "sexless":
            row["gender"] = citizen(13)["gender"]
    pair.write()
    delta = pair.sync("delta")
    assert delta.changes["worklist_status"] == (0, 1, 0)
    assert status(pair)["sexless", "GENDER_MISSING"][0] == "corrected"
    assert "worklist_status" not in pair.sync("delta").changes


@pytest.mark.parametrize("product", ["postgresql", "mariadb"])
@pytest.mark.wide
def test_other_products_keep_what_was_sent_and_answered(
    request: pytest.FixtureRequest,
    registers: Make,
    doisoat_here: Doisoat,
    monkeypatch: pytest.MonkeyPatch,
    product: str,
) -> None:
    server: Server = request.getfixturevalue(product)
    pair = registers([*(record(n) for n in range(1, 11)), record(2, record_id="second")],
                     target=server.database)  # fmt: skip
    pair.sync()
    run = ("--config", pair.file, "worklists")
    told = doisoat_here(*run, "export", "--to", pair.folder / "out", "--json")
    (file,) = map(Path, json.loads(told.output)["files"])
    fill(file, {"second": {"Trả lời": word("keep_this_record"), "Ghi chú": "Đã xem"}})

    taken = doisoat_here(*run, "import", file, "--json")

    assert json.loads(taken.output)["decisions"] == 1
    assert pair.sync().changes["worklist_status"] == (4, 0, 0)
    again = pair.sync()
    assert "worklist_status" not in again.changes
    rows = pair.published("select * from {worklist_status} where answer is not null")
    assert [(row["record_id"], row["status"]) for row in rows] == [("second", "answered")]
    monkeypatch.setattr("etl.stewards.worklists.listing.now", lambda: now() + timedelta(days=1000))
    lists = json.loads(doisoat_here(*run, "list", "--json").output)
    assert sum(one["answered"] for one in lists) > 0
    assert all(one["past_due"] == one["item_count"] - one["answered"] for one in lists)


def test_what_the_population_register_lacks_goes_to_the_police_of_where_the_citizen_lives(
    pair: Registers, sent: Callable[..., list[Path]]
) -> None:
    for row in pair.population:
        if row["personal_id"] == citizen(13)["personal_id"]:
            row |= {"date_of_birth": "1963", "commune": "Xã Tân Lập"}
    pair.write()
    pair.sync()

    files = sent("--by", "commune", "--route", "police")

    assert [file.name for file in files] == ["79_xa-tan-lap.xlsx"]
    rows = sheets(files[0])["TK1-TS Điều chỉnh"]
    assert {row["Thông tin cần sửa"] for row in rows} == {"Ngày sinh"}
    assert "Công an cấp xã" in str(rows[0]["Ai sửa"])


def test_what_was_decided_since_the_run_is_not_asked_again(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    worklists("import", fill(office(sent(), "79"), {"near": {"Trả lời": word("link_1")}}))
    again = office(sent(folder="again"), "79")
    assert "02 Chưa khớp" not in sheets(again)


def test_the_lists_are_told_with_what_is_answered(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run
) -> None:
    file = office(sent(), "79")
    worklists("import", fill(file, {"near": {"Trả lời": word("link_1")}}))
    rows = json.loads(worklists("list", "--province", "79", "--json").output)
    assert {row["shape"]: (row["item_count"], row["answered"]) for row in rows} == {
        "matched": (2, 0), "not_matched": (1, 1), "corrections": (2, 0)
    }  # fmt: skip
    assert {row["past_due"] for row in rows} == {0}
    assert "Phường Bến Thành" in worklists("list").output


# --- templates ----------------------------------------------------------------------------------

SHIPPED = Path(__file__).parents[2] / "etl/stewards/worklists/templates"


@pytest.fixture
def own(pair: Registers) -> Callable[[Callable[[dict[str, Any]], None]], None]:
    """Gives the configuration its own template for records that are not matched."""

    def write(change: Callable[[dict[str, Any]], None]) -> None:
        template = yaml.safe_load((SHIPPED / "not_matched.yaml").read_text("utf-8"))
        change(template)
        folder = pair.folder / "forms"
        folder.mkdir(exist_ok=True)
        text = yaml.safe_dump(template, allow_unicode=True)
        (folder / "not_matched.yaml").write_text(text, "utf-8")
        pair.options = {**pair.options, "worklists": {"templates": "forms"}}

    return write


def test_an_office_changes_a_template_without_code(
    pair: Registers, sent: Callable[..., list[Path]], worklists: Run, own: Callable[..., None]
) -> None:
    def change(template: dict[str, Any]) -> None:
        template["columns"].insert(1, {"input": "phone", "vi": "Điện thoại", "en": "Phone"})
        template["answers"][0]["vi"] = "Đúng ứng viên số một"

    own(change)
    file = office(sent(), "79")
    told = worklists(
        "import",
        fill(file, {"near": {"Trả lời": "đúng ứng viên số MỘT", "Điện thoại": "0123"}}),
        "--json",
    )
    assert told.exit_code == 0, told.output
    (item,) = from_state(
        pair.settings, "select * from {worklist_items} where answered_at is not null"
    )
    assert (item["answer"], item["note"]) == ("link_1", "Điện thoại: 0123")
    assert isinstance(item["answered_at"], (str, datetime))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("title"), "title: is missing"),
        (lambda t: t["columns"][2].update(source="nome"), "columns.number 3: 'source' is none of"),
        (lambda t: t["columns"][2].update(input="x"), "needs either 'source' or 'input'"),
        (lambda t: t.update(colour="red"), "colour: is not a setting of a template"),
        (lambda t: t["columns"].pop(), "the source 'key' and the inputs"),
        (lambda t: t["answers"].append({**t["answers"][0], "code": "confirmed"}),
         "confirmed has no meaning on such a row"),
        (lambda t: t.update(shape="matched"), "has no meaning on such a row"),
        (lambda t: t["sheet"].update(vi="a/b"), "the name of a sheet"),
        (lambda t: t["columns"][1].update(vi="STT"), "two have the same heading"),
    ],
)  # fmt: skip
def test_a_wrong_template_is_told_with_its_file_and_place(
    pair: Registers, worklists: Run, own: Callable[..., None], change: Any, words: str
) -> None:
    own(change)
    told = worklists("export", "--to", pair.folder / "out")
    assert told.exit_code == 2
    assert words in told.errors
    assert "not_matched.yaml" in told.errors
    assert not (pair.folder / "out").exists()


def test_a_template_that_is_no_yaml_is_told_with_its_line(
    pair: Registers, worklists: Run, own: Callable[..., None]
) -> None:
    own(lambda _: None)
    (pair.folder / "forms" / "not_matched.yaml").write_text("shape: matched\ntitle: {vi\n")
    told = worklists("export", "--to", pair.folder / "out")
    assert told.exit_code == 2
    assert "is not valid YAML" in told.errors
    assert "line " in told.errors
