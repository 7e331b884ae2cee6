"""Receivers of alerts: a real SMTP server and a real HTTP server, in threads.

Belongs here: what receives messages and keeps them. Does not belong here: what they must say.
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from tests.support import free_port


@dataclass(frozen=True)
class Message:
    """A message that arrived."""

    title: str
    body: str
    kind: str = ""


@dataclass
class Mailbox:
    """A mail server; ``refuse`` makes it answer that it is out of service."""

    messages: list[Message] = field(default_factory=list)
    refuse: bool = False

    def __post_init__(self) -> None:
        self._server = Controller(self, hostname="127.0.0.1", port=free_port())
        self._server.start()

    @property
    def url(self) -> str:
        port = self._server.port
        return f"mailto://127.0.0.1:{port}?from=doisoat@bhxh.example&to=duty@bhxh.example"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse:
            return "451 out of service"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        text = mail.get_body(("plain",))
        assert text is not None
        self.messages.append(Message(str(mail["subject"]), text.get_content().replace("\r", "")))
        return "250 OK"

    def close(self) -> None:
        self._server.stop()


@dataclass
class Hook:
    """A webhook; ``refuse`` makes it answer 503, and ``secret`` is a part of its path.

    ``users`` are those who sent something, with their passwords.
    """

    secret: str = "t0ken-of-the-hook"
    users: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    refuse: bool = False

    def __post_init__(self) -> None:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["content-length"])))
                known = self.headers.get("authorization", "").removeprefix("Basic ")
                hook.users.append(b64decode(known).decode())
                self.send_response(503 if hook.refuse else 200)
                self.end_headers()
                if not hook.refuse:
                    hook.messages.append(Message(said["title"], said["message"], said["type"]))

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self._server.server_port}/hooks/{self.secret}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
