"""Charts as one self-contained page: it fetches nothing, and its policy forbids fetching.

Belongs here: HTML around Vega-Lite charts, and the libraries that draw them. Does not belong here:
what is drawn (``drawing.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from etl.domain.showing import in_html
from etl.domain.words import Words

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "script-src 'unsafe-inline' 'unsafe-eval'"  # vega compiles its expressions
)
"""The Content-Security-Policy of a page with charts."""

# Numbers as they are written in Vietnam: 1.234,5.
_OPTIONS = (
    '{"actions": false, "renderer": "svg", "formatLocale": '
    '{"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", ""]}}'
)


@dataclass(frozen=True)
class Drawn:
    """One chart of a page.

    Attributes:
        name: Its anchor, without spaces.
        title: What it shows.
        says: What to see in it, and how to read it.
        spec: The Vega-Lite chart; None where there was nothing to draw.
    """

    name: str
    title: Words
    says: Words
    spec: dict[str, Any] | None


def make_page(title: Words, charts: Sequence[Drawn], result: str = "") -> str:
    """Returns a page with charts; each text is in Vietnamese, then in English.

    Args:
        title: Title of the page.
        charts: The charts, in order.
        result: HTML that comes before the charts: what was found, in numbers.
    """
    style = files("etl.report.charts").joinpath("charts.css").read_text("utf-8")
    sections = "".join(map(_section, charts))
    specs = {f"chart-{chart.name}": chart.spec for chart in charts if chart.spec}
    return (
        '<!DOCTYPE html>\n<html lang="vi"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>doisoat: {in_html(title.en)}</title><style>{style}</style></head>"
        f"<body><main><h1>{both(title)}</h1>{result}{sections}{draw(specs)}</main></body></html>\n"
    )


def draw(specs: Mapping[str, dict[str, Any]]) -> str:
    """Returns the chart libraries, and a script that draws each chart into its element."""
    if not specs:
        return ""
    from splink.internals import html_utils

    sources = html_utils.load_chart_libraries()  # type: ignore[no-untyped-call]
    libraries = "".join(f"<script>{source}</script>" for source in sources.values())
    draws = ""
    for name, spec in specs.items():
        # Escaped, so that no value can end the script.
        safe = html_utils.json_for_html(spec)  # type: ignore[no-untyped-call]
        draws += f"vegaEmbed('#{name}', {safe}, {_OPTIONS});"
    return f"{libraries}<script>{draws}</script>"


def plain_spec(chart: Any) -> dict[str, Any]:
    """Returns an Altair chart as Vega-Lite, in the page's font, without the URL of its schema."""
    font = "system-ui, 'Noto Sans', sans-serif"
    sized = (
        chart.configure(font=font, view={"stroke": None})
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
        .configure_legend(
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal", labelLimit=400
        )
        .configure_text(fontSize=12)
        .configure_title(fontSize=13, fontWeight="normal", anchor="start")
    )
    spec: dict[str, Any] = sized.to_dict()
    del spec["$schema"]
    return spec


_WIDE = (
    '<p class="wide">Vuốt ngang để xem hết biểu đồ. '
    '<span class="en" lang="en">Swipe sideways to see all of the chart.</span></p>'
)
"""Shown on screens that are narrower than a chart."""


def _section(chart: Drawn) -> str:
    drawn = (
        f'{_WIDE}<div class="chart" id="chart-{chart.name}"></div>'
        if chart.spec
        else '<p class="none">Không có gì để vẽ. <span class="en" lang="en">Nothing to draw.</span>'
    )
    return (
        f'<section id="{chart.name}"><h2>{both(chart.title)}</h2>'
        f"<p>{both(chart.says)}</p>{drawn}</section>"
    )


def both(words: Words) -> str:
    """Returns a text in both languages, Vietnamese first, as HTML."""
    return f'{in_html(words.vi)} <span class="en" lang="en">{in_html(words.en)}</span>'
