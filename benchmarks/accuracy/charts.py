"""Precision and recall of the probabilistic step against its threshold, as one page.

Belongs here: what is drawn of judged registers, and drawing it. Does not belong here: the query
that finds it (``weighed.sql``) and the page (``etl/report/charts/page.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from etl.domain.words import Words, count
from etl.report.charts.drawing import log_odds, odds_axis, threshold_marks
from etl.report.charts.page import Drawn, make_page, plain_spec
from etl.settings import Reconcile

_SWEEP = """
with tried as (
    select unnest(range(-60, 68)) / 10.0 as odds
)

select
    tried.odds,
    count(*) filter (p >= needed) as links,
    count(*) filter (p >= needed and is_right) as linked_right,
    count(*) filter (has_citizen) as citizens
from (select *, coalesce(match_probability, 0) as p from read_parquet($files)) as weighed
cross join (select odds, 1 / (1 + pow(10, -odds)) as needed from tried) as tried
group by tried.odds
order by tried.odds
"""

_REACHED = """
select
    count(*) filter (is_linked),
    count(*) filter (is_linked_right),
    count(*) filter (has_citizen),
    count(*)
from read_parquet($files)
"""

_COLOURS = {"precision": "#1f4e79", "recall": "#c26a0a"}
_NAMES = {"precision": "độ chính xác · precision", "recall": "độ bao phủ · recall"}


def write(folder: Path, name: str, title: str, weighed: Sequence[Path]) -> Path:
    """Draws the sweep over all seeds together.

    Args:
        folder: Where the page goes; it is made if it is missing.
        name: The page's name.
        title: Which registers.
        weighed: What ``weighed.sql`` returned: a Parquet file for each seed.

    Returns:
        The page.
    """
    files = {"files": [str(file) for file in weighed]}
    with duckdb.connect() as connection:
        sweep = connection.execute(_SWEEP, files).fetchall()
        reached = connection.execute(_REACHED, files).fetchall()[0]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.html"
    page = make_page(Words(title, title), [_drawn(sweep, *reached)])
    file.write_text(page, encoding="utf-8")
    return file


def _drawn(
    sweep: Sequence[tuple[Any, ...]], links: int, right: int, citizens: int, records: int
) -> Drawn:
    many, true, made, wrong = map(count, (records, citizens, links, links - right))
    return Drawn(
        "threshold",
        Words(
            "Nâng ngưỡng thì ít ghép sai hơn nhưng bỏ sót nhiều hơn",
            "A higher threshold makes fewer wrong links, and misses more",
        ),
        Words(
            f"{many.vi} hồ sơ đến bước cân nhắc bằng chứng, {true.vi} trong số đó có công dân "
            "thật. Đường liền: nếu chỉ dựa vào khả năng. Hình thoi: kết quả thật của bước này, vì "
            f"còn các điều kiện khác ({made.vi} liên kết, {wrong.vi} sai).",
            f"{many.en} records reach the probabilistic step, {true.en} of them have a true "
            "citizen. Lines: if the probability alone decided. Diamonds: what the step, which asks "
            f"for more than that, really did ({made.en} links, {wrong.en} of them wrong).",
        ),
        plain_spec(_chart(sweep, links, right, citizens)) if citizens else None,
    )


def _chart(sweep: Sequence[tuple[Any, ...]], links: int, right: int, citizens: int) -> Any:
    import altair as alt

    settings = Reconcile()
    lines = [
        {"odds": odds, "precision": good / made if made else None, "recall": good / all_of_them,
         "links": made, "wrong": made - good}
        for odds, made, good, all_of_them in sweep
    ]  # fmt: skip
    done = {
        "odds": log_odds(1 - settings.wrong_links_per_million / 1e6),
        "precision": right / links if links else None,
        "recall": right / citizens,
        "links": links,
        "wrong": links - right,
    }
    marks = threshold_marks(settings.wrong_links_per_million, settings.review_probability)

    def panel(measure: str) -> Any:
        y = alt.Y(f"{measure}:Q", title=_NAMES[measure], scale=alt.Scale(zero=False, nice=True),
                  axis=alt.Axis(format=".1%"))  # fmt: skip
        tooltip = [
            alt.Tooltip(f"{measure}:Q", title=_NAMES[measure], format=".3%"),
            alt.Tooltip("links:Q", title="liên kết · links", format=",d"),
            alt.Tooltip("wrong:Q", title="sai · wrong", format=",d"),
        ]
        x = odds_axis("odds", "ngưỡng · threshold")
        line = (
            alt.Chart(alt.InlineData(values=lines))
            .mark_line(interpolate="step-before", strokeWidth=2.5, color=_COLOURS[measure])
            .encode(x=x, y=y, tooltip=tooltip)
        )
        real = (
            alt.Chart(alt.InlineData(values=[done]))
            .mark_point(shape="diamond", size=140, filled=True, color=_COLOURS[measure])
            .encode(x="odds:Q", y=y, tooltip=tooltip)
        )
        return alt.layer(line, *marks, real).properties(width=900, height=210)

    return alt.vconcat(panel("precision"), panel("recall"), spacing=30)
