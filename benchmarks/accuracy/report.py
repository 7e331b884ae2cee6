"""The findings as tables: in the terminal, as JSON and as Markdown.

Belongs here: layout. Does not belong here: measuring.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

console = Console()
if not console.is_terminal:
    console.width = 220  # a file is as wide as the tables


@dataclass(frozen=True)
class Section:
    """One table of a report.

    Attributes:
        title: What it shows.
        columns: Their headings.
        rows: Their values: text, whole numbers, shares (floats from 0 to 1), None.
        note: What a reader must know to understand it.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]
    note: str = ""


def shown(value: object) -> str:
    """Writes one value: numbers with separators, shares with six digits, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def show(section: Section) -> None:
    """Prints a section in the terminal."""
    table = Table(title=section.title, title_justify="left", caption=section.note or None)
    table.caption_justify = "left"
    for index, column in enumerate(section.columns):
        numeric = any(isinstance(row[index], int | float) for row in section.rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in section.rows:
        table.add_row(*map(shown, row))
    console.print(table)
    console.print()


def markdown(sections: Sequence[Section]) -> str:
    """Returns the report as Markdown."""
    return "\n".join(_markdown(section) for section in sections)


def _markdown(section: Section) -> str:
    lines = [
        f"### {section.title}",
        "",
        _line(section.columns),
        _line(["---"] * len(section.columns)),
    ]
    lines += [_line([shown(value) for value in row]) for row in section.rows]
    return "\n".join([*lines, "", *([section.note, ""] if section.note else [])])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def write(sections: Sequence[Section], json_file: Path | None, markdown_file: Path | None) -> None:
    """Writes the report into the files that were asked for."""
    if json_file:
        found = [asdict(section) for section in sections]
        json_file.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    if markdown_file:
        markdown_file.write_text(markdown(sections), encoding="utf-8")
