"""The words of a message: what happened, what it means, and what to do next.

Belongs here: turning news into a subject and plain text. Subjects are in both languages, Vietnamese
first, like meanings on the command line. Does not belong here: personal data and record keys. A
message leaves the organisation, so it holds only counts, names of tables and rules, and commands.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from etl.alerts.incidents import CheckReport, News, Report
from etl.alerts.memory import Letter
from etl.settings import Settings

LISTED = 10
"""How many checks one message tells of in full."""

_RECENT = timedelta(days=1)
_PUBLISHING = ("full_sync", "delta_sync")


def letter(settings: Settings, news: News) -> Letter:
    """Writes the message about one run."""
    kind, title = _subject(news)
    body = "\n\n".join(part for part in _parts(settings, news) if part)
    return Letter(title=title, body=body, kind=kind, written=news.report.ended)


def test_letter(settings: Settings) -> Letter:
    """Writes the test message, which only shows that messages arrive."""
    body = "\n\n".join(
        (
            "This is how alerts of doisoat arrive. Nothing has happened; nothing is to be done.",
            f"The Dagster UI, where links will lead: {settings.alerts.ui_url}",
            _origin(settings),
        )
    )
    return Letter(
        title="doisoat: tin thử · test message",
        body=body,
        kind="info",
        written=datetime.now(UTC),
    )


def damage_letter(settings: Settings, set_aside: Path) -> Letter:
    """Writes the message that the memory was lost, so that old failures are told as new."""
    body = "\n\n".join(
        (
            "The record of earlier alerts was damaged, for example by a power cut or a full disk, "
            "and starts empty. So current failures are sent again as new, messages that were not "
            "yet delivered are lost, and of the runs that have ended since only the last is told.",
            f"The damaged file: {set_aside}. It is not needed; check the disk that it is on.",
            _origin(settings),
        )
    )
    return Letter(
        title="doisoat: mất danh sách tin đã gửi · record of earlier alerts lost",
        body=body,
        kind="warning",
        written=datetime.now(UTC),
    )


def _subject(news: News) -> tuple[str, str]:
    """Returns the kind and the subject of a message; the most serious news decides."""
    anew = [*news.new, *(check for check, _ in news.worse)]
    errors = sum(check.error for check in anew)
    warnings = len(anew) - errors
    if news.reminder:
        return _reminder(news)
    if news.failed:
        return "failure", _of_failure(news)
    if errors:
        all_the_same = ", published all the same" * bool(news.report.published)
        return "failure", f"doisoat: lỗi mới · {_counted(errors, 'error', news)}{all_the_same}"
    if warnings and not news.run_recovered:
        return "warning", f"doisoat: cảnh báo mới · {_counted(warnings, 'warning', news)}"
    but = f", {_counted(warnings, 'warning', news)}" if warnings else ""
    return "success", f"doisoat: đã khắc phục · recovered{but}"


def _reminder(news: News) -> tuple[str, str]:
    if news.failed:
        return "failure", "doisoat: đồng bộ vẫn thất bại · still failing"
    return "warning", f"doisoat: chưa khắc phục · {_many(len(news.still), 'check')} still failing"


def _of_failure(news: News) -> str:
    if news.report.job not in _PUBLISHING:
        return f"doisoat: thất bại · {news.report.job} failed"
    if news.report.published:
        return "doisoat: đồng bộ lỗi sau khi công bố · sync failed after it had published"
    if news.report.published is None:
        return "doisoat: đồng bộ thất bại · sync failed, perhaps after it had published"
    return "doisoat: đồng bộ thất bại · sync failed, nothing was published"


def _parts(settings: Settings, news: News) -> Iterator[str]:
    yield _what_happened(settings, news)
    yield _link(settings, news.report)
    yield _anew(settings, news)
    yield _grown(news)
    yield _going_on(settings, news)
    yield _mended(settings, news)
    if news.known:
        yield (
            f"Not listed here: {_many(news.known, 'acknowledged failure')}. doisoat triage lists "
            "all failures, and until when each is acknowledged."
        )
    yield _origin(settings)


def _what_happened(settings: Settings, news: News) -> str:
    report = news.report
    if news.failed:
        if not news.failed_since:
            return report.problem
        since = _day(settings, news.failed_since)
        return f"{report.problem}\nIt has failed for this reason since {since}."
    if report.cause:
        return "The run was stopped by checks that are acknowledged; nothing was published."
    if news.run_recovered:
        return f"The job {report.job} succeeds again."
    return "The sync was published." if report.published else f"The job {report.job} succeeded."


def _link(settings: Settings, report: Report) -> str:
    ended = settings.schedule.shown(report.ended)
    if not report.run_id:
        return f"Ended: {ended}, before a run could begin"
    return f"Run: {settings.alerts.ui_url.rstrip('/')}/runs/{report.run_id}\nEnded: {ended}"


def _anew(settings: Settings, news: News) -> str:
    """Describes new failures: those that stop the publish first, then errors, then warnings."""
    ordered = sorted(news.new, key=lambda c: (not c.blocking, not c.error, c.rule))
    if not ordered:
        return ""
    blocks = [_in_full(settings, check, news.report.ended) for check in ordered[:LISTED]]
    if len(ordered) > LISTED:
        blocks.append(f"… and {len(ordered) - LISTED} more: doisoat triage lists them all.")
    return "\n\n".join(["Newly failing:", *blocks])


def _in_full(settings: Settings, check: CheckReport, ended: datetime) -> str:
    weight = "error" if check.error else "warning"
    stops = ", stops the publish" if check.blocking else ""
    # The failure may be old: this may be the first message, or an acknowledgement has expired.
    old = check.since is not None and ended - check.since > _RECENT
    counted = check.share and f"{_rows(check.failed)}, {check.share:.2%} of the table"
    lines = [
        f"* {check.rule} ({weight}{stops})",
        f"  Seen: {counted or check.observed}",
        f"  Expected: {check.expected}",
        f"  Since: {_day(settings, check.since) if old else ''}",
        f"  Meaning: {check.meaning}",
        f"  Owner: {check.owner}",
        f"  Next: {check.next}",
    ]
    return "\n".join(line for line in lines if not line.endswith(": "))


def _grown(news: News) -> str:
    lines = [
        f"* {check.rule}: {_rows(check.failed)}, {told:,} before" for check, told in news.worse
    ]
    return "\n".join(["Got worse:", *lines]) if lines else ""


def _going_on(settings: Settings, news: News) -> str:
    lines = [
        f"* {rule} since {_day(settings, kept.since)}"
        for rule, kept in sorted(news.still.items(), key=lambda kept: not kept[1].error)
    ]
    return "\n".join(["Still failing:", *lines]) if lines else ""


def _mended(settings: Settings, news: News) -> str:
    lines = [
        f"* {rule}, failing since {_day(settings, since)}" for rule, since in news.recovered.items()
    ]
    return "\n".join(["Recovered:", *lines]) if lines else ""


def _origin(settings: Settings) -> str:
    """Says which installation sends the message."""
    return (
        f"Sent by doisoat on {socket.gethostname()}, configuration {settings.file}; target "
        f"{settings.target.shown}."
    )


def _day(settings: Settings, when: datetime | None) -> str:
    return f"{settings.schedule.local(when):%Y-%m-%d}" if when else ""


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}" + (" fail" if count != 1 else " fails")


def _counted(count: int, noun: str, news: News) -> str:
    return f"{_many(count, noun)} new or worse" if news.worse else _many(count, f"new {noun}")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
