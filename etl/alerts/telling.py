"""Telling people, once, what is new in the runs that have ended.

Belongs here: the order of the steps: look, write, remember, send. Does not belong here: the steps
themselves (the modules beside this one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etl.alerts.incidents import Report, take_in
from etl.alerts.memory import Memory, remembering
from etl.alerts.sending import Sent, send
from etl.alerts.wording import damage_letter, letter, test_letter
from etl.domain.errors import AlertError, ConfigError, DoisoatError
from etl.settings import Settings

GIVE_UP = timedelta(days=3)
"""After so long a message that has not reached everybody is given up: it is no longer news."""

OVERLAP = timedelta(hours=1)
"""Runs are looked for again that ended up to so long before the last run that was looked at."""

Ended = Callable[[datetime | None, Mapping[str, datetime]], Iterable[Report]]
"""Finds runs that have ended, the oldest first. Its arguments: since when, and the runs that were
looked at already."""


@dataclass(frozen=True)
class Told:
    """The result of a look at the runs.

    Attributes:
        runs: How many runs were looked at.
        messages: How many messages have now reached everybody.
        busy: Whether nothing was done, because another process was doing it.
    """

    runs: int = 0
    messages: int = 0
    busy: bool = False


def tell(settings: Settings, ended: Ended) -> Told:
    """Looks at the runs that ended since the last look, and tells what is new in them.

    A message that did not reach a receiver is kept, and sent to that receiver at the next call.
    Where the memory cannot be written, the messages are sent all the same: what keeps it from being
    written may be what they are about.

    Args:
        settings: Who is told, and where the memory is.
        ended: Finds the runs.

    Raises:
        AlertError: A receiver was not reached.
        ConfigError: The memory could not be written.
    """
    if not settings.alerts.urls:
        return Told()
    with remembering(settings.home) as memory:
        if memory is None:
            return Told(busy=True)
        keep = _Keeping(memory)
        if memory.unwritten:
            keep()
        if memory.set_aside:
            begun_anew = damage_letter(settings, memory.set_aside)
            begun_anew.to = list(_receivers(settings))
            memory.letters.append(begun_anew)
            keep()
        reports = list(ended(_since(memory), memory.seen))
        for report in reports:
            _take(settings, memory, report)
            keep()
        try:
            sent = _deliver(settings, memory, keep)
        except AlertError as error:
            # (Its remedy promises another try, of which only this process knows then.)
            if keep.trouble is not None:
                raise keep.trouble from error
            raise
        if keep.trouble is not None:
            raise keep.trouble
        return Told(len(reports), sent)


class _Keeping:
    """Writes the memory at each call; goes on where that fails, and remembers why it failed."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.trouble: DoisoatError | None = None

    def __call__(self) -> None:
        try:
            self._memory.save()
        except DoisoatError as error:
            self.trouble = error
        else:
            self.trouble = None


def _since(memory: Memory) -> datetime | None:
    """Returns the time since which ended runs are looked for; None at the very first look."""
    if memory.began is None:
        return None
    return max([memory.began, *(end - OVERLAP for end in memory.seen.values())])


def _take(settings: Settings, memory: Memory, report: Report) -> None:
    """Notes a run, and writes the message of what is new in it."""
    news = take_in(memory, report)
    if news is not None:
        written = letter(settings, news)
        written.to = list(_receivers(settings))
        memory.letters.append(written)
    memory.began = memory.began or report.ended
    memory.seen[report.run_id or f"none, {report.ended:%Y-%m-%dT%H:%M:%S}"] = report.ended
    last = max(memory.seen.values())
    memory.seen = {run: end for run, end in memory.seen.items() if end >= last - OVERLAP}


def _deliver(settings: Settings, memory: Memory, keep: Callable[[], None]) -> int:
    """Sends waiting messages, the oldest first, and returns how many have reached everybody."""
    receivers = _receivers(settings)
    missed: dict[int, Sent] = {}
    done = 0
    now = datetime.now(UTC)
    for waiting in list(memory.letters):
        # A receiver that did not take a message is not tried with the next ones: a try may be long.
        urls = {n: receivers[n] for n in waiting.to if n in receivers and n not in missed}
        answers = send(urls, waiting.title, waiting.body, waiting.kind)
        missed |= {number: sent for number, sent in answers.items() if not sent.reached}
        waiting.to = [n for n in waiting.to if n in missed]
        done += not waiting.to
        if not waiting.to or now - waiting.written > GIVE_UP:
            memory.letters.remove(waiting)
        keep()
    if missed:
        raise AlertError(
            f"{_named(missed)} of [alerts] urls did not accept the message.",
            where=str(settings.file),
            remedy="It is sent again with the next look (the sensor 'alerts', or the next sync); "
            "'doisoat alerts --test' tells why.",
        )
    return done


def say_test(settings: Settings) -> dict[int, Sent]:
    """Sends a test message to every receiver and returns whether each accepted it.

    Raises:
        ConfigError: There are no receivers.
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
