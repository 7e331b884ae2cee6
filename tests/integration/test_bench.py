"""``doisoat bench``: what a run takes on this machine, for every table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.checks import judges
from etl.bench.national import Progress, Report, national
from etl.bench.profile import claim
from etl.pipeline.graph import pipeline
from etl.settings import Engine
from etl.simulate import SimulationSpec
from expectations import SUITES
from tests.support import Command

pytestmark = pytest.mark.wide

Doisoat = Callable[..., Command]


def test_every_table_is_measured(doisoat_here: Doisoat, folder: Path) -> None:
    home = folder / "bench"
    told = doisoat_here("bench", "profile", "--citizens", "300", "--home", home, "--json")

    assert told.exit_code == 0, told.errors
    taken = json.loads(told.output)
    assert [one["table"] for one in taken] == [
        table.name.sql for table in pipeline().of("clean", "core", "publish")
    ]
    by_name = {one["table"]: one for one in taken}
    assert by_name["clean.population"]["rows"] == 300
    assert by_name["clean.names"]["bytes"] > 0  # stored as Parquet
    assert all(one["seconds"] >= 0 and one["peak_bytes"] > 1e6 for one in taken)
    kept = doisoat_here("bench", "profile", "--citizens", "300", "--home", home)
    assert "core.settled" in kept.output
    assert "s of processor time" in kept.output


def test_registers_that_are_not_there_are_told(doisoat_here: Doisoat, folder: Path) -> None:
    told = doisoat_here("bench", "profile", "--registers", folder)

    assert told.exit_code == 2
    assert "insurance.parquet" in told.errors
    assert "doisoat simulate" in told.errors


def test_a_folder_that_somebody_uses_is_left_alone(doisoat_here: Doisoat, folder: Path) -> None:
    """A measurement deletes the warehouse of its home."""
    home = folder / "home"
    home.mkdir()
    (home / "warehouse.duckdb").write_text("a warehouse", "utf-8")

    told = doisoat_here("bench", "profile", "--citizens", "300", "--home", home)

    assert told.exit_code == 2
    assert "not empty" in told.errors
    assert (home / "warehouse.duckdb").read_text("utf-8") == "a warehouse"


# --- a nation --------------------------------------------------------------------------------


class BrokenOffError(Exception):
    """Ends a run in a test."""


def _nation(home: Path, progress: Callable[[Progress], None] = lambda _: None) -> Report:
    claim(home)
    some = dict(list(judges().items())[:3])  # only a few, because all of them take long
    return national(home, SimulationSpec(300, seed=1), some, Engine(threads=1), progress=progress)


def test_a_nation_is_measured_from_its_registers_to_its_rules_and_judged_by_the_truth(
    doisoat_here: Doisoat, folder: Path
) -> None:
    told = doisoat_here(
        "bench", "national", "--citizens", "300", "--home", folder / "n", "--threads", "1", "--json"
    )

    assert told.exit_code == 0, told.errors
    report = json.loads(told.output)
    assert {step["phase"] for step in report["steps"]} == {
        "simulate", "read", "clean", "core", "publish", "rules",
    }  # fmt: skip
    names = [step["name"] for step in report["steps"]]
    assert len(names) == len(set(names))
    assert {table.name.sql for table in pipeline().of("clean", "core", "publish")} < set(names)
    assert {f"rules {suite.table.sql}" for suite in SUITES} < set(names)
    assert report["accuracy"]["wrong"] == 0
    assert 200 < report["accuracy"]["links"] <= report["accuracy"]["records"]
    assert "core.near_pairs: " in told.errors  # a line for each completed step
    assert " of disk" in told.errors


def test_a_nation_that_broke_off_goes_on_where_it_was(folder: Path) -> None:
    home, first, second = folder / "n", [], []

    def break_off(told: Progress) -> None:
        if told.finished:
            first.append(told.name)
        elif told.name == "core.links":
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        _nation(home, break_off)
    assert first[0] == "registers"
    report = _nation(home, lambda told: second.append(told.name) if told.finished else None)

    assert second[0] == "core.links"
    assert [step.name for step in report.steps] == [*first, *second]
    again: list[str] = []
    assert _nation(home, lambda told: again.append(told.name)) == report
    assert again == []


@pytest.mark.parametrize("lost", ["statements", "warehouse"])
def test_a_nation_begins_anew_where_what_it_had_is_of_no_use(folder: Path, lost: str) -> None:
    """The statements have changed, or the warehouse is gone."""
    home, done = folder / "n", []
    _nation(home)
    assert [file.name for file in home.glob("registers*/*.parquet")] == ["truth.parquet"]
    if lost == "warehouse":
        (home / "warehouse.duckdb").unlink()
    else:
        (journal,) = home.glob("national-*.jsonl")
        journal.write_text(journal.read_text("utf-8").replace("statements", "others"), "utf-8")

    _nation(home, lambda told: done.append(told.name) if told.finished else None)

    assert done[:2] == ["registers", "raw files"]
    assert "core.links" in done


def test_a_nation_that_has_no_room_is_refused_before_it_begins(
    doisoat_here: Doisoat, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.bench.national.ROOM_OF_PACKED_TABLES", 10**9)

    told = doisoat_here("bench", "national", "--citizens", 10**8, "--home", folder / "n")

    assert told.exit_code == 3
    assert "100,000,000 citizens take about 100,000,0" in told.errors
    assert "GB are free" in told.errors
    assert "--citizens " in told.errors
    assert not list((folder / "n").glob("registers*"))


@pytest.mark.parametrize("command", ["profile", "national"])
def test_more_citizens_than_can_be_simulated_are_refused(
    doisoat_here: Doisoat, folder: Path, command: str
) -> None:
    told = doisoat_here("bench", command, "--citizens", 10**12, "--home", folder / "n")

    assert told.exit_code == 2
    assert "citizens must be 1 to 200,000,000" in told.errors
