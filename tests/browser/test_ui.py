"""What a person sees in the Dagster UI, seen by a real browser."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site, ask, remember

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# On a busy machine a page takes long. The tests are about what it shows, not how soon.
expect.set_options(timeout=45_000)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

FAILED_CHECK = "full_name_is_mostly_filled"
OF_TABLE = "raw/population"


def why() -> str:
    """The words of the failed check in the suite."""
    from expectations import SUITES

    (rule,) = (
        rule
        for suite in SUITES
        for rule in suite.rules
        if suite.table.sql == "raw.population" and rule.name == FAILED_CHECK
    )
    return rule.why


def keys() -> dict[str, str]:
    """Every asset of the definitions, with its group."""
    from assets.definitions import build_defs

    graph = build_defs().resolve_asset_graph()
    return {
        "/".join(key.path): graph.get(key).group_name or "" for key in graph.get_all_asset_keys()
    }


def test_the_runs_are_what_the_other_tests_take_them_for(site: Site) -> None:
    assert site.good.exit_code == 0, site.good
    assert site.failed.exit_code == 1, site.failed
    errors = [c["check"] for c in site.failed.failed_checks if c["severity"] == "error"]
    assert errors == [FAILED_CHECK]


DRAWN = """names => {
    const drawn = {};
    for (const node of document.querySelectorAll("svg foreignObject")) {
        // Drawn large, a node tells its state behind its name; a group has its size there.
        const name = node.textContent.replace(/^Unsynced \\(\\d+\\)/, "").split("Latest event")[0];
        drawn[name] = (drawn[name] || 0) + 1;
    }
    const wanted = {};
    for (const name of names) wanted[name] = (wanted[name] || 0) + 1;
    return Object.entries(wanted).every(([name, times]) => (drawn[name] || 0) >= times);
}"""
"""True if the graph has a node for each name, and as often as the name occurs."""


def test_the_lineage_shows_every_asset_in_its_group(page: Page, site: Site) -> None:
    expected = keys()
    assert {"source/insurance", "source/population", "target/reconciled"} <= set(expected)
    # Nodes outside the screen are not drawn, so the screen of this test is very tall.
    page.set_viewport_size({"width": 4400, "height": 6400})
    page.goto("/")
    page.locator("a").filter(has_text=re.compile("^Lineage$")).click()
    groups = sorted(set(expected.values()))
    for group in groups:
        # Folded groups first: this is what somebody sees who opens the page for the first time.
        expect(node(page, group)).to_be_visible()
    remember(site, page)
    for group in groups:  # one at a time: all nine unfolded groups are wider than any screen
        page.goto(f"/asset-groups?expanded=global@global:{group}")
        inside = [name.rsplit("/", 1)[1] for name, of in expected.items() if of == group]
        page.wait_for_function(DRAWN, arg=[group, *inside])
    told = ask(page, "{ assetNodes { assetKey { path } groupName dependencyKeys { path } } }")
    found = {"/".join(n["assetKey"]["path"]): n for n in told["assetNodes"]}
    assert {key: n["groupName"] for key, n in found.items()} == expected
    assert reachable("target/reconciled", found) >= {"source/insurance", "source/population"}


def node(page: Page, group: str) -> Locator:
    return page.locator("svg foreignObject").get_by_text(group, exact=True).first


def reachable(key: str, nodes: dict[str, dict[str, list[dict[str, list[str]]]]]) -> set[str]:
    found, waiting = set(), [key]
    while waiting:
        for dependency in nodes[waiting.pop()]["dependencyKeys"]:
            name = "/".join(dependency["path"])
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


class Clicks:
    """A person's clicks, counted."""

    def __init__(self) -> None:
        self.count = 0

    def on(self, target: Locator) -> None:
        self.count += 1
        target.click()


