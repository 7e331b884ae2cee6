"""Data Docs: every table of the last run, its counts, and no value of any person."""

from __future__ import annotations

import re
import shutil
import stat
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import dagster as dg
import pytest

from assets.checks import suite_checks
from assets.resources import Doisoat
from etl.domain.codes import Owner, Severity
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.settings import Quality, Schedule
from expectations import SUITES, Suite
from expectations.docs import INDEX, write_docs
from expectations.rules import (
    Rule,
    has_columns,
    is_filled,
    is_not_empty,
    is_one_of,
    never,
    page_file,
)
from expectations.runner import RuleResult, run_suite
from tests.support import (
    Registers,
    citizen,
    free_port,
    memory_folder,
    pages_served,
    record,
)

pytestmark = pytest.mark.wide

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

SCHEDULE = Schedule(timezone="Asia/Ho_Chi_Minh")
FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)

# A rule for each result, on a table that has rows.
STOPS = never("nobody_is_there", "true", "Nobody <b> may be there.", blocking=True)
FAILS = never("nobody_is_here", "record_id is not null", "Nobody may be here.")
WARNS = never("nobody_waits", "record_id is not null", "Who waits?", severity=Severity.WARNING)
HOLDS = is_filled("record_id", "A record has its key.")
_KNOWN = is_one_of("status", ("MISMATCH", "NOT_FOUND", "VERIFIED"), "Statuses are three.")
TOLERATES = replace(_KNOWN, arguments=_KNOWN.arguments | {"mostly": 0.5})


@dataclass
class Site:
    """The pages of a run, and what they were made from."""

    registers: Registers
    warehouse: Warehouse
    folder: Path

    def judge(self, suite: Suite) -> Path:
        return self.write(suite, run_suite(self.warehouse, suite))

    def write(self, suite: Suite, results: list[RuleResult]) -> Path:
        write_docs(self.warehouse, suite, results, self.folder, SCHEDULE)
        return page_file(self.folder, suite.table)

    def judge_by(self, *rules: Rule, table: str = "core.reconciled") -> str:
        """Evaluates given rules on a table instead of its own, and returns its page."""
        own = next(suite for suite in SUITES if suite.table.sql == table)
        try:
            return self.judge(replace(own, rules=rules)).read_text("utf-8")
        finally:
            self.judge(own)

    def text(self, table: str) -> str:
        """The text that a reader sees on a page."""
        return seen(page_file(self.folder, TableName.parse(table)).read_text("utf-8"))


