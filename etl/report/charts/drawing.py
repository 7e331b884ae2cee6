"""The charts of a run, in Vega-Lite.

Belongs here: what is drawn and how it looks. Does not belong here: reading counts (``counts.py``),
and the page around the charts (``page.py``).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from etl.domain.codes import ALL, MISMATCH_CODES, STEP_LABELS, UNKNOWN_PROVINCE
from etl.domain.words import Words, count, share
from etl.report.charts.counts import BIN, FARTHEST, Counts, Row
from etl.report.charts.page import Drawn, plain_spec

TOO_FEW = 5
"""Where fewer records of a province have a code, and fewer are expected to, the cell is grey: such
small numbers show nothing."""

_HEAT = ("#2166ac", "#92c5de", "#f7f3ea", "#f4a582", "#b2401c")
"""Colours from a quarter of the country's share to four times that share."""

_STEPS = {label.code: Words(label.vi, label.en) for label in STEP_LABELS}

# Blue: linked by a number. Green: linked without one. Purple: a person decided. Warm: not linked.
_OUTCOMES = (
    ("personal_id", _STEPS["personal_id"], "#1f4e79"),
    ("former_id", _STEPS["former_id"], "#4a86c5"),
    ("repaired_id", _STEPS["repaired_id"], "#9cc3e6"),
    ("demographic", _STEPS["demographic"], "#1b7f6b"),
    ("probabilistic", _STEPS["probabilistic"], "#7cc7a8"),
    ("steward", _STEPS["steward"], "#7a5195"),
    ("review", Words("Chờ người xem xét", "For a person to review"), "#f2a541"),
    ("not_found", Words("Không tìm thấy", "Not found"), "#c0392b"),
)
_NAMES = {name: f"{words.vi} · {words.en}" for name, words, _ in _OUTCOMES}


def run_charts(counts: Counts) -> list[Drawn]:
    """Returns the charts of a run."""
    return [waterfall(counts), probabilities(counts), mismatches(counts)]


def _colours(outcomes: Sequence[str], offset: int = 18) -> Any:
    """The colour scale: each outcome has a fixed colour, and the legend shows those that occur."""
    import altair as alt

    chosen = [(name, colour) for name, _, colour in _OUTCOMES if name in outcomes]
    return alt.Color(
        "outcome:N",
        title=None,
        scale=alt.Scale(
            domain=[_NAMES[name] for name, _ in chosen], range=[colour for _, colour in chosen]
        ),
        legend=alt.Legend(orient="top", columns=3, symbolType="square", offset=offset),
    )


def _values(rows: Sequence[Row]) -> Any:
    import altair as alt

    return alt.InlineData(values=list(rows))


# --- the waterfall -----------------------------------------------------------------------------


def waterfall(counts: Counts) -> Drawn:
    """What became of the records of each province: how many, and the share not settled at once."""
    rows = list(_fates(counts))
    return Drawn(
        "waterfall",
        Words(
            "Mỗi tỉnh có bao nhiêu hồ sơ, và bước nào đã ghép chúng",
            "How many records each province has, and which step linked them",
        ),
        _waterfall_says(rows),
        plain_spec(_waterfall_chart(rows)) if rows else None,
    )


def _fates(counts: Counts) -> Iterator[Row]:
    """One row per province and outcome that occurs there."""
    for province, name in counts.provinces.items():
        steps = [row for row in counts.steps if row["province_code"] == province]
        if not steps:
            continue
        found: Counter[str] = Counter({row["match_step"]: row["linked"] for row in steps})
        found["review"] = sum(row["to_review"] for row in steps)
        records = steps[0]["came_in"]
        found["not_found"] = records - found.total()
        for rank, (outcome, _, _) in enumerate(_OUTCOMES):
            if found[outcome]:
                yield {
                    "province": name, "records": records, "outcome": _NAMES[outcome],
                    "code": outcome, "rank": rank, "count": found[outcome],
                    "share": found[outcome] / records,
                }  # fmt: skip


