"""A record's story in the terminal.

Belongs here: layout for ``doisoat explain``. Does not belong here: words (``etl/explain/tell.py``).
"""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from etl.domain.showing import visible
from etl.domain.words import Words
from etl.explain.gather import Story
from etl.explain.tell import Candidate, Field, Step, Telling
from etl.report import display
from etl.report.display import say_parted, show_whole, simple_table

MARKS = {"for": ("+", "green"), "against": ("−", "red"), "partly": ("±", "yellow"),
         "nothing": ("·", "dim")}  # fmt: skip
_ENDS = {"linked": ("✓", "green"), "review": ("?", "cyan"), "decided": ("✗", "red"),
         "went_on": ("↓", "yellow"), "not_reached": ("·", "dim")}  # fmt: skip
_STATUS = {"VERIFIED": "green", "MISMATCH": "yellow", "REVIEW": "cyan", "NOT_FOUND": "red",
           "REJECTED": "red"}  # fmt: skip

TITLES = {
    "fields": Words("Hồ sơ ghi gì, được hiểu thế nào", "As recorded, and as understood"),
    "decisions": Words("Cán bộ đã quyết định", "What people decided"),
    "decided": Words("quyết định", "decision"),
    "who": Words("ai, khi nào", "who, when"),
    "counts": Words("hiệu lực", "does it count"),
    "steps": Words("Các bước đã thử", "The steps that were tried"),
    "people": Words("Công dân và bằng chứng", "Citizens and the evidence"),
    "mismatches": Words("Điều chưa khớp, ai phải sửa", "What disagrees, and who corrects it"),
    "corrections": Words("Đề nghị sửa hồ sơ", "Corrections proposed"),
    "field": Words("trường", "field"),
    "recorded": Words("đã ghi", "recorded"),
    "understood": Words("được hiểu là", "understood as"),
    "proposed": Words("đề nghị", "proposed"),
    "because": Words("vì sao", "why"),
    "population": Words("CSDL dân cư", "population register"),
    "meaning": Words("ý nghĩa", "meaning"),
    "owner": Words("ai sửa", "who corrects it"),
    "key": Words("mã hồ sơ", "record key"),
    "run": Words("lần chạy", "run"),
}


def show_story(story: Story, telling: Telling, lang: str) -> None:
    """Prints the whole story in one language."""
    say = _Saying(lang)
    display.console.print()
    verdict = Text(telling.status, f"bold {_STATUS[telling.status]}")
    say_parted(verdict.append(f"  {say(telling.verdict)}", "bold"), 0)
    for line in telling.because:
        say_parted(Text(say(line)), 2)
    keys = f"{say(TITLES['key'])} {story.record_key}, {say(TITLES['run'])} {story.run_id}"
    say_parted(Text(keys, "dim"), 2)
    say.title("fields")
    show_whole(_field_table(telling.fields, say))
    if telling.decisions:
        say.title("decisions")
        table = _table(say, "decided", "who", "because", "counts")
        for one in telling.decisions:
            table.add_row(
                say(one.what), Text(visible(one.who)), Text(visible(one.why)), say(one.counts)
            )
        show_whole(table)
    if telling.steps:
        say.title("steps")
    for step in telling.steps:
        _show_step(step, say)
    if telling.candidates:
        say.title("people")
    for candidate in telling.candidates:
        _show_candidate(candidate, say)
    _show_wrong(telling, say)


class _Saying:
    """Chooses the language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, words: Words) -> str:
        # Words may quote a value.
        return visible(words.en if self.lang == "en" else words.vi, None)

    def title(self, name: str) -> None:
        display.console.print()
        say_parted(Text(self(TITLES[name]), "bold"), 0)


def _table(say: _Saying, *columns: str) -> Table:
    table = simple_table()
    for column in columns:
        table.add_column(say(TITLES[column]), overflow="fold")
    return table


def _field_table(fields: tuple[Field, ...], say: _Saying) -> Table:
    table = _table(say, "field", "recorded", "understood")
    for field in fields:
        known = Text(say(field.understood), "bold" if field.understood.vi != "—" else "dim")
        for note in field.notes:
            known.append(f"\n{say(note)}", "not bold yellow")
        table.add_row(say(field.label), Text(visible(field.recorded)), known)
    return table


def _show_step(step: Step, say: _Saying) -> None:
    mark, style = _ENDS[step.outcome]
    say_parted(
        Text.assemble(f"{mark} ", (say(step.label), "bold"), ": ", say(step.ended), style=style), 2
    )
    for line in step.found:
        say_parted(Text(say(line)), 6)


def _show_candidate(candidate: Candidate, say: _Saying) -> None:
    say_parted(Text(say(candidate.title), "bold"), 2)
    for label, fact in candidate.facts:
        say_parted(Text.assemble((f"{say(label)}: ", "dim"), visible(say(fact))), 4)
    for piece in candidate.evidence:
        mark, style = MARKS[piece.side]
        line = Text.assemble((f"{mark} ", style), f"{say(piece.label)}: {say(piece.level)}")
        if say(piece.strength):
            line.append(f"; {say(piece.strength)}", "dim")
        say_parted(line, 4)
    for sentence in candidate.conclusion:
        say_parted(Text(f"→ {say(sentence)}", "bold"), 4)
    display.console.print()


def _show_wrong(telling: Telling, say: _Saying) -> None:
    if telling.mismatches:
        say.title("mismatches")
        table = _table(say, "meaning", "recorded", "population", "owner")
        for wrong in telling.mismatches:
            meaning = Text(say(wrong.label))
            meaning.append(f"\n{wrong.code}, {say(wrong.matters)}", "dim")
            owner = say(wrong.owner) if wrong.severity != "info" else "—"
            table.add_row(
                meaning, Text(visible(wrong.recorded)), Text(visible(wrong.population)), owner
            )
        show_whole(table)
    if telling.corrections:
        say.title("corrections")
        table = _table(say, "field", "recorded", "proposed", "because")
        for proposal in telling.corrections:
            recorded, proposed = visible(proposal.recorded), visible(proposal.proposed)
            table.add_row(
                say(proposal.label),
                Text(recorded),
                Text(proposed, "bold green"),
                Text(visible(say(proposal.because)), "dim"),
            )
        show_whole(table)
