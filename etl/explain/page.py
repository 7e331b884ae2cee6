"""A record's story as one self-contained page, Vietnamese first, English beside.

Belongs here: HTML, and the chart of the evidence. Does not belong here: words (``tell.py``).
The page fetches nothing: its libraries stand in it, and its own policy forbids the rest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from etl.domain.showing import in_html
from etl.domain.words import COMPARED, LEVELS, Words, times
from etl.explain.gather import COMPARISONS, Person, Story
from etl.explain.tell import Candidate, Telling
from etl.explain.text import MARKS, TITLES
from etl.process.files import write_whole
from etl.report.charts.page import POLICY, draw

_COLOURS = {"prior": "#8a94a6", "for": "#2e8b57", "against": "#c0392b", "total": "#1f4e79"}
_LONGEST = 500
"""Characters of a value that are shown."""

_LEGEND = Words(
    "Mỗi thanh là một điều được so sánh. Xanh lá làm tăng khả năng là cùng một người, đỏ làm giảm; "
    "× 1.000 là tăng 1.000 lần. Các khả năng khác: những công dân gần giống, và khả năng người này "
    "không có trong CSDL dân cư.",
    "Each bar is one thing compared. Green makes it more probable that this is the same person, "
    "red less; × 1,000 is 1,000 times more. Other possibilities: citizens who are near, and that "
    "the person is not in the population register.",
)


def write_page(file: Path, story: Story, telling: Telling) -> None:
    """Writes the page, readable by its owner only: it holds personal data.

    Raises:
        ConfigError: The file cannot be written.
    """
    write_whole(file, make_page(story, telling))


def make_page(story: Story, telling: Telling) -> str:
    """Returns the page as text."""
    charts = {p.rank: waterfall_chart(p) for p in story.people if p.weights}
    body = "".join(
        (
            _head(story, telling),
            _fields(telling),
            _decisions(telling),
            _steps(telling),
            _people(telling, charts),
            _mismatches(telling),
            _corrections(telling),
            draw({f"chart{rank}": spec for rank, spec in charts.items()}),
        )
    )
    style = files("etl.explain").joinpath("story.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="vi"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>doisoat {in_html(story.record_key)}</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


# --- parts -------------------------------------------------------------------------------------


def _both(words: Words) -> str:
    """Vietnamese, and English beside it where it differs."""
    if words.vi == words.en:
        return in_html(words.vi)
    return f'{in_html(words.vi)} <span class="en" lang="en">{in_html(words.en)}</span>'


def _value(recorded: str) -> str:
    """A value as recorded, cut where it is too long."""
    return in_html(recorded, _LONGEST)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{_both(TITLES[title])}</h2>{content}</section>" if content else ""


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    if not lines:
        return ""
    head = "".join(f"<th>{_both(TITLES[column])}</th>" for column in columns)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _head(story: Story, telling: Telling) -> str:
    because = "".join(f"<p>{_both(line)}</p>" for line in telling.because)
    key, run = in_html(story.record_key), in_html(story.run_id)
    about = f"{_both(TITLES['key'])} {key} · {_both(TITLES['run'])} {run}"
    return (
        f'<header class="{telling.status}"><h1>{in_html(telling.verdict.vi)}</h1>'
        f'<p class="en" lang="en">{in_html(telling.verdict.en)}</p>{because}'
        f'<p class="about">{about}</p></header>'
    )


def _fields(telling: Telling) -> str:
    rows = []
    for field in telling.fields:
        notes = "".join(f'<div class="note">{_both(note)}</div>' for note in field.notes)
        recorded = f"<code>{_value(field.recorded)}</code>"
        rows.append((_both(field.label), recorded, f"<b>{_both(field.understood)}</b>{notes}"))
    return _section("fields", _table(("field", "recorded", "understood"), rows))


def _decisions(telling: Telling) -> str:
    rows = [
        (_both(one.what), _value(one.who), _value(one.why), _both(one.counts))
        for one in telling.decisions
    ]
    if not rows:
        return ""
    return _section("decisions", _table(("decided", "who", "because", "counts"), rows))


def _steps(telling: Telling) -> str:
    items = []
    for step in telling.steps:
        found = "".join(f"<p>{_both(line)}</p>" for line in step.found)
        ended = f'<span class="ended">{_both(step.ended)}</span>'
        items.append(f'<li class="{step.outcome}"><b>{_both(step.label)}</b> {ended}{found}</li>')
    return _section("steps", f'<ol class="steps">{"".join(items)}</ol>' if items else "")


def _people(telling: Telling, charts: dict[int, Any]) -> str:
    return _section("people", "".join(_person(c, c.rank in charts) for c in telling.candidates))


def _person(candidate: Candidate, has_chart: bool) -> str:
    facts = "".join(f"<dt>{_both(k)}</dt><dd>{_both(v)}</dd>" for k, v in candidate.facts)
    evidence = "".join(
        f'<li class="{piece.side}"><i>{MARKS[piece.side][0]}</i> <b>{_both(piece.label)}</b>: '
        f"{_both(piece.level)}"
        + (f'<div class="strength">{_both(piece.strength)}</div>' if piece.strength.vi else "")
        + "</li>"
        for piece in candidate.evidence
    )
    conclusion = "".join(f"<p>{_both(line)}</p>" for line in candidate.conclusion)
    chart = (
        f'<div class="chart" id="chart{candidate.rank}"></div>'
        f'<p class="legend">{_both(_LEGEND)}</p>'
        if has_chart
        else ""
    )
    return (
        f"<article><h3>{_both(candidate.title)}</h3><dl>{facts}</dl>"
        f'<ul class="evidence">{evidence}</ul>{chart}'
        f'<div class="conclusion">{conclusion}</div></article>'
    )


def _mismatches(telling: Telling) -> str:
    rows = [
        (
            f'{_both(wrong.label)}<div class="{wrong.severity}">{wrong.code}: '
            f"{_both(wrong.matters)}</div>",
            _value(wrong.recorded),
            _value(wrong.population),
            _both(wrong.owner) if wrong.severity != "info" else "—",
        )
        for wrong in telling.mismatches
    ]
    return _section("mismatches", _table(("meaning", "recorded", "population", "owner"), rows))


def _corrections(telling: Telling) -> str:
    rows = [
        (_both(p.label), _value(p.recorded), f"<b>{_value(p.proposed)}</b>", _both(p.because))
        for p in telling.corrections
    ]
    return _section("corrections", _table(("field", "recorded", "proposed", "because"), rows))


# --- the chart ---------------------------------------------------------------------------------


def waterfall_chart(person: Person) -> dict[str, Any]:
    """Draws how each comparison moves the odds, from a random citizen's to this citizen's.

    Returns:
        A Vega-Lite chart; its axis is logarithmic, with labels such as ``1 : 1.000``.
    """
    import altair as alt

    bars = _bars(person)
    order = [bar["what"] for bar in bars]
    ends = [bar[side] for bar in bars for side in ("start", "end")]
    low, high = 3 * math.floor(min(ends) / 3), 3 * math.ceil(max(*ends, 1) / 3)
    base = alt.Chart(alt.InlineData(values=bars)).encode(
        y=alt.Y("what:N", sort=order, title=None, axis=alt.Axis(labelLimit=330, ticks=False))
    )
    odds = alt.X(
        "start:Q",
        title="hai người khác nhau ← tỷ lệ (odds) → cùng một người",
        scale=alt.Scale(domain=[low - 1, high + 1], nice=False),
        axis=alt.Axis(values=list(range(low, high + 1, 3)), labelExpr=_axis_labels(low, high)),
    )
    drawn = base.mark_bar(size=16).encode(
        x=odds, x2="end:Q", color=alt.Color("colour:N", scale=None),
        tooltip=[alt.Tooltip("what:N", title="·"), alt.Tooltip("label:N", title="·")],
    )  # fmt: skip
    middle = (
        alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(strokeDash=[3, 3]).encode(x="at:Q")
    )
    right = base.mark_text(align="left", dx=5).encode(x="right:Q", text="label:N")
    chart = alt.layer(middle, drawn, right).properties(width=470, height=alt.Step(28))
    spec: dict[str, Any] = _readable_sizes(chart).to_dict()
    # The address of the schema is removed: the chart works without it.
    del spec["$schema"]
    return spec


def _readable_sizes(chart: Any) -> Any:
    font = "system-ui, 'Noto Sans', sans-serif"
    sized = chart.configure(font=font, view={"stroke": None})
    return sized.configure_axis(labelFontSize=12, titleFontSize=12).configure_text(fontSize=12)


def _bars(person: Person) -> list[dict[str, Any]]:
    """The steps from the odds before comparing to those after, in powers of ten."""
    prior, total = person.prior_weight or 0.0, _log_odds(person.match_probability or 0.0)
    bars = [_bar("prior", 0.0, prior, COMPARED["prior"])]
    reached = prior
    for name in COMPARISONS:
        weight = (person.weights or {}).get(name)
        if weight is None:
            continue
        level = LEVELS[name, person.levels[name]]
        label = Words(f"{COMPARED[name].vi}: {level.vi}", COMPARED[name].en)
        side = "for" if weight > 0 else "against"
        bars.append(_bar(side, reached, reached + weight, label))
        reached += weight
    # The effect of other citizens who are near, and of persons who are not registered.
    bars.append(_bar("for" if total > reached else "against", reached, total, COMPARED["rest"]))
    bars.append(_bar("total", 0.0, total, COMPARED["total"]))
    return bars


def _log_odds(probability: float) -> float:
    """Turns a probability into bits; cuts one that was rounded to 0 or 1, and would be infinite."""
    kept = min(max(probability, 1e-15), 1 - 1e-15)
    return math.log2(kept / (1 - kept))


def _bar(kind: str, start: float, end: float, label: Words) -> dict[str, Any]:
    many = times(end - start)
    sign = "×" if end >= start else "÷"
    if kind in ("prior", "total"):
        amount = f"{many.vi} : 1" if end >= start else f"1 : {many.vi}"
    else:
        amount = f"{sign} {many.vi}"
    ten = math.log10(2)
    return {
        "what": f"{label.vi} · {label.en}",
        "start": start * ten,
        "end": end * ten,
        "right": max(start, end) * ten,
        "label": amount,
        "colour": _COLOURS[kind],
    }


def _axis_labels(low: int, high: int) -> str:
    """Writes powers of ten as odds: 1 : 1.000, 1 : 1, 1 triệu : 1."""
    words = {}
    for power in range(low, high + 1, 3):
        many = times(abs(power) / math.log10(2)).vi
        words[str(power)] = f"{many} : 1" if power > 0 else f"1 : {many}"
    return f"({json.dumps(words, ensure_ascii=False)})[datum.value]"
