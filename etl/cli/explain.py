"""Explaining one record or one value: ``doisoat explain``, ``doisoat normalise``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from etl.cli.common import JsonOption, Language, print_json, settings_with_databases
from etl.domain.errors import ConfigError
from etl.domain.showing import in_markup
from etl.report import display


def explain(
    context: typer.Context,
    record: Annotated[str | None, typer.Argument(help="Record id in the insurance register.")] = (
        None
    ),
    record_key: Annotated[
        str | None, typer.Option(help="Instead of the id: the key in logs and checks.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write one self-contained page, with charts.")
    ] = None,
    lang: Annotated[Language, typer.Option(help="Of the text.")] = Language.VI,
    as_json: JsonOption = False,
) -> None:
    """Tell one record's story: what was tried and found, and who corrects what.

    It shows personal data, and each use is written to the access log.
    """
    from etl.explain.gather import read_story
    from etl.explain.tell import tell

    if (record is None) == (record_key is None):
        raise ConfigError(
            "Say which record is to be explained.",
            remedy="Give either its record id, or --record-key with its key.",
        )
    command = "explain --html" if html else "explain --json" if as_json else "explain"
    story = read_story(
        settings_with_databases(context), record_id=record, record_key=record_key, command=command
    )
    telling = tell(story)
    if html:
        from etl.explain.page import write_page

        write_page(html, story, telling)
    if as_json:
        print_json({**story.as_dict(), "told": telling.as_dict()})
    elif html:
        display.say(f"Written to {in_markup(html)}; only you may read the file.")
    else:
        from etl.explain.text import show_story

        show_story(story, telling, lang.value)


def normalise(
    name: Annotated[
        str | None, typer.Argument(help="A name as recorded; - reads names, one a line.")
    ] = None,
    id_number: Annotated[
        str | None, typer.Option("--id", help="Personal number or CMND, as typed.")
    ] = None,
    born: Annotated[str | None, typer.Option(help="Birth date in any form, or the year.")] = None,
    gender: Annotated[str | None, typer.Option(help="Sex, in any spelling.")] = None,
    insurance: Annotated[str | None, typer.Option(help="Insurance number.")] = None,
    card: Annotated[str | None, typer.Option(help="Health card.")] = None,
    lang: Annotated[Language, typer.Option(help="Of the explanations.")] = Language.VI,
    as_json: JsonOption = False,
) -> None:
    """Show how a name, a number, a date or a card is understood, and why."""
    from etl.explain import understanding
    from etl.explain.understood_text import show_names, show_understanding
    from etl.normalise import NORMALISER_VERSION

    if name == "-":
        answers = understanding.understand_names(sys.stdin.buffer, lang.value)
        if as_json:
            for answer in answers:
                print_json(answer.as_dict(), indent=None)
        else:
            show_names(answers)
        return
    found = understanding.understand(
        name=name,
        birth=born,
        gender=gender,
        numbers={"id": id_number, "insurance": insurance, "card": card},
        lang=lang.value,
    )
    if not found:
        raise ConfigError(
            "Nothing was given to be understood.",
            remedy="Give a name, or one of --id, --born, --gender, --insurance, --card.",
        )
    if as_json:
        fields = {answer.field: answer.as_dict() for answer in found}
        print_json({"normaliser_version": NORMALISER_VERSION, **fields})
    else:
        show_understanding(found)
