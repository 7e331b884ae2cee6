"""The Data Docs over HTTP, beside the UI: a browser opens no file from a page of a server.

Belongs here: handing out the pages as they are, on the loopback address, and saying so where a
check of an earlier run asks for its own. Does not belong here: what they say
(``expectations/docs.py``, which is not imported: it loads Great Expectations).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from html import escape, unescape
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import BinaryIO
from urllib.parse import parse_qs, quote

from etl import display
from etl.settings import Settings

_RUN = re.compile(r'<meta name="run" content="([^"]*)">')
"""Where a page says which run it is of."""

_HEAD = 2_000
"""Characters of a page within which it does."""

_OF_A_LATER_RUN = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{page}: of a later run</title>
<style>{style}</style>
<main>
<nav><a href="index.html">Data Docs</a> / {page}</nav>
<h1>These pages are of a later run</h1>
<div class="verdict warned">
<p>The check that led here is of the run <code>{asked}</code>. The page of its table has been
written anew since, by the run <code>{there}</code>, so it may say otherwise.</p>
<p>What the check saw stands in the check itself: go back to it.</p>
</div>
<p><a href="{link}">Open {page} as it is today</a></p>
</main>
</html>
"""


class _Handler(SimpleHTTPRequestHandler):
    """Hands out pages, and nothing else of the folder."""

    error_message_format = (
        "<!doctype html><title>%(code)d</title><p>There is no such page: the last run has not "
        "judged this table, or was before this version. The check itself tells what it saw."
    )

    def send_head(self) -> BytesIO | BinaryIO | None:
        name, _, query = self.path.partition("?")
        if "%00" in name or (name != "/" and not name.endswith(".html")):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        page = Path(self.translate_path(self.path))
        of_run = parse_qs(query).get("run", [])
        there = _run_of(page) if of_run else None
        if there is None or there == of_run[0]:
            return super().send_head()
        return self._of_a_later_run(page.name, of_run[0], there)

    def _of_a_later_run(self, page: str, asked: str, there: str) -> BytesIO:
        """Says that the page is not what the check saw; a link of the check led here."""
        known = {"page": page, "asked": asked, "there": there, "link": f"./{quote(page)}"}
        shown = {name: escape(value) for name, value in known.items()} | {"style": _style()}
        text = _OF_A_LATER_RUN.format_map(shown)
        body = text.encode("utf-8", "replace")
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return BytesIO(body)

    def list_directory(self, _path: object) -> None:
        """Instead of a listing, where no run has left an index yet."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")  # each run writes the pages anew
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal belongs to Dagster's messages."""


@cache
def _style() -> str:
    """The look of the pages."""
    return files("expectations").joinpath("templates", "data_docs.css").read_text("utf-8")


def _run_of(page: Path) -> str | None:
    """The run that a page is of: empty where it does not say, None where there is no page."""
    try:
        with page.open(encoding="utf-8") as text:
            found = _RUN.search(text.read(_HEAD))
    except OSError:
        return None
    return unescape(found.group(1)) if found else ""


@contextmanager
def pages_served(settings: Settings) -> Iterator[None]:
    """Serves the pages where the checks' links lead, in a thread, if that is this machine.

    A port that is taken, as by the UI of another configuration, is said and stops nothing.
    """
    server = _server(settings)
    if server is None:
        yield
        return
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _server(settings: Settings) -> ThreadingHTTPServer | None:
    port = settings.quality.local_pages_port
    if port is None:
        return None
    handler = partial(_Handler, directory=str(settings.data_docs.resolve()))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        display.errors.print(
            f"[yellow]The pages behind the checks do not open:[/] port {port} cannot be had. "
            'Give them another, as \\[quality] pages_url = "http://127.0.0.1:3002"; the links of '
            "the next run lead there."
        )
        return None
