"""One record's story: told in words to whoever may see it, and the look is logged."""

from __future__ import annotations

import io
import json
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from etl.domain.showing import SafeConsole
from etl.domain.words import UNTRAINED, Words, chance, strength
from etl.explain.gather import read_story
from etl.explain.page import make_page
from etl.explain.tell import tell
from etl.explain.text import show_story
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.process.privacy import load_record_key
from etl.report import display
from tests.support import (
    Command,
    Registers,
    citizen,
    from_state,
    from_warehouse,
    memory_folder,
    record,
)

CROWD = range(1, 121)
HIDDEN = ["Tô Ngọc Vân", "15/12/1965", "1965-12-15", "Ngõ Vắng"]
"""The population register's values of the citizen whose number others carry."""


def _person(number: str, name: str, born: str, gender: str = "Nam", **changes: object):
    stranger = {"full_name": name, "date_of_birth": born, "gender": gender}
    return citizen(1) | {"personal_id": number} | stranger | changes


def _insured(case: str, name: str, born: str | None, **changes: object):
    of_case = {"record_id": case, "full_name": name, "date_of_birth": born, "gender": "Nam"}
    return record(1) | {"id_number": None, "insurance_number": None} | of_case | changes


PEOPLE = [
    _person("001065900111", "Tô Ngọc Vân", "15/12/1965", address="7 Ngõ Vắng",
            former_id_numbers="012345671"),
    _person("001075900109", "Lưu Trọng Lư", "06/07/1975", province_code="79"),
    _person("001075900110", "Lưu Trọng Lư", "06/07/1975", province_code="48"),
    _person("001080900101", "Nguyễn Hữu Khánh", "05/09/1980"),
]  # fmt: skip
RECORDS = [
    _insured("right", "Nguyễn Hữu Khánh", "05/09/1980", id_number="001080900101",
             insurance_number="7900000501"),
    _insured("to_correct", "NGUYEN HUU KHANH", "1980", id_number="001 080 900 101"),
    _insured("homonym", "Lưu Trọng Lư", "06/07/1975", province_code=None),
    _insured("others_number", "Trịnh Hoài Đức", "09/01/1951", id_number="001065900111"),
    _insured("others_cmnd", "Bùi Hữu Nghĩa", "09/01/1944", id_number="012345671"),
    _insured("unusable", "?", None),
    _insured("twice", "Cao Bá Quát", "01/01/1950"),
    _insured("twice", "Chu Văn An", "01/01/1951"),
]  # fmt: skip


