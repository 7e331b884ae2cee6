"""The demonstration as a newcomer runs it: the real command, a real PostgreSQL, the whole job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.support import Command


def test_the_demo_reconciles_publishes_and_a_second_sync_changes_nothing(
    doisoat: Callable[..., Command], doisoat_here: Callable[..., Command], folder: Path
):
    first = doisoat("demo", "--citizens", "3000", "--json")
    assert first.exit_code == 0, first.errors
    result = json.loads(first.output)
    figures = result["figures"]
    assert sum(figures["statuses"].values()) > 2_500
    assert figures["statuses"]["VERIFIED"] > 0.7 * sum(figures["statuses"].values())
    assert all(equation["holds"] for equation in figures["ledger"])
    assert figures["model_is_trained"] is False
    assert {row["match_step"] for row in figures["waterfall"]} >= {"personal_id", "demographic"}
    assert not [check for check in result["failed_checks"] if check["severity"] == "error"]

    charts = folder / ".doisoat" / "demo" / "home" / "charts" / "run.html"
    assert "chart-waterfall" in charts.read_text("utf-8")

    # It is found although no configuration is named, because only the demo has one.
    second = doisoat_here("sync", "--mode", "full", "--json")
    assert second.exit_code == 0, second.errors
    again = json.loads(second.output)["figures"]
    assert again["run_id"] != figures["run_id"]
    assert {**again, "run_id": ""} == {**figures, "run_id": ""}

    listed = doisoat_here("runs", "--json")
    assert [run["run_id"] for run in json.loads(listed.output)] == [
        again["run_id"],
        figures["run_id"],
    ]