def seen(page: str) -> str:
    """The text that a reader sees on a page before unfolding anything."""
    body = FOLDED.sub("", page.split("</head>", 1)[1])
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Every suite on two small registers, whose tables hold canaries (values to search for)."""
    folder = memory_folder("doisoat-docs-")
    registers = Registers(
        folder,
        [record(n) for n in range(RECORDS)],
        [citizen(n) for n in range(RECORDS)],
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    settings = registers.settings
    with warehouse_for(settings, Run("docs")) as warehouse:
        runner.run(warehouse, settings)
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
    assert "core.links" in index.split("holds</span>", 1)[0]  # failures come first


def test_a_page_says_what_the_target_holds_where_nothing_leaves(site: Site) -> None:
    said = "Nothing of this run leaves; the target holds no run yet."
    assert said in site.judge_by(STOPS)
    assert "Nothing of this run leaves" not in site.judge_by(FAILS)


def test_a_page_says_how_many_rows_fail_and_what_to_type(site: Site) -> None:
    verdicts, links = site.text("core.reconciled"), site.text("core.links")

    assert re.search(
        r"fails record_id_is_unique .*? Observed 2 of 40 rows fail \(5\.00%\) Expected no row "
        r"fails Severity error; a failure stops the publish Owner whoever runs doisoat "
        r"Failing since \d{4}-\d\d-\d\d \d\d:\d\d \+07 "
        r"Rows that failed, last runs 2 "
        r"Next doisoat triage core\.reconciled\.record_id_is_unique "
        r"One row doisoat triage core\.reconciled\.record_id_is_unique --record [0-9a-f]{16} "
        r"List for its office doisoat triage core\.reconciled\.record_id_is_unique "
        r"--ids --out list\.csv ",
        verdicts,
    )
    assert "Observed 1 of 40 rows fail (2.50%)" in verdicts
    assert "Next doisoat triage core.links.every_link_leads_to_a_citizen" in links
    assert f"Observed {RECORDS} of {RECORDS} rows fail (100.00%)" in site.text("publish.reconciled")
    assert "Next" not in site.text("clean.genders")


def test_an_expectation_leads_with_its_meaning_and_folds_its_sql_away(site: Site) -> None:
    for suite in SUITES:
        page = page_file(site.folder, suite.table).read_text("utf-8")
        text = seen(page)
        for rule in suite.rules:
            assert f"{rule.name} {rule.why} Observed" in text
        assert not re.search(r"select |unexpected rows|[\[(]'|\{batch\}", text, re.IGNORECASE), text
        assert page.count("<details>") == page.count("<details") == len(suite.rules)
    links = page_file(site.folder, TableName("core", "links")).read_text("utf-8")
    folded = " ".join(FOLDED.findall(links))
    assert "select personal_id from clean.population" in folded


def test_what_fails_stands_first(site: Site) -> None:
    text = seen(site.judge_by(HOLDS, TOLERATES, WARNS, FAILS, STOPS))

    rules = (STOPS, FAILS, WARNS, TOLERATES, HOLDS)
    assert sorted((rule.name for rule in rules), key=text.index) == [rule.name for rule in rules]
    assert re.search(r"Errors fails .* fails .* Warnings warns .* Within tolerance holds", text)
    assert "What holds holds record_id_is_filled A record has its key. Observed no row" in text


@pytest.mark.parametrize(
    ("rules", "look", "words", "summary"),
    [
        (
            (HOLDS, STOPS, WARNS),
            "failed",
            "The publish was stopped",
            "of 3 expectations 1 holds, 1 fails and 1 warns; this table stopped the publish.",
        ),
        (
            (HOLDS, FAILS),
            "failed",
            "Errors, which do not stop the publish",
            "of 2 expectations 1 holds, 1 fails and none warns; this table did not stop the",
        ),
        (
            (HOLDS, TOLERATES, WARNS),
            "warned",
            "Warnings, which do not stop the publish",
            "of 3 expectations 2 hold (1 within tolerance), none fails and 1 warns; this table did",
        ),
        ((HOLDS,), "held", "Every expectation holds", "of 1 expectation 1 holds, none fails and"),
    ],
)
def test_a_page_says_in_words_and_by_its_look_how_grave_it_is(
    site: Site, rules: tuple[Rule, ...], look: str, words: str, summary: str
) -> None:
    page = site.judge_by(*rules)
    assert re.findall(r'class="verdict (\w+)"', page) == [look]
    assert f"{words} {RECORDS} rows were checked; {summary}" in seen(page)


def test_lists_are_words_with_commas_between(site: Site) -> None:
    agreed = is_one_of("status", ("one", "two"), "Statuses are two.")
    text = seen(site.judge_by(has_columns("record_id", "stat<us"), agreed))

    assert "Columns record_id, stat<us " in text
    assert "Allowed words one, two " in text
    assert re.search(r"Observed \d+ columns: record_id, [a-z_]+, ", text)


def test_a_page_tells_that_a_failure_is_known_and_until_when(site: Site) -> None:
    connection = site.warehouse.connection
    connection.execute(
        "insert into ops.acknowledgements by name select 'core.reconciled' as table_name, "
        "$name as check_name, 'lan' as acknowledged_by, 'asked' as reason, "
        "timestamp '2026-01-01' as acknowledged_at, timestamp '2999-12-30 20:00' as expires_at",
        {"name": WARNS.name},
    )
    text = seen(site.judge_by(WARNS))
    connection.execute("delete from ops.acknowledgements")
    assert "Acknowledged until 2999-12-31 03:00 +07" in text  # kept in UTC


def test_each_page_says_of_which_run_it_is(site: Site) -> None:
    run = "select run_id, strftime(started_at + interval 7 hours, '%Y-%m-%d %H:%M') from "
    run_id, began = site.warehouse.connection.execute(f"{run} ops.parameters").fetchone() or ()
    for file in site.folder.iterdir():
        page = file.read_text("utf-8")
        assert f'<meta name="run" content="{run_id}">' in page
        assert f"Of run {run_id} , which began {began} +07." in seen(page)[:200]


def test_a_check_of_an_earlier_run_is_not_led_to_the_page_of_a_later_one(site: Site) -> None:
    pages = Quality(pages_url=f"http://127.0.0.1:{free_port()}")
    settings = site.registers.settings.model_copy(update={"quality": pages})
    today = site.warehouse.value("select run_id from ops.parameters")
    with pages_served(settings):
        own, later = (
            urllib.request.urlopen(pages.page("core.links", run), timeout=9).read().decode()  # noqa: S310
            for run in (str(today), "20200101T000000-earlier")
        )
    assert "every_link_leads_to_a_citizen" in own
    assert "These pages are of a later run" in later
    assert f"by the run <code>{today}</code>, so" in later


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

    page = site.write(suite, [result]).read_text("utf-8")
    site.judge(next(s for s in SUITES if s.table == suite.table))

    assert result.observed == "could not be evaluated"
    assert "Observed could not be evaluated" in seen(page)
    assert "numbers_convert" in page
    assert "withheld" in page
    assert CANARY not in page


def test_an_empty_table_that_fails_as_a_whole_has_its_page(site: Site) -> None:
    table = TableName("core", "card_conflicts")
    assert not site.warehouse.count(table)
    text = seen(site.judge_by(is_not_empty("rows", Owner.INSURANCE), table=table.sql))
    assert "0 rows were checked; of 1 expectation none holds, 1 fails and none warns" in text
    assert "Observed 0 rows Expected at least one row" in text
    assert "Next doisoat triage core.card_conflicts.is_not_empty" in text


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
    assert "Of run another ," in seen((site.folder / INDEX).read_text("utf-8"))


# --- in the UI ------------------------------------------------------------------------------------


def _evaluated(registers: Registers) -> dict[str, dg.AssetCheckEvaluation]:
    """Runs one suite as Dagster does."""
    (checks,) = suite_checks(s for s in SUITES if s.table.sql == "clean.genders")
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    resources = {"doisoat": Doisoat(registers.file)}
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
    links = {str(found.metadata["page"].value) for found in _evaluated(made).values()}
    (run_id,) = re.findall(
        r'name="run" content="(.+)"', (folder / "clean.genders.html").read_text()
    )
    assert links == {f"http://127.0.0.1:3001/clean.genders.html?run={run_id}"}
    shutil.rmtree(folder)
    folder.write_text("in the way")
    for found in _evaluated(made).values():
        assert found.passed
        assert "page" not in found.metadata
