"""The desk that is open, and its replacement when a run has published.

Belongs here: opening, exchanging and closing desks while questions are asked. Does not belong here:
what is in one (``etl/stewards/desk``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from etl.domain.errors import DoisoatError, NothingYetError
from etl.process.home import notice
from etl.process.machine import trouble_of_the_machine
from etl.process.privacy import WITHHELD, places
from etl.settings import Settings
from etl.stewards.desk.asking import Desk
from etl.stewards.desk.making import newest_published

LOOK_AGAIN = 15.0
"""Seconds between two checks whether a run has published."""


@dataclass
class _Lent:
    desk: Desk
    users: int = 0
    is_old: bool = False


class Desks:
    """Lends the newest desk; an old one is closed when the last question to it is answered."""

    def __init__(self, settings: Settings) -> None:
        """Opens the desk of the last published run, if there is one.

        Args:
            settings: Whose.

        Raises:
            ConnectionFailedError: The state or the target cannot be reached.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._current: _Lent | None = None
        try:
            self._current = _Lent(Desk(settings))
        except NothingYetError as error:
            notice(f"{error} The workbench shows the first result when it is there.")
        threading.Thread(target=self._watch, daemon=True).start()

    @contextmanager
    def lend(self) -> Iterator[Desk]:
        """Lends the newest desk for one question.

        Raises:
            NothingYetError: There is none yet.
        """
        with self._lock:
            lent = self._current
            if lent is None:
                raise NothingYetError
            lent.users += 1
        try:
            yield lent.desk
        finally:
            with self._lock:
                lent.users -= 1
                is_last = lent.is_old and not lent.users
            if is_last:
                lent.desk.close()

    def look(self) -> bool:
        """Opens the desk of a newer run if there is one, and says whether there was."""
        known = {self._current.desk.run_id} if self._current else set()
        if newest_published(self._settings, known) is None:
            return False
        newer = _Lent(Desk(self._settings))
        if newer.desk.run_id in known:  # its snapshot is not there yet
            newer.desk.close()
            return False
        self._exchange(newer)
        return True

    def close(self) -> None:
        """Closes the desk."""
        self._ended.set()
        self._exchange(None)

    def _exchange(self, newer: _Lent | None) -> None:
        with self._lock:
            older, self._current = self._current, newer
            if older:
                older.is_old = True
            unused = older is not None and not older.users
        if older and unused:
            older.desk.close()

    def _watch(self) -> None:
        """Looks again and again, whatever a look meets; tells a trouble when it begins."""
        told = ""
        while not self._ended.wait(LOOK_AGAIN):
            try:
                self.look()
                told = ""
            except Exception as error:
                said = _in_words(error)
                if said != told:
                    notice(f"The newest result could not be opened; the last one is shown. {said}")
                told = said


def _in_words(error: Exception) -> str:
    known = error if isinstance(error, DoisoatError) else trouble_of_the_machine(error)
    return str(known or f"{type(error).__name__} at {places(error)}; {WITHHELD}.")
