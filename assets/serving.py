"""The Dagster UI and the Data Docs, from the start until the last process has ended.

Belongs here: the servers, the daemon beside them, and their end. Does not belong here: who may ask
them (``gate.py``) and what the pages say (``pages.py``).

The web server runs in this process, behind the gate: Dagster's own command offers no way to put
one in front of it, and a second port behind a proxy of ours would stand open to every local user.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import dagster as dg
import uvicorn
import yaml
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._grpc.client import DagsterGrpcClient
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.types import ASGIApp

from assets.child import PATIENCE
from assets.gate import Gate, Guarded
from assets.instance import instance_for
from assets.jobs import UI_LOCK, try_schedule
from assets.pages import pages_app
from assets.processes import bury_dead_runs
from assets.running import LOCATION
from etl.domain.errors import ConfigError, DoisoatError
from etl.process.home import locked, notice
from etl.process.machine import try_home
from etl.process.stopping import ends_by_itself
from etl.process.web import LOOPBACK, listening
from etl.report import display
from etl.report.charts import charts_file
from etl.settings import Settings

_POLL_MILLISECONDS = 2_000  # how often the UI asks what is new, as in Dagster's own command
_START_SECONDS = 180.0  # a cold Python on a busy machine compiles a great deal
_LOOK = 2.0  # seconds between two looks at the daemon


def serve(settings: Settings, port: int) -> int:
    """Serves the UI, and the Data Docs beside it, until somebody ends it.

    Args:
        settings: The configuration whose runs it shows.
        port: The port on the loopback address.

    Returns:
        The exit code: 0 where a person or a signal ended it, 70 where a service of Dagster ended
        by itself.

    Raises:
        ConfigError: The home or the schedule cannot be used, the port is taken, or a UI of the
            same home is open.
    """
    try_home(settings.home)
    try_schedule(settings.schedule)
    gate = Gate(port, frozenset(settings.ui.hosts), settings.ui.proxy_secret.get_secret_value())
    with ExitStack() as open_things:
        enter = open_things.enter_context
        own = enter(listening(port))
        enter(locked(settings.home / UI_LOCK, _open_already))
        instance = enter(instance_for(settings))
        bury_dead_runs(instance, settings)
        pages = pages_app(settings.data_docs, charts_file(settings))
        servers = [
            _server(pages, gate, listening) for listening in _pages_socket(settings, open_things)
        ]
        workspace, code = enter(_code_server(settings.dagster_home))
        daemon = enter(
            _child(settings.dagster_home, "daemon", "--workspace", str(workspace),
                   "--log-level", "warning")
        )  # fmt: skip
        context = enter(
            WorkspaceProcessContext(
                instance, WorkspaceFileTarget([str(workspace)]), version=dg.__version__
            )
        )
        ui = create_app_from_workspace_process_context(
            context, live_data_poll_rate=_POLL_MILLISECONDS
        )
        servers.insert(0, _server(ui, gate, own))
        display.show_ui(settings, gate.address(f"http://{LOOPBACK}:{port}"))
        with ends_by_itself(lambda: _end(servers)):
            return _run(servers, {"daemon": daemon, "code server": code})


def _open_already(_words: str) -> ConfigError:
    return ConfigError(
        "A UI of this home is open already; two would start each schedule twice.",
        remedy="Use the address that it printed; or end it first.",
    )


def _pages_socket(settings: Settings, open_things: ExitStack) -> list[socket.socket]:
    """Listens where the checks' links lead, if that is this machine; a port in use is no error."""
    port = settings.quality.local_pages_port
    if port is None:
        return []
    try:
        return [open_things.enter_context(listening(port))]
    except ConfigError:
        display.errors.print(
            f"[yellow]The pages behind the checks do not open:[/] port {port} cannot be used. "
            'Give them another, as \\[quality] pages_url = "http://127.0.0.1:3002"; the links of '
            "the next run lead there."
        )
        return []


class _Server(uvicorn.Server):
    """A server and the socket that it listens on."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket) -> None:
        super().__init__(config)
        self.listening = listening


def _server(app: ASGIApp, gate: Gate, listening: socket.socket) -> _Server:
    config = uvicorn.Config(
        Guarded(app, gate, listening.getsockname()[1]),
        log_level="warning",
        access_log=False,  # addresses may hold the token
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=3,
    )
    return _Server(config, listening)


def _run(servers: Sequence[_Server], services: Mapping[str, subprocess.Popen[bytes]]) -> int:
    """Serves until somebody stops it, or one of Dagster's services ends by itself."""
    ended = threading.Event()
    died: list[str] = []

    def watch() -> None:
        while not ended.wait(_LOOK):
            died.extend(name for name, child in services.items() if child.poll() is not None)
            if died:
                _end(servers)
                return

    async def all_of_them() -> None:
        await asyncio.gather(*(server.serve([server.listening]) for server in servers))

    threading.Thread(target=watch, daemon=True).start()
    try:
        asyncio.run(all_of_them())
    finally:
        ended.set()
    if died:
        notice(
            f"Dagster's {died[0]}, without which no schedule starts, ended by itself (exit code "
            f"{services[died[0]].returncode}); so the UI ends, too. Start it again: doisoat ui"
        )
        return 70
    return 0


def _end(servers: Sequence[_Server]) -> None:
    for server in servers:
        server.should_exit = True


@contextmanager
def _code_server(home: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """Starts the process that holds the definitions, for the UI and the daemon alike.

    Yields:
        The workspace file, which names its socket, one that only this user may open; and the
        process.
    """
    # In the system's folder for temporary files: a socket's path must be short, and a home's may be
    # long.
    with tempfile.TemporaryDirectory(prefix="doisoat-") as folder:
        place = Path(folder) / "code"
        file = home / "workspace.yaml"
        server = {"socket": str(place), "location_name": LOCATION}
        file.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        with _child(
            home, "code-server", "start", "--socket", str(place), "--module-name",
            "assets.definitions", "--location-name", LOCATION, "--log-level", "warning",
            "--inject-env-vars-from-instance",
        ) as child:  # fmt: skip
            _wait_for(place, child)
            yield file, child
        file.unlink(missing_ok=True)


def _wait_for(place: Path, child: subprocess.Popen[bytes]) -> None:
    client = DagsterGrpcClient(socket=str(place))
    until = time.monotonic() + _START_SECONDS
    while child.poll() is None and time.monotonic() < until:
        with suppress(DagsterUserCodeUnreachableError):
            client.ping("")
            return
        time.sleep(0.1)
    raise DoisoatError(
        "The process that holds Dagster's definitions did not start.",
        remedy="Look above for what it said; 'doisoat check' tries the configuration.",
    )


@contextmanager
def _child(home: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a service of Dagster, which ends when the pipe to this process does."""
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "assets.child", str(reading), *command],
        # Dagster takes a dagster.yaml in the current folder for a mistake.
        cwd=home,
        pass_fds=[reading],
        # Ctrl+C must reach this process only, which then ends the others in order.
        start_new_session=True,
    )
    os.close(reading)
    try:
        yield child
    finally:
        os.close(writing)
        with suppress(subprocess.TimeoutExpired):
            child.wait(3 * PATIENCE)
        child.kill()
        child.wait()
