"""``doisoat normalise``: what it tells a person and a program about one record's fields."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Command

pytestmark = pytest.mark.wide

Doisoat = Callable[..., Command]


def understood(done: Command) -> dict:
    assert done.exit_code == 0, done.errors
    assert done.errors == ""
    return json.loads(done.output)


def test_a_person_sees_what_was_understood_and_why(doisoat_here: Doisoat):
    done = doisoat_here("normalise", "NguyÔn ThÞ Hßa", "--id", "1099012345", "--born", "1962")
    assert done.exit_code == 0
    assert "→ Nguyễn Thị Hòa" in done.output
    assert "nguyen thi hoa" in done.output
    assert "Giải mã từ bảng mã TCVN3 (ABC). decoded_tcvn3" in done.output
    assert "có thể là: 001099012345 (Thành phố Hà Nội; Nam; sinh năm 1999)" in done.output
    assert "Mười chữ số" in done.output
    assert "Năm sinh trong số định danh khác với năm sinh của hồ sơ." in done.output


def test_the_same_in_english(doisoat_here: Doisoat):
    done = doisoat_here("normalise", "Hoà", "--lang", "en", "--gender", "nu", "--born", "9/1962")
    assert "The tone mark was moved" in done.output
    assert "→ female" in done.output
    assert "known to the: month" in done.output


def test_a_machine_gets_every_field_with_its_reasons(doisoat_here: Doisoat):
    answer = understood(
        doisoat_here("normalise", "Ng. Thị Lan", "--id", "1162000001", "--born", "05/09/1962",
                "--gender", "Nữ", "--card", "DN4797912345678", "--insurance", "001062000001",
                "--json", "--lang", "en")
    )  # fmt: skip
    assert answer["name"]["canonical"] == "Nguyễn Thị Lan"
    assert answer["name"]["surname"] == "Nguyễn"
    assert answer["birth"]["date"] == "1962-09-05"
    assert answer["gender"]["value"] == "F"
    # Birth year and sex of the record decide that zeros were lost.
    assert answer["id"]["number"] == "001162000001"
    assert answer["id"]["says"]["birth_year"] == 1962
    assert {"kind": "repair", "code": "lost_zeros"}.items() <= answer["id"]["reasons"][0].items()
    assert (answer["card"]["number"], answer["card"]["card_code"]) == ("7912345678", "DN479")
    warnings = [r for r in answer["insurance"]["reasons"] if r["kind"] == "warning"]
    assert [(w["code"], w["text"]) for w in warnings] == [
        ("sex_digit_disagrees", "The sex digit disagrees with the record's sex.")
    ]


def test_candidates_are_shown_beside_what_speaks_against_them(doisoat_here: Doisoat):
    answer = understood(doisoat_here("normalise", "--id", "1099012345", "--born", "1962", "--json"))
    (candidate,) = answer["id"]["candidates"]
    assert candidate["number"] == "001099012345"
    assert candidate["warnings"] == ["birth_year_disagrees"]
    assert answer["id"]["number"] is None


def test_what_cannot_be_used_is_refused_with_its_reason_and_is_no_failure(doisoat_here: Doisoat):
    done = doisoat_here("normalise", "N/A", "--id", "1.09E+11", "--born", "31/02/1990",
                   "--gender", "?", "--lang", "en")  # fmt: skip
    assert done.exit_code == 0
    for reason in ("There is no name.", "Scientific notation has lost digits",
                   "There is no such date.", "The sex cannot be read."):  # fmt: skip
        assert reason in done.output


@pytest.mark.parametrize(
    "junk",
    [
        "", " ", "[red]x[/red]", "\x1b[31mred", "A" * 5000, "ก" * 300, "\ud800", "'; drop table",
        "😀", "%s %d {}", "a\nb",
    ],
)  # fmt: skip
def test_junk_is_answered_and_obeyed_by_no_terminal(doisoat: Doisoat, junk: str):
    given = junk.encode("utf-8", "surrogatepass")
    done = doisoat("normalise", "--id", Raw(given), "--born", Raw(given), "--gender", Raw(given),
                   "--card", Raw(given), "--insurance", Raw(given), "--lang", "en",
                   "--", Raw(given))  # fmt: skip
    assert done.exit_code == 0, done.errors
    assert done.errors == ""
    assert "Traceback" not in done.output
    assert "\x1b" not in done.output


class Raw:
    """An argument given as bytes, some of which are not UTF-8."""

    def __init__(self, given: bytes) -> None:
        self.given = given

    def __str__(self) -> str:
        return self.given.decode("utf-8", "surrogateescape")


def test_bytes_of_an_old_encoding_are_understood_as_a_register_shows_them(doisoat: Doisoat):
    answer = understood(
        doisoat("normalise", Raw("NguyÔn ThÞ Hßa".encode("latin-1")), "--json")
    )  # fmt: skip
    assert answer["name"]["recorded"] == "NguyÔn ThÞ Hßa"
    assert answer["name"]["canonical"] == "Nguyễn Thị Hòa"


def test_a_value_that_looks_like_layout_is_shown_as_it_is(doisoat_here: Doisoat):
    done = doisoat_here("normalise", "[bold]Nguyễn\u200b An")
    assert "[bold]Nguyễn⟨U+200B⟩ An" in done.output


def test_nothing_given_is_wrong_use_and_says_what_to_give(doisoat_here: Doisoat):
    done = doisoat_here("normalise")
    assert done.exit_code == 2
    assert "What to do: Give a name" in done.errors
    assert done.output == ""


def test_a_wrong_option_is_wrong_use(doisoat_here: Doisoat):
    done = doisoat_here("normalise", "An", "--lang", "fr")
    assert done.exit_code == 2
    assert "Traceback" not in done.errors


def fed(folder: Path, environment: dict[str, str], names: bytes, *options: str) -> str:
    """Runs the command on a file of names."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("doisoat")), "normalise", "-", *options],
        cwd=folder,
        env=environment,
        input=names,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def test_a_file_of_names_is_read_one_a_line(folder: Path, command_environment: dict[str, str]):
    names = "NGUYỄN VĂN AN\nN/A\r\n\n".encode() + "NguyÔn ThÞ Hßa".encode("latin-1")
    lines = fed(folder, command_environment, names, "--json").splitlines()
    assert [json.loads(line)["canonical"] for line in lines] == [
        "Nguyễn Văn An", None, None, "Nguyễn Thị Hòa",
    ]  # fmt: skip
    shown = fed(folder, command_environment, names).splitlines()
    assert len(shown) == 4
    assert shown[0].startswith("Nguyễn Văn An")
    assert fed(folder, command_environment, b"") == ""
