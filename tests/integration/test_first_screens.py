"""The first screens of the Dagster UI show what a run found: tags, a summary, working links."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pytest

from etl.settings import CONFIG_VARIABLE
from tests.support import Command, Registers

pytestmark = pytest.mark.wide

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]


def test_runs_are_tagged_and_the_summary_leads_to_the_pages(
    registers: Make, doisoat_here: Doisoat, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assets.instance import instance_for

    pair = registers()
    pair.options["engine"] = {"threads": 1, "memory": "128MB"}  # the smallest that is allowed
    pair.insurance[0]["id_number"] = pair.insurance[1]["id_number"]
    pair.write()
    assert doisoat_here("--config", pair.file, "sync").exit_code == 0
    for row in pair.insurance:
        row["full_name"] = None
    pair.write()
    assert doisoat_here("--config", pair.file, "sync").exit_code == 1
    for name in ("DAGSTER_HOME", CONFIG_VARIABLE):
        monkeypatch.setenv(name, "")

    with instance_for(pair.settings) as instance:
        failed, good = instance.get_runs()
        charts, runs = (
            instance.get_latest_materialization_event(dg.AssetKey(key))
            for key in (["publish", "charts"], ["target", "sync_runs"])
        )

    assert good.tags["doisoat/outcome"] == "published"
    assert "warning" in good.tags["doisoat/checks"]
    assert failed.tags["doisoat/outcome"].startswith(
        "nothing published: raw.insurance.full_name_is_mostly_filled"
    )
    assert failed.tags["doisoat/checks"].startswith("1 error")
    assert runs is not None
    assert runs.asset_materialization is not None
    said = {name: entry.value for name, entry in runs.asset_materialization.metadata.items()}
    assert "| MISMATCH | " in str(said["1 statuses"])
    assert "core.reconciled.numbers_are_not_shared" in str(said["2 failed checks"])
    assert said["3 charts"] == "http://127.0.0.1:3001/charts/run.html"
    assert str(said["4 data docs"]).startswith("http://127.0.0.1:3001/index.html?run=")
    assert charts is not None
    assert charts.asset_materialization is not None
    assert charts.asset_materialization.metadata["page"].value == said["3 charts"]