def _waterfall_says(rows: Sequence[Row]) -> Words:
    total = sum(row["count"] for row in rows)
    if not total:
        return Words("Chưa có hồ sơ nào.", "There is no record.")

    def of(outcome: str) -> Words:
        return share(sum(row["count"] for row in rows if row["code"] == outcome), total)

    many, at_once, review, lost = count(total), of("personal_id"), of("review"), of("not_found")
    return Words(
        f"{many.vi} hồ sơ dùng được: {at_once.vi} khớp ngay bằng số định danh, {review.vi} chờ "
        f"người xem xét, {lost.vi} không tìm thấy. Bên phải là phần mà số định danh không "
        "ghép được ngay: cam và đỏ chưa có ai. Hồ sơ đã ghép cũng có thể lệch thông tin: xem số "
        "liệu ở đầu trang và biểu đồ cuối.",
        f"{many.en} usable records: {at_once.en} linked at once by the personal number, "
        f"{review.en} for a person to review, {lost.en} not found. On the right, what the "
        "personal number did not link at once: orange and red have no citizen yet. Linked records "
        "may be in mismatch, too: see the figures above and the last chart.",
    )


def _waterfall_chart(rows: Sequence[Row]) -> Any:
    import altair as alt

    sizes = {row["province"]: row["records"] for row in rows}
    order = sorted(sizes, key=lambda name: (_is_unknown(name), -sizes[name], name))
    tooltip = [
        alt.Tooltip("province:N", title="Tỉnh"), alt.Tooltip("outcome:N", title="Kết quả"),
        alt.Tooltip("count:Q", title="Hồ sơ", format=",d"),
        alt.Tooltip("share:Q", title="Tỷ lệ", format=".2%"),
    ]  # fmt: skip
    colour = _colours([row["code"] for row in rows])

    def bars(part: Sequence[Row], field: str, title: str, form: str, *, labelled: bool) -> Any:
        axis = alt.Axis(labelLimit=150, ticks=False, domain=False) if labelled else None
        return (
            alt.Chart(_values(part))
            .mark_bar()
            .encode(
                y=alt.Y("province:N", sort=order, title=None, axis=axis,
                        scale=alt.Scale(domain=order)),
                x=alt.X(f"{field}:Q", title=title, stack=True,
                        axis=alt.Axis(format=form, orient="top", tickCount=5)),
                color=colour, order=alt.Order("rank:Q"), tooltip=tooltip,
            )
            .properties(width=540, height=alt.Step(19))
        )  # fmt: skip

    rest = [row for row in rows if row["code"] != "personal_id"]
    return alt.hconcat(
        bars(rows, "count", "số hồ sơ · records", ",d", labelled=True),
        bars(rest, "share", "phần không khớp ngay bằng số định danh · share not linked at once",
             "~%", labelled=False),
    ).resolve_scale(color="shared")  # fmt: skip


# --- the probabilities -------------------------------------------------------------------------


def probabilities(counts: Counts) -> Drawn:
    """How probable the best citizen of each weighed record is, with the two thresholds."""
    allowed = count(round(counts.wrong_links_per_million))
    review = f"{counts.review_probability * 100:g}%"
    weighed = count(sum(row["records"] for row in counts.probabilities))
    return Drawn(
        "probabilities",
        Words(
            "Bước cân nhắc bằng chứng: hồ sơ dồn về hai đầu thì ngưỡng dễ đặt",
            "Weighing evidence: the records should lie at the two ends, away from the thresholds",
        ),
        Words(
            f"{weighed.vi} hồ sơ mà các bước trước để lại và có công dân gần giống, xếp theo khả "
            f"năng của công dân giống nhất. Bên phải ngưỡng ghép: sai dưới {allowed.vi} trên một "
            f"triệu. Từ {review} trở lên mà chưa đủ để ghép, hoặc có điều gì khác không ổn, thì "
            "một người xem xét.",
            f"{weighed.en} records that the other steps left and that some citizen is near, by how "
            f"probable the nearest citizen is. Right of the link threshold fewer than {allowed.en} "
            f"in a million are expected to be wrong. From {review} on, where that does not suffice "
            "or something else is odd, a person reviews.",
        ),
        plain_spec(_probability_chart(counts)) if counts.probabilities else None,
    )


