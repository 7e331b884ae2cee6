"""Whoever was not given the address gets nothing from the UI, the Data Docs or a run.

The attacks: another user of the machine, a foreign page in the browser of somebody who is logged
in, and a foreign name that points to this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import psutil
import pytest

from tests.browser.conftest import address_of, end, start_ui
from tests.support import Registers, citizen, free_port, memory_folder, record

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

LAUNCH = """mutation { launchRun(executionParams: {selector: {repositoryLocationName: "doisoat",
    repositoryName: "__repository__", jobName: "full_sync"}, runConfigData: "{}"}) {
    __typename ... on LaunchRunSuccess { run { runId } } } }"""
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"
NOBODY = 65534


@dataclass
class Open:
    """A UI that is running, with registers behind it.

    Attributes:
        url: The address of the UI.
        pages: The address of the Data Docs.
        address: The address of the UI, with the token.
        home: The home of the configuration.
        process: The command's process.
    """

    url: str
    pages: str
    address: str
    home: Path
    process: subprocess.Popen[str]

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.address).query)["token"][0]

    def ask(self, query: str) -> Any:
        """Asks the API as somebody who has the token."""
        request = urllib.request.Request(  # noqa: S310 - of this test
            f"{self.url}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            found = json.load(answer)
        assert "errors" not in found, found
        return found["data"]

    def runs(self) -> dict[str, str]:
        found = self.ask(RUNS)["runsOrError"]["results"]
        return {run["runId"]: run["status"] for run in found}


@pytest.fixture(scope="module")
def opened(command_environment: dict[str, str]) -> Iterator[Open]:
    folder = memory_folder("doisoat-gate-")
    folder.chmod(0o755)  # other users can reach the home
    places = [f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")]
    pair = Registers(
        folder,
        [record(n) for n in range(1, 31)],
        [citizen(n) for n in range(1, 31)],
        *places,
    ).write()
    ports = free_port(), free_port()
    pages = f"http://127.0.0.1:{ports[1]}"
    pair.options["quality"] = {"pages_url": pages}
    docs = folder / ".doisoat" / "data_docs"
    docs.mkdir(parents=True)
    (docs / "index.html").write_text("<title>Data Docs</title><p>Counts of the register")
    server = start_ui(pair.file, ports[0], command_environment)
    try:
        url = f"http://127.0.0.1:{ports[0]}"
        yield Open(url, pages, address_of(server), folder / ".doisoat", server)
    finally:
        if server.poll() is None:
            end(server)
        shutil.rmtree(folder, ignore_errors=True)


def status(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - of this test
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


@pytest.mark.parametrize("server", ["url", "pages"])
def test_only_the_token_opens(opened: Open, server: str) -> None:
    url = getattr(opened, server)
    wrong = f"{opened.token[:-1]}{'A' if opened.token[-1] != 'A' else 'B'}"
    for path in ("/", "/index.html", "/server_info", "/graphql", "/runs", "/none.css"):
        assert status(f"{url}{path}") == 401
    assert status(f"{url}/", Authorization=f"Bearer {wrong}") == 401
    assert status(f"{url}/?token={wrong}") == 401
    assert status(f"{url}/", Cookie=f"doisoat_{urlsplit(opened.url).port}={wrong}") == 401
    assert status(f"{url}/", **{"X-Doisoat-Proxy": ""}) == 401
    assert status(f"{url}/", Authorization=f"Bearer {opened.token}") == 200


def test_a_foreign_name_or_page_is_refused_even_with_the_token(opened: Open) -> None:
    known = {"Authorization": f"Bearer {opened.token}"}
    port = urlsplit(opened.url).port
    for url in (opened.url, opened.pages):
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1", ""):
            assert status(f"{url}/", **known, Host=host) == 421
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1", opened.url + ".evil"):
            assert status(f"{url}/", **known, Origin=origin) == 403
        asked = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
        assert status(f"{url}/", **known, **asked) == 403
    assert status(f"{opened.url}/graphql?query={quote(LAUNCH)}", **known) == 405
    assert status(f"{opened.url}/graphql/?query={quote('{version}')}", **known) == 405


ATTACK = """
import fcntl, json, os, socket, sys, urllib.error, urllib.request
import http.client, encodings.idna  # before the libraries may not be read any more
uid, url, pages, home, launch = sys.argv[1:6]
os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid))
got = []
def ask(address, data=None, **headers):
    request = urllib.request.Request(address, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            got.append(f"{address}: {answer.status}")
    except urllib.error.HTTPError as refused:
        refused.close()
for server in (url, pages):
    for path in ("/", "/server_info", "/runs", "/index.html", "/logs/x", "/notebook?path=x"):
        ask(server + path)
body = json.dumps({"query": launch}).encode()
ask(url + "/graphql", body, **{"Content-Type": "application/json"})
ask(url + "/graphql", body, **{"Content-Type": "application/json", "X-Forwarded-User": "root"})
ask(url + "/report_asset_materialization/core/links", b"{}")
for path in sys.argv[6:]:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        got.append(f"connected to {path}")
    except OSError:
        pass
for name in ("", "warehouse.duckdb", "run.lock", "ui.lock", "record_key", "dagster/workspace.yaml"):
    try:
        place = os.path.join(home, name)
        os.listdir(place) if name == "" else fcntl.flock(open(place), fcntl.LOCK_SH)
        got.append(f"opened {name or 'the home'}")
    except OSError:
        pass
print(json.dumps(got))
"""


def sockets(process: subprocess.Popen[str]) -> list[str]:
    """The Unix sockets that a command and its children listen on."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    return [c.laddr for p in family for c in p.net_connections("unix") if c.laddr]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_of_the_machine_gets_nothing(opened: Open) -> None:
    before = opened.runs()
    own = [path for path in sockets(opened.process) if path.startswith("/")]
    assert own, "the code server listens on a socket"
    done = subprocess.run(
        [sys.executable, "-c", ATTACK, str(NOBODY), opened.url, opened.pages, str(opened.home),
         LAUNCH, *own],
        cwd="/", capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert json.loads(done.stdout) == []
    assert opened.runs() == before


FOREIGN = """<!doctype html><title>foreign</title><pre id="got"></pre><iframe id="frame"></iframe>
<form id="form" method="post" target="hidden"></form><iframe name="hidden"></iframe>
<script>
const [ui, pages, launch] = %s;
const got = [];
async function attempt(name, work) {
  try { const found = await work(); if (found) got.push(name + ": " + found); } catch (error) {}
}
const body = JSON.stringify({query: launch});
(async () => {
  for (const server of [ui, pages]) {
    for (const credentials of ["include", "omit"]) {
      await attempt("read " + server, async () => {
        const answer = await fetch(server + "/", {credentials});
        return answer.ok && (await answer.text()).slice(0, 60);
      });
    }
    await attempt("script", () => new Promise((yes, no) => {
      const made = document.createElement("script");
      made.src = server + "/server_info"; made.onload = () => yes("loaded"); made.onerror = no;
      document.body.append(made);
    }));
  }
  for (const type of ["text/plain", "application/json"]) {
    for (const mode of ["no-cors", "cors"]) {
      await attempt("post", async () => {
        const answer = await fetch(ui + "/graphql", {method: "POST", mode, body,
          credentials: "include", headers: {"Content-Type": type}});
        return answer.ok && (await answer.text());
      });
    }
  }
  const query = "?query=" + encodeURIComponent(launch);
  await fetch(ui + "/graphql" + query, {mode: "no-cors", credentials: "include"}).catch(() => 0);
  await fetch(ui + "/graphql" + query, {method: "POST", mode: "no-cors",
    credentials: "include"}).catch(() => 0);
  new Image().src = ui + "/graphql" + query;
  const form = document.getElementById("form");
  form.action = ui + "/graphql" + query;
  form.submit();
  await attempt("socket", () => new Promise((yes, no) => {
    const socket = new WebSocket(ui.replace("http", "ws") + "/graphql", "graphql-ws");
    socket.onopen = () => yes("opened"); socket.onerror = no; socket.onclose = no;
  }));
  document.getElementById("frame").src = ui + "/";
  await new Promise(done => setTimeout(done, 1500));
  document.getElementById("got").textContent = JSON.stringify(got);
})();
</script>
"""


@contextmanager
def foreign_page(opened: Open) -> Iterator[int]:
    """Another user's server on this machine, with a page that tries every attack."""
    body = (FOREIGN % json.dumps([opened.url, opened.pages, LAUNCH])).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


# To a browser, a page of another port of this machine is "the same site": it sends cookies along.
@pytest.mark.parametrize("name", ["127.0.0.1", "evil.localhost"])
def test_a_foreign_page_gets_nothing_in_the_browser_of_somebody_who_is_in(
    browser: Browser, opened: Open, name: str
) -> None:
    before = opened.runs()
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(opened.address)
        assert "token" not in page.url
        assert page.request.get(f"{opened.url}/server_info").ok, "this person is in"
        (cookie,) = context.cookies(opened.url)
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
        with foreign_page(opened) as port:
            page.goto(f"http://{name}:{port}/")
            page.wait_for_function("document.getElementById('got').textContent")
            assert json.loads(page.inner_text("#got")) == []
            framed = [frame for frame in page.frames if frame.parent_frame]
            assert not any("Dagster" in frame.title() for frame in framed)
    finally:
        context.close()
    assert opened.runs() == before


def test_a_name_that_points_here_gets_nothing(browser: Browser, opened: Open) -> None:
    """DNS rebinding: the browser believes that the page belongs to evil.example."""
    page = browser.new_page()
    for url in (opened.url, opened.pages):
        answer = page.goto(f"http://evil.example:{urlsplit(url).port}/?token={opened.token}")
        assert answer is not None
        assert answer.status == 421
        assert "Not served under this name" in page.inner_text("body")
    page.close()


def test_a_person_without_the_token_reads_what_to_do(browser: Browser, opened: Open) -> None:
    page = browser.new_page()
    for url in (opened.url, opened.pages):
        page.goto(url)
        assert "Open the address that doisoat ui printed" in page.inner_text("body")
    page.goto(opened.address)
    page.goto(opened.pages)
    assert "Counts of the register" in page.inner_text("body")
    page.close()


def test_a_run_of_the_ui_is_cancelled_within_seconds(opened: Open) -> None:
    run = opened.ask(LAUNCH)["launchRun"]["run"]["runId"]
    events_of = "... on EventConnection { events { __typename } }"
    steps = f'{{ logsForRun(runId: "{run}") {{ {events_of} }} }}'
    for _ in range(600):
        assert opened.runs()[run] not in ("SUCCESS", "FAILURE"), "it ended too soon"
        events = opened.ask(steps)["logsForRun"]["events"]
        if any(event["__typename"] == "AssetCheckEvaluationEvent" for event in events):
            break
        time.sleep(0.1)
    asked = time.monotonic()
    opened.ask(f'mutation {{ terminateRun(runId: "{run}") {{ __typename }} }}')
    while opened.runs()[run] != "CANCELED":
        assert time.monotonic() - asked < 20, opened.runs()
        time.sleep(0.1)
    deadline = time.monotonic() + 10
    while (opened.home / "run.lock").read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    from etl.process.home import take

    handle = take(opened.home / "run.lock")
    assert not isinstance(handle, str), "the next run is free"
    handle.close()


def test_a_second_ui_of_the_home_leaves(opened: Open, command_environment: dict[str, str]) -> None:
    other = start_ui(opened.home.parent / "doisoat.toml", free_port(), command_environment)
    said, _ = other.communicate(timeout=60)
    assert other.returncode == 2
    assert "A UI of this home is open already" in said


def test_what_a_killed_ui_had_started_ends_too(opened: Open) -> None:
    """The last test of this file, because afterwards nothing is served."""
    children = psutil.Process(opened.process.pid).children(recursive=True)
    assert len(children) >= 3
    opened.process.kill()
    opened.process.communicate()
    _, left = psutil.wait_procs(children, timeout=40)
    assert left == []
