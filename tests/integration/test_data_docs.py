"""Data Docs: every table of the last run, its counts, and no value of anybody."""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import dagster as dg
import pytest

from assets.checks import suite_checks
from assets.resources import Doisoat
from etl.codes import Owner
from etl.warehouse.engine import Warehouse
from etl.warehouse.run import Run, release_lock, warehouse_for
from etl.warehouse.statements import TableName
from expectations import SUITES, Suite
from expectations.docs import INDEX, page_file, write_docs
from expectations.rules import is_not_empty, never
from expectations.runner import run_suite
from tests.support import Registers, citizen, memory_folder, reconcile, record

CANARY = "Canaria"
RECORDS = 40
PLANTED = f"""
update core.reconciled set record_id = '{CANARY} twin' where record_id in ('R000001', 'R000002');
update core.reconciled set status = '{CANARY} status' where record_id = 'R000003';
update core.links set match_step = '{CANARY} step' where record_id in ('R000001', 'R000002');
update core.links set personal_id = '{CANARY} nobody' where record_id = 'R000004';
update publish.reconciled set row_hash = '{CANARY} hash';
insert into core.mismatches (record_id, code) values ('{CANARY}', '{CANARY} code');
"""
"""Values in rows that fail rules of several kinds: uniqueness, vocabularies, queries."""