def _probability_chart(counts: Counts) -> Any:
    import altair as alt

    rows = [
        {
            "from": row["start"], "to": row["start"] + BIN, "records": row["records"],
            "outcome": _NAMES[row["outcome"]], "code": row["outcome"],
            "between": _between(row["start"]),
            "rank": [name for name, _, _ in _OUTCOMES].index(row["outcome"]),
        }
        for row in counts.probabilities
    ]  # fmt: skip
    bars = (
        alt.Chart(_values(rows))
        .mark_bar(stroke="#fff", strokeWidth=0.5)
        .encode(
            x=odds_axis("from", "khả năng là cùng một người · chance of being the same person"),
            x2="to:Q",
            y=alt.Y("records:Q", title="số hồ sơ · records", stack=True,
                    axis=alt.Axis(format=",d", tickMinStep=1)),
            color=_colours([row["code"] for row in rows], offset=28),  # for the lines' names
            order=alt.Order("rank:Q"),
            tooltip=[alt.Tooltip("between:N", title="Khả năng"),
                     alt.Tooltip("outcome:N", title="Kết quả"),
                     alt.Tooltip("records:Q", title="Hồ sơ", format=",d")],
        )
    )  # fmt: skip
    return alt.layer(bars, *threshold_marks(counts.wrong_links_per_million,
                                            counts.review_probability)).properties(
        width=900, height=320
    )  # fmt: skip


def odds_axis(field: str, title: str) -> Any:
    """A horizontal axis of odds, in powers of ten, that is labelled with probabilities."""
    import altair as alt

    ticks = list(range(-6, 7, 2))
    words = json.dumps({str(tick): _chance(tick) for tick in ticks}, ensure_ascii=False)
    return alt.X(
        f"{field}:Q",
        title=title,
        scale=alt.Scale(domain=[-FARTHEST, FARTHEST], nice=False),
        axis=alt.Axis(values=ticks, labelExpr=f"({words})[datum.value]", grid=True),
    )


def threshold_marks(wrong_links_per_million: float, review_probability: float) -> list[Any]:
    """Two lines with names: from where on a person reviews, and from where on links are made."""
    import altair as alt

    needed = 1 - wrong_links_per_million / 1e6
    marks = [
        {"at": log_odds(at), "label": f"{name} ≥ {at * 100:.6g}%".replace(".", ",")}
        for at, name in ((review_probability, "xem xét · review"), (needed, "ghép · link"))
    ]
    base = alt.Chart(_values(marks)).encode(x="at:Q")
    return [
        base.mark_rule(strokeDash=[5, 4], strokeWidth=1.5, color="#333"),
        base.mark_text(baseline="bottom", dy=-4, color="#333").encode(
            y=alt.value(0), text="label:N"
        ),
    ]


def log_odds(probability: float) -> float:
    """Returns the logarithm, to base ten, of a probability's odds."""
    kept = min(max(probability, 1e-12), 1 - 1e-12)
    return math.log10(kept / (1 - kept))


def _between(start: float) -> str:
    """Writes the range of a bar; the outermost bars include all that lies beyond them."""
    if start <= -FARTHEST:
        return f"< {_chance(start + BIN)}"
    if start >= FARTHEST - BIN:
        return f"> {_chance(start)}"
    return f"{_chance(start)} – {_chance(start + BIN)}"


def _chance(odds: float) -> str:
    """Writes odds of ten to some power as a probability: 1/10.000, 1%, 50%, 99,99%."""
    if odds <= -3:
        return f"1/{count(round(10**-odds)).vi}"
    probability = 1 / (1 + 10**-odds)
    digits = max(0, math.ceil(abs(odds)) - 1)
    shown = f"{probability * 100:.{digits}f}"
    return f"{shown.rstrip('0').rstrip('.') if '.' in shown else shown}%".replace(".", ",")


# --- the mismatches ----------------------------------------------------------------------------


def mismatches(counts: Counts) -> Drawn:
    """Where each mismatch is commoner or rarer than in the whole country."""
    return Drawn(
        "mismatches",
        Words(
            "Loại lệch nào gặp ở tỉnh nào nhiều hơn cả nước",
            "Where each mismatch is commoner than in the whole country",
        ),
        Words(
            "Cam: nhiều hơn mức chung của cả nước (cột đầu), đậm nhất từ 4 lần; xanh: ít hơn. "
            f"Ô xám: dưới {TOO_FEW} hồ sơ, chưa nói lên điều gì. Một ô cam là một cách làm cần "
            "xem lại ở tỉnh đó, không phải lỗi của từng người.",
            "Orange: commoner than in the whole country (first column), darkest from 4 times on; "
            f"blue: rarer. Grey: fewer than {TOO_FEW} records, which says nothing. An orange cell "
            "is a practice to be looked at in that province, not one person's error.",
        ),
        plain_spec(_mismatch_chart(counts)) if counts.mismatches else None,
    )