@pytest.fixture(scope="module")
def registers() -> Iterator[Registers]:
    folder = memory_folder("doisoat-explain-")
    made = Registers(
        folder,
        [record(n) for n in CROWD] + RECORDS,
        [citizen(n) for n in CROWD] + PEOPLE,
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    settings = made.settings
    with warehouse_for(settings, Run("explain")) as warehouse:
        runner.run(warehouse, settings)
    release_lock(settings)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def explain(registers: Registers, doisoat_here: Callable[..., Command]) -> Callable[..., Command]:
    return lambda *arguments, **environment: doisoat_here(
        "--config", registers.file, "explain", *arguments, **environment
    )


def _told(registers: Registers, case: str) -> tuple[dict[str, object], dict[str, object], str]:
    story = read_story(registers.settings, record_id=case, record_key=None, command="test")
    telling = tell(story)
    return story.as_dict(), telling.as_dict(), make_page(story, telling)


def _outcomes(story: dict[str, object]) -> list[str]:
    return [step["outcome"] for step in story["steps"]]  # type: ignore[index,attr-defined]


def test_a_verified_record_is_linked_by_its_number_and_needs_no_other_step(
    explain: Callable[..., Command], registers: Registers
):
    shown = explain("R000007")
    assert shown.exit_code == 0, shown.errors
    assert "VERIFIED" in shown.output
    assert str(citizen(7)["full_name"]) in shown.output
    story, _, _ = _told(registers, "R000007")
    assert _outcomes(story) == ["went_on", "linked", *["not_reached"] * 4]


CASES = ("right", "to_correct", "homonym", "others_number", "others_cmnd", "unusable", "twice")


@pytest.mark.wide
@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("width", [80, 60, 30])
def test_no_line_is_wider_than_the_terminal_and_what_is_copied_stays_whole(
    registers: Registers, monkeypatch: pytest.MonkeyPatch, lang: str, width: int
):
    console = SafeConsole(width=width, record=True, file=io.StringIO())
    monkeypatch.setattr(display, "console", console)
    wide = 0
    for case in CASES:
        story = read_story(registers.settings, record_id=case, record_key=None, command="test")
        telling = tell(story)

        show_story(story, telling, lang)

        text = console.export_text()
        wide = max(wide, *map(len, text.splitlines()))
        words = text.split()
        assert story.record_key in text
        assert f"{story.run_id}" in text
        for code in (wrong.code for wrong in telling.mismatches):
            assert f"{code}," in words
        for candidate in telling.candidates:
            numbers = [w for _, fact in candidate.facts for w in fact.en.split() if w.isdigit()]
            assert set(numbers) <= set(words)
        if any(UNTRAINED in candidate.conclusion for candidate in telling.candidates):
            assert "doisoat train" in text
        assert "…" not in text
    assert wide <= width


def test_a_probability_of_an_untrained_model_says_so(registers: Registers):
    story = read_story(registers.settings, record_id="homonym", record_key=None, command="test")
    assert not story.model_is_trained
    assert UNTRAINED in tell(story).candidates[0].conclusion
    trained = replace(story, model_is_trained=True)
    assert UNTRAINED not in tell(trained).candidates[0].conclusion


def test_a_mismatch_says_what_is_wrong_and_who_writes_what(
    explain: Callable[..., Command], registers: Registers
):
    shown = explain("to_correct", "--lang", "en")
    assert shown.exit_code == 0, shown.errors
    assert "NAME_UNACCENTED" in shown.output
    assert "only the year is known" in shown.output
    assert "the insurer corrects the record" in shown.output
    _, told, _ = _told(registers, "to_correct")
    proposed = {p["label"]["en"]: p["proposed"] for p in told["corrections"]}  # type: ignore[attr-defined]
    assert proposed == {
        "Name": "NGUYỄN HỮU KHÁNH",  # in capitals, as recorded
        "Birth date": "05/09/1980",
        # The other record of this citizen has a number, and this one has none.
        "Record id": "right",
        "Insurance number": "7900000501",
    }
    assert "Keep record right" in " ".join(shown.output.replace("│", " ").split())


def test_a_review_shows_its_candidates_with_the_evidence_in_words(
    explain: Callable[..., Command],
):
    answer = explain("homonym", "--json")
    assert answer.exit_code == 0, answer.errors
    found = json.loads(answer.output)
    assert found["status"] == "REVIEW"
    assert {p["citizen"]["personal_id"] for p in found["people"]} == {
        "001075900109",
        "001075900110",
    }
    first = found["told"]["candidates"][0]["evidence"]
    said = {piece["comparison"]: piece for piece in first}
    assert said["name"]["side"] == "for"
    assert said["name"]["strength"]["en"].endswith("more probable if it is the same person")
    assert said["place"]["side"] == "nothing"
    # Two citizens are named, and each is about as probable as the other.
    assert all(0.4 < p["match_probability"] < 0.6 for p in found["people"])


@pytest.mark.parametrize("case", ["others_number", "others_cmnd"])
def test_somebody_elses_number_names_nobody_anywhere(
    explain: Callable[..., Command], folder: Path, case: str
):
    text, machine = explain(case), explain(case, "--json")
    assert explain(case, "--html", "story.html").exit_code == 0
    page = (folder / "story.html").read_text("utf-8")
    hidden = HIDDEN if case == "others_number" else [*HIDDEN, "001065900111"]
    for output in (text.output, machine.output, page):
        assert "ID_OTHER_PERSON" in output
        assert "NOT_FOUND" in output
        assert not [value for value in hidden if value in output]
    assert "thuộc về người khác" in text.output


def test_a_rejected_record_says_why(explain: Callable[..., Command]):
    shown = explain("unusable", "--lang", "en")
    assert shown.exit_code == 0, shown.errors
    assert "REJECTED" in shown.output
    assert "Nothing usable to compare" in shown.output


def test_rows_of_one_record_id_that_disagree_are_all_shown(registers: Registers):
    story, told, page = _told(registers, "twice")
    assert len(story["recorded"]) == 2  # type: ignore[arg-type]
    assert "record_id_conflict" in {r["reason"] for r in story["rejects"]}  # type: ignore[attr-defined]
    assert "Cao Bá Quát" in page
    assert "Chu Văn An" in page
    assert told["steps"] == []


def test_an_unknown_record_is_refused_without_repeating_what_was_typed(
    explain: Callable[..., Command],
):
    for arguments in (["Nguyễn Thị Bí Ẩn"], ["--record-key", "0123456789abcdef"]):
        shown = explain(*arguments)
        assert shown.exit_code == 2
        assert "knows no such insurance record" in shown.errors
        assert arguments[-1] not in shown.output + shown.errors


def test_either_an_id_or_a_key(explain: Callable[..., Command], registers: Registers):
    assert explain().exit_code == 2
    assert explain("right", "--record-key", "0123456789abcdef").exit_code == 2
    (row,) = from_warehouse(
        registers.settings, "select record_key(record_id) as key from core.reconciled "
        "where record_id = 'right'",
    )  # fmt: skip
    shown = explain("--record-key", row["key"])
    assert (shown.exit_code, "Nguyễn Hữu Khánh" in shown.output) == (0, True)


def test_without_a_run_there_is_nothing_to_explain(
    doisoat_here: Callable[..., Command], registers: Registers, folder: Path
):
    text = registers.file.read_text("utf-8")
    (folder / "doisoat.toml").write_text(f'home = "empty"\n{text}', "utf-8")
    shown = doisoat_here("explain", "right")
    assert shown.exit_code == 2
    assert "doisoat sync" in shown.errors


def test_every_look_is_remembered_by_key_only(
    explain: Callable[..., Command], registers: Registers
):
    before = len(from_state(registers.settings, "select * from {access_log}"))
    assert explain("others_number", DOISOAT_USER="auditor").exit_code == 0
    assert explain("no such record", DOISOAT_USER="auditor").exit_code == 2
    rows = from_state(registers.settings, "select * from {access_log} order by accessed_at")
    key = load_record_key(registers.settings.home).of("others_number")
    assert len(rows) == before + 1
    last = rows[-1]
    assert (last["accessed_by"], last["command"]) == ("auditor", "explain")
    assert last["record_key"] == key
    assert not [row for row in rows if "others_number" in map(str, row.values())]


def test_the_page_fetches_nothing_and_is_its_owners_alone(
    explain: Callable[..., Command], folder: Path
):
    assert explain("homonym", "--html", "story.html").exit_code == 0
    file = folder / "story.html"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = file.read_text("utf-8")
    assert "default-src 'none'" in page
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href|url\(|@import)\s*=?\s*[\"']?\s*(https?:)?//", markup)
    assert "<script src" not in page
    assert page.count("vegaEmbed('#chart") == 2


def test_what_is_recorded_cannot_write_into_the_page(registers: Registers):
    story = read_story(registers.settings, record_id="right", record_key=None, command="test")
    story.recorded[0]["address"] = "<script>alert(1)</script>\x1b[31m"
    page = make_page(story, tell(story))
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "\x1b" not in page


def test_an_unwritable_page_is_a_clear_error(explain: Callable[..., Command]):
    shown = explain("right", "--html", "no/such/folder/story.html")
    assert shown.exit_code == 2
    assert "could not be written" in shown.errors


@pytest.mark.parametrize(
    ("bits", "english"),
    [
        (10, "about 1,000 times more probable if it is the same person"),
        (-10, "about 1,000 times more probable if they are two people"),
        (0.1, "says next to nothing"),
        (None, "says nothing"),
        (22, "about 4 million times more probable if it is the same person"),
    ],
)
def test_a_weight_is_said_as_a_number_of_times(bits: float | None, english: str):
    assert strength(bits).en == english


def test_a_probability_near_either_end_is_said_as_one_in_so_many():
    assert chance(0.5) == Words("khoảng 50%", "about 50%")
    assert chance(0.0001).en == "about 1 in 10,000"
    assert chance(0.999975).en == "almost certain (wrong about once in 40,000)"
    assert chance(0).en == "next to none"
    assert chance(1).en.startswith("almost certain")
