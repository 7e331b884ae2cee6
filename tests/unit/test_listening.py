"""How a server takes its port."""

from __future__ import annotations

import socket

import pytest

from etl.domain.errors import ConfigError
from etl.process.web import LOOPBACK, listening
from tests.support import free_port


def test_a_port_belongs_to_the_first_that_takes_it_even_before_it_serves() -> None:
    port = free_port()
    refused = pytest.raises(ConfigError, match=f"Port {port} of this machine cannot be used")

    with listening(port), refused as caught, listening(port):
        pass

    assert "--port" in caught.value.remedy
    with listening(port):
        """The port is free again, as after a server that was restarted."""


def test_a_port_at_which_another_program_listens_later_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another one may begin to listen between the two steps of taking a port."""
    port, listen = free_port(), socket.socket.listen
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((LOOPBACK, port))

        def second(self: socket.socket, *backlog: int) -> None:
            listen(other)
            listen(self, *backlog)

        monkeypatch.setattr(socket.socket, "listen", second)
        with pytest.raises(ConfigError, match="cannot be used"), listening(port):
            pass


def test_a_request_that_comes_early_waits() -> None:
    with listening(0) as taken, socket.create_connection(taken.getsockname(), 5) as early:
        early.sendall(b"GET / HTTP/1.1")
        accepted, _ = taken.accept()
        with accepted:
            assert accepted.recv(3) == b"GET"
