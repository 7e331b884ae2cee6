"""What offices are asked to settle and to correct: ``doisoat worklists``."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from etl.cli.common import (
    JsonOption,
    Language,
    print_json,
    settings_with_databases,
    steps,
)
from etl.domain.showing import in_markup
from etl.report import display
from etl.stewards.worklists.forms import Shape
from etl.stewards.worklists.sending import ROWS_PER_FILE, Grouping, Route
from etl.stewards.worklists.writing import Format

app = typer.Typer(
    help="Write worklists for offices, take their answers in, list what was sent.",
    no_args_is_help=True,
)


@app.command()
def export(
    context: typer.Context,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the files go.")],
    by: Annotated[
        Grouping,
        typer.Option(
            help="Write a file for each of these; a record without one goes to its commune's or "
            "province's file."
        ),
    ] = Grouping.OFFICE,
    province: Annotated[
        list[str] | None,
        typer.Option(help="Only of a province, by its code of 2025; repeat for more."),
    ] = None,
    shape: Annotated[
        list[Shape] | None, typer.Option(help="Only worklists of this shape; repeat for more.")
    ] = None,
    route: Annotated[
        list[Route] | None, typer.Option(help="Only rows that these can correct; repeat for more.")
    ] = None,
    kind: Annotated[Format, typer.Option("--format", help="What kind of files.")] = Format.XLSX,
    language: Annotated[Language, typer.Option(help="Of headings and words.")] = Language.VI,
    limit: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="The most rows of one file.")
    ] = ROWS_PER_FILE,
    all_matched: Annotated[
        bool,
        typer.Option("--all-matched", help="List matches in which nothing disagrees, too."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write worklists of what is to be settled and corrected, a file for each office.

    Files hold personal data, and only their owner can read them. The state remembers what was sent
    to whom; the target's worklist_status shows what became of it.
    """
    from etl.stewards.worklists.sending import Request, send

    settings = settings_with_databases(context)
    request = Request(
        folder=to,
        grouping=by,
        provinces=tuple(dict.fromkeys(province or ())),
        shapes=tuple(dict.fromkeys(shape or Shape)),
        routes=tuple(dict.fromkeys(route or ())),
        format=kind,
        language="vi" if language is Language.VI else "en",
        limit=limit,
        all_matched=all_matched,
    )
    with steps() as shown:
        task = shown.add_task("Writing rows", total=None)
        sent = send(
            settings,
            request,
            lambda done, total: shown.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(asdict(sent))
        return
    if not sent.files:
        display.say("Nothing is to be settled or corrected there: no file was written.")
        return
    rows = ", ".join(f"{count:,} {name}" for name, count in sent.rows.items())
    display.say(
        f"Written to {in_markup(to)}: {len(sent.files):,} files, {sent.worklists:,} worklists "
        f"({rows}), of the run {in_markup(sent.run_id)}."
    )
    display.say("They hold personal data. Answers come back by: doisoat worklists import FILE…")


@app.command("import")
def take(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="What came back: .xlsx, .ods, .csv, .jsonl.")],
    language: Annotated[
        Language, typer.Option(help="Of the reasons beside returned rows.")
    ] = Language.VI,
    as_json: JsonOption = False,
) -> None:
    """Read answers: usable rows become decisions or notes, the others are returned in a file.

    They are entered in the name of $DOISOAT_USER, or of the system's user. The next run applies the
    decisions. Exit code 1 means that rows were returned.
    """
    from etl.stewards.worklists.answers import REASONS, refuse_nothing, take_in

    refuse_nothing(files)
    settings = settings_with_databases(context)
    taken = take_in(settings, files, "vi" if language is Language.VI else "en")
    if as_json:
        print_json(asdict(taken))
    else:
        table = display.simple_table()
        for words, count in (
            ("rows", taken.rows),
            ("without an answer", taken.unanswered),
            ("taken in before", taken.known),
            ("decisions made", taken.decisions),
            ("noted as answered", taken.notes),
            ("answered otherwise before", taken.revised),
            ("returned", len(taken.returned)),
        ):
            table.add_row(words, f"{count:,}")
        display.show_whole(table)
        for reason, count in Counter(row.reason for row in taken.returned).most_common():
            display.say(f"{count:,} returned: {in_markup(REASONS[reason][1])}")
        for file in taken.files:
            display.say(f"Returned rows, each with its reason: {in_markup(file)}")
        if taken.decisions:
            display.say("The next run applies the decisions: doisoat sync")
    if taken.returned:
        raise typer.Exit(1)


@app.command("list")
def list_sent(
    context: typer.Context,
    province: Annotated[
        str | None, typer.Option(help="Only of a province, by its code of 2025.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the worklists that were sent, with how many rows are answered and past due."""
    from etl.stewards.worklists.listing import sent_worklists

    settings = settings_with_databases(context)
    found = sent_worklists(settings, province)[:last]
    if as_json:
        print_json(found)
        return
    if not found:
        display.say("No worklist was sent. Write some with: doisoat worklists export --to FOLDER")
        return
    table = display.simple_table()
    for name in ("worklist", "sent", "by", "shape", "province", "office"):
        table.add_column(name)
    for name in ("rows", "answered", "past due"):
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(
            one["worklist_id"],
            f"{settings.schedule.local(one['made_at']):%Y-%m-%d %H:%M}",
            *(in_markup(one[name] or "-") for name in ("made_by", "shape", "province_code")),
            in_markup(one["office"] or "-"),
            *(f"{one[name]:,}" for name in ("item_count", "answered", "past_due")),
        )
    display.show_whole(table)
