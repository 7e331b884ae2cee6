"""The Data Docs over HTTP: links name a run, and the page says if it shows another."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from etl.settings import Quality, Settings
from tests.support import configure, free_port, pages_served

PAGE = '<!DOCTYPE html><meta name="run" content="{run}"><p>Every expectation holds'
TABLE = "core.links"


@pytest.fixture
def quality(tmp_path: Path) -> Iterator[Quality]:
    """The address of a served page of the run ``today``."""
    from etl.settings import load_settings

    database = {"url": "sqlite:///none.db"}
    file = configure(
        tmp_path / "doisoat.toml",
        insurance=database | {"table": "insurance"},
        population=database | {"table": "population"},
        target=database,
        quality={"pages_url": f"http://127.0.0.1:{free_port()}"},
    )
    settings: Settings = load_settings(file)
    settings.data_docs.mkdir(parents=True)
    (settings.data_docs / f"{TABLE}.html").write_text(PAGE.format(run="today"))
    (settings.data_docs / "old.html").write_text("<p>of a version that named no run")
    (settings.home / "charts").mkdir()
    (settings.home / "charts" / "run.html").write_text("<p>charts")
    with pages_served(settings):
        yield settings.quality


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=9) as answer:  # noqa: S310 - of this test
        return str(answer.read().decode())


def test_a_page_opens_by_its_own_run_and_without_one(quality: Quality) -> None:
    own = quality.page(TABLE, "today")
    for url in (own, own.partition("?")[0], f"{own.partition('?')[0]}?run=", f"{own}&x=1"):
        assert read(url) == PAGE.format(run="today")


def test_a_link_of_an_earlier_run_says_so_and_leads_to_the_page_of_today(quality: Quality) -> None:
    for page in (TABLE, "old"):
        told = read(quality.page(page, "yesterday"))
        assert "These pages are of a later run" in told
        assert "is of the run <code>yesterday</code>" in told
        assert "What the check saw stands in the check itself" in told
        assert f'href="./{page}.html"' in told
        assert "<script" not in told
        assert "default-src 'none'" in told


def test_what_is_asked_for_is_escaped(quality: Quality) -> None:
    asked = "\"><script>alert('x')</script>{page} & co"
    told = read(quality.page(TABLE, asked))
    assert "<script" not in told
    assert asked in unescape(told)
    assert "later run" in read(f"{quality.pages_url}/{TABLE}.html?run=%ff%00%22")


def test_a_page_that_is_not_there_is_not_there_for_any_run(quality: Quality) -> None:
    for path in (
        "core.none.html?run=today",
        "?run=today",
        "doisoat.toml?run=1",
        "../x.html?run=1",
        "%00.html?run=1",
    ):
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            read(f"{quality.pages_url}/{path}")
        refused.value.close()


def test_the_charts_open_beside_the_pages(quality: Quality) -> None:
    assert read(quality.charts_page()) == "<p>charts"
    for path in ("charts/", "charts/other.html", "charts/../record_key", "run.html"):
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            read(f"{quality.pages_url}/{path}")
        refused.value.close()