def _cells(counts: Counts) -> Iterator[Row]:
    """One row per province and code that occurs, with how much commoner the code is there."""
    found = {(row["code"], row["province_code"]): row for row in counts.mismatches}
    for code in MISMATCH_CODES:
        everywhere = found.get((code.code, ALL))
        if not everywhere:
            continue
        usual = everywhere["mismatches"] / everywhere["records"]
        for province, records in counts.records.items():
            if province == ALL:
                continue
            here = found.get((code.code, province), {"mismatches": 0})["mismatches"]
            ratio = here / records / usual
            yield {
                "code": code.code, "label": f"{code.vi} · {code.code}", "en": code.en,
                "province": _short(counts.provinces.get(province, province)),
                "count": here, "share": here / records, "usual": usual, "times": ratio,
                "few": max(here, usual * records) < TOO_FEW,
                "heat": min(max(math.log2(max(ratio, 0.01)), -2.0), 2.0),
            }  # fmt: skip


def _short(name: str) -> str:
    return "(không rõ)" if _is_unknown(name) else name


def _is_unknown(province: str) -> bool:
    return province.startswith("(")


def _mismatch_chart(counts: Counts) -> Any:
    import altair as alt

    rows = list(_cells(counts))
    labels = list(dict.fromkeys(row["label"] for row in rows))
    sizes = {_short(counts.provinces.get(code, code)): (code == UNKNOWN_PROVINCE, -number)
             for code, number in counts.records.items() if code != ALL}  # fmt: skip
    y = alt.Y("label:N", sort=labels, title=None,
              axis=alt.Axis(labelLimit=560, ticks=False, domain=False))  # fmt: skip
    usual = (
        alt.Chart(_values([{"label": label, "usual": next(
            row["usual"] for row in rows if row["label"] == label)} for label in labels]))
        .mark_text(align="right", dx=24)
        .encode(y=y, text=alt.Text("usual:Q", format=".2%"))
        .properties(width=56, height=alt.Step(21), title=alt.TitleParams("cả nước", anchor="end"))
    )  # fmt: skip
    base = alt.Chart(_values(rows)).encode(
        y=alt.Y("label:N", sort=labels, axis=None),
        x=alt.X("province:N", sort=sorted(sizes, key=lambda name: sizes[name]), title=None,
                axis=alt.Axis(orient="top", labelAngle=-55, ticks=False, domain=False)),
        tooltip=[alt.Tooltip("province:N", title="Tỉnh"), alt.Tooltip("code:N", title="Mã"),
                 alt.Tooltip("en:N", title="·"),
                 alt.Tooltip("count:Q", title="Hồ sơ", format=",d"),
                 alt.Tooltip("share:Q", title="Tỷ lệ", format=".2%"),
                 alt.Tooltip("usual:Q", title="Cả nước", format=".2%"),
                 alt.Tooltip("times:Q", title="So với cả nước, lần", format=".2f")],
    )  # fmt: skip
    heat = base.mark_rect(stroke="#fff").encode(
        color=alt.condition(
            "datum.few",
            alt.value("#ececec"),
            alt.Color(
                "heat:Q", title="so với cả nước · compared with the country",
                scale=alt.Scale(domain=[-2, -1, 0, 1, 2], range=list(_HEAT), interpolate="rgb"),
                legend=alt.Legend(
                    orient="bottom", titleLimit=420, gradientLength=320, values=[-2, -1, 0, 1, 2],
                    labelExpr="({'-2': '1/4', '-1': '1/2', '0': '1', '1': '2 lần', "
                              "'2': '4 lần'})[datum.value]",
                ),
            ),
        )
    ).properties(width=alt.Step(19), height=alt.Step(21))  # fmt: skip
    return alt.hconcat(usual, heat, spacing=4)
