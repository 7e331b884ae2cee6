"""What the raw table of a register was read from, written into its file, or beside its amendments.

It is kept with the rows: whoever has the rows has this, too, whether or not the run ended well.

Belongs here: what a delta must know of the last read. Does not belong here: reading.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from etl.engine.port import FILE_ID, Warehouse
from etl.engine.statements import TableName
from etl.extract.mapping import RegisterQuery
from etl.extract.streams import Reading
from etl.process.files import could_not_open
from etl.settings import Source

_WRITTEN = "doisoat"


@dataclass(frozen=True, slots=True)
class Origin:
    """What the rows of a raw table are.

    Attributes:
        basis: A fingerprint of the query and the database: if it has changed, rows that were read
            earlier cannot be compared with rows that are read now.
        last_change: When the newest of the rows was changed, as the source says, in ISO 8601;
            empty where it does not say.
    """

    basis: str
    last_change: str = ""

    @classmethod
    def of(cls, source: Source, reading: Reading, query: RegisterQuery) -> Origin:
        """Makes it for a register that is open."""
        found: date | None = None
        if query.changed_at is not None:
            found = reading.moment(query.last_change(_now(query)))
        return cls(_basis(source, query), found.isoformat() if found else "")

    def as_metadata(self) -> dict[str, str]:
        """Returns it as metadata of a new Parquet file, together with a new id of the file."""
        return {_WRITTEN: self.as_note(), FILE_ID: uuid4().hex}

    def as_note(self) -> str:
        """Returns it as the note of an amendment."""
        return json.dumps(asdict(self))

    @property
    def changed_until(self) -> datetime | None:
        """When the newest row was changed; with a zone where the source's column has one."""
        return datetime.fromisoformat(self.last_change) if self.last_change else None


def origin_of(warehouse: Warehouse, table: TableName) -> Origin | None:
    """Reads what a raw table was read from; None where its file is not there or does not say."""
    try:
        found = pq.read_metadata(warehouse.file(table)).metadata or {}
        written = warehouse.amendments(table)[1] or found.get(_WRITTEN.encode())
        return Origin(**json.loads(written)) if written else None
    except (OSError, pa.ArrowException, ValueError, TypeError) as error:
        if could_not_open(error):
            raise
        return None


def _now(query: RegisterQuery) -> datetime:
    now = datetime.now(UTC)
    zoned = query.changed_at is not None and getattr(query.changed_at.type, "timezone", False)
    return now if zoned else now.replace(tzinfo=None)


def _basis(source: Source, query: RegisterQuery) -> str:
    asked = [source.shown, source.table, source.query, sorted(source.columns.items())]
    text = json.dumps([*asked, str(query.statement)], default=str)
    return hashlib.sha256(text.encode()).hexdigest()
