"""Who may ask a server of ours: the gate in front of the Dagster UI and of the Data Docs.

Belongs here: refusing foreign names, foreign pages and whoever has no token, before the application
sees anything of a request. Does not belong here: what is served (``serving.py``, ``pages.py``).

Dagster's server has no login, takes any Host, and mutates by plain GET. So any local user, and any
page open in a browser of this machine, could launch a run. The gate asks of each request:

1. a Host that is ours: else a name of a foreign page could point to this machine (DNS rebinding);
2. that no foreign page sent it, as Origin and Sec-Fetch-Site show;
3. no query to the API by GET, which a link or a picture could send;
4. the token of this start, first in the address and then in a cookie or as a bearer; or the secret
   of the trusted proxy, which has authenticated the user.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from etl.process.web import EVERY_ANSWER, SAFE, from_here, known_host, with_headers

PROXY_HEADER = "X-Doisoat-Proxy"
"""The header with which a trusted proxy names its secret."""

_API = "graphql"

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>doisoat: {title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem;
  color: #1c2b33 }}
code {{ background: #eef2f4; padding: .1rem .3rem; border-radius: .2rem }}
</style>
<h1>{title}</h1>
<p>{text}
</html>
"""


@dataclass(frozen=True)
class Gate:
    """What a request must show.

    Attributes:
        port: Of the Dagster UI; it is part of the cookie's name, so that two UIs do not overwrite
            each other's.
        hosts: Names beside the loopback address under which a proxy serves it.
        proxy_secret: What a trusted proxy sends in ``PROXY_HEADER``; empty where there is no proxy.
        token: What everybody else must send; a new one at each start.
    """

    port: int
    hosts: frozenset[str] = frozenset()
    proxy_secret: str = field(default="", repr=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def cookie(self) -> str:
        """The cookie's name. Browsers send it to every port of this machine, also to the pages'."""
        return f"doisoat_{self.port}"

    def address(self, url: str) -> str:
        """Returns an address that lets in whoever opens it.

        Args:
            url: Of one of the servers, without a query.
        """
        return f"{url.rstrip('/')}/?{urlencode({'token': self.token})}"

    def lets_in(self, headers: Headers) -> bool:
        """Says whether a request carries the token, or comes from the trusted proxy."""
        said = headers.get(PROXY_HEADER, "")
        if self.proxy_secret and _same(said, self.proxy_secret):
            return True
        scheme, _, bearer = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(bearer.strip(), self.token):
            return True
        # Parsed by hand: other servers of this machine leave cookies at which a parser fails.
        cookies = ";".join(headers.getlist("Cookie")).split(";")
        pairs = (cookie.strip().partition("=") for cookie in cookies)
        return any(name == self.cookie and _same(value, self.token) for name, _, value in pairs)


class Guarded:
    """An application behind the gate."""

    def __init__(self, app: ASGIApp, gate: Gate, port: int) -> None:
        """Puts the gate in front.

        Args:
            app: What is behind it.
            gate: What is asked for.
            port: The port that the server listens on.
        """
        self._app = app
        self._gate = gate
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers refused requests itself, and hands on all others."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answer = self._answer(scope)
        if answer is None:
            await self._app(scope, receive, with_headers(send, EVERY_ANSWER))
        elif scope["type"] == "http":
            await answer(scope, receive, with_headers(send, EVERY_ANSWER))
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})

    def _answer(self, scope: Scope) -> Response | None:
        """Returns the answer to a refused request; None where the request may pass."""
        headers = Headers(scope=scope)
        method = str(scope.get("method", "GET"))
        host = headers.get("Host", "")
        if headers.getlist("Host") != [host] or not known_host(host, self._port, self._gate.hosts):
            return _refusal(
                421,
                "Not served under this name",
                "This server answers to the address that <code>doisoat ui</code> prints. Names of "
                "a proxy are listed in <code>[ui] hosts</code> of the configuration.",
            )
        if not from_here(headers, host, method):
            return _refusal(
                403, "Refused", "Another site's page sent this request; only doisoat's own may."
            )
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        path = str(scope["path"])
        if path.strip("/") == _API and "query" in query:
            return _refusal(405, "By POST only", "The API takes its queries by POST.")
        if method in SAFE and scope["type"] == "http" and "token" in query:
            return self._welcome(path, query)
        if self._gate.lets_in(headers):
            return None
        return self._who_are_you()

    def _welcome(self, path: str, query: Mapping[str, str]) -> Response:
        """Takes the token out of the address and into a cookie."""
        if not _same(query["token"], self._gate.token):
            return self._who_are_you()
        rest = urlencode({name: value for name, value in query.items() if name != "token"})
        place = "/" + quote(path.lstrip("/\\"))
        answer = RedirectResponse(f"{place}?{rest}" if rest else place, status_code=303)
        answer.set_cookie(
            self._gate.cookie, self._gate.token, path="/", httponly=True, samesite="lax"
        )
        return answer

    def _who_are_you(self) -> Response:
        return _refusal(
            401,
            "Open the address that doisoat ui printed",
            "It ends in <code>?token=…</code>. The browser remembers it from then on, until that "
            "<code>doisoat ui</code> ends: each start has a token of its own.",
        )


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _refusal(status: int, title: str, text: str) -> Response:
    page = _PAGE.format(title=escape(title), text=text)
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(page, status_code=status, headers=headers)
