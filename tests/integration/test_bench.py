"""``doisoat bench``: what a run takes on this machine, told of every table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from etl.pipeline.graph import pipeline
from tests.support import Command

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
    assert by_name["clean.names"]["bytes"] > 0  # kept as Parquet
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
