"""What a URL asks of a driver, without any server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from etl.databases.connect import engine_for
from etl.databases.refusals import plain_errors
from etl.domain.errors import ConfigError, ConnectionFailedError, ServerAwayError
from etl.settings import Database

_DRIVERS = {"mysql": "pymysql", "mariadb": "pymysql", "mssql": "pymssql", "oracle": "oracledb"}


def _connect(product: str, query: str, port: int = 1) -> None:
    """Connects where nobody listens, unless told otherwise."""
    if product in _DRIVERS:
        pytest.importorskip(_DRIVERS[product])
    url = f"{product}://a:secret@127.0.0.1:{port}/x{'?' if query else ''}{query}"
    database = Database(url=SecretStr(url))
    with plain_errors(database, "Reading"):
        engine = engine_for(database, read_only=True)
        with engine.connect():
            pass


@pytest.mark.parametrize(
    ("product", "query"),
    [
        ("mysql", "sslmode=private"),
        ("mysql", "connect_timeout=private"),
        ("mysql", "ssl_ca=/private/root.crt"),
        ("mysql", "read_timeout=-1"),
        ("mariadb", "local_infile=private"),
        ("mssql", "encrypt=private"),
        ("mssql", "tds_version=private"),
        ("oracle", "foo=private"),
        ("oracle", "mode=private"),
        ("oracle", "events=private"),
        ("oracle", "service_name=private"),
    ],
)
def test_a_parameter_that_the_driver_does_not_know_is_told_without_its_value(
    product: str, query: str
) -> None:
    with pytest.raises(ConfigError, match="does not know a parameter after '\\?'") as caught:
        _connect(product, query)

    assert f"Where: {product}://127.0.0.1:1/x\n" in str(caught.value)
    assert caught.value.remedy
    assert "private" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("query", ["", "connect_timeout=2", "charset=utf8mb4"])
def test_a_server_that_is_down_is_no_wrong_parameter(query: str) -> None:
    with pytest.raises(ServerAwayError, match="cannot be reached"):
        _connect("mysql", query)


def test_a_sql_server_that_is_down_may_come_back() -> None:
    with pytest.raises(ServerAwayError, match="cannot be reached"):
        _connect("mssql", "")


@pytest.fixture
def offering_tls() -> Iterator[int]:
    """A port where a server says, as a PostgreSQL does, that it can speak TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as asked:
                asked.recv(8)
                asked.sendall(b"S")
                asked.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


def test_a_missing_file_of_certificates_is_no_missing_database(offering_tls: int) -> None:
    with pytest.raises(ConnectionFailedError, match="of certificates or keys") as caught:
        _connect("postgresql", "sslmode=verify-full&sslrootcert=/nowhere/root.crt", offering_tls)

    assert "sslrootcert" in caught.value.remedy
    assert "/nowhere" not in str(caught.value)
    assert not caught.value.may_pass
