"""What the pages know and do: one user's view, the story of a case, a decision, a note.

Belongs here: putting the parts together for one request, and writing who looked at what before
anything is shown. Does not belong here: HTTP (``pages.py``), and the parts themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from console.desks import Desks
from console.users import User, Users
from etl.domain.errors import ConfigError
from etl.domain.words import Words
from etl.explain.gather import Story, find_verdict, story_of
from etl.explain.tell import Telling, tell
from etl.settings import Settings
from etl.state.access import log_within
from etl.state.cases import Hold, Note, asked_of, held_by_others, hold, let_go, notes_on, write_note
from etl.state.decisions import (
    Decision,
    Undone,
    decided_by,
    decided_since,
    history_within,
    standing_within,
)
from etl.state.store import Clash, State, StateSessions, now
from etl.stewards.decide import Answer, Looked, Verdict, look, write
from etl.stewards.desk.asking import EVERYWHERE, Filter, View

Row = dict[str, Any]

COMMAND = "console"
"""The access log's name for opening a case; a decision has the command line's name."""

SEARCHED = "console search"
REFUSED = "console refused"
"""The access log's name for a request for a record of another province."""

COMPARED = "console compare"
"""The access log's name for comparing a record with a citizen whom nobody proposed."""

WEEK = timedelta(days=7)

_KEY = 16
"""Letters of a record's pseudonym."""

_REMEMBERED = 2.0
"""Seconds for which the decisions since the run are kept before they are read again."""

_ANSWERS = {
    "link": Verdict.LINK,
    "not_link": Verdict.NOT_LINK,
    "not_a_person": Verdict.NOT_A_PERSON,
    "keep": Verdict.KEEP_RECORD,
    "undo": Verdict.UNDO,
}


@dataclass(frozen=True)
class Case:
    """All that the page of a case shows.

    Attributes:
        key: The record's pseudonym, which is part of the page's address.
        story: What the run knew.
        telling: The same in words.
        waits: The cases of the record that wait: rows of the desk.
        others: Other records of the citizen or number.
        decisions: The decisions that count, the last first.
        history: All decisions, and how they were taken back.
        beside: The decisions since the run on other records of the same person.
        notes: What stewards wrote.
        links: The record's links over time, without the citizens.
        sent: The rows of worklists that offices were sent of the record, the last first.
        held: Who else has the case open.
    """

    key: str
    story: Story
    telling: Telling
    waits: Sequence[Row]
    others: Sequence[Row]
    decisions: Sequence[Decision]
    history: Sequence[tuple[Decision, Undone | None]]
    beside: Sequence[Decision]
    notes: Sequence[Note]
    links: Sequence[Row]
    sent: Sequence[Row]
    held: Hold | None

    @property
    def seen(self) -> str:
        """The state of the case on which a decision is made: the run, and the last decision."""
        last = self.decisions[0].decision_id if self.decisions else ""
        return f"{self.story.run_id}/{last}"

    def counts(self, decision: Decision) -> Words:
        """Says whether a decision counts, and why not."""
        at = self.decisions.index(decision)
        return self.telling.decisions[at].counts

    @property
    def is_decided(self) -> bool:
        """Whether a decision waits for the next run."""
        return any(row["state"] == "new" for row in self.story.decisions)


@dataclass
class _Decided:
    at: float = 0.0
    since: datetime | None = None
    all: Sequence[Decision] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)


