"""What a person sees in the terminal: tables and closing words.

Belongs here: layout. Does not belong here: finding the figures (``figures.py``) and deciding
anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from etl.domain import codes
from etl.domain.codes import Owner
from etl.domain.errors import DoisoatError
from etl.domain.showing import SafeConsole, in_markup, visible
from etl.domain.words import UNTRAINED
from etl.report import advice
from etl.report.people import most_wrong_per_million

if TYPE_CHECKING:
    from etl.alerts.memory import Memory
    from etl.alerts.sending import Sent
    from etl.report.changes import Changes
    from etl.report.figures import Figures
    from etl.settings import Schedule, Settings

console = SafeConsole()
errors = SafeConsole(stderr=True)

_WIDE = 150
"""From this width on, in columns, a line shows both languages."""

_ROOMY = 110
"""From this width on, in columns, a table shows all that it has."""

_COLUMNS_BY_ROOM = (
    (80, (0, 1, 2, 3, 4, 5, 6)),
    (45, (0, 2, 4, 6)),
    (30, (0, 2, 6)),
    (18, (0, 6)),
    (-999, ()),
)
"""Of the list of failing rules: the columns that fit beside a rule's name, by the room left."""

_ROOM_TO_READ = 24
"""The fewest columns in which a text beside a name can be read."""

_STYLE = {
    "VERIFIED": "green",
    "MISMATCH": "yellow",
    "REVIEW": "cyan",
    "NOT_FOUND": "red",
    "REJECTED": "dim",
}


def say(text: str | Text, *, style: str | None = None, markup: bool | None = None) -> None:
    """Prints a text without breaking its lines, so that commands in it can be copied."""
    console.print(text, style=style, markup=markup, soft_wrap=True)


def _show(table: Table) -> None:
    """Prints a table below its title, which is not broken at the table's width."""
    title, table.title = table.title, None
    if title:
        console.print()
        say(title if isinstance(title, Text) else Text(str(title), "bold"))
    console.print(table)


def _fits(table: Table) -> bool:
    """Says whether the terminal can show a table without breaking or cutting a cell."""
    roomy = console.options.update(width=_ENDLESS)
    return console.measure(table, options=roomy).maximum <= console.width


_ENDLESS = 10_000


_COMMAND = re.compile(r"(?<=['“])doisoat [^'”]+(?=['”])")
_HELD = "\ue000"
"""Replaces the blanks of commands while a text is broken into lines."""


def say_parted(text: Text, indent: int) -> None:
    """Prints a text in as many lines as it needs, all with the same indent.

    No word and no command is broken, whatever the width, so that it can be copied.

    Args:
        text: One paragraph.
        indent: How many blanks come before each line.
    """
    held = text.copy()
    held.plain = _COMMAND.sub(lambda found: found[0].replace(" ", _HELD), text.plain)
    longest = max(map(cell_len, held.plain.split()), default=1)
    for line in held.wrap(console, max(console.width - indent, longest)):
        line.plain = line.plain.replace(_HELD, " ")
        line.rstrip()
        say(Text(" " * indent).append_text(line))


def show_whole(table: Table) -> None:
    """Prints a table without breaking a word; if that has no room, each cell on its own line."""
    if not _give_room(table):
        _show_by_line(table)
        return
    console.print(table)


_LONGEST_WORD = 40
"""Words of up to so many columns, such as keys and codes, stay whole in a table."""


