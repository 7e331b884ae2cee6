"""What changed from one run to another, as ``doisoat runs diff`` shows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import Command, Registers, citizen, record

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]


@pytest.fixture
def two_runs(synced: Make, doisoat_here: Doisoat) -> tuple[Registers, Callable[..., Any]]:
    """Ten records after a second sync: one is new, one is gone, and four have changed."""
    pair = synced([record(n) for n in range(1, 11)])
    rows = {row["record_id"]: row for row in pair.insurance}
    rows["R000001"].update(id_number=citizen(20)["personal_id"], full_name=citizen(20)["full_name"],
                           date_of_birth=citizen(20)["date_of_birth"],
                           gender=citizen(20)["gender"])  # fmt: skip
    rows["R000002"].update(id_number=None, full_name="Ai Đó Khác", date_of_birth="1999-09-09")
    rows["R000003"].update(id_number=None)  # found by name and birth date
    rows["R000004"].update(gender="Nam" if rows["R000004"]["gender"] == "Nữ" else "Nữ")
    pair.insurance.remove(rows["R000010"])
    pair.insurance.append(record(11, province_code="79"))
    pair.write()
    pair.sync()

    def told(*arguments: str) -> Any:
        done = doisoat_here("--config", pair.file, "runs", "diff", *arguments, "--json")
        assert done.exit_code == 0, done.errors
        return json.loads(done.output)

    return pair, told


def summed(rows: list[dict[str, Any]], *names: str, count: str) -> dict[tuple[str, ...], int]:
    """Adds up counts over provinces."""
    found: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        found[key] = found.get(key, 0) + row[count]
    return found


def test_links_mismatches_and_records_that_came_and_went_are_counted(
    two_runs: tuple[Registers, Callable[..., Any]],
) -> None:
    _, told = two_runs
    changes = told()

    assert summed(changes["links"], "change", count="links") == {
        ("opened",): 1,  # the new record
        ("closed",): 2,  # one is gone, one is linked to nobody now
        ("moved",): 1,
        ("other_step",): 1,
    }
    (other,) = (row for row in changes["links"] if row["change"] == "other_step")
    assert other["match_step"] in ("demographic", "probabilistic")  # the step that links it now
    assert {(row["reason"], row["links"]) for row in changes["closed"]} == {
        ("no_longer_linked", 1), ("other_citizen", 1), ("other_step", 1), ("record_gone", 1),
    }  # fmt: skip
    assert {"province_code": "79", "new": 1, "gone": 0} in changes["records"]
    assert {"province_code": "01", "new": 0, "gone": 1} in changes["records"]
    found = summed(changes["found"], "code", count="mismatches")
    assert found[("GENDER_DIFFERENT",)] == 1
    counts = {row["code"]: row for row in changes["mismatches"]}
    assert (counts["GENDER_DIFFERENT"]["before"], counts["GENDER_DIFFERENT"]["after"]) == (0, 1)


@pytest.mark.wide
def test_what_was_resolved_is_told_and_runs_may_be_named_in_either_order(
    two_runs: tuple[Registers, Callable[..., Any]], doisoat_here: Doisoat
) -> None:
    pair, told = two_runs
    row = next(row for row in pair.insurance if row["record_id"] == "R000004")
    row["gender"] = citizen(4)["gender"]
    pair.write()
    pair.sync()

    changes = told()
    resolved = summed(changes["resolved"], "code", count="mismatches")
    assert resolved[("GENDER_DIFFERENT",)] == 1
    assert changes["links"] == changes["records"] == changes["found"] == []
    later, earlier = changes["after"]["run_id"], changes["before"]["run_id"]
    assert told(later, earlier) == changes
    shown = doisoat_here("--config", pair.file, "runs", "diff").output
    assert "No link was opened, closed or moved." in shown
    assert "Records: 0 new, 0 gone." in shown
    # If a run's result is no longer kept, the links and counts come from the state.
    runs = json.loads(doisoat_here("--config", pair.file, "runs", "--json").output)
    first = told(runs[-1]["run_id"], later)
    assert summed(first["links"], "change", count="links")["moved",] == 1
    assert first["found"] is None


@pytest.mark.wide
def test_links_are_told_after_the_home_was_deleted(
    two_runs: tuple[Registers, Callable[..., Any]],
) -> None:
    pair, told = two_runs
    before = told()
    for name in ("snapshots", "warehouse.duckdb", "warehouse.files"):
        path = pair.settings.home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    pair.sync()

    after = told(before["before"]["run_id"], before["after"]["run_id"])
    assert after["links"] == before["links"]
    assert after["mismatches"] == before["mismatches"]
    assert after["found"] is None


def test_what_cannot_be_compared_is_refused_in_words(synced: Make, doisoat_here: Doisoat) -> None:
    pair = synced([record(n) for n in range(1, 11)])
    alone = doisoat_here("--config", pair.file, "runs", "diff")
    assert alone.exit_code == 2
    assert "There is one published run only" in alone.errors
    unknown = doisoat_here("--config", pair.file, "runs", "diff", "yesterday", "today")
    assert unknown.exit_code == 2
    assert "There is no published run of that name" in unknown.errors
    assert "the last that were published: 20" in unknown.errors
