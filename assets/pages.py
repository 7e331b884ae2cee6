"""The Data Docs over HTTP, beside the UI: a browser opens no file from a server's page.

Belongs here: handing out the pages, and the charts of the last run, unchanged, and a note if the
link came from a check of an earlier run. Does not belong here: what they say
(``expectations/docs.py``, which is not imported: it loads Great Expectations), and who may read
them (``gate.py``).
"""

from __future__ import annotations

import re
from functools import cache, partial
from html import escape, unescape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

_RUN = re.compile(r'<meta name="run" content="([^"]*)">')
"""The place where a page names its run."""

_HEAD = 2_000
"""How many characters at the beginning of a page are searched for it."""

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


_NO_PAGE = (
    "<!doctype html><title>404</title><p>There is no such page: the last run has not judged this "
    "table, or was before this version. The check itself tells what it saw."
)


def pages_app(folder: Path, charts: Path | None = None) -> ASGIApp:
    """Returns the application that hands out the pages, and nothing else of their folders.

    Args:
        folder: Where a run writes the Data Docs.
        charts: The page of charts of the last published run.
    """
    page = partial(_page, folder.resolve())
    drawn = partial(_charts, charts and charts.resolve())
    return Starlette(
        routes=[Route("/", page), Route("/charts/run.html", drawn), Route("/{name}", page)]
    )


async def _charts(file: Path | None, _request: Request) -> Response:
    if file is None or not _is_file(file):
        return _html(_NO_CHARTS, 404)
    return FileResponse(file, headers=_FRESH)


_NO_CHARTS = (
    "<!doctype html><title>404</title><p>No run has published yet, so there is nothing to draw. "
    "Next: <code>doisoat sync</code>"
)


async def _page(folder: Path, request: Request) -> Response:
    name = request.path_params.get("name", "index.html")
    file = folder / name
    if file.parent != folder or file.suffix != ".html" or not _is_file(file):
        return _html(_NO_PAGE, 404)
    asked = request.query_params.get("run")
    there = _run_of(file) if asked else None
    if not asked or there is None or there == asked:
        return FileResponse(file, headers=_FRESH)
    return _html(_of_a_later_run(name, asked, there))


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except ValueError:  # a null byte
        return False


def _of_a_later_run(page: str, asked: str, there: str) -> str:
    """Adds a note that the page is of a later run than the check whose link led here."""
    known = {"page": page, "asked": asked, "there": there, "link": f"./{quote(page)}"}
    shown = {name: escape(value) for name, value in known.items()} | {"style": _style()}
    return _OF_A_LATER_RUN.format_map(shown)


_FRESH = {"Cache-Control": "no-store"}
"""Browsers must not keep pages, because each run replaces them."""


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text.encode("utf-8", "replace"), status_code=status, headers=_FRESH)


@cache
def _style() -> str:
    """The look of the pages."""
    return files("expectations").joinpath("templates", "data_docs.css").read_text("utf-8")


def _run_of(page: Path) -> str | None:
    """The run of a page: empty where the page does not say, None where there is no page."""
    try:
        with page.open(encoding="utf-8") as text:
            found = _RUN.search(text.read(_HEAD))
    except OSError:
        return None
    return unescape(found.group(1)) if found else ""