def _give_room(table: Table) -> bool:
    """Gives each column the width of its longest word, and shares the rest as columns need it.

    Returns:
        False where the terminal has no room for that.
    """
    wanted = []
    for column in table.columns:
        cells = [column.header, *column.cells]
        lines = [line for cell in cells for line in str(cell).split("\n")]
        words = [cell_len(word) for line in lines for word in line.split()]
        column.width = min(max(words, default=1), _LONGEST_WORD)
        wanted.append(max(map(cell_len, lines)) - column.width)
    roomy = console.options.update(width=_ENDLESS)
    left = console.width - console.measure(table, options=roomy).maximum
    if left < 0:
        return False
    for waiting, at in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        given = min(wanted[at], left // (len(wanted) - waiting))
        table.columns[at].width = (table.columns[at].width or 0) + max(given, 0)
        left -= max(given, 0)
    return True


def _show_by_line(table: Table) -> None:
    for row in zip(*(column.cells for column in table.columns), strict=True):
        console.print()
        for column, cell in zip(table.columns, row, strict=True):
            first, *rest = (cell if isinstance(cell, Text) else Text(str(cell))).split("\n")
            say_parted(Text.assemble((f"{column.header}: ", "dim"), first), 2)
            for line in rest:
                say_parted(line, 4)


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=Text(visible(title, None), "bold"),
        box=box.SIMPLE_HEAD,
    )
    for column in columns:
        name = column.removeprefix(">")
        table.add_column(
            name,
            justify="right" if name != column else "left",
            no_wrap=name not in ("meaning", "rule", "state"),
        )
    return table


def simple_table() -> Table:
    """Returns an empty table in the style of all tables."""
    return Table(box=box.SIMPLE_HEAD)


def _meaning(vi: str, en: str) -> str:
    """Returns both languages where there is room, Vietnamese first; else only Vietnamese."""
    return f"{vi} · {en}" if console.width >= _WIDE else vi


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}%" if whole else "-"


def show_figures(figures: Figures) -> None:
    """Prints what a sync found: statuses, waterfall, mismatches."""
    words = codes.labels()
    total = sum(figures.statuses.values())
    table = _table(f"{total:,} insurance records", "status", ">records", ">share", "meaning")
    for status, records in figures.statuses.items():
        table.add_row(
            f"[{_STYLE[status]}]{status}[/]",
            f"{records:,}",
            _share(records, total),
            _meaning(words[status].vi, words[status].en),
        )
    _show(table)
    table = _table("Waterfall", "step", ">came in", ">linked", ">to review", ">went on", "rule")
    for row in figures.waterfall:
        step = str(row["match_step"])
        numbers = (f"{row[name]:,}" for name in ("came_in", "linked", "to_review", "went_on"))
        table.add_row(step, *numbers, _meaning(words[step].vi, words[step].en))
    _show(table)
    _show(_mismatch_table(figures, total))
    _show_people(figures)
    if not figures.model_is_trained:
        say(f"[dim]{UNTRAINED.en}[/]")
    for name, rows in figures.repaired.items():
        them = "1 row" if rows == 1 else f"{rows:,} rows"
        say(
            f"[yellow]Somebody other than doisoat had changed {them} of the target's '{name}'[/]; "
            "this run has put that right. Find out who else may write there."
        )


_BANDS = {"": "—", "linked": "beyond the limit of links", "0": "below 0.5"}
"""Words for the bands of probability whose key is not simply their lower limit."""


def _show_people(figures: Figures) -> None:
    """Prints people's decisions, if there are any, compared with what the machine had said."""
    if figures.people:
        table = _table(
            "People's decisions compared with the machine's",
            "machine", "step", "probability", ">confirmed", ">refused",
        )  # fmt: skip
        for one in figures.people:
            band = _BANDS.get(one.band, f"from {one.band}")
            table.add_row(
                "linked" if one.verdict == "link" else "review",
                one.step, band, f"{one.confirmed:,}", f"{one.refused:,}",
            )  # fmt: skip
        _show(table)
        links, refused, most = most_wrong_per_million(figures.people)
        if links:
            say(
                f"Of {links:,} link{'s' * (links != 1)} of the machine that people decided on, "
                f"they refused {refused:,}: with 95% confidence at most {most:,.0f} in a million "
                "are wrong; wrong_links_per_million allows "
                f"{figures.wrong_links_per_million:,.0f}. "
                "(People check what seems odd, so links that nobody checked are better than these.)"
                " doisoat does not change the limit by itself."
            )
    if figures.outdated:
        say(
            f"The data have changed since {figures.outdated:,} of the decisions; a record that now "
            "contradicts one is in REVIEW (decision_outdated)."
        )


