"""Times of day that stand beside a birth date, and the day that they mean.

Belongs here: removing a time and its zone from a text, and which day date and time mean in Viet
Nam. Does not belong here: reading the date itself (``births``).

A register keeps days, but programs keep instants: midnight in Viet Nam, written as universal time,
stands on the day before. The difference has changed often (midnight is 17:00 today, 16:00 in the
south from 1960 to 1975, 15:00 in the summer of 1945), so the time zone database is used.
Spreadsheets that a script wrote miss midnight by seconds, because clocks ran 6 minutes and 30
seconds ahead of today's until 1911.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

_SLACK = timedelta(minutes=1)
# How far Viet Nam has been ahead of universal time, at various times since 1911.
_PAST_OFFSETS = (timedelta(hours=7), timedelta(hours=8), timedelta(hours=9))
_EARLIEST_DOUBT = timedelta(hours=24) - max(_PAST_OFFSETS) - _SLACK
_LARGEST_OFFSET = timedelta(hours=16)  # PostgreSQL's own limit.

_CLOCK = re.compile(
    r"(?P<day>.*\d)(?:T|\s)\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<half>[AP]M|SA|CH)?"
    r"\s*(?P<zone>Z|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2}){0,2}|UTC|GMT)?(?:\s*\([^()]*\))?",
    re.I,
)
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?:?(\d{2})?$")


@cache
def _viet_nam() -> ZoneInfo:
    return ZoneInfo("Asia/Ho_Chi_Minh")


class Meant(NamedTuple):
    """The day that a date and a time mean together, and the notes about it."""

    day: date
    notes: tuple[str, ...]


class Clock(NamedTuple):
    """A time of day.

    Attributes:
        since_midnight: From the beginning of the written day.
        offset: How far the zone is ahead of universal time; None where no zone is written.
    """

    since_midnight: timedelta
    offset: timedelta | None

    def day_meant(self, written: date) -> Meant:
        """The day that a register meant.

        Args:
            written: The date beside the time.

        Returns:
            The written day where its own midnight is meant or no zone is given; else the day in
            Viet Nam. A doubt is a note.
        """
        plain = self.offset is None and self.since_midnight < _EARLIEST_DOUBT
        if plain or not 1000 < written.year < 9000:  # At the ends of time no zone has room.
            return Meant(written, ())
        moment = datetime.combine(written, time()) + self.since_midnight
        if self.offset is None:
            return Meant(written, self._doubt_without_zone(moment, written))
        universal = moment - self.offset
        local = _in_viet_nam(universal)
        # (The slack is added before the conversion: a clock that was put forward at midnight skips
        # an hour.)
        midnight = _midnight(moment) or _begun(_in_viet_nam(universal + _SLACK))
        if midnight:
            # The last second of a day may be its end as well as the next one's beginning.
            doubt = (moment.minute, moment.second) == (59, 59)
            return Meant(midnight, _notes(midnight != written, doubt))
        day = local.date()
        readings = {_midnight(universal + offset) for offset in _PAST_OFFSETS} - {None}
        doubt = readings != {day} if readings else day != written
        return Meant(day, _notes(day != written, doubt))

    def _doubt_without_zone(self, moment: datetime, written: date) -> tuple[str, ...]:
        """A note where the time would be midnight in Viet Nam, were it universal time."""
        then = moment.replace(tzinfo=UTC).astimezone(_viet_nam()).utcoffset() or timedelta()
        readings = {_midnight(moment + hours) for hours in (timedelta(), _PAST_OFFSETS[0], then)}
        return ("time_zone_suspected",) if readings - {None, written} else ()


def _notes(shifted: bool, doubt: bool) -> tuple[str, ...]:
    notes = ("time_zone_shifted",) if shifted else ()
    return (*notes, "time_zone_suspected") if doubt else notes


def _midnight(moment: datetime) -> date | None:
    """The day that begins within a minute of a moment."""
    return _begun(moment + _SLACK)


def _begun(later: datetime) -> date | None:
    """The day of a moment a minute late, if it began within a minute of the moment meant."""
    since = later - datetime.combine(later.date(), time())
    return later.date() if since <= 2 * _SLACK else None


def _in_viet_nam(universal: datetime) -> datetime:
    """What clocks in Viet Nam showed at a universal time."""
    return universal.replace(tzinfo=UTC).astimezone(_viet_nam()).replace(tzinfo=None)


def without_clock(text: str) -> tuple[str, Clock | None]:
    """A text without its time of day.

    Args:
        text: A date, perhaps with a time and a zone behind it.

    Returns:
        The date's text and the time; the whole text and None where no possible time is written.
    """
    match = _CLOCK.fullmatch(text) if ":" in text else None
    if match is None:
        return text, None
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    if match["half"] and 1 <= hour <= 12:
        hour = hour % 12 + (12 if match["half"].upper() in ("PM", "CH") else 0)
    offset = _offset(match["zone"])
    past_end = timedelta(hours=hour, minutes=minute, seconds=second) > timedelta(days=1)
    if past_end or minute > 59 or second > 60 or (offset and abs(offset) > _LARGEST_OFFSET):
        return text, None
    clock = Clock(timedelta(hours=hour, minutes=minute, seconds=second), offset)
    return match["day"].strip(), clock


def _offset(zone: str | None) -> timedelta | None:
    if not zone:
        return None
    match = _OFFSET.search(zone)
    if match is None:
        return timedelta()
    hours, minutes, seconds = (int(match[part] or 0) for part in (2, 3, 4))
    found = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -found if match[1] == "-" else found
