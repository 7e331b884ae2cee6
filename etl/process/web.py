"""What every server of ours demands of a request, and how it listens.

Belongs here: whether a request was meant for this server and sent by one of its own pages, the
headers of every answer, and the socket. Does not belong here: who somebody is (the gate of the
Dagster UI, the users of the workbench) and what is served.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

from etl.domain.errors import ConfigError

LOOPBACK = "127.0.0.1"

_WAITING = 128
"""How many connections may wait to be accepted."""

SAFE = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""

EVERY_ANSWER = {
    # The address of a page may hold the token, until the cookie has it.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def known_host(host: str, port: int, names: Collection[str]) -> bool:
    """Says whether a Host header is ours; a foreign name could point to this machine.

    Args:
        host: The header.
        port: The port that the server listens on.
        names: Names beside the loopback address under which a proxy serves it.
    """
    loopback = {f"{name}:{port}" for name in (LOOPBACK, "localhost")}
    if port == 80:
        loopback |= {LOOPBACK, "localhost"}
    return host.lower() in loopback | {name.lower() for name in names}


def from_here(headers: Headers, host: str, method: str) -> bool:
    """Says whether a request was not sent by a foreign page.

    A browser sends Origin with requests that could change something, and Sec-Fetch-Site (all
    browsers since 2023) with all requests. Another port of this machine is another origin, but the
    same site.
    """
    own = {f"http://{host}".lower(), f"https://{host}".lower()}  # a proxy speaks TLS for us
    if not {origin.lower() for origin in headers.getlist("Origin")} <= own:
        return False
    if set(headers.getlist("Sec-Fetch-Site")) <= {"none", "same-origin"}:
        return True
    # A link in a mail, or from the UI to the Data Docs, opens a page: that changes nothing.
    opened = headers.get("Sec-Fetch-Mode") == "navigate"
    return opened and headers.get("Sec-Fetch-Dest") == "document" and method in SAFE


def with_headers(send: Send, headers: dict[str, str]) -> Send:
    """Adds headers to each answer that does not have them."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer = MutableHeaders(scope=message)
            for name, value in headers.items():
                answer.setdefault(name, value)
        await send(message)

    return sending


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Takes a port of the loopback address.

    It listens at once, because two processes may have the same port as long as neither listens.
    Requests that come before the server serves wait for it.

    Raises:
        ConfigError: The port cannot be used.
    """
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((LOOPBACK, port))
            taken.listen(_WAITING)
        except OSError as error:
            raise ConfigError(
                f"Port {port} of this machine cannot be used: {error.strerror or 'taken'}.",
                remedy="The page may be open already in another process; else give another --port.",
            ) from None
        yield taken