def _mismatch_table(figures: Figures, total: int) -> Table:
    """Returns the table of mismatches; on a narrow terminal without severity and owner."""
    roomy = console.width >= _ROOMY
    table = _table("Mismatches", "code", ">records", ">share", "meaning")
    if roomy:
        table = _table("Mismatches", "code", ">records", ">share", "severity", "owner", "meaning")
    meanings = {code.code: code for code in codes.MISMATCH_CODES}
    for row in figures.mismatches:
        code = meanings[str(row["code"])]
        middle = (code.severity.value, code.owner.value) if roomy else ()
        table.add_row(
            code.code,
            f"{row['mismatches']:,}",
            _share(int(str(row["mismatches"])), total),
            *middle,
            _meaning(code.vi, code.en),
        )
    return table


def show_checks(failed: Sequence[dict[str, object]]) -> None:
    """Prints the checks that failed, errors first."""
    if not failed:
        say("[green]All quality checks passed.[/]")
        return
    roomy = console.width >= _ROOMY
    severity = ("severity",) if roomy else ()  # else the colour shows it
    table = _table("Quality checks that did not pass", "check", *severity, "observed")
    longest = max(len(f"{c['table']}.{c['check']}") for c in failed)
    table.columns[0].min_width = longest
    table.columns[-1].no_wrap = False
    for check in sorted(failed, key=lambda c: (c["severity"] != "error", str(c["table"]))):
        colour = "red" if check["severity"] == "error" else "yellow"
        if console.width - longest < _ROOM_TO_READ:  # each name on a line of its own, whole
            say(Text(f"{check['table']}.{check['check']}", colour))
            say(Text(f"  {visible(str(check['observed']), None)}"))
            continue
        table.add_row(
            Text(f"{check['table']}.{check['check']}", colour),
            *([str(check["severity"])] if roomy else []),
            Text(visible(str(check["observed"]), None)),
        )
    if table.rows:
        _show(table)
    say("Next: [bold]doisoat triage[/] lists what fails, by severity and age.")


def show_error(error: DoisoatError) -> None:
    """Prints an error: what happened, where, and what to do next."""
    show_problem(str(error))


def show_problem(text: str) -> None:
    """Prints an error that is already in words."""
    # The name of a section of the configuration, such as [alerts], must not be read as markup.
    first, _, rest = "\n".join(map(in_markup, text.split("\n"))).partition("\n")
    errors.print(f"[bold red]✗[/] {first}", highlight=False, soft_wrap=True)
    if rest:
        errors.print(f"  {rest.replace(chr(10), chr(10) + '  ')}", highlight=False, soft_wrap=True)


_PUBLISHED = {True: "yes", False: "[red]no[/]", None: "[yellow]not known[/]"}


def show_runs(runs: Sequence[dict[str, Any]], schedule: Schedule) -> None:
    """Prints runs, newest first."""
    if not runs:
        say("No run yet. Next: [bold]doisoat sync[/], or [bold]doisoat demo[/].")
        return
    for columns in _COLUMNS_OF_RUNS:
        table = _runs_table(runs, columns, schedule)
        if _fits(table):
            break
    _show(table)
    if any(run["published"] is None for run in runs):
        say(
            "Not known: the run ended while it was publishing. Only the target, which cannot be "
            "reached now, knows whether the result was published. Next: [bold]doisoat check[/], "
            "then doisoat runs again."
        )


_PROVINCES_SHOWN = 10


