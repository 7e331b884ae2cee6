"""What a person decides on a record: ``doisoat decide``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from etl.cli.common import JsonOption, print_json, settings_with_databases
from etl.domain.errors import ConfigError
from etl.domain.showing import in_markup
from etl.report import display

if TYPE_CHECKING:
    from etl.settings import Settings
    from etl.state.decisions import Decision

_SAID = {
    "link": "the record is of citizen {citizen}",
    "not_link": "the record is not of citizen {citizen}",
    "not_a_person": "the record is no citizen's",
    "keep_record": "of this citizen's records, {kept} is kept",
}


def decide(
    context: typer.Context,
    record: Annotated[str, typer.Argument(help="Record id in the insurance register.")],
    reason: Annotated[str, typer.Option(help="What was seen: for whoever asks later.")],
    link: Annotated[
        str | None, typer.Option(metavar="CITIZEN", help="It is of this citizen.")
    ] = None,
    not_link: Annotated[
        str | None, typer.Option(metavar="CITIZEN", help="It is not of this citizen.")
    ] = None,
    not_a_person: Annotated[
        bool, typer.Option("--not-a-person", help="It is no citizen's.")
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(metavar="RECORD", help="Of the citizen's records, this one is kept."),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back what was decided last on the record.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide whose a record is or is not, or which of several to keep; or take a decision back.

    It is decided in the name of $DOISOAT_USER, or of the system's user. All runs from the next on
    apply it, until somebody decides again, or the data change on which it was decided.
    """
    from etl.stewards.decide import Verdict
    from etl.stewards.decide import decide as make

    chosen = [
        (verdict, other)
        for verdict, other in (
            (Verdict.LINK, link),
            (Verdict.NOT_LINK, not_link),
            (Verdict.NOT_A_PERSON, None if not not_a_person else ""),
            (Verdict.KEEP_RECORD, keep),
            (Verdict.UNDO, None if not undo else ""),
        )
        if other is not None
    ]
    if len(chosen) != 1:
        raise ConfigError(
            "Say one thing of the record.",
            remedy="One of --link CITIZEN, --not-link CITIZEN, --not-a-person, --keep RECORD, "
            "--undo.",
        )
    settings = settings_with_databases(context)
    verdict, other = chosen[0]
    answer = make(settings, record, verdict, other=other or None, reason=reason)
    if as_json:
        print_json(asdict(answer))
        return
    for earlier in answer.before:
        display.say(f"Decided before: {in_markup(_told(earlier, settings))}")
    if not answer.is_new:
        display.say("The same is decided already; nothing was written.")
    elif answer.undone:
        display.say(f"Taken back: {in_markup(_said(answer.undone))}. It applies with the next run.")
        if answer.left:
            display.say(f"What counts again: {in_markup(_told(answer.left[0], settings))}")
    else:
        display.say(f"Decided: {in_markup(_said(answer.decision))}. It applies with the next run.")


def _said(decision: Decision) -> str:
    return _SAID[decision.verdict].format(
        citizen=decision.personal_id, kept=decision.kept_record_id
    )


def _told(decision: Decision, settings: Settings) -> str:
    at = settings.schedule.local(decision.decided_at)
    return f"{_said(decision)} ({decision.decided_by}, {at:%Y-%m-%d %H:%M}: {decision.reason})"