class Workbench:
    """The parts, opened once for all requests."""

    def __init__(self, settings: Settings, desks: Desks, sessions: StateSessions) -> None:
        """Takes the open parts.

        Args:
            settings: Whose.
            desks: Lends the newest desk.
            sessions: Transactions on the state.
        """
        self.settings = settings
        self.users = Users(settings.console_users)
        self._desks = desks
        self._sessions = sessions
        self._decided = _Decided()

    # --- lists ----------------------------------------------------------------------------------

    @contextmanager
    def view(self, user: User) -> Iterator[View]:
        """Lends what somebody may see of the newest desk."""
        with self._desks.lend() as desk:
            yield View(desk, user.scope)

    def run(self) -> Row:
        """The run whose result is shown: its id, how and when it began."""
        with self._desks.lend() as desk:
            return {"run_id": desk.run_id, "mode": desk.mode, "started_at": desk.started_at}

    def home(self, user: User) -> Row:
        """What is open, by queue and by office; the statuses; who decided what this week."""
        decided = self._decided_records()
        with self.view(user) as view:
            week = self._this_week(user, view)
            counts, offices = view.counts(decided), view.by_office(decided, now())
            waiting, listed = (sum(row["cases"] for row in some) for some in (counts, offices))
            return {
                "counts": counts,
                "offices": offices,
                "elsewhere": waiting - listed,
                "statuses": view.statuses(),
                "week": week,
            }

    def _this_week(self, user: User, view: View) -> list[Row]:
        """Counts what was decided, by person and verdict, on records that the user may see."""
        with self._sessions.open("Reading the decisions") as state:
            made = decided_since(state, now() - WEEK)
        if user.scope.provinces is not None:
            mine = view.at_hand({one.record_id for one in made})
            made = [one for one in made if one.record_id in mine]
        counted: dict[tuple[str, str], int] = {}
        for one in made:
            counted[one.decided_by, one.verdict] = counted.get((one.decided_by, one.verdict), 0) + 1
        return [
            {"who": who, "verdict": verdict, "decisions": number}
            for (who, verdict), number in sorted(counted.items())
        ]

    def queue(self, user: User, wanted: Filter, after: int) -> Row:
        """One page of a queue, and what it can be filtered by."""
        decided = self._decided_records()
        with self.view(user) as view:
            rows = view.cases(wanted, now(), after=after, decided=decided)
            reasons = [row for row in view.counts(decided) if row["queue"] == wanted.queue]
            found = {
                "rows": rows, "counts": view.counts(decided), "reasons": reasons,
                "provinces": view.provinces(), "steps": view.steps(wanted.queue),
            }  # fmt: skip
        with self._sessions.open("Reading who works on what") as state:
            held = held_by_others(state, [row["record_id"] for row in rows], user.name)
        return found | {"held": held}

    def next_case(self, user: User, wanted: Filter, after: int) -> Row | None:
        """The next case of a queue that nobody else has open; None where there is none."""
        decided = self._decided_records()
        with self.view(user) as view:
            rows = view.cases(wanted, now(), after=after, decided=decided)
        with self._sessions.open("Reading who works on what") as state:
            held = held_by_others(state, [row["record_id"] for row in rows], user.name)
        free = [row for row in rows if row["record_id"] not in held]
        return free[0] if free else None

    def search(self, user: User, asked: str, born: str) -> list[Row]:
        """Finds records; writes each into the access log before it is shown."""
        with self.view(user) as view:
            found = view.search(asked, born)
            waiting = view.seen_of([row["record_id"] for row in found])
        with self._sessions.open("Writing the access log") as state:
            log_within(state, [row["record_key"] for row in found], SEARCHED, by=user.name)
        return [row | {"waits": row["record_id"] in waiting} for row in found]

    def asked(self, user: User) -> list[tuple[str, Note]]:
        """The open questions of colleagues to somebody, with the key of each case."""
        with self._sessions.open("Reading the notes") as state:
            notes = asked_of(state, user.name)
        with self.view(user) as view:
            keys = view.keys_of({note.record_id for note in notes})
        return [(keys[note.record_id], note) for note in notes if note.record_id in keys]

    def how_many_asked(self, user: User) -> int:
        """How many questions wait for somebody."""
        with self._sessions.open("Reading the notes") as state:
            return len(asked_of(state, user.name))

    def decided(self, user: User, most: int = 25) -> list[tuple[str, Decision, Undone | None]]:
        """What somebody decided in the last seven days, the last first, with the case's key."""
        with self._sessions.open("Reading the decisions") as state:
            mine = decided_by(state, user.name, now() - WEEK)[:most]
        with self.view(user) as view:
            keys = view.keys_of({one.record_id for one, _ in mine})
        return [(keys[one.record_id], one, undone) for one, undone in mine if one.record_id in keys]

    def accesses(self, by: str = "", key: str = "", most: int = 200) -> list[Row]:
        """The last lines of the access log, optionally of one person or one record."""
        with self._sessions.open("Reading the access log") as state:
            log = state.tables["access_log"].c
            wanted = [log.accessed_by == by] * bool(by) + [log.record_key == key] * bool(key)
            return state.last("access_log", "accessed_at", most, wanted)

    def _decided_records(self) -> set[str]:
        """The records that were decided since the run began: they wait for the next run.

        A decision which of a citizen's records is kept counts for all of these records.
        """
        made = self._since_the_run()
        kept = {one.record_id for one in made if one.verdict == Verdict.KEEP_RECORD}
        with self._desks.lend() as desk:
            same = View(desk, EVERYWHERE).of_the_same_person(kept) if kept else set()
        return {one.record_id for one in made} | same

    def _since_the_run(self) -> Sequence[Decision]:
        with self._desks.lend() as desk:
            since = desk.started_at
        known = self._decided
        with known.lock:
            if known.since != since or time.monotonic() - known.at > _REMEMBERED:
                with self._sessions.open("Reading the decisions") as state:
                    known.all = decided_since(state, since)
                known.since, known.at = since, time.monotonic()
            return known.all

    # --- one case -------------------------------------------------------------------------------

    def case(self, user: User, key: str) -> Case:
        """Opens a case: logs the access, and notes that the user has it open.

        Raises:
            ConfigError: There is no such record, or the user may not see it.
        """
        with self.view(user) as view:
            record_id = self._record(view, user, key)
            with self._sessions.open("Writing the access log") as state:
                log_within(state, [key], COMMAND, by=user.name)
            held = self._hold(record_id, user)
            with self._sessions.open("Reading a case") as state:
                history = history_within(state, record_id)
                decisions = [one for one, undone in history if undone is None]
                notes = notes_on(state, record_id)
                links, sent = _links(state, record_id), _sent(state, record_id)
            with view.warehouse_of(record_id) as warehouse:
                verdict = find_verdict(warehouse, record_id)
                story = story_of(warehouse, self.settings, verdict, decisions)
            others = view.others(record_id)
            same = {one["other_id"] for one in others if one["is_same_person"]}
            return Case(
                key, story, tell(story), view.cases_of(record_id), others, decisions, history,
                [one for one in self._since_the_run() if one.record_id in same],
                notes, links, sent, held,
            )  # fmt: skip

    def _record(self, view: View, user: User, key: str) -> str:
        """Returns the record of a key; an attempt to see a forbidden one is logged, too."""
        try:
            return view.record_of(key)
        except ConfigError:
            if len(key) == _KEY and set(key) <= set("0123456789abcdef"):
                with self._sessions.open("Writing the access log") as state:
                    log_within(state, [key], REFUSED, by=user.name)
            raise

    def colleagues(self, user: User, case: Case) -> list[str]:
        """Who else may see a case, and so can be asked."""
        province = case.story.understood["province_code"] if case.story.understood else None
        return [
            one.name
            for one in self.users.all()
            if one.decides and one.scope.has(province) and one.name != user.name
        ]

    def compare(self, user: User, key: str, citizen: str) -> Row | None:
        """Says how a record and a citizen whom nobody proposed agree; it is logged before.

        Raises:
            ConfigError: There is no such record, or the user may not see it.
        """
        with self.view(user) as view:
            record_id = self._record(view, user, key)
            with self._sessions.open("Writing the access log") as state:
                log_within(state, [key], COMPARED, by=user.name)
            return view.agreement(record_id, citizen)

    def _hold(self, record_id: str, user: User) -> Hold | None:
        for _ in range(2):
            try:
                with self._sessions.open("Noting who works on what") as state:
                    return hold(state, record_id, user.name)
            except Clash:  # somebody opened it at the same moment: see who
                continue
        return None

    def decide(
        self, user: User, key: str, answers: Sequence[tuple[str, str]], reason: str, seen: str
    ) -> Answer:
        """Writes what somebody decided.

        Args:
            user: Who.
            key: The record's pseudonym.
            answers: Verdicts, each with its citizen; several if the record is none of some
                citizens'.
            reason: Why.
            seen: ``Case.seen`` of the page on which the decision was made.

        Raises:
            Meanwhile: Somebody has decided, or a newer result is there; nothing was written.
            ConfigError: It cannot be decided; nothing was written.
        """
        if not answers:
            raise ConfigError("Nothing was answered.", remedy="Open the page again.")
        with self.view(user) as view:
            record_id = self._record(view, user, key)
            looked = []
            for said, other in answers:
                verdict = _ANSWERS.get(said)
                if verdict is None:
                    raise ConfigError("No such answer.", remedy="Open the page again.")
                of_citizen = verdict in (Verdict.LINK, Verdict.NOT_LINK)
                citizen = "".join(other.split()) if of_citizen else None
                if citizen is not None:
                    self._refuse_strangers(view, user, record_id, verdict, citizen)
                with view.warehouse_of(record_id, citizen) as warehouse:
                    looked.append(look(warehouse, record_id, verdict, other or None))
            run_id = view.run_id
        seen_run, _, seen_decision = seen.partition("/")
        if seen_run != run_id:
            raise Meanwhile("changed_meanwhile")
        with self._sessions.open("Writing a decision") as state:
            before = standing_within(state, record_id)
            last = before[0] if before else None
            if (last.decision_id if last else "") != seen_decision and not _is_said(
                last, looked[-1], user
            ):
                raise Meanwhile("decided_meanwhile")
            undoes = looked[-1].verdict is Verdict.UNDO
            log_within(state, [key], "undo" if undoes else "decide", by=user.name)
            written = [write(state, one, reason=reason, by=user.name) for one in looked]
            let_go(state, record_id, user.name)
        self._decided.at = 0.0
        return written[-1]

    def _refuse_strangers(
        self, view: View, user: User, record_id: str, verdict: Verdict, citizen: str
    ) -> None:
        """Refuses decisions on a citizen who has nothing to do with the record, whatever was sent.

        Raises:
            ConfigError: Nobody proposed the citizen, and it is no link that ``may_be_given``
                allows; the message does not say whether there is such a citizen.
        """
        if citizen in view.proposed(record_id):
            return
        agreement = view.agreement(record_id, citizen) if verdict is Verdict.LINK else None
        if agreement is None or not may_be_given(user, agreement):
            raise ConfigError(
                "That citizen is none of the record's.", remedy="Open the page again."
            )

    def note(self, user: User, key: str, note: str, asked: str) -> None:
        """Writes a note on a case, or a question to a colleague.

        Raises:
            ConfigError: It is empty, or there is no such colleague who may see the case.
        """
        with self.view(user) as view:
            record_id = self._record(view, user, key)
            province = view.provinces_of({record_id}).get(record_id)
        colleague = self.users.get(asked) if asked else None
        if asked and not (colleague and colleague.decides and colleague.scope.has(province)):
            raise UnknownColleague
        with self._sessions.open("Writing a note") as state:
            write_note(state, record_id, user.name, note, asked or None)

    def skip(self, user: User, key: str) -> None:
        """Lets go of a case without deciding."""
        with self.view(user) as view:
            record_id = self._record(view, user, key)
        with self._sessions.open("Noting who works on what") as state:
            let_go(state, record_id, user.name)


