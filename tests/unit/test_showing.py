"""Recorded values where people see them: no terminal or page obeys what is in them."""

from __future__ import annotations

import io
import json

import pytest
from rich.table import Table
from rich.text import Text

from etl.domain.showing import SafeConsole, as_json, cell, in_html, in_markup, visible


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("Nguyễn Văn Ạ 🏭", "Nguyễn Văn Ạ 🏭"),
        ("a\x1b[31m", "a⟨U+001B⟩[31m"),
        ("a\x9b31m\n", "a⟨U+009B⟩31m⟨U+000A⟩"),
        ("\u202eab\u2069", "⟨U+202E⟩ab⟨U+2069⟩"),
        ("a\u2028b", "a⟨U+2028⟩b"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_written_out(recorded: str, shown: str) -> None:
    assert visible(recorded) == shown
    assert in_html(recorded) == shown


def test_a_long_value_is_cut_unless_all_of_it_is_asked_for() -> None:
    assert visible("a" * 201) == "a" * 200 + "…"
    assert visible("a" * 201, None) == "a" * 201


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"),
        ("  -1", "'  -1"),
        ("＝1", "'＝1"),
        ("a;=1", "a;'=1"),
        ('a; "@x', "a;' \"@x"),
        ("\t=1", "⟨U+0009⟩=1"),
        ("0012", "0012"),
        ("HN-01", "HN-01"),
        ("a@b.vn", "a@b.vn"),
        (-5, -5),
        (1.5, 1.5),
        (True, True),
        (None, ""),
    ],
)
def test_a_cell_is_text_that_no_spreadsheet_works_out(value: object, written: object) -> None:
    assert cell(value) == written


def test_json_gives_the_value_back_and_obeys_nobody() -> None:
    value = {"ạ": ["\x1b\x7f\x9b\u202e\U000e0041", "🏭", None, 1]}

    text = as_json(value, indent=2)

    assert json.loads(text) == value
    assert "ạ" in text
    assert "🏭" in text
    assert all(c == "\n" or c.isprintable() for c in text)


def _printed(what: object) -> str:
    console = SafeConsole(file=io.StringIO(), width=80)
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_markup_in_a_value_is_shown() -> None:
    assert _printed(f"[bold]{in_markup('[/] [red]x[/red] :key: ' + chr(92))}[/]") == (
        "[/] [red]x[/red] :key: \\\n"
    )


def test_whatever_comes_another_way_is_replaced_by_the_console() -> None:
    table = Table("\x1b]0;title\x07")
    table.add_row(Text("a\x1b[31m\u202eb"))
    for what in (table, Text("x\x9b2J"), "y\x1b[2J"):
        assert not [c for c in _printed(what) if c != "\n" and not c.isprintable()]
