"""What a request must have before a page is made: a known host, our own page, a user, a token.

Belongs here: sessions, logging in, and refusing. Does not belong here: which users there are
(``users.py``), and which records somebody may see (``etl/stewards/desk/asking.py``).
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from console.users import User, Users
from etl.domain.errors import DoisoatError
from etl.process.home import notice
from etl.process.privacy import stack_trace
from etl.process.web import EVERY_ANSWER, SAFE, from_here, known_host, with_headers
from etl.settings import Console

PROXY_HEADER = "X-Doisoat-Proxy"
USER_HEADER = "X-Doisoat-User"
TOKEN_FIELD = "token"  # noqa: S105 - a name
"""The field of a form that proves that one of our pages sent it."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What a page may load and do: use files of this server, and no script or style within the page."""

_ANSWERS = EVERY_ANSWER | {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}

TRIES = 5
"""How many wrong passwords for one name, or from one address, are allowed before it must wait."""

TRIES_WITHIN = timedelta(minutes=10)

_NO_USERS = (
    "Không đọc được danh sách người dùng; nhật ký của chương trình ghi rõ lý do.\n"
    "The users cannot be read; the log of the workbench says why.\n"
)

LARGEST_FORM = 64_000
"""Bytes of a request: a note and a reason are short."""


@dataclass
class Session:
    """Somebody who is logged in.

    Attributes:
        user_name: Who; the role is read again at each request.
        token: The token that a form must carry.
        began: When it began, in seconds of a monotonic clock.
        seen: When the last request came.
        language: ``vi`` or ``en``.
        said: What the next page says once: a key of ``SAID``, and the case that it is about.
    """

    user_name: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    began: float = field(default_factory=time.monotonic)
    seen: float = field(default_factory=time.monotonic)
    language: str = "vi"
    said: list[tuple[str, str]] = field(default_factory=list)


