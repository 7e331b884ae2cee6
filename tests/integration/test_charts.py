"""The charts of a run: one page that loads nothing, with the published counts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.domain.errors import NothingYetError
from etl.pipeline.snapshots import reading
from etl.report.charts import FILE, write_charts
from etl.report.charts.counts import BIN, FARTHEST, read_counts
from etl.report.charts.drawing import TOO_FEW, _chance, log_odds, run_charts
from etl.settings import Schedule
from tests.support import Command, Registers, citizen, record

pytestmark = pytest.mark.wide

SECRET = "Nguyễn Thị Bí Mật"


@pytest.fixture
def synced(registers: Callable[..., Registers]) -> Registers:
    records = [record(n, province_code="48" if n % 3 else "01") for n in range(1, 61)]
    for n in range(0, 30, 3):
        records[n]["gender"] = None
    records[31] |= {"id_number": None}
    records[32] |= {"full_name": SECRET, "date_of_birth": "1931-02-03", "id_number": "001099123123"}
    records[33]["province_code"] = None
    made = registers(records, [citizen(n) for n in range(1, 61)])
    made.sync()
    return made


def _charts(synced: Registers) -> dict[str, Any]:
    with reading(synced.settings) as warehouse:
        return {chart.name: chart for chart in run_charts(read_counts(warehouse))}


def _values(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Every row of a chart's data."""
    return [row for rows in spec["datasets"].values() for row in rows]


def test_every_usable_record_stands_once_in_the_waterfall_under_its_provinces_name(
    synced: Registers,
):
    spec = _charts(synced)["waterfall"].spec
    rows = spec["datasets"][spec["hconcat"][0]["data"]["name"]]

    assert sum(row["count"] for row in rows) == 60
    assert {row["province"] for row in rows} == {"Hà Nội", "Đà Nẵng", "(không rõ · unknown)"}
    lost = [row for row in rows if row["code"] == "not_found"]
    assert sum(row["count"] for row in lost) == 1
    for province in {row["province"] for row in rows}:
        assert sum(r["share"] for r in rows if r["province"] == province) == pytest.approx(1)


def test_the_probabilities_hold_each_record_that_was_weighed_once(synced: Registers):
    with reading(synced.settings) as warehouse:
        counts = read_counts(warehouse)
        weighed = warehouse.number("select count(distinct record_id) from core.near_scores")

    assert sum(row["records"] for row in counts.probabilities) == weighed
    assert all(-FARTHEST <= row["start"] <= FARTHEST - BIN for row in counts.probabilities)


def test_a_cell_of_few_records_says_nothing(synced: Registers):
    cells = [row for row in _values(_charts(synced)["mismatches"].spec) if "few" in row]

    gender = [row for row in cells if row["code"] == "GENDER_MISSING"]
    assert {row["province"]: row["count"] for row in gender}["Đà Nẵng"] >= TOO_FEW
    assert all(row["few"] for row in cells if row["province"] == "(không rõ)")
    assert not all(row["few"] for row in gender)
    commoner = max(gender, key=lambda row: row["share"])
    assert commoner["heat"] > 0


def test_the_page_fetches_nothing_and_holds_no_personal_data(synced: Registers, tmp_path: Path):
    file = tmp_path / "of" / "today.html"
    with reading(synced.settings) as warehouse:
        write_charts(warehouse, file)

    page = file.read_text("utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link)[^>]*(src|href)=", page)
    for value in (SECRET, "001099123123", "R000033", "1931"):
        assert value not in page.partition("vegaEmbed('#chart-")[2]
    specs = re.findall(r"vegaEmbed\('#chart-(\w+)', (\{.*?\}), \{\"actions\"", page)
    assert [name for name, _ in specs] == ["waterfall", "probabilities", "mismatches"]
    assert all(json.loads(spec) for _, spec in specs)


def test_the_page_begins_with_the_result_and_its_date(synced: Registers, tmp_path: Path):
    file = tmp_path / "today.html"
    with reading(synced.settings) as warehouse:
        counts = read_counts(warehouse)
        write_charts(warehouse, file)

    page = file.read_text("utf-8")
    head = page.partition('<section id="waterfall"')[0]
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    at = Schedule().local(counts.started_at)
    assert f"Ngày {at:%d/%m/%Y}, {at:%H:%M}" in head
    assert f"run {counts.run_id}" in head
    assert sum(counts.statuses.values()) == 60
    assert counts.statuses["MISMATCH"] >= 10
    work = 60 - counts.statuses["VERIFIED"]
    assert f"60 insurance records: {work} (" in head
    for status, records in counts.statuses.items():
        assert f'<li class="{status}">' in head
        assert f'<div class="many">{records}<small>' in head
    assert "data must be corrected" in head


def test_without_a_run_there_is_nothing_to_draw(registers: Callable[..., Registers]):
    made = registers([record(1)], [citizen(1)])
    with pytest.raises(NothingYetError), reading(made.settings) as warehouse:
        read_counts(warehouse)


def test_the_command_writes_the_page_where_it_is_told(
    synced: Registers, doisoat_here: Callable[..., Command], tmp_path: Path
):
    told = doisoat_here("--config", synced.file, "charts", "--output", tmp_path / "x.html")
    assert told.exit_code == 0, told.errors
    assert (tmp_path / "x.html").stat().st_size > 100_000

    usual = doisoat_here("--config", synced.file, "charts", "--json")
    assert usual.exit_code == 0, usual.errors
    assert json.loads(usual.output)["page"].endswith(f"charts/{FILE}")
    assert (synced.settings.home / "charts" / FILE).exists()

    refused = doisoat_here("--config", synced.file, "charts", "--output", "/proc/no/x.html")
    assert refused.exit_code == 2
    assert "--output" in refused.errors


@pytest.mark.parametrize(
    ("odds", "shown"),
    [(-6, "1/1.000.000"), (-2, "1%"), (0, "50%"), (2, "99%"), (4, "99,99%"), (6, "99,9999%")],
)
def test_odds_are_written_as_probabilities(odds: int, shown: str):
    assert _chance(odds) == shown
    assert log_odds(0.5) == 0