FAR_NAMES = ("different", "surname_shared", "missing")
FAR_BIRTHS = ("different", "missing")
"""Levels at which a name, or a birth date, is no evidence for the same person."""


def may_be_given(user: User, agreement: Row) -> bool:
    """Says whether somebody may give a record to a citizen whom nobody proposed.

    If neither name nor birth date are near, only those who decide for the whole nation may:
    otherwise a steward could see any citizen by way of any record.
    """
    apart = agreement["name"] in FAR_NAMES and agreement["birth"] in FAR_BIRTHS
    return user.scope.provinces is None or not apart


class Meanwhile(Exception):  # noqa: N818 - it is no error: somebody else was quicker
    """A case has changed since the page was made; ``args[0]`` is the key of the message."""


class UnknownColleague(Exception):  # noqa: N818
    """No colleague of that name may see the case."""


def _is_said(last: Decision | None, looked: Looked, user: User) -> bool:
    """Says whether the user has just made this decision: a page may be sent twice."""
    return last is not None and (
        (last.decided_by, last.verdict, last.personal_id, last.kept_record_id)
        == (user.name, looked.verdict, looked.citizen, looked.kept)
    )


def _links(state: State, record_id: str) -> list[Row]:
    """A record's links over time, without the citizens."""
    table = state.tables["link_history"]
    names = ["match_step", "opened_at", "closed_at", "why_closed"]
    rows: list[Mapping[str, Any]] = (
        state.writer.read(table, names, table.c.record_id == record_id).read_all().to_pylist()
    )
    return [dict(row) for row in sorted(rows, key=lambda row: row["opened_at"])]


def _sent(state: State, record_id: str) -> list[Row]:
    """What offices were asked of a record by worklists, and what they answered, the last first."""
    table = state.tables["worklist_items"]
    names = ["code", "route", "sent_at", "due_at", "answer", "answered_at", "answered_by"]
    rows: list[Mapping[str, Any]] = (
        state.writer.read(table, names, table.c.record_id == record_id).read_all().to_pylist()
    )
    return [dict(row) for row in sorted(rows, key=lambda row: row["sent_at"], reverse=True)]