class Sessions:
    """Who is logged in. They are kept in memory: a restart of the workbench ends them all."""

    def __init__(self, settings: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins without any.

        Args:
            settings: How long one lasts.
            clock: Seconds.
        """
        self._settings = settings
        self._clock = clock
        self._all: dict[str, Session] = {}
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def begin(self, user: User, language: str) -> str:
        """Begins a session, and returns the secret of its cookie."""
        secret = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            for old in [key for key, one in self._all.items() if self._is_over(one)]:
                del self._all[old]
            self._all[secret] = Session(user.name, began=now, seen=now, language=language)
        return secret

    def get(self, secret: str) -> Session | None:
        """Returns the session of a cookie, and notes that it was used; None where it is over."""
        with self._lock:
            session = self._all.get(secret)
            if session is None or self._is_over(session):
                self._all.pop(secret, None)
                return None
            session.seen = self._clock()
            return session

    def end(self, secret: str) -> None:
        """Ends a session."""
        with self._lock:
            self._all.pop(secret, None)

    def must_wait(self, *who: str) -> bool:
        """Says whether one of some names or addresses has tried too often."""
        with self._lock:
            return any(len(self._recent(one)) >= TRIES for one in who)

    def failed(self, *who: str) -> None:
        """Notes a wrong password."""
        with self._lock:
            for one in who:
                self._recent(one).append(self._clock())

    def _recent(self, who: str) -> deque[float]:
        since = self._clock() - TRIES_WITHIN.total_seconds()
        for one in [
            name for name, times in self._failures.items() if not times or times[-1] < since
        ]:
            del self._failures[one]  # so that many names cannot fill the memory
        times = self._failures.setdefault(who, deque())
        while times and times[0] < since:
            times.popleft()
        return times

    def _is_over(self, session: Session) -> bool:
        now = self._clock()
        return (
            now - session.seen > self._settings.idle_minutes * 60
            or now - session.began > self._settings.session_hours * 3600
        )


class Guard:
    """Comes before the pages: refuses requests that no page of ours sent, and finds the user."""

    def __init__(
        self, app: ASGIApp, settings: Console, port: int, users: Users, sessions: Sessions
    ) -> None:
        """Puts it in front.

        Args:
            app: The pages.
            settings: Hosts and the proxy.
            port: The port that the server listens on; it names the cookie.
            users: Who may use the workbench.
            sessions: Who is logged in.
        """
        self._app = app
        self._settings = settings
        self._port = port
        self._users = users
        self._sessions = sessions
        self._said = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers refused requests itself, and hands on others with ``user`` and ``session``."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
            return
        send = with_headers(send, _ANSWERS)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        secret = Request(scope).cookies.get(self.cookie(headers), "")
        session = self._sessions.get(secret) if secret else None
        proxied = self.proxied(headers)
        name = session.user_name if session and proxied is None else proxied
        try:
            user = self._users.get(name)
        except Exception as error:
            self._say_once(str(error) if isinstance(error, DoisoatError) else stack_trace(error))
            await PlainTextResponse(_NO_USERS, status_code=503)(scope, receive, send)
            return
        self._said = ""
        if user and (session is None or session.user_name != user.name):
            secret = self._sessions.begin(user, "vi")
            session = self._sessions.get(secret)
            send = with_headers(send, {"Set-Cookie": self.set_cookie(headers, secret)})
        scope["state"] = {
            "user": user, "session": session if user else None, "secret": secret, "guard": self,
            "proxied": proxied,
        }  # fmt: skip
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # already answered; a server would print its words
            notice(f"The workbench failed at a page.\n{stack_trace(error)}")

    def _say_once(self, trouble: str) -> None:
        """Reports why there are no users; not at each request, until they can be read again."""
        if trouble != self._said:
            notice(f"Nobody can use the workbench. {trouble}")
        self._said = trouble

    def cookie(self, headers: Headers) -> str:
        """The cookie's name; with TLS it has a prefix that allows only this host to set it."""
        prefix = "__Host-" if self._is_encrypted(headers) else ""
        return f"{prefix}doisoat_console_{self._port}"

    def set_cookie(self, headers: Headers, secret: str) -> str:
        """The header that sets a session's cookie; an empty secret deletes it."""
        encrypted = "; Secure" if self._is_encrypted(headers) else ""
        ended = "" if secret else "; Max-Age=0"
        return f"{self.cookie(headers)}={secret}; Path=/; HttpOnly; SameSite=Lax{encrypted}{ended}"

    def proxied(self, headers: Headers) -> str | None:
        """The user whom the trusted proxy names; None where there is no such proxy."""
        secret = self._settings.proxy_secret.get_secret_value()
        if not secret or not hmac.compare_digest(
            headers.get(PROXY_HEADER, "").encode(), secret.encode()
        ):
            return None
        return headers.get(USER_HEADER, "").strip()

    def _is_encrypted(self, headers: Headers) -> bool:
        """Says whether the browser uses TLS, as with every proxy that serves another name."""
        host = headers.get("Host", "").lower()
        return host in {name.lower() for name in self._settings.hosts}

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host, method = headers.get("Host", ""), str(scope["method"])
        if headers.getlist("Host") != [host] or not known_host(
            host, self._port, self._settings.hosts
        ):
            return PlainTextResponse(
                "This server is not served under this name. Names of a proxy are listed in "
                "[console] hosts of the configuration.\n",
                status_code=421,
            )
        if not from_here(headers, host, method):
            return PlainTextResponse("Another site's page sent this request.\n", status_code=403)
        if method not in SAFE and not _is_short(headers):
            return PlainTextResponse("Too long.\n", status_code=413)
        return None


def _is_short(headers: Headers) -> bool:
    length = headers.get("Content-Length", "")
    return length.isdigit() and int(length) <= LARGEST_FORM


def token_is_right(session: Session, said: str) -> bool:
    """Says whether a form carries the session's token."""
    return hmac.compare_digest(said.encode(), session.token.encode())
