"""What is news in a run: what newly fails, has got worse, still fails, or has recovered.

Belongs here: comparing a run with what was told before. Does not belong here: words
(``wording.py``) and where the memory is kept (``memory.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from etl.alerts.memory import Memory, OpenCheck, OpenRun

WORSE = 1.1
"""A check is told again if more rows fail than this many times the number last told."""

REMIND_AFTER = timedelta(days=7)
"""What still fails is told again after so long, because one mail is easily missed."""

GATE = "quality gate"
"""The cause of a run that blocking checks stopped; the reports of the checks say which."""


@dataclass(frozen=True)
class CheckReport:
    """How one check of a run went: counts and words, never a value.

    Attributes:
        rule: ``schema.table.check``.
        passed: Whether it holds.
        error: Whether it is an error; else it is a warning.
        blocking: Whether its failure stopped the publish.
        observed: What was seen.
        expected: What should be seen, with the reason for the number.
        failed: Rows that fail.
        share: Their share of the table.
        owner: Who can put it right, empty where nobody is named.
        meaning: Why it matters.
        next: The command that tells more, empty where there is none.
        since: Since when it fails.
        acknowledged_until: When its acknowledgement expires; None where there is none.
    """

    rule: str
    passed: bool
    error: bool = True
    blocking: bool = False
    observed: str = ""
    expected: str = ""
    failed: int = 0
    share: float = 0.0
    owner: str = ""
    meaning: str = ""
    next: str = ""
    since: datetime | None = None
    acknowledged_until: datetime | None = None


@dataclass(frozen=True)
class Report:
    """How one run ended.

    Attributes:
        run_id: Dagster's id; empty where no run could begin.
        job: Its job.
        ended: When.
        cause: Why it failed, in the same word for the same cause; empty where it succeeded.
        problem: Why it failed, in words for a person.
        published: Whether the target was written; None where only the target knows, and it could
            not be asked.
        checks: The checks that were made; those downstream of a failure were not.
    """

    run_id: str
    job: str
    ended: datetime
    cause: str = ""
    problem: str = ""
    published: bool | None = False
    checks: Sequence[CheckReport] = ()


@dataclass(frozen=True)
class News:
    """What people are to be told of one run.

    Attributes:
        report: The run.
        failed: Whether it failed for a reason that nobody has acknowledged.
        failed_since: Since when it has failed for that reason, if that was told before.
        run_recovered: Whether its job failed before and no longer does.
        new: Checks that newly fail.
        worse: Checks of which more rows fail than was told, each with the number told.
        still: Checks that still fail, as was told.
        recovered: Rules that hold again, with the time since which they had failed.
        known: How many failures are acknowledged.
        reminder: Whether it is told only because something still fails.
    """

    report: Report
    failed: bool = False
    failed_since: datetime | None = None
    run_recovered: bool = False
    new: Sequence[CheckReport] = ()
    worse: Sequence[tuple[CheckReport, int]] = ()
    still: Mapping[str, OpenCheck] = field(default_factory=dict)
    recovered: Mapping[str, datetime] = field(default_factory=dict)
    known: int = 0
    reminder: bool = False


def take_in(memory: Memory, report: Report) -> News | None:
    """Compares a run with the memory, and brings the memory up to date.

    Args:
        memory: What was told; it is changed.
        report: The run.

    Returns:
        What to tell, or None where nothing is new.
    """
    news, urgent = _compare(memory, report)
    overdue = memory.told_at is None or report.ended - memory.told_at >= REMIND_AFTER
    reminder = not urgent and overdue and bool(news.failed or news.still)
    _remember(memory, news)
    if not (urgent or reminder):
        return None
    memory.told_at = report.ended
    for check, _ in news.worse:
        memory.checks[check.rule].failed = check.failed
    return News(**{**vars(news), "reminder": reminder})


def _compare(memory: Memory, report: Report) -> tuple[News, bool]:
    """Returns what there is to say, and whether any of it is new."""
    failing = [check for check in report.checks if not check.passed]
    alive = [check for check in failing if check.acknowledged_until is None]
    new = [check for check in alive if check.rule not in memory.checks]
    worse = [
        (check, memory.checks[check.rule].failed)
        for check in alive
        if check.rule in memory.checks and check.failed > WORSE * memory.checks[check.rule].failed
    ]
    failed = _has_failed(report, alive)
    before = memory.runs.get(report.job)
    again = failed and before is not None and before.cause == report.cause
    told_apart = {check.rule for check in (*new, *(check for check, _ in worse))}
    settled = {check.rule for check in report.checks} - {check.rule for check in alive}
    recovered = {
        check.rule: memory.checks[check.rule].since
        for check in report.checks
        if check.passed and check.rule in memory.checks
    }
    news = News(
        report,
        failed=failed,
        failed_since=before.since if again and before else None,
        run_recovered=not report.cause and before is not None,
        new=new,
        worse=worse,
        # A job without checks does not say whether checks still fail.
        still={
            rule: kept
            for rule, kept in memory.checks.items()
            if report.checks and rule not in told_apart | settled
        },
        recovered=recovered,
        known=len(failing) - len(alive),
    )
    urgent = bool(new or worse or recovered or news.run_recovered or (failed and not again))
    return news, urgent


def _has_failed(report: Report, alive: Sequence[CheckReport]) -> bool:
    """Says whether a run failed for a reason that is not acknowledged."""
    if report.cause != GATE:
        return bool(report.cause)
    return any(check.blocking for check in alive)


def _remember(memory: Memory, news: News) -> None:
    """Remembers what fails; a check that the run did not make stays as it was.

    An acknowledged check is forgotten, so that it is told as new when its acknowledgement has
    expired.
    """
    report = news.report
    if report.checks and not report.cause:
        # A run that succeeded makes every check: one that it did not make no longer exists.
        made = {check.rule for check in report.checks}
        memory.checks = {rule: kept for rule, kept in memory.checks.items() if rule in made}
    for check in report.checks:
        before = memory.checks.pop(check.rule, None)
        if not check.passed and check.acknowledged_until is None:
            memory.checks[check.rule] = OpenCheck(
                since=check.since or (before.since if before else report.ended),
                # The fewest since it was told: a rise from there counts as worse.
                failed=min(check.failed, before.failed) if before else check.failed,
                error=check.error,
            )
    if news.failed:
        memory.runs[report.job] = OpenRun(
            cause=report.cause, since=news.failed_since or report.ended
        )
    elif not report.cause:
        memory.runs.pop(report.job, None)
