"""The workbench, from start to end.

Belongs here: opening the parts, and the server. Does not belong here: pages (``pages.py``) and what
guards them (``guard.py``).
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, closing

import uvicorn
from starlette.types import ASGIApp

from console.desks import Desks
from console.guard import Guard, Sessions
from console.pages import Pages
from console.workbench import Workbench
from etl.domain.errors import ConfigError
from etl.process.machine import try_home
from etl.process.stopping import ends_by_itself
from etl.process.web import LOOPBACK, listening
from etl.report import display
from etl.settings import Settings
from etl.state.store import StateSessions


def make_app(settings: Settings, workbench: Workbench, port: int) -> ASGIApp:
    """Returns the application behind its guard.

    Args:
        settings: Hosts, the proxy, how long a session lasts.
        workbench: What the pages ask.
        port: The port that the server listens on.
    """
    sessions = Sessions(settings.console)
    pages = Pages(workbench, sessions)
    return Guard(pages.app(), settings.console, port, workbench.users, sessions)


def serve(settings: Settings, port: int) -> int:
    """Serves the workbench until somebody ends it.

    Args:
        settings: Whose result is shown, and whose state decisions go into.
        port: The port on the loopback address.

    Returns:
        The exit code.

    Raises:
        ConfigError: The home cannot be used, the port is taken, or there is no user yet.
        ConnectionFailedError: The state or the target cannot be reached.
    """
    try_home(settings.home)
    with ExitStack() as opened:
        taken = opened.enter_context(listening(port))
        sessions = opened.enter_context(closing(StateSessions(settings)))
        desks = opened.enter_context(closing(Desks(settings)))
        workbench = Workbench(settings, desks, sessions)
        if not workbench.users.names():
            raise ConfigError(
                "Nobody may use the workbench yet.",
                where=str(settings.console_users),
                remedy="Add somebody: doisoat console user add NAME --role steward --province 79",
            )
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(settings, workbench, port),
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                timeout_graceful_shutdown=3,
            )
        )
        display.say(f"The workbench is open: [bold]http://{LOOPBACK}:{port}[/]  (Ctrl-C ends it)")

        def end() -> None:
            server.should_exit = True

        with ends_by_itself(end):
            asyncio.run(server.serve([taken]))
    return 0
