"""Working through failed checks: ``doisoat triage``, ``acknowledge``, ``alerts``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from etl.cli.common import JsonOption, print_json, settings_of, settings_with_databases
from etl.domain.errors import ConfigError
from etl.domain.showing import in_markup
from etl.report import display


def triage(
    context: typer.Context,
    rule: Annotated[
        str | None, typer.Argument(help="A rule, as table.check: list the records that fail it.")
    ] = None,
    record: Annotated[
        str | None, typer.Option(help="One record's key: show its values; the look is logged.")
    ] = None,
    province: Annotated[str | None, typer.Option(help="Only this province, by code.")] = None,
    employer: Annotated[str | None, typer.Option(help="Only this employer, by code.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the list to a file, .csv or .xlsx.")
    ] = None,
    ids: Annotated[
        bool,
        typer.Option(
            "--ids",
            help="Name each row as its register does, for the office that keeps it; the look is "
            "logged.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List what failed: the rules, broken ones first; the rows that fail one rule; or one row."""
    from etl.report import triage as work

    settings = settings_with_databases(context)
    if rule is None and (record or province or employer or ids):
        raise ConfigError(
            "--record, --province, --employer and --ids are about one rule's records.",
            remedy="Name the rule first: doisoat triage clean.insurance.names_are_mostly_readable",
        )
    if rule is not None and record is not None:
        row = work.read_row(settings, rule, record)
        print_json(row) if as_json else display.show_row(rule, record, row)
        return
    standing = work.read_rule(settings, rule) if rule else None
    if rule is None:
        found = work.read_rules(settings)
    elif standing and not (standing["about_rows"] or province or employer or ids):
        found = [standing]
    else:
        found = work.read_records(settings, rule, province=province, employer=employer, ids=ids)
    if out is not None:
        work.write_out(found, out, settings.schedule)
        logged = " That it names them is noted in the access log." if ids else ""
        display.say(f"{len(found):,} lines written to {in_markup(out)}.{logged}")
    elif as_json:
        print_json(found)
    elif standing is None:
        display.show_failing_rules(found, settings.schedule)
    else:
        display.show_rule(standing, settings.schedule)
        if standing["about_rows"]:
            display.show_failing_records(standing, found, settings.schedule)


def acknowledge(
    context: typer.Context,
    rule: Annotated[str, typer.Argument(help="A rule, as table.check.")],
    reason: Annotated[str, typer.Option(help="What is being done about it.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="For how long.")] = 30,
) -> None:
    """Note that a failure is known: triage marks it, alerts keep quiet until the note expires."""
    from etl.report import triage as work

    settings = settings_with_databases(context)
    until = settings.schedule.local(work.acknowledge(settings, rule, reason, days))
    display.say(
        f"{in_markup(rule)} is acknowledged until {until:%Y-%m-%d}: no alert tells of it until "
        "then. It fails as before, and what it stops stays stopped."
    )


def alerts(
    context: typer.Context,
    test: Annotated[bool, typer.Option("--test", help="Send a test message to everybody.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show who is alerted when a run fails, and what they were told; --test sends a message."""
    from etl.alerts import say_test
    from etl.alerts.memory import recall
    from etl.domain.errors import AlertError

    settings = settings_of(context)
    if not test:
        memory = recall(settings.home)
        if as_json:
            print_json(memory.model_dump(mode="json", include={"checks", "runs", "letters"}))
        else:
            display.show_alerts(settings.alerts.receivers, memory)
        return
    sent = say_test(settings)
    if as_json:
        print_json({number: asdict(answer) for number, answer in sent.items()})
    else:
        display.show_sent(sent)
    if not all(answer.reached for answer in sent.values()):
        raise typer.Exit(AlertError.exit_code)