def show_changes(changes: Changes, schedule: Schedule) -> None:
    """Prints what changed between two runs."""
    before, after = changes.before, changes.after
    say(
        f"From run {before.run_id}, {schedule.shown(before.started_at)}, "
        f"to {after.run_id}, {schedule.shown(after.started_at)}."
    )
    if changes.links:
        steps = [step.value for step in codes.MatchStep]
        _show(
            _crossed(
                "Links", "step", _summed(changes.links, "match_step", "change", "links"),
                ("opened", "closed", "moved", "other_step"), steps,
            )
        )  # fmt: skip
        why = ", ".join(f"{row['reason']} {row['links']:,}" for row in changes.closed)
        if why:
            say(f"Links that ended, by reason: {why}.")
    else:
        say("No link was opened, closed or moved.")
    _show_changed_mismatches(changes)
    if changes.records is None:
        say(
            "Which mismatches were found and resolved, and which records are new, is known as long "
            "as both results are kept ([engine] keep_snapshots)."
        )
        return
    new, gone = (sum(row[what] for row in changes.records) for what in ("new", "gone"))
    say(f"Records: {new:,} new, {gone:,} gone.")
    _show_changed_provinces(changes)


def _summed(
    rows: Sequence[Mapping[str, Any]], by: str, what: str, count: str
) -> dict[str, dict[str, int]]:
    """Sums counts over provinces: by one column, and then by another."""
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        line = found.setdefault(str(row[by]), {})
        line[str(row[what])] = line.get(str(row[what]), 0) + int(row[count])
    return found


def _crossed(
    title: str,
    first: str,
    counts: Mapping[str, Mapping[str, int]],
    columns: Sequence[str],
    order: Sequence[str],
) -> Table:
    table = _table(title, first, *(f">{column.replace('_', ' ')}" for column in columns))
    for name in order:
        if name in counts:
            table.add_row(name, *(f"{counts[name].get(column, 0):,}" for column in columns))
    return table


def _show_changed_mismatches(changes: Changes) -> None:
    counts: dict[str, dict[str, int]] = {}
    told = [
        ("before", "before", changes.mismatches),
        ("after", "after", changes.mismatches),
        ("found", "mismatches", changes.found),
        ("resolved", "mismatches", changes.resolved),
    ]
    for column, value, rows in told:
        for row in rows or ():
            line = counts.setdefault(str(row["code"]), {})
            line[column] = line.get(column, 0) + int(row[value])
    moved = {
        code: line
        for code, line in counts.items()
        if line.get("before", 0) != line.get("after", 0)
        or line.get("found") or line.get("resolved")
    }  # fmt: skip
    if not moved:
        say("No mismatch was found or resolved.")
        return
    columns = ["before", "after", *(("found", "resolved") if changes.found is not None else ())]
    order = [code.code for code in codes.MISMATCH_CODES]
    _show(_crossed("Mismatches", "code", moved, columns, order))


def _show_changed_provinces(changes: Changes) -> None:
    """Prints the provinces where most has changed."""
    counts: dict[str, dict[str, int]] = {}

    def add(rows: Sequence[Mapping[str, Any]] | None, value: str, column: str | None) -> None:
        for row in rows or ():
            line = counts.setdefault(str(row["province_code"]), {})
            name = column or str(row["change"])
            line[name] = line.get(name, 0) + int(row[value])

    add(changes.links, "links", None)
    add(changes.found, "mismatches", "found")
    add(changes.resolved, "mismatches", "resolved")
    add(changes.records, "new", "new")
    add(changes.records, "gone", "gone")
    most = sorted(counts, key=lambda province: (-sum(counts[province].values()), province))
    if most:
        columns = ("opened", "closed", "moved", "found", "resolved", "new", "gone")
        shown = most[:_PROVINCES_SHOWN]
        title = "Provinces" if len(shown) == len(most) else f"The {len(shown)} provinces of most"
        _show(_crossed(title, "province", counts, columns, shown))


def show_next(words: str) -> None:
    """Prints when the next run begins by itself."""
    say(Text(f"{words[0].upper()}{words[1:]}."))


