"""The result of a run in numbers, at the head of the page of charts.

Belongs here: how many records have each status, what people must do about them, and when the run
was. Does not belong here: charts (``drawing.py``) and the page (``page.py``).
"""

from __future__ import annotations

from datetime import datetime

from etl.domain.codes import Status, labels
from etl.domain.showing import in_html
from etl.domain.words import Words, count, share
from etl.report.charts.counts import Counts
from etl.report.charts.page import both
from etl.settings import Schedule

TITLE = Words(
    "Kết quả đối soát bảo hiểm với dân cư",
    "The insurance register beside the population register",
)

_ASKS = {
    Status.VERIFIED: Words("không phải làm gì", "nothing to do"),
    Status.MISMATCH: Words(
        "đã biết là ai; phải sửa dữ liệu", "the citizen is known; data must be corrected"
    ),
    Status.REVIEW: Words("một người phải chọn công dân", "a person must choose the citizen"),
    Status.NOT_FOUND: Words(
        "không có trong dân cư; phải xác minh", "not in the population register; to be looked into"
    ),
    Status.REJECTED: Words(
        "thiếu dữ liệu để so; phải bổ sung", "nothing usable to compare; must be completed"
    ),
}
"""What people must do about records of each status."""


def result(counts: Counts, schedule: Schedule) -> str:
    """Returns the section with the result, as HTML.

    Args:
        counts: The counts of the run.
        schedule: Has the time zone in which times are shown.
    """
    total = sum(counts.statuses.values())
    lines = "".join(_line(status, records, total) for status, records in counts.statuses.items())
    return (
        f'<section id="result"><p class="when">{both(_when(counts, schedule))}</p>'
        f"<h2>{both(_says(counts.statuses, total))}</h2><ul>{lines}</ul></section>"
    )


def _when(counts: Counts, schedule: Schedule) -> Words:
    at: datetime = schedule.local(counts.started_at)
    return Words(
        f"Ngày {at:%d/%m/%Y}, {at:%H:%M %Z} · lần chạy {counts.run_id}",
        f"{at:%Y-%m-%d, %H:%M %Z} · run {counts.run_id}",
    )


def _says(statuses: dict[str, int], total: int) -> Words:
    if not total:
        return Words("Chưa có hồ sơ nào.", "There is no record.")
    whole, work = count(total), count(total - statuses[Status.VERIFIED])
    part = share(total - statuses[Status.VERIFIED], total)
    return Words(
        f"{whole.vi} hồ sơ bảo hiểm: {work.vi} ({part.vi}) còn việc phải làm",
        f"{whole.en} insurance records: {work.en} ({part.en}) are work to do",
    )


def _line(status: str, records: int, total: int) -> str:
    label, asks = labels()[status], _ASKS[Status(status)]
    name = Words(label.vi, label.en.partition(":")[0])
    many, part = count(records), share(records, total)
    width = 100 * records / total if total else 0
    return (
        f'<li class="{in_html(status)}"><div class="name">{both(name)}</div>'
        f'<div class="many">{many.vi}<small>{part.vi}</small></div>'
        f'<div class="bar"><i style="width:{width:.2f}%"></i></div>'
        f'<div class="asks">{both(asks)}</div></li>'
    )
