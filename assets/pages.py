"""The Data Docs over HTTP, beside the UI: a browser opens no file from a page of a server.

Belongs here: handing out the pages as they are, on the loopback address. Does not belong here:
what they say (``expectations/docs.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import BinaryIO

from etl import display
from etl.settings import Settings


class _Handler(SimpleHTTPRequestHandler):
    """Hands out pages, and nothing else of the folder."""

    error_message_format = (
        "<!doctype html><title>%(code)d</title><p>There is no such page: the last run has not "
        "judged this table, or was before this version. The check itself tells what it saw."
    )

    def send_head(self) -> BytesIO | BinaryIO | None:
        name = self.path.partition("?")[0]
        if name != "/" and not name.endswith(".html"):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def list_directory(self, _path: object) -> None:
        """Instead of a listing, where no run has left an index yet."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")  # each run writes the pages anew
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal belongs to Dagster's messages."""


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