def test_a_failed_check_is_three_clicks_from_the_front_page(page: Page, site: Site) -> None:
    clicks = Clicks()
    page.goto("/")
    clicks.on(page.locator("a[href='/runs']").first)
    clicks.on(page.get_by_role("link", name=site.failed.run_id[:8]))
    clicks.on(page.get_by_text("check_raw_population", exact=True).last)
    # The log now shows only this step, down to its end.
    expect(page.get_by_role("link", name=FAILED_CHECK)).to_be_visible()
    expect(page.get_by_text(why()).last).to_be_visible()
    expect(page.get_by_text("rows fail").last).to_be_visible()
    expect(page.get_by_text("A blocking quality check failed, so").last).to_be_visible()
    assert clicks.count <= 3
    remember(site, page)
    # One more click opens the check's own page, with its history.
    page.get_by_role("link", name=FAILED_CHECK).click()
    expect(page).to_have_url(re.compile(r"/assets/raw/population\?.*checkDetail="))
    expect(page.get_by_text("Execution history")).to_be_visible()
    expect(page.get_by_text("This is a blocking asset check.")).to_be_visible()
    expect(page.get_by_text(why()).first).to_be_visible()
    kept = f"the target is as it was: run [0-9T]+-{site.good.run_id[:8]}, published "
    expect(
        page.get_by_text(re.compile(f"nothing of this run leaves; {kept}")).first
    ).to_be_visible()
    expect(page.get_by_text(re.compile("^5 of 1,?[0-9]+: [0-9a-f]{16}, ")).first).to_be_visible()


def test_a_checks_page_of_the_data_docs_opens_without_a_network(page: Page, site: Site) -> None:
    page.goto(f"/assets/{OF_TABLE}?view=checks&checkDetail={FAILED_CHECK}")
    with page.expect_popup() as opened:
        page.get_by_role("link", name=re.compile("raw[.]population[.]html[?]run=")).first.click()
    docs = opened.value
    docs.wait_for_load_state()
    fetched = [docs.url]
    docs.on("request", lambda request: fetched.append(request.url))
    docs.reload()
    expect(docs.get_by_text("of 6 expectations 5 hold, 1 fails and none warns")).to_be_visible()
    expect(docs.get_by_text(why())).to_be_visible()
    remember(site, docs)
    docs.get_by_role("link", name="Data Docs").click()
    expect(docs.get_by_role("row", name="raw.population")).to_contain_text("stops the publish")
    remember(site, docs)
    assert {urlsplit(url).netloc for url in fetched} == {urlsplit(docs.url).netloc}
    missing = page.request.get(docs.url.replace("index.html", "core.reconciled.html"))
    assert missing.status == 404
    assert "has not judged this table" in missing.text()
    for elsewhere in ("../doisoat.toml", "%2e%2e/doisoat.toml", "../key.html", "draft.new"):
        assert page.request.get(urljoin(docs.url, elsewhere)).status == 404


def test_an_asset_tells_what_it_is(page: Page, site: Site) -> None:
    page.goto("/assets/core/reconciled")
    expect(page.get_by_text("The verdict on every insurance record")).to_be_visible()
    rows = ask(
        page,
        """query($k: AssetKeyInput!) { assetNodeOrError(assetKey: $k) { ... on AssetNode {
             assetMaterializations(limit: 1) { metadataEntries {
               label ... on IntMetadataEntry { intValue } } } } } }""",
        k={"path": ["core", "reconciled"]},
    )["assetNodeOrError"]["assetMaterializations"][0]["metadataEntries"]
    (count,) = (e["intValue"] for e in rows if e["label"] == "dagster/row_count")
    for heading in ("Row count", "Owners", "Kinds", "Columns", "Latest check results"):
        expect(page.get_by_text(heading, exact=True).first).to_be_visible()
    expect(page.get_by_text(f"{count:,}", exact=True)).to_be_visible()
    expect(page.get_by_text("data-engineering")).to_be_visible()
    for kind in ("DuckDB", "SQL"):
        expect(page.get_by_text(kind, exact=True).first).to_be_visible()
    row = page.get_by_role("row").filter(has_text="match_step")
    expect(row.first).to_contain_text("varchar")
    expect(row.first).to_contain_text("the step of the waterfall that linked it")
    remember(site, page)
    # The open-source UI draws no graph of columns; it says where each one comes from.
    expect(row.first).to_contain_text("from core.links.match_step")
    page.goto("/assets/core/reconciled?view=checks")
    expect(page.get_by_text("nobody_dead_is_active").first).to_be_visible()


