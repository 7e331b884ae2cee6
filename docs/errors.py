"""Writes docs/errors.md: what you see, what it means, what to do.

python docs/errors.py

The table is made from the classes of ``etl/domain/errors.py`` and from what
``etl/databases/refusals.py`` says of the refusals of databases, so that it says what the program
says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    return "".join([*parts, _DATABASES, _TABLE, refusals])


def _tried(passes: bool) -> str:
    """Says whether such a refusal is waited for: doisoat tries again what may pass by itself."""
    if not passes:
        return "It will be so until somebody changes it."
    return "It may pass by itself: a register is read again, twice at most."


def _row(told: Told) -> str:
    seen = "<br>".join(told.seen)
    cells = (cell.replace("|", "\\|") for cell in (seen, told.means, told.do))
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