_COLUMNS_OF_RUNS = (
    ("run", "started", "published", ">checks", ">errors", ">warnings"),
    ("run", "at", "published", ">errors", ">warnings"),
    ("run", "published", ">errors"),
    ("run", "published"),
    ("run",),
)
"""Of the list of runs: the columns to show, from wide terminals to narrow; the id is not cut."""


def _runs_table(
    runs: Sequence[Mapping[str, Any]], columns: Sequence[str], schedule: Schedule
) -> Table:
    zone = f", times in {schedule.timezone}" if "at" in columns else ""
    table = _table(f"Runs{zone}", *columns)
    for run in runs:
        cells: dict[str, str | Text] = {
            "run": Text(visible(str(run["run_id"]))),
            "started": schedule.shown(run["started_at"]),
            "at": f"{schedule.local(run['started_at']):%Y-%m-%d %H:%M}",
            "published": _PUBLISHED[run["published"]],
            **{f">{name}": str(run[name]) for name in ("checks", "errors", "warnings")},
        }
        table.add_row(*(cells[name] for name in columns))
    return table


def show_ui(settings: Settings, address: str) -> None:
    """Prints where the UI opens, and whether schedules and alerts are switched off.

    Args:
        settings: The configuration.
        address: Its address, with the token that gives access.
    """
    say(Text(f"Dagster opens on {address}"))
    say(
        "Anybody who has this address has access, until this command ends (Ctrl+C). Begin with "
        "Runs; Lineage shows which table is made from which."
    )
    say(f"The pages behind its checks: {in_markup(settings.quality.pages_url)}", style="dim")
    say(f"Charts of the last run: {in_markup(settings.quality.charts_page())}", style="dim")
    if not settings.schedule.enabled:
        say("No nightly run: [schedule] enabled is false.", style="dim", markup=False)
    if not settings.alerts.urls:
        say("Nobody is told of failures: [alerts] names no urls.", style="dim", markup=False)


def show_failing_rules(rules: Sequence[Mapping[str, Any]], schedule: Schedule) -> None:
    """Prints the rules that rows fail: first broken ones, then those within tolerance."""
    if not rules:
        say("[green]No row fails any rule.[/]")
        return
    columns = ("rule", "severity", ">rows", ">new", "since", "owner", "state")
    longest = max(len(str(rule["rule"])) for rule in rules)
    shown = next(shown for room, shown in _COLUMNS_BY_ROOM if console.width >= longest + room)
    table = _table("What fails", *(columns[i] for i in shown or (0,)))
    table.columns[0].no_wrap = True  # not broken, so that it can be copied
    for rule in rules:
        style = "dim" if rule["passed"] else "red" if rule["severity"] == "error" else "yellow"
        if not shown:  # no table has room for that name
            say(Text(visible(str(rule["rule"]), None)))
            say(Text(f"  {_state(rule, schedule)}", style))
            continue
        cells = (
            Text(visible(str(rule["rule"]), None)),
            Text(str(rule["severity"]), style),
            f"{rule['failed_rows']:,}",
            f"{rule['new_since_last_run']:,}",
            f"{schedule.local(rule['first_seen']):%Y-%m-%d}" if rule["first_seen"] else "-",
            str(rule["owner"]),
            Text(_state(rule, schedule), style),
        )
        table.add_row(*(cells[i] for i in shown))
    if shown:
        _show(table)
    say("Next: [bold]doisoat triage RULE[/] tells more of a rule, and lists its rows.")


def _state(rule: Mapping[str, Any], schedule: Schedule) -> str:
    if rule["passed"]:
        state = "within tolerance" if rule["failed_rows"] else "holds"
    else:
        state = "stops the publish" if rule["blocking"] else "to be corrected"
    if rule["acknowledged_until"]:
        state += f", known until {schedule.local(rule['acknowledged_until']):%Y-%m-%d}"
    return state if rule["of_last_run"] else f"{state}, of an earlier run"


