"""Values as recorded, where people see them: in a terminal, a page, a spreadsheet, JSON.

A register's free text may hold anything: colours and commands of a terminal, signs that turn
the direction of reading, rich's markup, HTML, formulas. Every recorded value goes through one of
these functions on its way to a person. In the target it stays as it is: a database obeys nothing.

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
"""Characters of a value that are shown among others."""


class _WrittenOut(dict[int, int | str]):
    """For ``str.translate``: what a terminal or a browser would hide or obey, by its number."""

    def __missing__(self, code: int) -> int | str:
        char = chr(code)
        self[code] = code if char == " " or char.isprintable() else f"⟨U+{code:04X}⟩"
        return self[code]


_WRITTEN_OUT = _WrittenOut()


def visible(recorded: str, longest: int | None = LONGEST) -> str:
    """Returns a value as recorded, on one line, with what would be hidden or obeyed written out.

    Args:
        recorded: The value.
        longest: Characters of it that are shown; None for all.
    """
    shown = recorded[:longest].translate(_WRITTEN_OUT)
    return shown + "…" if longest is not None and len(recorded) > longest else shown


def in_markup(value: object) -> str:
    """Returns a value for a string with rich's markup: it is shown and never obeyed."""
    return escape(visible(str(value), None))


def in_html(value: str, longest: int | None = None) -> str:
    """Returns a value for the text or an attribute of a page."""
    return html.escape(visible(value, longest))


# A formula may also begin behind a semicolon, which ends a cell where numbers have a decimal comma,
# behind blanks and quotation marks, and with the wide or small form of its first sign.
_FORMULA = re.compile(r"(^|;)([ \"]*[=+\-@＝﹦＋﹢－﹣−＠﹫])")


def cell(value: object) -> object:
    """Returns a value for a cell of a CSV file or a workbook: text that no program works out.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it, which is how
    they themselves mark text. Numbers and truth values stay what they are.
    """
    if value is None:
        return ""
    if isinstance(value, (bool, int, float)):
        return value
    return _FORMULA.sub(r"\1'\2", visible(str(value), None))


def as_json(value: object, indent: int | None = None, *, ascii_only: bool = False) -> str:
    """Returns JSON with its letters as they are, unless ASCII is asked for, all else escaped."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, default=str)
    return re.sub(r"[^\x20-\x7e\n]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    char = found.group()
    return char if char.isprintable() else json.dumps(char)[1:-1]


class SafeConsole(Console):
    """A console that sends nothing to the terminal that it would obey, but rich's own styles.

    Values go through ``visible`` before they come here, which keeps them readable. Whatever comes
    another way is replaced here, so that a forgotten way is ugly and not dangerous.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Any:
        """Renders as rich does, without the signs that are no text."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                safe = "".join(c if c == "\n" or c.isprintable() else "�" for c in text)
                yield Segment(safe, segment.style)
