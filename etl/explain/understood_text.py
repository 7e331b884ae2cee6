"""What is understood of a name, a number, a date or a card, in the terminal.

Belongs here: layout for ``doisoat normalise``. Does not belong here: words (``understanding.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from etl.domain.showing import visible
from etl.explain.understanding import Understood
from etl.report.display import console

_REASON_STYLE = {"note": "cyan", "repair": "yellow", "warning": "yellow", "reject": "red"}


def show_understanding(answers: Sequence[Understood]) -> None:
    """Prints what was understood of each field, and why."""
    for answer in answers:
        console.print(Text.assemble((answer.label, "bold"), ": ", visible(answer.recorded)))
        mark = ("→ ", "green") if answer.value else ("✗ ", "red")
        console.print(Text.assemble("  ", mark, (visible(answer.value or "—"), "bold green")))
        for label, text in answer.parts:
            console.print(Text.assemble("    ", (f"{label}: ", "dim"), visible(text, None)))
        for reason in answer.reasons:
            line = Text.assemble(
                "    ", ("• ", _REASON_STYLE[reason.kind]), visible(reason.text, None)
            )
            console.print(line.append(f" {reason.code}", "dim"), soft_wrap=True)
        console.print()


def show_names(answers: Iterable[Understood]) -> None:
    """Prints one line a name as they come: canonical form or a dash, what was recorded, codes."""
    for answer in answers:
        codes_of_it = " ".join(reason.code for reason in answer.reasons)
        line = Text(visible(answer.value or "—"), "bold green" if answer.value else "red")
        line.append(f"  {visible(answer.recorded)}", "default")
        console.print(line.append(f"  {codes_of_it}", "dim"), soft_wrap=True)