_RECORDS_SHOWN = 50

_PROVINCES = 5
"""How many provinces are named at most."""


def show_rule(rule: Mapping[str, Any], schedule: Schedule) -> None:
    """Prints how one rule stands: what was seen, what is expected, since when, what to do."""
    table = Table(
        title=Text(visible(str(rule["rule"]), None), "bold"), box=None, show_header=False,
    )  # fmt: skip
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    stops = rule["blocking"] and rule["passed"]
    weight = f"{rule['severity']}{'; a failure stops the publish' if stops else ''}"
    lines = {
        "severity": weight,
        "state": _state(rule, schedule),
        "observed": rule["observed"],
        "expected": rule["expected"],
        "since": rule["first_seen"] and schedule.shown(rule["first_seen"]),
        "trend": advice.trend(rule["trend"]) if rule["failed_rows"] else "",
        "known": _known(rule),
        "publish": "" if rule["passed"] else _publish(rule, schedule),
        "owner": Owner(str(rule["owner"])).words,
        "meaning": rule["meaning"],
    }
    for name, text in lines.items():
        if text:
            table.add_row(name, Text(visible(str(text), None)))
    _show(table)
    if not rule["about_rows"] and not rule["passed"]:
        say(
            "The rule is about the table as a whole, not about single rows. Next: do what "
            f"'meaning' says; [bold]doisoat acknowledge {in_markup(rule['rule'])} --reason TEXT[/] "
            "notes that the failure is known."
        )


def _publish(rule: Mapping[str, Any], schedule: Schedule) -> str:
    """Says what the rule means for the publish, in the words of the check in the UI."""
    held = (rule["target_run"], rule["target_published_at"]) if rule["target_run"] else None
    return advice.publish(rule["blocking"], held, schedule)


def _known(rule: Mapping[str, object]) -> str:
    """Says who acknowledged a failure, and why; empty where nobody did."""
    if not rule["acknowledged_until"]:
        return ""
    return f"by {rule['acknowledged_by']}: {rule['acknowledged_because']}"


def show_failing_records(
    rule: Mapping[str, Any], records: Sequence[Mapping[str, object]], schedule: Schedule
) -> None:
    """Prints the rows that fail a rule, by key."""
    name = in_markup(rule["rule"])
    if not records:
        say(f"[green]No row fails {name}[/] (or none of that province or employer).")
        return
    _show_where(records)
    told = {column for record in records for column, value in record.items() if value is not None}
    columns = [c for c in records[0] if c in told and c not in ("first_run", "last_run")]
    title = f"{len(records):,} rows fail {rule['rule']}"
    left_out: list[str] = []
    while not _fits(table := _records_table(title, columns, records, schedule)) and columns[1:]:
        # The key always stays. The others are left out from the last on, but first_seen at the end.
        goes = next((c for c in reversed(columns[1:]) if c != "first_seen"), columns[-1])
        columns.remove(goes)
        left_out.insert(0, goes)
    _show(table)
    if left_out:
        say(Text(f"On a wider terminal, or with --out: {', '.join(left_out)}.", "dim"))
    if len(records) > _RECORDS_SHOWN:
        say(f"{len(records) - _RECORDS_SHOWN:,} more.")
    story = ", [bold]doisoat explain --record-key KEY[/] a record's whole story"
    say(
        f"Next: [bold]doisoat triage {name} --record KEY[/] shows one row's values"
        f"{story if rule['explained'] else ''}; [bold]--out FILE.csv[/] or .xlsx writes the list"
        f"{', with [bold]--ids[/] so that its office finds the rows' if rule['has_ids'] else ''}."
    )


def _records_table(
    title: str,
    columns: Sequence[str],
    records: Sequence[Mapping[str, object]],
    schedule: Schedule,
) -> Table:
    table = _table(title, *columns)
    for record in records[:_RECORDS_SHOWN]:
        table.add_row(*(_cell(record[column], schedule) for column in columns))
    return table


