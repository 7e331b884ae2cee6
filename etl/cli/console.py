"""The stewards' workbench: ``doisoat console``, and who may use it."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from etl.cli.common import JsonOption, print_json, settings_of, settings_with_databases
from etl.domain.errors import ConfigError
from etl.domain.showing import in_markup
from etl.process.home import prepare_home
from etl.report import display

app = typer.Typer(
    help="The stewards' workbench in the browser: queues, cases, decisions.",
    invoke_without_command=True,
)
user = typer.Typer(help="Who may use the workbench.", no_args_is_help=True)
app.add_typer(user, name="user")

PASSWORD_VARIABLE = "DOISOAT_PASSWORD"  # noqa: S105 - a name
"""The environment variable that may hold a user's password, which is else asked for."""


@app.callback()
def console(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3080,
) -> None:
    """Open the workbench on the loopback address, for users added by 'console user add'."""
    if context.invoked_subcommand is not None:
        return
    from console.serving import serve

    raise typer.Exit(serve(settings_with_databases(context), port))


@user.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As in the access log and beside decisions.")],
    role: Annotated[
        str, typer.Option(help="steward, national, viewer or administrator.")
    ] = "steward",
    province: Annotated[
        list[str] | None, typer.Option(help="Code of 2025; again for each further one.")
    ] = None,
    proxy_only: Annotated[
        bool, typer.Option("--proxy-only", help="Without a password: the proxy asks who it is.")
    ] = False,
) -> None:
    """Add a user, or change one; the password is asked for, or taken from $DOISOAT_PASSWORD."""
    from console.users import Role, Users

    if role not in set(Role):
        raise ConfigError("There is no such role.", remedy=f"One of: {', '.join(Role)}.")
    settings = settings_of(context)
    users = Users(settings.console_users)
    if settings.console_users.parent == settings.home:
        prepare_home(settings.home)
    password = None if proxy_only else _password()
    users.put(name, Role(role), tuple(province or ()), password)
    display.say(f"{in_markup(name)} may use the workbench as {role}.")


@user.command("list")
def list_users(context: typer.Context, as_json: JsonOption = False) -> None:
    """List who may use the workbench."""
    from console.users import Users

    found = Users(settings_of(context).console_users).all()
    if as_json:
        print_json(
            [{"name": u.name, "role": u.role, "provinces": sorted(u.provinces)} for u in found]
        )
        return
    for one in found:
        where = f" ({', '.join(sorted(one.provinces))})" if one.provinces else ""
        display.say(f"{in_markup(one.name)}: {one.role}{where}")
    if not found:
        display.say("Nobody yet: doisoat console user add NAME --role steward --province 79")


@user.command()
def remove(context: typer.Context, name: Annotated[str, typer.Argument(help="Who.")]) -> None:
    """Remove a user, whose sessions end with the next request."""
    from console.users import Users

    Users(settings_of(context).console_users).remove(name)
    display.say(f"{in_markup(name)} may use the workbench no more.")


def _password() -> str:
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise ConfigError(
            "There is no terminal to ask for the password.",
            remedy=f"Set ${PASSWORD_VARIABLE}, or say --proxy-only.",
        )
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