@dataclass
class Site:
    """The pages of a run, and what they were made from."""

    registers: Registers
    warehouse: Warehouse
    folder: Path

    def judge(self, suite: Suite) -> Path:
        results = run_suite(self.warehouse, suite)
        return write_docs(self.warehouse, suite, results, self.folder)

    def text(self, table: str) -> str:
        """What a reader sees of a page."""
        page = page_file(self.folder, TableName.parse(table)).read_text("utf-8")
        body = page.split("</head>", 1)[1]
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Every suite on two small registers, in whose tables canaries sit."""
    folder = memory_folder("doisoat-docs-")
    registers = Registers(
        folder,
        [record(n) for n in range(RECORDS)],
        [citizen(n) for n in range(RECORDS)],
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    settings = registers.settings
    with warehouse_for(settings, Run("docs")) as warehouse:
        reconcile(warehouse, settings)
        warehouse.connection.execute(PLANTED)
        made = Site(registers, warehouse, settings.data_docs)
        for suite in SUITES:
            made.judge(suite)
        yield made
    release_lock(settings)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_index_lists_every_table_and_leads_to_its_page(site: Site) -> None:
    index = (site.folder / INDEX).read_text("utf-8")
    led_to = set(re.findall(r'href="([^"]+)"', index))

    assert led_to == {f"{suite.table.sql}.html" for suite in SUITES}
    assert {file.name for file in site.folder.iterdir()} == {INDEX, *led_to}
    assert "core.links" in index.split("holds</span>", 1)[0]  # what fails leads


def test_a_page_says_how_many_rows_fail_and_which_check_that_is(site: Site) -> None:
    verdicts, links = site.text("core.reconciled"), site.text("core.links")

    assert re.search(r"2 \(5\.00%\) record_id_is_unique error, stops the publish", verdicts)
    assert f"2 unexpected values found. 5% of {RECORDS} total rows." in verdicts
    assert "1 (2.50%) status_is_known" in verdicts
    assert "2 (5.00%) match_step_is_known" in links
    assert "1 (2.50%) every_link_leads_to_a_citizen" in links
    assert "select personal_id from clean.population" in links
    assert "3 of 7 expectations do not hold" in verdicts
    assert f"{RECORDS} (100.00%) hash_is_complete" in site.text("publish.reconciled")


def test_no_file_holds_a_value_of_a_row(site: Site) -> None:
    told = {file.name: file.read_text("utf-8") for file in site.folder.iterdir()}
    people = {str(row["full_name"]) for row in site.registers.population}
    numbers = {str(row["personal_id"]) for row in site.registers.population}

    assert [name for name, text in told.items() if CANARY.lower() in text.lower()] == []
    everything = "\n".join(told.values())
    assert [value for value in people | numbers if value in everything] == []


def test_an_error_that_quotes_a_value_is_told_without_its_words(site: Site) -> None:
    quoting = never("numbers_convert", "record_id::integer > 0", "It cannot be asked so.")
    suite = Suite(TableName("core", "mismatches"), (replace(quoting, failing=""),))
    (result,) = run_suite(site.warehouse, suite)

    page = write_docs(site.warehouse, suite, [result], site.folder).read_text("utf-8")
    site.judge(next(s for s in SUITES if s.table == suite.table))

    assert result.observed == "could not be evaluated"
    assert "numbers_convert" in page
    assert "withheld" in page
    assert CANARY not in page


def test_an_empty_table_that_fails_as_a_whole_has_its_page(site: Site) -> None:
    table = TableName("core", "card_conflicts")
    assert not site.warehouse.count(table)
    page = site.judge(Suite(table, (is_not_empty("rows", Owner.INSURANCE),)))
    assert "1 of 1 expectations does not hold: is_not_empty" in page.read_text("utf-8")
    site.judge(next(suite for suite in SUITES if suite.table == table))


def test_the_pages_fetch_nothing_and_every_link_leads_somewhere(site: Site) -> None:
    for file in site.folder.iterdir():
        page = file.read_text("utf-8")
        assert not re.search(r"https?:|//cdn|<script|<link|<img|\bsrc=|@import|url\(", page), file
        for link in re.findall(r'href="([^"]+)"', page):
            assert link.startswith("#") or (site.folder / link).is_file(), (file, link)
        for fragment in re.findall(r'href="#([^"]+)"', page):
            assert re.search(rf'id="?{re.escape(fragment)}\b', page), (file, fragment)


def test_only_the_owner_may_read_them(site: Site) -> None:
    assert stat.S_IMODE(site.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in site.folder.iterdir()} == {0o600}


def test_another_run_leaves_nothing_of_the_last_one(site: Site) -> None:
    raw = [suite for suite in SUITES if suite.table.schema == "raw"]
    (site.folder / "core.abolished.html").write_text("of a table that is gone")
    site.warehouse.connection.execute("update ops.parameters set run_id = 'another'")
    for suite in raw:
        site.judge(suite)

    left = {file.name for file in site.folder.iterdir()}
    assert left == {INDEX, *(f"{suite.table.sql}.html" for suite in raw)}
    assert "Run another" in (site.folder / INDEX).read_text("utf-8")


# --- in the UI ------------------------------------------------------------------------------------


def _evaluated(registers: Registers) -> dict[str, dg.AssetCheckEvaluation]:
    """Runs one suite as Dagster does."""
    (checks,) = suite_checks(s for s in SUITES if s.table.sql == "clean.genders")
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    resources = {"doisoat": Doisoat(config_file=str(registers.file))}
    defs = dg.Definitions(asset_checks=[checks], jobs=[job], resources=resources)
    with dg.DagsterInstance.ephemeral() as instance:
        ran = defs.resolve_job_def("checks").execute_in_process(instance=instance)
    release_lock(registers.settings)
    return {found.check_name: found for found in ran.get_asset_check_evaluations()}


def test_each_check_tells_its_page_and_a_page_that_cannot_be_written_stops_nothing(
    registers: Callable[..., Registers],
) -> None:
    made = registers()
    made.sync()
    folder = made.settings.data_docs.resolve()
    for found in _evaluated(made).values():
        assert found.metadata["page"].value == "http://127.0.0.1:3001/clean.genders.html"
    assert (folder / "clean.genders.html").is_file()
    shutil.rmtree(folder)
    folder.write_text("in the way")
    for found in _evaluated(made).values():
        assert found.passed
        assert "page" not in found.metadata
