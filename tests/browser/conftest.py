"""A served Dagster UI with a good and a failed run, and a real Chromium that opens it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.support import configure, free_port, memory_folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from assets.outcomes import Outcome

CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
]  # fmt: skip
CITIZENS = 2_000
START_SECONDS = 150
"""Seconds to wait: on a busy machine, Dagster's first start compiles a great deal."""


@dataclass
class Site:
    """The UI as it is served.

    Attributes:
        url: Its address.
        address: The same with the token.
        good: The run in which every check passed.
        failed: The later run, in which half of the citizens had lost their names.
        personal: Values of the registers, none of which may be shown.
        file: The configuration.
        visited: The text of each page that a test looked at.
    """

    url: str
    address: str
    good: Outcome
    failed: Outcome
    personal: list[str]
    file: Path
    visited: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser, or a skip that says what to install."""
    found = shutil.which("chromium")
    if not found:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The folder of registers, configuration, warehouse, runs and target."""
    made = memory_folder("doisoat-browser-")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def site(chromium: str, home: Path, command_environment: dict[str, str]) -> Iterator[Site]:
    """Two runs and the UI that shows them; the UI starts while the second one runs."""
    from assets.running import run_sync
    from etl.settings import load_settings
    from etl.simulate import SimulationSpec, write_database

    places = {name: f"sqlite:///{home}/{name}.db" for name in ("insurance", "population", "target")}
    write_database(SimulationSpec(citizens=CITIZENS), places["insurance"], places["population"])
    file = configure(
        home / "doisoat.toml",
        home="home",
        insurance={"url": places["insurance"], "table": "insurance"},
        population={"url": places["population"], "table": "population"},
        target={"url": places["target"]},
        engine={"threads": 1},
        quality={"pages_url": f"http://127.0.0.1:{free_port()}"},
    )
    settings = load_settings(file)
    before = dict(os.environ)
    server = None
    try:
        good = run_sync(settings)
        personal = personal_values(home / "population.db")
        port = free_port()
        server = start_ui(file, port, command_environment)
        lose_names(home / "population.db")
        failed = run_sync(settings)
        yield Site(f"http://127.0.0.1:{port}", address_of(server), good, failed, personal, file)
    finally:
        os.environ.clear()
        os.environ.update(before)
        if server is not None:
            end(server)


def personal_values(database: Path) -> list[str]:
    """Names, numbers and birth dates of citizens from all over the population register."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "select full_name, personal_id, date_of_birth from population "
            "where full_name is not null and rowid % 97 = 5 limit 20"
        ).fetchall()
    return [str(value) for row in rows for value in row if value]


def lose_names(database: Path) -> None:
    """Removes the names of every other citizen, as a wrong view would."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("update population set full_name = null where rowid % 2 = 0")


def start_ui(file: Path, port: int, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Starts the UI of a configuration, as a person does."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("doisoat")),
         "--config", str(file), "ui", "--port", str(port)],
        env=environment, cwd=file.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip


def address_of(server: subprocess.Popen[str]) -> str:
    """Waits until the UI answers, and returns the address that it then prints."""
    assert server.stdout is not None
    said: list[str] = []
    killer = threading.Timer(START_SECONDS, server.kill)
    killer.start()
    try:
        for line in server.stdout:
            said.append(line)
            if found := re.search(r"http://\S+[?]token=\S+", line):
                return found[0]
    finally:
        killer.cancel()
    raise AssertionError(f"the UI did not open in {START_SECONDS} s:\n{''.join(said)}")


def end(server: subprocess.Popen[str]) -> str:
    """Ends the UI as Ctrl+C does, and kills whatever outlives it; returns what it wrote."""
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    server.send_signal(signal.SIGINT)
    try:
        return server.communicate(timeout=60)[0]
    finally:
        for process in family:
            with suppress(psutil.Error):
                process.kill()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A Chromium with an empty profile."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A new profile on a wide screen; the text of the page at the end is kept."""
    context = browser.new_context(viewport={"width": 1600, "height": 1100}, base_url=site.url)
    opened = context.new_page()
    opened.set_default_timeout(45_000)
    opened.goto(site.address)
    yield opened
    remember(site, opened)
    context.close()


def remember(site: Site, page: Page) -> None:
    """Keeps the text of a page for the test that looks for personal data."""
    text = site.visited.get(page.url, "")
    site.visited[page.url] = f"{text}\n{page.inner_text('body')}\n{page.content()}"


def ask(page: Page, query: str, **variables: Any) -> Any:
    """Asks the GraphQL API that the page itself uses."""
    answer = page.request.post("/graphql", data={"query": query, "variables": variables})
    found = answer.json()
    assert "errors" not in found, found["errors"]
    return found["data"]