def _show_where(records: Sequence[Mapping[str, object]]) -> None:
    """Prints how many of the rows are new, and the provinces that have most of them."""
    provinces = Counter(record.get("province_code") or "none" for record in records)
    ordered = sorted(provinces.items(), key=lambda found: (-found[1], str(found[0])))
    most = [f"{count:,} in province {visible(str(code))}" for code, count in ordered[:_PROVINCES]]
    others = sum(count for _, count in ordered[_PROVINCES:])
    where = [*most, f"{others:,} elsewhere"] if others else most
    new = sum(record["first_run"] == record["last_run"] for record in records)
    say(f"Of {len(records):,} rows {new:,} are new since the run before.")
    if any("province_code" in record for record in records):
        say(Text(f"Where: {'; '.join(where)}."))


def _cell(value: object, schedule: Schedule) -> Text:
    if value is None:
        return Text("-")
    return Text(schedule.shown(value) if isinstance(value, datetime) else visible(str(value)))


def show_alerts(receivers: Sequence[str], memory: Memory) -> None:
    """Prints who is told of failures, and of which failures they were told."""
    if not receivers:
        say("Nobody is told: [bold]\\[alerts] urls[/] is empty in the configuration.")
        return
    if memory.damaged:
        say(
            "[yellow]The record of earlier alerts is damaged[/]: the next run sets it aside and "
            "starts a new one, so current failures are sent again."
        )
    kinds = ", ".join(f"{n} {url.split(':')[0]}" for n, url in enumerate(receivers, start=1))
    say(Text(f"Told when a run fails or a check newly fails: {visible(kinds, None)}."))
    table = _table("Failures that they were told of", "what", "since", "severity")
    for job, run in memory.runs.items():
        table.add_row(Text(visible(f"{job} ({run.cause})")), f"{run.since:%Y-%m-%d}", "error")
    for rule, check in memory.checks.items():
        table.add_row(
            Text(visible(rule)), f"{check.since:%Y-%m-%d}", "error" if check.error else "warning"
        )
    if table.rows:
        _show(table)
    for letter in memory.letters:
        numbers = ", ".join(map(str, letter.to))
        waits = f"Waits for number {numbers}: {visible(letter.title)} ({letter.written:%Y-%m-%d})"
        say(Text(waits))
    say("Next: [bold]doisoat alerts --test[/] sends each of them a test message.")


def show_sent(sent: Mapping[int, Sent]) -> None:
    """Prints which receivers accepted the test message."""
    for number, answer in sent.items():
        if answer.reached:
            who = in_markup(answer.service)
            say(f"[green]✓[/] number {number} ({who}) accepted the test message")
        else:
            show_problem(
                f"Number {number} ({answer.service}) did not accept the message: {answer.reason}\n"
                "What to do: correct that URL in [alerts] urls, or check the network to its server."
            )


def show_row(rule: str, record_key: str, row: Mapping[str, object]) -> None:
    """Prints one failing row with its values."""
    table = _table(f"{rule}: {record_key}", "column", "value")
    for name, value in row.items():
        shown = Text("-", "dim") if value is None else Text(visible(str(value)))
        table.add_row(Text(visible(name)), shown)
    _show(table)
    say("That you looked is written to the access log, with this key.", style="dim")


def show_model(
    version: str, about: Mapping[str, object], same_person: Mapping[str, Mapping[str, float]]
) -> None:
    """Prints a linkage model: how often the same person's data agree at each level."""
    say(
        f"Model {in_markup(version)}: {about['records']:,} records beside {about['citizens']:,} "
        f"citizens, seed {about['seed']}, {about['seconds']} s."
    )
    table = _table("How often one person's two entries agree", "compared", "level", ">share")
    for comparison, levels in same_person.items():
        for level, share in levels.items():
            table.add_row(comparison, level, f"{share:.3%}")
    _show(table)
