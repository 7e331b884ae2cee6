"""Writes docs/errors.md: what you see, what it means, what to do.

python docs/errors.py

The tables are made from the classes of ``etl/domain/errors.py``, from what
``etl/databases/refusals.py`` says of the refusals of databases, and, for all other messages, from
the places of the program that raise them. So the page has every message, in the program's words.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from etl.databases.refusals import REFUSALS
from etl.domain.errors import DoisoatError, Told

PAGE = Path(__file__).with_suffix(".md")

_HEAD = """# Errors

<!-- Written by `python docs/errors.py`; change etl/domain/errors.py and run it. -->

Each message says what happened, where, and what to do next; none quotes a value of a person or a \
part of a password. Search this page for its first words. `doisoat check` finds most of them \
before a run does.

| exit code | means |
|---|---|
| 0 | done |
| 1 | a quality gate or the ledger stopped the run; nothing was published |
| 2 | wrong use, a wrong configuration, or a machine that does not suit it |
| 3 | a database, a disk or a receiver of alerts refused or is away; most of it may pass by itself |
| 70 | a fault of doisoat: run again with `--debug` and report what it prints |
| 130 | stopped by a signal |

"""

_TABLE = "| what you see | what it means | what to do |\n|---|---|---|\n"

_TITLES = {
    1: "Stopped by quality (exit code 1)",
    2: "Configuration, home, machine (exit code 2)",
    3: "Databases, disks, receivers (exit code 3)",
}

_DATABASES = """## What a database refuses (exit code 3)

The message begins with what was tried ("Connecting to the insurance register: …"). The database's \
own words are withheld, because they may quote personal data; its log has them.

"""


_OTHERS = """## All other messages

These say all there is to say themselves. (… stands for what varies.)

| exit code | what you see | what to do |
|---|---|---|
"""

_ROOT = Path(__file__).resolve().parents[1]
_SHORT = 3
"""Letters of a part of a message that is too short to tell it by."""


class Raised(NamedTuple):
    """A message that the program raises.

    Attributes:
        kind: The kind of error.
        what: What happened, with … for what varies.
        remedy: What to do; empty where only the program knows.
    """

    kind: type[DoisoatError]
    what: str
    remedy: str


def raised() -> Iterator[Raised]:
    """Yields every message that stands in the program where it is raised."""
    known = {kind.__name__: kind for kind in kinds()}
    for package in ("etl", "assets", "expectations", "console"):
        for file in sorted((_ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                    continue
                if (kind := known.get(node.func.id)) and node.args:
                    remedies = [word.value for word in node.keywords if word.arg == "remedy"]
                    remedy = text_of(remedies[0]) if remedies else ""
                    yield Raised(kind, text_of(node.args[0]), remedy)


def text_of(node: ast.expr) -> str:
    """Returns the text of an expression, with … for all that varies."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return "…"


def fragments(phrase: str) -> list[str]:
    """Returns the parts of a phrase between those that vary, but for very short ones."""
    return [part.strip() for part in phrase.split("…") if len(part.strip()) > _SHORT]


def is_told(found: Raised) -> bool:
    """Says whether a class of the error tells of the message."""
    phrases = (
        phrase
        for kind in found.kind.__mro__
        for told in vars(kind).get("told", ())
        for phrase in told.seen
    )
    return any(all(one in found.what for one in fragments(phrase)) for phrase in phrases)


def _others() -> Iterable[str]:
    """Returns the rows of the messages that no class tells of."""
    others = {
        (found.kind.exit_code, found.what.rstrip("."), found.remedy)
        for found in raised()
        if fragments(found.what) and not is_told(found)
    }
    return (
        _cells(str(code), what, (remedy.strip("…") and remedy) or "Do what the message says.")
        for code, what, remedy in sorted(others)
    )


def kinds(kind: type[DoisoatError] = DoisoatError) -> Iterator[type[DoisoatError]]:
    """Yields every kind of error, the general before the special."""
    yield kind
    for special in kind.__subclasses__():
        yield from kinds(special)


def page() -> str:
    """Returns the page."""
    parts = [_HEAD]
    for code, title in _TITLES.items():
        rows = [
            row
            for kind in kinds()
            if kind.exit_code == code and "told" in vars(kind)
            for row in map(_row, kind.told)
        ]
        parts.append(f"## {title}\n\n{_TABLE}{''.join(rows)}\n")
    refusals = "".join(
        _row(Told((refusal.happened,), _tried(refusal.passes), refusal.remedy))
        for refusal in REFUSALS
    )
    return "".join([*parts, _DATABASES, _TABLE, refusals, "\n", _OTHERS, *_others()])


def _tried(passes: bool) -> str:
    """Says whether such a refusal is waited for: doisoat tries again what may pass by itself."""
    if not passes:
        return "It will be so until somebody changes it."
    return "It may pass by itself: a register is read again, twice at most."


def _row(told: Told) -> str:
    return _cells("<br>".join(told.seen), told.means, told.do)


def _cells(*cells: str) -> str:
    safe = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(safe)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
