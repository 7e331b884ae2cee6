"""Telling people what is new of the runs that have ended, once.

Belongs here: the order of the work: look, write, send, remember. Does not belong here: each of
these (the modules beside this one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etl.alerts.incidents import Report, take_in
from etl.alerts.memory import Memory, remembering
from etl.alerts.sending import Sent, send
from etl.alerts.wording import damage_letter, letter, test_letter
from etl.domain.errors import AlertError, ConfigError
from etl.settings import Settings

GIVE_UP = timedelta(days=3)
"""After so long a message that reached nobody is no longer news."""

OVERLAP = timedelta(hours=1)
"""How long after the end of the last run others are still looked for that ended before it."""

Ended = Callable[[datetime | None, Mapping[str, datetime]], Iterable[Report]]
"""Finds runs that have ended: since when, and those that were looked at; oldest first."""


@dataclass(frozen=True)
class Told:
    """What a look came to.

    Attributes:
        runs: How many runs were looked at.
        messages: How many messages everybody has now.
        busy: Whether another process was at it, so that nothing was done.
    """

    runs: int = 0
    messages: int = 0
    busy: bool = False


def tell(settings: Settings, ended: Ended) -> Told:
    """Looks at the runs that ended since the last look and tells what is new of them.

    What could not be sent is kept and sent at the next call, to whom it did not reach.

    Args:
        settings: Who is told, and where the memory is.
        ended: Finds the runs.

    Raises:
        AlertError: A receiver was not reached.
    """
    if not settings.alerts.urls:
        return Told()
    with remembering(settings.home) as memory:
        if memory is None:
            return Told(busy=True)
        if memory.set_aside:
            begun_anew = damage_letter(settings, memory.set_aside)
            begun_anew.to = list(_receivers(settings))
            memory.letters.append(begun_anew)
            memory.save()
        reports = list(ended(_since(memory), memory.seen))
        for report in reports:
            _take(settings, memory, report)
        sent = _deliver(settings, memory)
        return Told(len(reports), sent)


def _since(memory: Memory) -> datetime | None:
    """Returns from when on ended runs are looked for; None at the very first look."""
    if memory.began is None:
        return None
    return max([memory.began, *(end - OVERLAP for end in memory.seen.values())])


def _take(settings: Settings, memory: Memory, report: Report) -> None:
    """Writes what is new of a run, and remembers both before anything is sent."""
    news = take_in(memory, report)
    if news is not None:
        written = letter(settings, news)
        written.to = list(_receivers(settings))
        memory.letters.append(written)
    memory.began = memory.began or report.ended
    memory.seen[report.run_id or f"none, {report.ended:%Y-%m-%dT%H:%M:%S}"] = report.ended
    last = max(memory.seen.values())
    memory.seen = {run: end for run, end in memory.seen.items() if end >= last - OVERLAP}
    memory.save()


def _deliver(settings: Settings, memory: Memory) -> int:
    """Sends what waits, oldest first, and returns how many messages everybody has now."""
    receivers = _receivers(settings)
    missed: dict[int, Sent] = {}
    done = 0
    now = datetime.now(UTC)
    for waiting in list(memory.letters):
        # One that did not answer is not kept waiting for with every message.
        urls = {n: receivers[n] for n in waiting.to if n in receivers and n not in missed}
        answers = send(urls, waiting.title, waiting.body, waiting.kind)
        missed |= {number: sent for number, sent in answers.items() if not sent.reached}
        waiting.to = [n for n in waiting.to if n in missed]
        done += not waiting.to
        if not waiting.to or now - waiting.written > GIVE_UP:
            memory.letters.remove(waiting)
        memory.save()
    if missed:
        raise AlertError(
            f"{_named(missed)} of [alerts] urls did not take the message.",
            where=str(settings.file),
            remedy="It is sent again with the next look (the sensor 'alerts', or the next sync); "
            "'doisoat alerts --test' tells why.",
        )
    return done


def say_test(settings: Settings) -> dict[int, Sent]:
    """Sends a test message to every receiver and returns how each took it.

    Raises:
        ConfigError: There are none.
    """
    if not settings.alerts.urls:
        raise ConfigError(
            "Nobody is to be told: [alerts] urls is empty.",
            where=str(settings.file),
            remedy='Name a receiver, such as urls = ["mailtos://user:${MAIL_PASSWORD}@host?to=…"].',
        )
    written = test_letter(settings)
    return send(_receivers(settings), written.title, written.body, written.kind)


def _receivers(settings: Settings) -> dict[int, str]:
    return dict(enumerate(settings.alerts.receivers, start=1))


def _named(missed: Mapping[int, Sent]) -> str:
    return ", ".join(f"Number {number} ({sent.service})" for number, sent in missed.items())
