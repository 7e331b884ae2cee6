"""The state in its database: opened, and written to by commands.

Belongs here: whose state it is, adding rows between runs, and one transaction on it. Does not
belong here: the working copy that runs use (``copying.py``) and the tables (``tables.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa
from sqlalchemy import MetaData, Table
from sqlalchemy.exc import IntegrityError

from etl.databases.connect import engine_for
from etl.databases.refusals import plain_errors
from etl.databases.writers import RowWriter, Writer, transaction
from etl.domain.errors import QualityGateError
from etl.settings import Settings
from etl.state.schema import bring_forward
from etl.state.tables import metadata_for


@dataclass(frozen=True)
class State:
    """One open transaction on the state.

    Attributes:
        writer: The transaction; it may be that of a publish.
        tables: The state's tables by name.
    """

    writer: Writer
    tables: Mapping[str, Table]

    @property
    def state_id(self) -> str | None:
        """Which state this is; None where nothing was kept in it yet."""
        found = self._all("identity", ["state_id"])
        return str(found[0]["state_id"]) if found else None

    def adopt(self, installation: str, *, replace: bool = False) -> None:
        """Proves that the state is this installation's; a new state is marked as such.

        Args:
            installation: A pseudonym of the secret of the record keys, which moves with its home.
            replace: Take over the state of another installation.

        Raises:
            QualityGateError: It is another installation's.
        """
        found = self._all("identity", ["state_id", "installation_id"])
        if found and found[0]["installation_id"] == installation:
            return
        if found and not replace:
            raise QualityGateError(
                "Another installation of doisoat publishes to this target, or keeps its state in "
                "this database; nothing was published, and the target is as it was.",
                remedy="Name another target, or another [target] schema and [state] schema. If "
                "this installation takes its place (its home or record_key was lost), run once: "
                "doisoat sync --replace-target",
            )
        state_id = str(found[0]["state_id"]) if found else uuid4().hex
        if found:
            keys = pa.table({"state_id": [state_id]})
            self.writer.delete(self.tables["identity"], keys.to_reader())
        self._insert(
            "identity",
            [{"state_id": state_id, "installation_id": installation, "made_at": now()}],
        )

    def name_anew(self) -> None:
        """Gives the state another name, so that every working copy of it is read again."""
        (known,) = self._all("identity", ["state_id", "installation_id", "made_at"])
        keys = pa.table({"state_id": [known["state_id"]]})
        self.writer.delete(self.tables["identity"], keys.to_reader())
        self._insert("identity", [known | {"state_id": uuid4().hex}])

    def revisions(self) -> dict[str, int]:
        """Returns how often each table was written."""
        rows = self._all("revisions", ["table_name", "revision"])
        return {str(row["table_name"]): int(str(row["revision"])) for row in rows}

    def bump(self, table: str) -> int:
        """Notes that a table was written, and returns its revision.

        Of two transactions that write at once, one waits here for the other, so that no revision is
        lost.
        """
        revisions = self.tables["revisions"]
        known = revisions.c.table_name == table
        if not self.writer.increase(revisions, "revision", known):
            self._insert("revisions", [{"table_name": table, "revision": 1}])
        return self.revisions()[table]

    def add(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Adds rows to a table."""
        self._insert(table, rows)
        self.bump(table)

    def put(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Adds rows to a table of which no run has a working copy."""
        self._insert(table, rows)

    def read(self, table: str, columns: list[str]) -> pa.RecordBatchReader:
        """Streams columns of a table."""
        return self.writer.read(self.tables[table], columns)

    def last(
        self, table: str, moment: str, most: int, wanted: Sequence[Any] = ()
    ) -> list[dict[str, object]]:
        """Returns the last rows of a table, the last first.

        Args:
            table: The table.
            moment: Its column that says when.
            most: How many.
            wanted: Which rows, as conditions of SQLAlchemy.
        """
        found = self.tables[table]
        return self.writer.first(found, found.c[moment].desc(), most, wanted)

    def _all(self, table: str, columns: list[str]) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self.read(table, columns).read_all().to_pylist()
        return found

    def _insert(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        given = {name: pa.array([row.get(name) for row in rows]) for name in rows[0]}
        self.writer.insert(self.tables[table], pa.table(given).to_reader())


@contextmanager
def open_state(settings: Settings) -> Iterator[State]:
    """Opens one transaction on the state, whose tables are made or brought forward before.

    Raises:
        ConnectionFailedError: The database cannot be reached or refuses.
        ConfigError: A newer version of doisoat wrote the state.
    """
    bring_forward(settings)
    database = settings.state_database
    with transaction(database, "Writing the state", publishes=False) as writer:
        yield state_within(writer, settings)


class Clash(Exception):  # noqa: N818 - whoever meets it looks again
    """Two transactions have written a row of the same key; nothing of this one was kept."""


_KEPT = 4
"""Connections that a server keeps open."""


class StateSessions:
    """A state that a server keeps open: connections that are made once serve many transactions."""

    def __init__(self, settings: Settings) -> None:
        """Makes the state's tables, or brings them forward.

        Args:
            settings: Whose state.

        Raises:
            ConnectionFailedError: The database cannot be reached or refuses.
            ConfigError: A newer version of doisoat wrote the state.
        """
        bring_forward(settings)
        self._settings = settings
        self._engine = engine_for(settings.state_database, read_only=False, kept=_KEPT)
        metadata, prefix = metadata_for(settings)
        self._tables = _by_name(metadata, prefix)

    @contextmanager
    def open(self, what: str) -> Iterator[State]:
        """Opens one transaction.

        Args:
            what: What is done, for messages.

        Raises:
            Clash: Another transaction has written a row of the same key in this moment.
            ConnectionFailedError: The database cannot be reached or refuses.
        """
        with plain_errors(self._settings.state_database, what):
            try:
                with self._engine.begin() as connection:
                    yield State(RowWriter(connection), self._tables)
            except IntegrityError:
                raise Clash from None

    def close(self) -> None:
        """Lets go of the connections."""
        self._engine.dispose()


def state_within(writer: Writer, settings: Settings) -> State:
    """Returns the state in a transaction that is open on its database."""
    metadata, prefix = metadata_for(settings)
    return State(writer, _by_name(metadata, prefix))


def _by_name(metadata: MetaData, prefix: str) -> dict[str, Table]:
    return {table.name.removeprefix(prefix): table for table in metadata.tables.values()}


def now() -> datetime:
    """Returns the moment in UTC, as the state keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)
