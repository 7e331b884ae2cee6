"""The examples of docs/normalisation.md are true."""

from __future__ import annotations

import doctest
import re
from datetime import date

import pytest

from etl.normalise import compare_births, compare_names, parse_birth, parse_name
from tests.support import ROOT

PAGE = (ROOT / "docs" / "normalisation.md").read_text(encoding="utf-8")
TODAY = date(2026, 11, 22)


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the table rows between a heading and the next one."""
    body = re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    rows = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if "---" not in row[0]]


def quoted(cell: str) -> list[str]:
    """The values in a cell, unless there are words around them: then the cell describes."""
    values = re.findall("`([^`]*)`", cell.replace("\\|", "|"))
    return values if not re.sub("`[^`]*`|[, ]", "", cell) else []


def levels(heading: str) -> list[tuple[str, str, str]]:
    """The level and the pair of each example in a table of comparisons."""
    found = []
    for row in rows_under(heading):
        examples = re.split("; not ", row[1])[0] if len(row) > 1 else ""
        found += [(row[0], a, b) for a, b in re.findall("`([^`]*)`, `([^`]*)`", examples)]
    return found


def test_the_examples_in_python_give_what_they_say():
    blocks = [block for block in re.findall("```python\n(.*?)```", PAGE, re.S) if ">>>" in block]
    assert len(blocks) == 2
    for block in blocks:
        example = doctest.DocTestParser().get_doctest(block, {}, "normalisation.md", None, 0)
        assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize(
    ("recorded", "canonical", "notes"),
    [
        (recorded, canonical, row[3] if len(row) > 3 else "")
        for row in rows_under("Names")
        if len(row) > 2
        for recorded, canonical in zip(quoted(row[1]), row[2].split(", "), strict=False)
    ],
)
def test_each_rule_for_names_does_what_its_example_says(recorded: str, canonical: str, notes: str):
    parsed = parse_name(recorded)
    assert parsed.canonical == canonical
    assert not notes or set(parsed.notes) & set(notes.split(", "))


@pytest.mark.parametrize(("level", "a", "b"), levels("Comparing names"))
def test_each_level_of_names_is_that_of_its_examples(level: str, a: str, b: str):
    assert compare_names(a, b).level == compare_names(b, a).level == level


@pytest.mark.parametrize(("level", "a", "b"), levels("Birth dates"))
def test_each_level_of_birth_dates_is_that_of_its_examples(level: str, a: str, b: str):
    assert compare_births(parse_birth(a, TODAY), parse_birth(b, TODAY)) == level


@pytest.mark.parametrize(
    ("recorded", "result", "note"),
    [
        (recorded, row[1], row[2])
        for row in rows_under("Birth dates")
        if len(row) == 3 and row[0] != "recorded"
        for recorded in quoted(row[0])
    ],
)
def test_each_birth_date_is_read_as_its_example_says(recorded: str, result: str, note: str):
    parsed = parse_birth(recorded, TODAY)
    if result == "refused":
        assert parsed.reject == note.partition(":")[0]
    elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", result):
        assert parsed.date == date.fromisoformat(result)
    else:
        assert parsed.date is None
        assert str(parsed.year) in result
