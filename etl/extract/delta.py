"""Reading only what has changed in a register since it was last read.

Belongs here: which keys have changed, and the raw table with them in place, kept beside its file.
Does not belong here: what the pipeline does with a changed table, and the questions in SQL
(``mapping.py``).

All rows of a key are replaced together, because a key may stand in several rows. A row that is the
same but for its time of change was touched: it was written again, or a column was changed that is
not read, such as the contributions of a month. It keeps its number, so that what is made of it
stands.

After a delta the raw table must have as many rows as the register, and, where keys are compared,
the same keys with the same times. Where that is not so, the register is read whole, and the reason
is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import DateTime

from etl.domain.contract import CHANGED_AT, KEYS, REGISTERS
from etl.domain.errors import ContractError
from etl.engine.builds import build_of, forget_build, is_noted, note_build
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.extract.load import (
    Changes,
    Extraction,
    as_text,
    new_rows,
    raw_schema,
    read_whole,
)
from etl.extract.mapping import RegisterQuery
from etl.extract.origin import Origin, origin_of
from etl.extract.streams import Reading, reading_register
from etl.settings import Engine, Source

_MOST_STRAYED = 100_000
"""If more keys than this have changed without a new time of change, the register is read whole."""
_KEYS_AT_ONCE = 1_000
_MOST_AMENDED = 1_000_000
"""If more rows than this, and half of all, were replaced, the file is written again."""

_MOST_NOTED = 1_000_000
"""Of more keys it is not noted what they held when they were read: a load that gave all rows one
time would double the register."""

_Progress = Callable[[int, int], None] | None


class _NotADeltaError(Exception):
    """Why a register must be read whole."""


def extract_changes(
    warehouse: Warehouse,
    register: str,
    source: Source,
    progress: _Progress = None,
    limits: Engine | None = None,
) -> Extraction:
    """Brings ``raw.<register>`` to the register's state, reading what has changed.

    Args:
        warehouse: Has the rows that were read last.
        register: ``insurance`` or ``population``.
        source: Where it is, its column mapping, and how a delta finds what has changed.
        progress: Called with rows read and rows expected, where all are read.
        limits: Memory and threads.

    Raises:
        ContractError: The source does not offer a required column, or keeps no times of change
            where the configuration demands that they be used.
        ConnectionFailedError: The source cannot be reached or broke off.
        LedgerError: The rows received are not the rows counted.
    """
    with reading_register(register, source, limits) as (reading, query):
        table = TableName("raw", register)
        last, origin = origin_of(warehouse, table), Origin.of(source, reading, query)
        try:
            if last is None or not warehouse.exists(table):
                raise _NotADeltaError("it has not been read yet, or by an earlier version")
            if last.basis != origin.basis:
                raise _NotADeltaError("its database, its columns or their mapping have changed")
            gone, _ = warehouse.amendments(table)
            if gone > _MOST_AMENDED and gone > warehouse.count(table) // 2:
                raise _NotADeltaError(f"{gone:,} rows have changed since it was read whole")
            if not _has_times(register, source, query):
                changes = _by_hash(warehouse, register, reading, query, origin, progress)
            else:
                changes = _by_time(warehouse, register, source, reading, query, last, origin)
        except _NotADeltaError as reason:
            whole = read_whole(warehouse, register, source, reading, query, progress)
            return Extraction(register, whole.rows, whole.way, whole_because=str(reason))
        return Extraction(register, warehouse.count(table), reading.way, changes)


def try_delta(register: str, source: Source, reading: Reading, query: RegisterQuery) -> str:
    """Says how a delta finds what has changed, for ``doisoat check``.

    Raises:
        ContractError: The configuration demands what the register does not offer.
        ConnectionFailedError: The register refuses what a delta asks.
    """
    if not _has_times(register, source, query):
        return "a delta reads all rows and compares them (no time of change)"
    Origin.of(source, reading, query)
    if query.tombstones is not None:
        reading.count(query.tombstones)
    if _compares_keys(source, query):
        return f"a delta goes by {CHANGED_AT} and compares all keys"
    return f"a delta goes by {CHANGED_AT} and reads what was deleted"


def must_be_watchable(register: str, source: Source, query: RegisterQuery) -> None:
    """Refuses a register of which ``look_at`` cannot tell whether it has changed.

    Raises:
        ContractError: It keeps no times of change that are accurate to the second.
    """
    if query.changed_at is None or not isinstance(query.changed_at.type, DateTime):
        raise ContractError(
            f"The {register} register has no time of change accurate to the second, so "
            "[schedule] watch_minutes cannot tell whether it has changed.",
            where=source.asked,
            remedy="Use [schedule] delta_cron instead: it starts deltas at fixed times.",
        )


def look_at(register: str, source: Source, limits: Engine | None = None) -> list[str]:
    """Returns what quickly shows whether a register has changed: rows and the last change.

    Args:
        register: ``insurance`` or ``population``.
        source: Where it is, and its column mapping.
        limits: Memory and threads.

    Raises:
        ContractError: It keeps no times of change, so that such a look is not enough.
        ConnectionFailedError: It cannot be reached.
    """
    with reading_register(register, source, limits) as (reading, query):
        must_be_watchable(register, source, query)
        rows, newest = reading.count(query.statement), reading.moment(query.newest_change)
        return [str(rows), newest.isoformat() if newest else ""]


def _has_times(register: str, source: Source, query: RegisterQuery) -> bool:
    if source.delta.by == "change_time" and query.changed_at is None:
        raise ContractError(
            f"A delta of the {register} register is to go by the time of change, but the register "
            f"does not keep '{CHANGED_AT}' as a date or a time.",
            where=source.asked,
            remedy=f"Map {CHANGED_AT} under [{register}.columns] to the column that holds it, or "
            f"leave [{register}.delta] by out: then all rows are read and compared.",
        )
    return query.changed_at is not None and source.delta.by != "row_hash"


def _compares_keys(source: Source, query: RegisterQuery) -> bool:
    """Says whether all keys and their times are read, as always in a lake, where that is cheap.

    There, a row may also arrive long after its time of change.
    """
    return query.tombstones is None or source.in_lake


# --- by the hash of whole rows --------------------------------------------------------------------


def _by_hash(
    warehouse: Warehouse,
    register: str,
    reading: Reading,
    query: RegisterQuery,
    origin: Origin,
    progress: _Progress,
) -> Changes:
    """Reads all rows, and replaces those of keys whose rows have changed."""
    expected = reading.count(query.statement)
    read = 0

    def watched() -> Iterator[pa.RecordBatch]:
        nonlocal read
        for batch in reading.batches(query.statement):
            yield batch
            read += batch.num_rows
            if progress:
                progress(read, expected)

    with _incoming(warehouse, register, watched()):
        if read != expected:
            raise _NotADeltaError("its rows did not all arrive")
        _note_incoming_keys(warehouse, register)
        _compare(warehouse, register, by_time=False)
        return _merged(warehouse, register, origin, by_time=False)


# --- by the time of change ------------------------------------------------------------------------


def _by_time(
    warehouse: Warehouse,
    register: str,
    source: Source,
    reading: Reading,
    query: RegisterQuery,
    last: Origin,
    origin: Origin,
) -> Changes:
    """Reads the rows of keys that were changed since, and finds the keys that are gone."""
    until = last.changed_until
    if until is None:
        raise _NotADeltaError("none of its rows had a time of change")
    since = until - timedelta(minutes=source.delta.overlap_minutes)
    expected = reading.count(query.statement)
    asked = (query.changed_since(since), query.without_key)
    with _incoming(warehouse, register, chain.from_iterable(map(reading.batches, asked))):
        if _compares_keys(source, query):
            _read_keys(warehouse, register, reading, query)
            _read_strayed(warehouse, register, reading, query)
            _compare(warehouse, register, among=f"where {_SUSPECT.format(key=key_of(register))}")
        else:
            _read_tombstones(warehouse, register, reading, query, since)
            was_told = f"{KEYS[register]} in (select row_key from deleted_keys)"  # noqa: S608
            # (With nothing to find, the engine would still read the whole table.)
            is_any = warehouse.number("select count(*) from deleted_keys")
            _compare(warehouse, register, among=f"where {was_told}" if is_any else "where false")
        after = _rows_after(warehouse, register)
        if after != expected:
            raise _NotADeltaError(
                f"with the changes that were read it would have {after:,} rows, but the register "
                f"has {expected:,}"
            )
        return _merged(warehouse, register, origin, by_time=True)


def _read_keys(warehouse: Warehouse, register: str, reading: Reading, query: RegisterQuery) -> None:
    """Reads the keys of all rows of the register, and when each was changed.

    Whether two groups of keys are equal is quickly seen by a sum of hashes, once all that is new
    counts. Only the groups in which register and raw table differ are kept (``suspects``), to be
    compared key by key (``source_keys``). Where no row was deleted, and none restored with an old
    time, there are none.
    """
    names = (KEYS[register], CHANGED_AT)
    batches = reading.batches(query.keys_and_times)
    with _columns_in_a_file(warehouse, register, batches, names) as read:
        _find_suspects(warehouse, register, read)
        warehouse.execute(
            f"create or replace temp table source_keys as select * from {read} "  # noqa: S608
            f"where {_SUSPECT.format(key='row_key')}"
        )


def _find_suspects(warehouse: Warehouse, register: str, read: str) -> None:
    """Finds the groups of keys in which register and raw table differ, once all that is new counts.

    Args:
        warehouse: With the raw table, and the rows that are new.
        register: ``insurance`` or ``population``.
        read: The register's keys and times, as SQL.
    """
    of_group = f"""
        select
            {_GROUP.format(key="row_key")} as key_group,
            count(*) as row_count,
            sum(hash(row_key, {CHANGED_AT})::hugeint) as content
    """
    warehouse.execute(
        f"""
        create or replace temp table suspects as
        with theirs as (
            {of_group}
            from {read}
            group by all
        ),

        ours as (
            {of_group}
            from (
                select {key_of(register)} as row_key, {CHANGED_AT}
                from raw.{register}
                anti join (select {key_of(register)} as row_key from incoming_rows) as incoming
                    on {key_of(register)} = incoming.row_key
                union all
                select {key_of(register)}, {CHANGED_AT}
                from incoming_rows
            )
            group by all
        )

        select coalesce(theirs.key_group, ours.key_group) as key_group
        from theirs
        full join ours on theirs.key_group = ours.key_group
        where
            theirs.row_count is distinct from ours.row_count
            or theirs.content is distinct from ours.content
        """  # noqa: S608 - our own names
    )


@contextmanager
def _columns_in_a_file(
    warehouse: Warehouse,
    register: str,
    batches: Iterator[pa.RecordBatch],
    names: tuple[str, ...],
) -> Iterator[str]:
    """Writes some columns to a file for a while; gives them as SQL, the key first (``row_key``)."""
    schema = pa.schema([(name, pa.string()) for name in names])
    texts = (
        pa.record_batch(
            [as_text(warehouse, batch.column(at), register, n) for at, n in enumerate(names)],
            schema=schema,
        )
        for batch in batches
    )
    with _by_a_file(warehouse, register, schema, texts) as read:
        rest = "".join(f", {name}" for name in names[1:])
        yield f"(select coalesce({names[0]}, {_NO_KEY}) as row_key{rest} from {read})"  # noqa: S608


def _read_strayed(
    warehouse: Warehouse, register: str, reading: Reading, query: RegisterQuery
) -> None:
    """Reads keys whose rows differ from the register's, though none has a new time of change.

    For example, a row was restored with its old time, or one of several rows was deleted.
    """
    warehouse.execute(
        f"""
        create or replace temp table strayed as
        with theirs as (
            select row_key, {_TIMES} as times
            from source_keys
            group by row_key
        ),

        incoming as (
            select {key_of(register)} as row_key, {_TIMES} as times
            from incoming_rows
            where {_SUSPECT.format(key=key_of(register))}
            group by all
        ),

        ours as (
            select {key_of(register)} as row_key, {_TIMES} as times
            from raw.{register}
            anti join incoming on {key_of(register)} = incoming.row_key
            where {_SUSPECT.format(key=key_of(register))}
            group by all
            union all
            select row_key, times from incoming
        )

        select theirs.row_key
        from theirs
        left join ours on theirs.row_key = ours.row_key
        where ours.times is distinct from theirs.times and theirs.row_key <> {_NO_KEY}
        """  # noqa: S608 - our own names
    )
    strayed = warehouse.number("select count(*) from strayed")
    if strayed > _MOST_STRAYED:
        raise _NotADeltaError(
            f"the rows of {strayed:,} keys changed without a new {CHANGED_AT}, so a delta cannot "
            f"rely on {CHANGED_AT}"
        )
    for start in range(0, strayed, _KEYS_AT_ONCE):
        keys = warehouse.arrow(
            "select row_key from strayed where rowid between $first and $last",
            {"first": start, "last": start + _KEYS_AT_ONCE - 1},
        )
        asked = [str(key) for key in keys.column(0).to_pylist()]
        _lend(warehouse, register, "again_rows", reading.batches(query.of_keys_in(asked)))
        # (A source that does not distinguish A from a may also return all rows of other keys.)
        key = key_of(register)
        warehouse.execute(
            f"delete from incoming_rows where {key} in (select {key} from again_rows)"  # noqa: S608
        )
        warehouse.execute("insert into incoming_rows select * from again_rows")
    warehouse.execute("drop table if exists again_rows; drop table strayed")


def _read_tombstones(
    warehouse: Warehouse, register: str, reading: Reading, query: RegisterQuery, since: datetime
) -> None:
    """Reads which keys were deleted; those that came back since are among the incoming rows."""
    gone = reading.batches(query.deleted_since(since))
    with _columns_in_a_file(warehouse, register, gone, (KEYS[register],)) as read:
        warehouse.execute(f"create or replace temp table deleted_keys as from {read}")
    _note_incoming_keys(warehouse, register)


# --- what both share ------------------------------------------------------------------------------

_TIMES = f"struct_pack(row_count := count(*), content := sum(hash({CHANGED_AT})::hugeint))"
"""How many rows a key has, and when they were changed."""

_TEMPORARY = (
    "incoming_rows", "source_keys", "changed_keys", "deleted_keys", "again_rows", "strayed",
    "suspects", "their_keys", "our_keys", "replaced",
)  # fmt: skip

_GROUP = "hash({key}) % 65536"
_SUSPECT = f"{_GROUP} in (select key_group from suspects)"  # noqa: S608 - our own names
"""A key of a group in which register and raw table differ (``_find_suspects``)."""

_NO_KEY = "chr(0)"
"""Stands for the key of rows without a key; no real key looks like this."""


def key_of(register: str) -> str:
    """Returns the key of a row of a raw table as SQL; rows without a key have one in common."""
    return f"coalesce({KEYS[register]}, {_NO_KEY})"


def changed_keys(register: str) -> str:
    """The temporary table in which the keys stand (``row_key``) whose rows a delta has changed."""
    return f"changed_{register}_keys"


def touched_keys(register: str) -> str:
    """The temporary table of the keys (``row_key``) whose row has a new time of change only."""
    return f"touched_{register}_keys"


def _contents(register: str, rows: str) -> str:
    """What the rows of each key hold, how many they are, and when they were changed, as SQL."""
    columns = [column.name for column in REGISTERS[register]]
    facts = ", ".join(column for column in columns if column != CHANGED_AT)
    return f"""
        select
            {key_of(register)} as row_key,
            sum(hash({", ".join(columns)})::hugeint) as content,
            sum(hash({facts})::hugeint) as facts,
            {_TIMES} as times
        from {rows}
        group by all
    """  # noqa: S608 - our own names


@contextmanager
def _incoming(
    warehouse: Warehouse, register: str, batches: Iterator[pa.RecordBatch]
) -> Iterator[None]:
    """Keeps the rows that were read in a temporary table for a while."""
    try:
        _lend(warehouse, register, "incoming_rows", batches)
        yield
    finally:
        for table in _TEMPORARY:
            warehouse.execute(f"drop table if exists {table}")


def _lend(
    warehouse: Warehouse, register: str, table: str, batches: Iterator[pa.RecordBatch]
) -> None:
    """Loads rows that are read into a temporary table."""
    rows = new_rows(warehouse, register, batches)
    with _by_a_file(warehouse, register, raw_schema(register), rows) as read:
        warehouse.execute(f"create or replace temp table {table} as select * from {read}")  # noqa: S608


@contextmanager
def _by_a_file(
    warehouse: Warehouse, register: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]
) -> Iterator[str]:
    """Lends batches to the engine through a file; gives them as SQL.

    The engine cannot convert values to text while it waits for the next batch, and a register's
    keys alone may not fit into memory.
    """
    file = warehouse.file(TableName("raw", register)).with_suffix(".incoming")
    try:
        with pq.ParquetWriter(
            file, schema, compression="lz4", use_dictionary=False, write_statistics=False
        ) as writer:
            for batch in batches:
                writer.write_batch(batch)
        yield warehouse.in_file(file)
    finally:
        file.unlink(missing_ok=True)


def _note_incoming_keys(warehouse: Warehouse, register: str) -> None:
    """Takes the keys of the rows that were read as those that the register still has.

    It has others, too, if not all rows were read; then only keys that were told to be deleted are
    compared with these.
    """
    warehouse.execute(
        f"create or replace temp table source_keys as select {key_of(register)} as row_key "  # noqa: S608
        "from incoming_rows"
    )


def _compare(warehouse: Warehouse, register: str, among: str = "", *, by_time: bool = True) -> None:
    """Finds the keys that are new, changed or gone; the latter among some rows of the raw table."""
    warehouse.execute(
        f"create or replace temp table their_keys as {_contents(register, 'incoming_rows')}"
    )
    if by_time:
        _find_ours(warehouse, register)
    else:
        _find_all_ours(warehouse, register)
    warehouse.execute(
        f"""
        create or replace temp table changed_keys as
        select
            theirs.row_key,
            case
                when ours.row_key is null then 'inserted'
                when ours.facts = theirs.facts and ours.times.row_count = 1
                    and theirs.times.row_count = 1 then 'touched'
                else 'updated'
            end as what
        from their_keys as theirs
        left join our_keys as ours on theirs.row_key = ours.row_key
        where
            ours.times is distinct from theirs.times
            or ours.content is distinct from theirs.content
        union all
        select distinct
            {key_of(register)} as row_key,
            'deleted' as what
        from raw.{register}
        anti join source_keys on {key_of(register)} = source_keys.row_key
        {among}
        """  # noqa: S608 - our own names
    )


def _find_ours(warehouse: Warehouse, register: str) -> None:
    """Finds the content of the keys that were read, as the raw table has it.

    Of keys that are read again because of the overlap, the last delta has noted it. The others are
    sought among the amended rows, and only then in the whole table.
    """
    key, table = key_of(register), TableName("raw", register)
    others = "(select row_key from their_keys anti join our_keys using (row_key))"
    sought = f"{{}} semi join {{}} as sought on {key} = sought.row_key"
    warehouse.execute(
        f"create or replace temp table our_keys as select ours.* "  # noqa: S608 - our own names
        f"from {_known_content(warehouse, table)} as ours "
        "semi join their_keys as theirs on ours.row_key = theirs.row_key"
    )
    for rows in (warehouse.amended_rows(table), table.sql):
        if warehouse.number(f"select count(*) from {others}"):  # noqa: S608 - our own names
            found = _contents(register, sought.format(rows, others))
            warehouse.execute(f"insert into our_keys {found}")


def _find_all_ours(warehouse: Warehouse, register: str) -> None:
    """Finds the content of all keys of the raw table."""
    contents = _contents(register, f"raw.{register}")
    warehouse.execute(f"create or replace temp table our_keys as {contents}")


def _known_content(warehouse: Warehouse, table: TableName) -> str:
    """Returns the content of the keys that the last delta read, as SQL."""
    known = TableName("raw", f"{table.table}_known")
    build = build_of(warehouse, table)
    if not (build and warehouse.exists(known) and "facts" in dict(warehouse.columns(known))):
        return "(from their_keys limit 0)"
    return f"(select * exclude (build) from {known.sql} where build = '{build}')"  # noqa: S608


def _note_content(warehouse: Warehouse, register: str) -> None:
    """Notes the content of the keys that were read, if they are few, now that the table has it."""
    build = build_of(warehouse, TableName("raw", register))
    is_few = warehouse.number("select count(*) from their_keys") <= _MOST_NOTED
    warehouse.execute(
        f"create or replace table raw.{register}_known as "  # noqa: S608 - our own names
        f"select *, '{build}' as build from their_keys where {is_few}"
    )


def _rows_after(warehouse: Warehouse, register: str) -> int:
    """Counts the rows that the table will have."""
    if not warehouse.number("select count(*) from changed_keys"):
        return warehouse.count(TableName("raw", register))
    on = f"{key_of(register)} = changed_keys.row_key"
    return sum(
        warehouse.number(f"select count(*) from {rows} join changed_keys on {on}")  # noqa: S608
        for rows in (f"raw.{register} anti", "incoming_rows semi")
    )


def _merged(warehouse: Warehouse, register: str, origin: Origin, *, by_time: bool) -> Changes:
    """Puts the changed rows in place; leaves the table alone where nothing has changed.

    Args:
        warehouse: The warehouse.
        register: ``insurance`` or ``population``.
        origin: From where it was read.
        by_time: Whether only some keys were read, a few of which will be read again.
    """
    counts = {
        str(row["what"]): int(str(row["n"]))
        for row in warehouse.rows("select what, count(*) as n from changed_keys group by what")
    }
    changes = Changes(**counts)
    if not changes:
        if not is_noted(warehouse, TableName("raw", register)):
            note_build(warehouse, TableName("raw", register), ())  # the last run died before it
        if by_time:
            _note_content(warehouse, register)
        return changes
    table, key = TableName("raw", register), key_of(register)
    warehouse.execute(
        f"""
        create or replace temp table replaced as
        select changed_keys.*, recorded.row_number
        from raw.{register} as recorded
        inner join changed_keys on {key} = changed_keys.row_key
        """  # noqa: S608 - our own names
    )
    columns = ", ".join(raw_schema(register).names)
    new = f"""
        select {columns}, touched.row_number
        from incoming_rows
        semi join changed_keys on {key} = changed_keys.row_key
        left join (from replaced where what = 'touched') as touched on {key} = touched.row_key
    """  # noqa: S608 - our own names
    with warehouse.transaction():
        forget_build(warehouse, table)
        gone = "select row_number from replaced"
        warehouse.amend(table, gone=gone, new=new, note=origin.as_note())
        note_build(warehouse, table, ())
        if by_time:
            _note_content(warehouse, register)
    for keys, are in ((changed_keys, "<>"), (touched_keys, "=")):
        warehouse.execute(
            f"create or replace temp table {keys(register)} as "  # noqa: S608 - our own names
            f"select row_key from changed_keys where what {are} 'touched'"
        )
    return changes