def test_the_nightly_schedule_is_listed_and_off(page: Page) -> None:
    page.goto("/automation")
    expect(page.get_by_text("nightly_sync").first).to_be_visible()
    switches = page.locator("input[type=checkbox]:near(:text('nightly_sync'))")
    assert not any(switch.is_checked() for switch in switches.all())
    schedules = ask(
        page,
        """{ repositoriesOrError { ... on RepositoryConnection { nodes { schedules {
             name scheduleState { status } } } } } }""",
    )
    (repository,) = schedules["repositoriesOrError"]["nodes"]
    states = {s["name"]: s["scheduleState"]["status"] for s in repository["schedules"]}
    assert states["nightly_sync"] == "STOPPED"


def test_the_terminal_knows_how_the_nightly_run_was_switched_in_the_ui(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assets.jobs import next_nightly
    from etl.settings import load_settings

    for name in ("DAGSTER_HOME", "DOISOAT_CONFIG"):
        monkeypatch.setenv(name, "")
    settings = load_settings(site.file)
    on = settings.schedule.model_copy(update={"enabled": True})
    configured_on = settings.model_copy(update={"schedule": on})
    assert next_nightly(settings).startswith("no nightly run: [schedule] enabled is false")
    assert next_nightly(configured_on).startswith("the next nightly run begins 20")
    ask(
        page,
        """mutation { startSchedule(scheduleSelector: { repositoryName: "__repository__",
             repositoryLocationName: "doisoat", scheduleName: "nightly_sync" }) {
             ... on ScheduleStateResult { scheduleState { id } } } }""",
    )
    assert next_nightly(settings).startswith("the next nightly run begins 20")
    (state,) = ask(
        page,
        """{ instance { id } schedulesOrError(repositorySelector: {
             repositoryName: "__repository__", repositoryLocationName: "doisoat" }) {
             ... on Schedules { results { name scheduleState { id status } } } } }""",
    )["schedulesOrError"]["results"][-1:]
    assert state["name"] == "nightly_sync"
    ask(
        page,
        """mutation($id: String!) { stopRunningSchedule(id: $id) {
             ... on ScheduleStateResult { scheduleState { status } } } }""",
        id=state["scheduleState"]["id"],
    )
    assert next_nightly(settings).startswith("no nightly run")
    assert "switched off in the UI" in next_nightly(configured_on)


def test_nobody_is_asked_to_join_anything(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("full_sync").first).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text(re.compile("community|newsletter", re.IGNORECASE))).to_have_count(0)


@pytest.mark.parametrize(
    ("place", "sign"),
    [
        ("raw/population?view=events", "read_by"),
        ("clean/names?view=overview", "name as it is compared"),
    ],
)
def test_pages_of_tables_with_personal_data_open(page: Page, place: str, sign: str) -> None:
    page.goto(f"/assets/{place}")
    expect(page.get_by_text(sign).first).to_be_visible()


def log_of(page: Page, run: str) -> str:
    """Every message, description and text of a run's log."""
    query = """query($r: ID!, $after: String) { logsForRun(runId: $r, afterCursor: $after) {
        ... on EventConnection { cursor hasMore events {
          ... on MessageEvent { message }
          ... on DisplayableEvent { description metadataEntries { label
            ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr } } }
          ... on AssetCheckEvaluationEvent { evaluation { description metadataEntries { label
            ... on TextMetadataEntry { text } } } } } } } }"""
    told, after = "", None
    while True:
        part = ask(page, query, r=run, after=after)["logsForRun"]
        told, after = told + json.dumps(part, ensure_ascii=False), part["cursor"]
        if not part["hasMore"]:
            assert "record_keys" in told
            return told


def test_no_page_shows_a_person(page: Page, site: Site) -> None:
    """Runs last: searches every page that the other tests visited, and both runs whole."""
    told = ""
    for run, last in ((site.good, "RUN_SUCCESS"), (site.failed, "RUN_FAILURE")):
        page.goto(f"/runs/{run.run_id}")
        expect(page.get_by_text(last).first).to_be_visible()
        remember(site, page)
        # The page draws only a part of a long log, so the whole log is requested.
        told += log_of(page, run.run_id)
    assert len(site.personal) >= 50
    assert len(site.visited) >= 10
    shown = "\n".join(site.visited.values()) + told
    assert [value for value in site.personal if value in shown] == []
