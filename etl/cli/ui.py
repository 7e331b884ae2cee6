"""The browser: ``doisoat ui``."""

from __future__ import annotations

from typing import Annotated

import typer

from etl.cli.common import settings_with_databases


def ui(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """Open the Dagster UI on the loopback address, with the runs of this configuration.

    Who opens it needs the token in the printed address, or comes through a proxy (section ui of the
    configuration).
    """
    from assets.serving import serve

    settings = settings_with_databases(context)
    raise typer.Exit(serve(settings, port))
