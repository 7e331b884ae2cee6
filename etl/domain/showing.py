"""Making recorded values safe to show to people: in a terminal, a page, a spreadsheet, JSON.

A register's free text may hold anything: colours and commands of a terminal, characters that
reverse the direction of reading, rich's markup, HTML, formulas. Every recorded value goes through
one of these functions before a person sees it. In the target it stays as it is, because a database
executes none of these.

Belongs here: what is made harmless, and how it then looks. Does not belong here: layout.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

LONGEST = 200
"""How many characters of a value are shown where it stands among other values."""


class _WrittenOut(dict[int, int | str]):
    """For ``str.translate``: replaces what a terminal or a browser would hide or obey by ⟨U+…⟩."""

    def __missing__(self, code: int) -> int | str:
        char = chr(code)
        self[code] = code if char == " " or char.isprintable() else f"⟨U+{code:04X}⟩"
        return self[code]


_WRITTEN_OUT = _WrittenOut()


def visible(recorded: str, longest: int | None = LONGEST) -> str:
    """Returns a value on one line; characters that would be hidden or obeyed become ⟨U+…⟩.

    Args:
        recorded: The value.
        longest: How many characters of it are shown; None for all.
    """
    shown = recorded[:longest].translate(_WRITTEN_OUT)
    return shown + "…" if longest is not None and len(recorded) > longest else shown


def in_markup(value: object) -> str:
    """Returns a value for a string with rich's markup, in which it is shown as plain text."""
    return escape(visible(str(value), None))


def in_html(value: str, longest: int | None = None) -> str:
    """Returns a value for the text or an attribute of a page."""
    return html.escape(visible(value, longest))


# A formula may also begin after a semicolon (which ends a cell where numbers have a decimal comma),
# after blanks and quotation marks, and with the full-width or small form of its first character.
_FORMULA = re.compile(r"(^|;)([ \"]*[=+\-@＝﹦＋﹢－﹣−＠﹫])")


def cell(value: object) -> object:
    """Returns a value for a cell of a CSV file or a workbook, which no program takes for a formula.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it, by which
    spreadsheets themselves mark text. Numbers and truth values stay as they are.
    """
    if value is None:
        return ""
    if isinstance(value, (bool, int, float)):
        return value
    return _FORMULA.sub(r"\1'\2", visible(str(value), None))


def as_json(value: object, indent: int | None = None, *, ascii_only: bool = False) -> str:
    """Returns JSON; what cannot be printed is escaped, and with ``ascii_only`` all but ASCII."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, default=str)
    return re.sub(r"[^\x20-\x7e\n]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    char = found.group()
    return char if char.isprintable() else json.dumps(char)[1:-1]


class SafeConsole(Console):
    """A console that sends the terminal only text and rich's own styles and commands.

    Values should go through ``visible`` before they come here, which keeps them readable. In a
    value that did not, unsafe characters are replaced by �: ugly, but not dangerous.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Any:
        """Renders as rich does, and replaces characters that cannot be printed."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                safe = "".join(c if c == "\n" or c.isprintable() else "�" for c in text)
                yield Segment(safe, segment.style)
