"""Registers in a lake, as Parquet files, a Delta or an Iceberg table, arrive as others do.

Belongs here: what differs from a database. Does not belong here: reading in general
(``test_extraction.py``), and where the tables of a run lie (``test_lake.py``).
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import string
import struct
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import SecretStr
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table import Table
from pyiceberg.typedef import Record

from etl.cli.probe import probe
from etl.domain.errors import (
    ConfigError,
    ConnectionFailedError,
    ContractError,
    DoisoatError,
    ServerAwayError,
)
from etl.extract import Changes, extract_changes, extract_register, look_at
from etl.extract.streams import reading_register
from etl.settings import Engine, Settings, Source, load_settings
from tests.support import (
    INSURANCE_COLUMNS,
    POPULATION_COLUMNS,
    Registers,
    citizen,
    configure,
    empty_warehouse,
    memory_folder,
    record,
    sync,
)

NOBODY = 65534
Row = dict[str, object]
Write = Callable[[Path, pa.Table], str]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = memory_folder("doisoat-registers-")
    yield made
    shutil.rmtree(made, ignore_errors=True)


def _as_parquet(place: Path, rows: pa.Table) -> str:
    """Writes a folder of two files, as a cluster does."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    half = rows.num_rows // 2
    for number, part in enumerate((rows.slice(0, half), rows.slice(half))):
        pq.write_table(part, place / f"part-0000{number}.snappy.parquet")
    (place / "_SUCCESS").touch()
    return f"parquet:///{place}"


def _as_delta(place: Path, rows: pa.Table) -> str:
    write_deltalake(place, rows, mode="overwrite", schema_mode="overwrite")
    return f"delta:///{place}"


def _iceberg(place: Path, rows: pa.Table) -> Table:
    """Makes an Iceberg table by a separate catalog, and replaces one that may exist."""
    place.parent.mkdir(exist_ok=True)
    uri, lake = f"sqlite:///{place.parent}/catalog.db", f"file://{place.parent}"
    catalog = SqlCatalog("tests", uri=uri, warehouse=lake)
    catalog.create_namespace_if_not_exists("lake")
    name = ("lake", place.name)
    if catalog.table_exists(name):
        catalog.drop_table(name)
    known = _known(rows)
    table = catalog.create_table(name, known.schema, location=f"file://{place}")
    table.append(known)
    return table


def _known(rows: pa.Table) -> pa.Table:
    """Gives columns that have only nulls a type, because not every version has a null type."""
    return rows.cast(
        pa.schema(
            field.with_type(pa.string() if pa.types.is_null(field.type) else field.type)
            for field in rows.schema
        )
    )


def _hint(place: Path, table: Table) -> str:
    """Writes which metadata file is current, as tables of a Hadoop catalog do; returns the URL."""
    (place / "metadata" / "version-hint.text").write_text(Path(table.metadata_location).name)
    return f"iceberg:///{place}"


def _as_iceberg(place: Path, rows: pa.Table) -> str:
    return _hint(place, _iceberg(place, rows))


@pytest.fixture(
    params=[
        pytest.param(_as_parquet, id="parquet"),
        pytest.param(_as_delta, id="delta"),
        pytest.param(_as_iceberg, id="iceberg", marks=pytest.mark.wide),
    ]
)
def write(request: pytest.FixtureRequest) -> Write:
    """Writes rows to a place and returns its URL."""
    written: Write = request.param
    return written


def _rows(rows: list[Row], columns: tuple[str, ...] = tuple(INSURANCE_COLUMNS)) -> pa.Table:
    return pa.table({name: [row.get(name) for row in rows] for name in columns})


def _with(table: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, values)
    return table


def _source(url: str, **options: Any) -> Source:
    return Source(url=SecretStr(url), **options)


_READ = "select * exclude (run_id, read_at, row_number) from raw.insurance order by 1 nulls last"


def _raw(folder: Path, source: Source) -> list[dict[str, object]]:
    with empty_warehouse(folder) as warehouse:
        extraction = extract_register(warehouse, "insurance", source)
        rows = warehouse.rows(_READ)
        assert extraction.way == "files"
        assert extraction.rows == len(rows)
        return rows


def test_typed_columns_arrive_as_the_text_that_a_database_gives(folder: Path, write: Write) -> None:
    utc = datetime(2026, 7, 1, 16, 59, 1, tzinfo=UTC)
    odd = "  nhà 'số' \"5\"; \\n % :x \U0001f642"
    rows = _with(
        _rows([record(n, address=odd, gender="") for n in (1, 2)]),
        record_id=pa.array([1, 2], pa.int32()),
        id_number=pa.array([1095012345.0, None]),  # (whole numbers of a program; some are missing)
        insurance_number=pa.array([12345678901234, None]),
        date_of_birth=pa.array([date(1951, 2, 1), None]),
        updated_at=pa.array([datetime(2026, 7, 1, 23, 59, 1, 500_000), None], pa.timestamp("us")),
        status=pa.array([utc, None], pa.timestamp("us", "UTC")),
        employer_code=pa.array([Decimal("12.25"), None], pa.decimal128(10, 2)),
        compulsory_si=pa.array([True, None]),
        voluntary_si=pa.array([0.5, None]),
        province_code=pa.array(["01", None]),
    )

    first, second = _raw(folder, _source(write(folder / "lake", rows)))

    assert first == record(1) | {
        "record_id": "1",
        "id_number": "1095012345",
        "insurance_number": "12345678901234",
        "date_of_birth": "1951-02-01",
        "updated_at": "2026-07-01 23:59:01.5",
        "status": "2026-07-01 16:59:01+00",
        "employer_code": "12.25",
        "compulsory_si": "true",
        "voluntary_si": "0.5",
        "province_code": "01",
        "address": odd,
        "gender": "",
    }
    nulls = ("id_number", "insurance_number", "date_of_birth", "updated_at", "status",
             "employer_code", "compulsory_si", "voluntary_si", "province_code")  # fmt: skip
    assert {second[name] for name in nulls} == {None}


def test_columns_are_mapped_to_names_and_expressions(folder: Path, write: Write) -> None:
    rows = _rows([record(1)]).rename_columns([name.upper() for name in INSURANCE_COLUMNS])
    rows = rows.append_column("gioi", pa.array([1]))
    gender = "case gioi when 1 then 'Nam: %' else 'Nữ' end"
    source = _source(write(folder / "lake", rows), columns={"gender": gender, "address": "OFFICE"})

    (found,) = _raw(folder, source)

    assert found == record(1) | {"gender": "Nam: %", "address": record(1)["office"]}


def test_whole_decimals_are_whole_numbers_and_what_is_no_number_is_null(
    folder: Path, write: Write
) -> None:
    rows = _with(
        _rows([record(1), record(2)]),
        record_id=pa.array([Decimal(1), Decimal(2)], pa.decimal128(38, 10)),
        id_number=pa.array([Decimal(79095012345), Decimal("0.5")], pa.decimal128(38, 10)),
        insurance_number=pa.array([float("nan"), 79095012345.0]),
    )

    first, second = _raw(folder, _source(write(folder / "lake", rows)))

    names = ("record_id", "id_number", "insurance_number")
    assert [first[name] for name in names] == ["1", "79095012345", None]
    assert [second[name] for name in names] == ["2", "0.5000000000", "79095012345"]


def test_times_that_python_does_not_know_are_told(folder: Path) -> None:
    far = 290_000 * 365 * 86_400 * 10**6
    rows = _with(
        _rows([record(1)]),
        date_of_birth=pa.array([2**30], pa.date32()),
        updated_at=pa.array([far], pa.timestamp("us")),
    )

    (found,) = _raw(folder, _source(_as_parquet(folder / "lake", rows)))

    assert str(found["date_of_birth"]).startswith("2941")
    assert str(found["updated_at"]).startswith("2917")


def test_a_query_may_name_the_register_twice(folder: Path, write: Write) -> None:
    rows = _rows([record(1), record(2), record(3)]).append_column("dt", pa.array(["1", "2", "2"]))
    latest = "select * from register where dt = (select max(dt) from register); -- the newest"

    found = _raw(folder, _source(write(folder / "lake", rows), query=latest))

    assert [row["record_id"] for row in found] == [record(n)["record_id"] for n in (2, 3)]


def _settings(home: Path, urls: tuple[str, str], **engine: object) -> Settings:
    insurance, population = ({"url": url} for url in urls)
    file = configure(
        home / "doisoat.toml",
        insurance=insurance,
        population=population,
        target={"url": f"sqlite:///{home}/target.db"},
        engine={"threads": 1, **engine},
    )
    return load_settings(file)


@pytest.mark.wide
def test_a_whole_sync_publishes_what_it_does_from_a_database(
    folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOISOAT_KEY", "5a" * 32)
    records, citizens = [record(n) for n in range(1, 9)], [citizen(n) for n in range(1, 12)]
    lake, base = folder / "lake", folder / "base"
    urls = (
        write(lake / "insurance", _rows(records)),
        write(lake / "population", _rows(citizens, tuple(POPULATION_COLUMNS))),
    )
    base.mkdir()
    files = [f"sqlite:///{base}/{name}.db" for name in ("insurance", "population", "target")]
    sqlite = Registers(base, records, citizens, *files).write()
    sqlite.sync()
    settings = _settings(lake, urls)
    sync(settings)

    query = "select record_id, status, row_hash from {reconciled} order by 1"
    read = Registers(lake, [], [], *urls, f"sqlite:///{lake}/target.db")
    assert read.published(query) == sqlite.published(query)
    assert len(read.published(query)) == 8
    told = {found.name: found.detail for found in probe(settings)}
    assert "8 rows at" in told["insurance"]
    assert "a delta reads all rows and compares them" in told["insurance"]


def _timed(rows: list[Row]) -> pa.Table:
    times = [datetime(2026, 1, 1, 8, int(str(row["updated_at"]))) for row in rows]
    return _with(_rows(rows), updated_at=pa.array(times, pa.timestamp("us")))


def test_a_delta_reads_what_has_changed(folder: Path, write: Write) -> None:
    before = [record(n, updated_at=n) for n in range(1, 6)]
    after = [
        record(1, updated_at=1),
        record(2, updated_at=30, full_name="Another Name"),
        record(4, updated_at=4),
        record(5, updated_at=5),
        record(6, updated_at=31),
    ]
    source = _source(write(folder / "lake", _timed(before)), delta={"overlap_minutes": 0})
    with empty_warehouse(folder) as warehouse:
        extract_register(warehouse, "insurance", source)
        first = look_at("insurance", source)
        unchanged = extract_changes(warehouse, "insurance", source)
        write(folder / "lake", _timed(after))
        changed = extract_changes(warehouse, "insurance", source)
        names = [row["full_name"] for row in warehouse.rows(_READ)]

    assert unchanged.changes == Changes()
    assert changed.changes == Changes(inserted=1, updated=1, deleted=1), changed.whole_because
    assert "Another Name" in names
    assert len(names) == 5
    assert first == ["5", "2026-01-01T08:05:00"]
    assert look_at("insurance", source) != first


def test_a_delta_may_be_told_of_deleted_rows(folder: Path, write: Write) -> None:
    gone = folder / "gone.parquet"
    keys = [str(record(2)["record_id"])]
    pq.write_table(pa.table({"id": keys, "gone_at": [datetime(2026, 1, 2)]}), gone)
    deleted = f"select id, gone_at from read_parquet('{gone}')"
    rows = [record(n, updated_at=n) for n in range(1, 4)]
    source = _source(write(folder / "lake", _timed(rows)), delta={"deleted": deleted})
    with empty_warehouse(folder) as warehouse:
        extract_register(warehouse, "insurance", source)
        write(folder / "lake", _timed([rows[0], rows[2]]))
        found = extract_changes(warehouse, "insurance", source)

    assert found.changes == Changes(deleted=1), found.whole_because


def test_a_row_that_arrives_late_is_found_beside_told_deletions(folder: Path, write: Write) -> None:
    gone = pa.table({"id": pa.array([], pa.string()), "at": pa.array([], pa.timestamp("us"))})
    pq.write_table(gone, folder / "gone.parquet")
    deleted = f"select * from read_parquet('{folder}/gone.parquet')"
    options = {"deleted": deleted, "overlap_minutes": 1}
    rows = [record(1, updated_at=50), record(2, updated_at=1)]
    source = _source(write(folder / "lake", _timed(rows)), delta=options)
    with empty_warehouse(folder) as warehouse:
        extract_register(warehouse, "insurance", source)
        late = record(2, updated_at=9, full_name="Another Name")
        write(folder / "lake", _timed([rows[0], late]))
        found = extract_changes(warehouse, "insurance", source)

    assert found.changes == Changes(updated=1), found.whole_because


def test_the_limits_of_the_engine_hold_for_files_too(folder: Path, write: Write) -> None:
    source = _source(
        write(folder / "lake", _rows([record(1)])),
        columns={"gender": "current_setting('memory_limit') || current_setting('threads')"},
    )
    with empty_warehouse(folder) as warehouse:
        limits = Engine(memory="1024MiB", threads=3)
        extract_register(warehouse, "insurance", source, limits=limits)
        (row,) = warehouse.rows(_READ)

    assert row["gender"] == "1.0 GiB3"


def test_check_reads_the_first_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOISOAT_KEY", "5a" * 32)
    url = _as_parquet(folder / "lake", _with(_rows([record(1)]), address=pa.array(["x1"])))
    _as_parquet(folder / "citizens", _rows([citizen(1)], tuple(POPULATION_COLUMNS)))
    settings = _settings(folder, (url, f"parquet:///{folder}/citizens"))
    broken = settings.insurance.model_copy(update={"columns": {"address": "address::int::text"}})
    settings = settings.model_copy(update={"insurance": broken})

    told = {found.name: found.error for found in probe(settings)}

    assert "SQL expression" in str(told["insurance"])
    assert not told["population"]


# --- Parquet ------------------------------------------------------------------------------------


def test_folders_of_partitions_are_columns_of_text(folder: Path) -> None:
    lake = folder / "it's [a] lake"
    kept = tuple(name for name in INSURANCE_COLUMNS if name != "province_code")
    for number, place in ((1, "01"), (2, "__HIVE_DEFAULT_PARTITION__")):
        part = lake / f"province_code={place}"
        part.mkdir(parents=True)
        pq.write_table(_rows([record(number)], kept), part / "part.parquet")

    found = _raw(folder, _source(f"parquet:///{lake}"))

    assert [row["province_code"] for row in found] == ["01", None]


def test_files_of_other_columns_and_types_are_one_register(folder: Path) -> None:
    lake = folder / "lake"
    lake.mkdir()
    without = tuple(name for name in INSURANCE_COLUMNS if name != "office")
    pq.write_table(_rows([record(1, id_number="0790")]), lake / "a.parquet")
    older = _with(_rows([record(2)], without), id_number=pa.array([790]))
    pq.write_table(older, lake / "b.parquet")

    found = _raw(folder, _source(f"parquet:///{lake}"))

    assert [row["id_number"] for row in found] == ["0790", "790"]
    assert [row["office"] for row in found] == [record(1)["office"], None]


def test_what_a_writer_left_is_not_read(folder: Path) -> None:
    url = _as_parquet(folder / "lake", _rows([record(1), record(2)]))
    for hidden in ("_metadata", ".spark-staging", "_old"):
        (folder / "lake" / hidden).mkdir(parents=True)
        pq.write_table(_rows([record(3)]), folder / "lake" / hidden / "part.parquet")
    (folder / "lake" / ".part.parquet.crc").write_bytes(b"crc")

    for pattern in ("", "/*", "/**", "/**/*.parquet"):
        assert len(_raw(folder, _source(f"{url}{pattern}"))) == 2, pattern


@pytest.mark.parametrize("pattern", ["lake/*", "lake/000000_0", "l*ke", "**/0*_0"])
def test_a_pattern_names_files_of_any_name(folder: Path, pattern: str) -> None:
    (folder / "lake").mkdir()
    pq.write_table(_rows([record(1)]), folder / "lake" / "000000_0")
    if pattern == "l*ke":
        pq.write_table(_rows([record(1)]), folder / "lake" / "part.parquet")

    assert len(_raw(folder, _source(f"parquet:///{folder}/{pattern}"))) == 1


def test_times_to_the_nanosecond_are_times_of_change(folder: Path) -> None:
    moment = pa.array([1_782_950_341_500_000_001], pa.timestamp("ns"))
    url = _as_parquet(folder / "lake", _with(_rows([record(1)]), updated_at=moment))

    assert look_at("insurance", _source(url))[1].startswith("2026-07-0")
    (found,) = _raw(folder, _source(url))
    assert str(found["updated_at"]).endswith(".5")


def test_a_relative_path_starts_at_the_configuration(folder: Path) -> None:
    _as_parquet(folder / "lake", _rows([record(1)]))
    settings = _settings(folder, ("parquet:///lake", "delta:///../citizens"))

    assert settings.insurance.shown == f"parquet:///{(folder / 'lake').resolve()}"
    assert settings.population.parsed.database == str((folder.parent / "citizens").resolve())
    assert len(_raw(folder, settings.insurance)) == 1


def test_files_that_change_while_they_are_read_are_noticed(folder: Path) -> None:
    source = _source(_as_parquet(folder / "lake", _rows([record(1), record(2)])))
    with reading_register("insurance", source) as (register, query):
        assert register.count(query.statement) == 2
        pq.write_table(_rows([record(3)]), folder / "lake" / "part-00001.snappy.parquet")
        with pytest.raises(ServerAwayError, match="changed its files while") as told:
            list(register.batches(query.statement))
    assert "part-00001" in str(told.value)


@pytest.mark.parametrize(
    ("meanwhile", "named"),
    [
        (lambda lake: pq.write_table(_rows([record(3)]), lake / "part-00002.parquet"), "00002"),
        (lambda lake: (lake / "part-00001.snappy.parquet").unlink(), "00001"),
        (lambda lake: (lake / "part-00001.snappy.parquet").write_bytes(b"PAR1"), "00001"),
        (lambda lake: pq.write_table(pa.table({"a": [1]}), lake / "part-00001.snappy.parquet"),
         "00001"),
    ],
    ids=["one more", "deleted", "truncated", "replaced"],
)  # fmt: skip
def test_whatever_happens_to_the_files_meanwhile_is_told_as_that(
    folder: Path, meanwhile: Callable[[Path], object], named: str
) -> None:
    source = _source(_as_parquet(folder / "lake", _rows([record(1), record(2)])))
    with reading_register("insurance", source) as (register, query):
        assert register.count(query.statement) == 2
        meanwhile(folder / "lake")
        with pytest.raises(ServerAwayError, match="changed its files while") as told:
            list(register.batches(query.statement))
    assert named in str(told.value.where)


def test_files_that_are_being_written_are_not_read(folder: Path) -> None:
    url = _as_parquet(folder / "lake" / "dt=1", _rows([record(1)]))
    (folder / "lake" / "dt=1" / "_temporary" / "0").mkdir(parents=True)

    for written in (url, f"parquet:///{folder}/lake", f"parquet:///{folder}/lake/dt=*/*"):
        assert "Somebody writes" in _refused(folder, _source(written), ServerAwayError)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("pattern", ["", "/*", "/**/*.parquet", "/*/*"])
def test_a_folder_that_cannot_be_listed_is_not_passed_over(folder: Path, pattern: str) -> None:
    for name in ("a", "b"):
        _as_parquet(folder / "lake" / name, _rows([record(1)]))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    (folder / "lake" / "b").chmod(0o700)
    os.seteuid(NOBODY)
    try:
        with (
            pytest.raises(ConnectionFailedError, match="cannot be read") as told,
            reading_register("insurance", _source(f"parquet:///{folder}/lake{pattern}")),
        ):
            pass
    finally:
        os.seteuid(0)
    assert told.value.where == str(folder / "lake" / "b")
    assert "vacuum" not in str(told.value)


def test_links_are_followed_and_nothing_is_read_twice(folder: Path) -> None:
    url = _as_parquet(folder / "lake", _rows([record(1)]))
    _as_parquet(folder / "elsewhere", _rows([record(2)]))
    link = folder / "lake" / "linked"

    link.symlink_to(folder / "elsewhere")
    assert len(_raw(folder, _source(url))) == 2
    assert len(_raw(folder, _source(f"{url}/**"))) == 2
    for target in ("lake", "lake/part-00000.snappy.parquet", "nowhere"):
        link.unlink()
        link.symlink_to(folder / target)
        words = "not there" if target == "nowhere" else "there twice"
        kind = ConnectionFailedError if target == "nowhere" else ConfigError
        if not target.endswith(".parquet"):
            assert words in _refused(folder, _source(url), kind)
        assert words in _refused(folder, _source(f"{url}/*"), kind)


def test_a_link_to_the_newest_folder_stays_a_link(folder: Path) -> None:
    _as_parquet(folder / "v1", _timed([record(1, updated_at=1)]))
    _as_parquet(folder / "v2", _timed([record(1, updated_at=1), record(2, updated_at=2)]))
    link = folder / "current"
    link.symlink_to("v1")
    source = _settings(folder, ("parquet:///current", "parquet:///current")).insurance
    with empty_warehouse(folder) as warehouse:
        extract_register(warehouse, "insurance", source)
        link.unlink()
        link.symlink_to("v2")
        source = _settings(folder, ("parquet:///current", "parquet:///current")).insurance
        found = extract_changes(warehouse, "insurance", source)

    assert found.changes == Changes(inserted=1), found.whole_because


_WHOLE, _ROUNDED = pa.array([79095012345]), pa.array([1.0], pa.float32())


@pytest.mark.parametrize(
    "values",
    [
        [_WHOLE, _ROUNDED],
        [_WHOLE, pa.array([Decimal(1)], pa.decimal128(20, 2))],
        [pa.array(["079095012345"]), pa.array([79095012345.0])],
        [pa.array([Decimal(1)], pa.decimal128(20, 2)), pa.array([1.0])],
        [pa.array([[79095012345]]), pa.array([[1.0]])],
        [pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("us", "UTC"))],
    ],
    ids=["float", "decimal", "text and float", "decimal and float", "lists", "zones"],
)
def test_types_of_which_no_one_holds_all_values_are_refused(
    folder: Path, values: list[pa.Array]
) -> None:
    (folder / "lake").mkdir()
    for number, value in enumerate(values):
        rows = _with(_rows([record(1)]), id_number=value)
        pq.write_table(rows, folder / "lake" / f"{number}.parquet")

    told = _refused(folder, _source(f"parquet:///{folder}/lake"), ContractError)

    assert "'id_number" in told
    assert "no one holds all values" in told
    assert "7909" not in told


def test_types_that_go_together_are_read(folder: Path) -> None:
    (folder / "lake").mkdir()
    values = [
        pa.array([79095012345]),
        pa.array([1095012345], pa.int32()),
        pa.array([2095012345], pa.uint64()),
        pa.array([Decimal(3095012345)], pa.decimal128(20, 0)),
        pa.array([None]),
    ]
    for number, value in enumerate(values):
        rows = _with(_rows([record(number)]), id_number=value)
        pq.write_table(rows, folder / "lake" / f"{number}.parquet")

    found = _raw(folder, _source(f"parquet:///{folder}/lake"))

    assert [row["id_number"] for row in found] == [
        "79095012345", "1095012345", "2095012345", "3095012345", None,
    ]  # fmt: skip


def test_a_file_in_another_folder_does_not_empty_a_column_of_all(folder: Path) -> None:
    kept = tuple(name for name in INSURANCE_COLUMNS if name != "province_code")
    _as_parquet(folder / "lake" / "province_code=01", _rows([record(1)], kept))
    pq.write_table(_rows([record(2)]), folder / "lake" / "stray.parquet")

    told = _refused(folder, _source(f"parquet:///{folder}/lake"), ConfigError)

    assert "stray.parquet" in told
    assert len(_raw(folder, _source(f"parquet:///{folder}/lake/province_code=*"))) == 1


def test_folders_above_a_register_are_no_columns(folder: Path) -> None:
    lake = folder / "status=archive" / "dt=1"
    _as_parquet(lake / "one", _rows([record(1)]))
    without = tuple(name for name in INSURANCE_COLUMNS if name not in ("status", "province_code"))
    _as_parquet(lake / "two" / "province_code=01", _rows([record(1)], without))
    _as_parquet(lake / "three" / "province_code=01", _rows([record(1)]))

    (one,) = _raw(folder, _source(f"parquet:///{lake}/one"))
    assert one["status"] == record(1)["status"]
    columns = {"status": "'active'"}
    (two,) = _raw(folder, _source(f"parquet:///{lake}/two", columns=columns))
    assert (two["status"], two["province_code"]) == ("active", "01")
    told = _refused(folder, _source(f"parquet:///{lake}/three"), ConfigError)
    assert "status=…" in told


@pytest.mark.parametrize(
    ("made", "kind"),
    [("_delta_log", "Delta"), (".hoodie", "Hudi"), ("metadata/v1.metadata.json", "Iceberg")],
)
@pytest.mark.parametrize("named", ["", "/table", "/table/data/dt=1", "/*/*/*/*", "/*/data/dt=1/*"])
def test_a_table_is_refused_wherever_it_is_entered(
    folder: Path, made: str, kind: str, named: str
) -> None:
    _as_parquet(folder / "lake" / "table" / "data" / "dt=1", _rows([record(1)]))
    (folder / "lake" / "table" / made).mkdir(parents=True)

    told = _refused(folder, _source(f"parquet:///{folder}/lake{named}"), ConfigError)

    assert f"{kind} table" in told


# --- Delta --------------------------------------------------------------------------------------


def test_rows_that_a_delta_table_has_deleted_are_not_read(folder: Path) -> None:
    url = _as_delta(folder / "lake", _rows([record(1), record(2)]))
    DeltaTable(folder / "lake").delete(f"record_id = '{record(2)['record_id']}'")

    (found,) = _raw(folder, _source(url))

    assert found["record_id"] == record(1)["record_id"]


def _delete_by_vector(table: Path, row: int) -> None:
    """Writes into a Delta table's log that a row of its only file is deleted, as clusters do."""
    bitmap = struct.pack("<IIHHIH", 12346, 1, 0, 0, 16, row)
    vector = struct.pack("<iqi", 1681511377, 1, 0) + bitmap
    z85 = (
        string.digits + string.ascii_lowercase + string.ascii_uppercase + ".-:+=^!/*?&<>()[]{}@%$#"
    )
    b85 = (
        string.digits + string.ascii_uppercase + string.ascii_lowercase + "!#$%&()*+-;<=>?@^_`{|}~"
    )
    written = base64.b85encode(vector.ljust(36, b"\0")).decode().translate(str.maketrans(b85, z85))
    (log,) = (table / "_delta_log").glob("*.json")
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "add" in action:
            action["add"]["deletionVector"] = {
                "storageType": "i",
                "pathOrInlineDv": written,
                "sizeInBytes": len(vector),
                "cardinality": 1,
            }
    log.write_text("\n".join(map(json.dumps, actions)))


def test_rows_that_a_vector_has_deleted_are_not_read(folder: Path) -> None:
    options = {"delta.enableDeletionVectors": "true"}
    write_deltalake(folder / "lake", _rows([record(1), record(2)]), configuration=options)
    _delete_by_vector(folder / "lake", 1)

    (found,) = _raw(folder, _source(f"delta:///{folder}/lake"))

    assert found["record_id"] == record(1)["record_id"]


def test_a_delta_table_is_read_as_it_was_when_it_was_opened(folder: Path) -> None:
    source = _source(_as_delta(folder / "lake", _rows([record(1)])))
    with reading_register("insurance", source) as (register, query):
        write_deltalake(folder / "lake", _rows([record(2)]), mode="append")
        assert register.count(query.statement) == 1
        assert sum(batch.num_rows for batch in register.batches(query.statement)) == 1


class _Deletions(ManifestWriterV2):
    """Writes which rows are deleted; pyiceberg itself writes only which files there are."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES


def _delete(table: Table, file: Path, content: DataFileContent, **more: Any) -> None:
    """Adds a file of deletions to the newest snapshot of a table, as Flink or Spark do."""
    snapshot = table.current_snapshot()
    assert snapshot
    kept = snapshot.manifests(table.io)
    made = table.io.new_output(f"{table.location()}/metadata/{file.stem}.avro")
    with _Deletions(table.spec(), table.schema(), made, snapshot.snapshot_id, "null") as writer:
        told = DataFile.from_args(
            content=content, file_path=str(file), file_format=FileFormat.PARQUET,
            partition=Record(), record_count=1, file_size_in_bytes=file.stat().st_size, **more,
        )  # fmt: skip
        entry = ManifestEntry.from_args(
            status=ManifestEntryStatus.ADDED, snapshot_id=snapshot.snapshot_id,
            sequence_number=2, file_sequence_number=2, data_file=told,
        )  # fmt: skip
        writer.add_entry(entry)
    Path(snapshot.manifest_list.removeprefix("file://")).unlink()
    listed = table.io.new_output(snapshot.manifest_list)
    with write_manifest_list(2, listed, snapshot.snapshot_id, None, 2, "null") as manifests:
        manifests.add_manifests([*kept, writer.to_manifest_file()])


def test_rows_that_an_iceberg_table_has_deleted_are_not_read(folder: Path) -> None:
    """Rows are deleted by rewriting their file, and by their position in it."""
    table = _iceberg(folder / "lake", _rows([record(n) for n in (1, 2, 3)]))
    table.delete("record_id = 'R000001'")
    (task,) = table.scan().plan_files()
    gone = folder / "lake" / "data" / "gone.parquet"
    pq.write_table(pa.table({"file_path": [task.file.file_path], "pos": [1]}), gone)
    _delete(table, gone, DataFileContent.POSITION_DELETES)

    (found,) = _raw(folder, _source(_hint(folder / "lake", table)))

    assert found == record(2)


def test_deletions_that_the_package_of_iceberg_tables_cannot_read_are_refused(folder: Path) -> None:
    table = _iceberg(folder / "lake", _rows([record(1), record(2)]))
    gone = folder / "lake" / "data" / "gone.parquet"
    pq.write_table(pa.table({"record_id": ["R000001"]}), gone)
    _delete(table, gone, DataFileContent.EQUALITY_DELETES, equality_ids=[1])

    url = _hint(folder / "lake", table)

    assert "equality deletes" in _refused(folder, _source(url), ConfigError)


def test_columns_of_an_iceberg_table_are_known_by_their_newest_names(folder: Path) -> None:
    table = _iceberg(folder / "lake", _rows([record(1)]))
    with table.update_schema() as update:
        update.rename_column("full_name", "ho_ten")
    table.append(_known(_rows([record(2)]).rename_columns({"full_name": "ho_ten"})))
    source = _source(_hint(folder / "lake", table), columns={"full_name": "ho_ten"})

    assert _raw(folder, source) == [record(1), record(2)]


def test_which_metadata_of_an_iceberg_table_counts_is_not_guessed(folder: Path) -> None:
    """The newest metadata file may be left from a writer whose commit failed."""
    place = folder / "lake"
    table = _iceberg(place, _rows([record(1)]))
    first = table.metadata_location.removeprefix("file://")
    table.append(_known(_rows([record(2)])))
    second = table.metadata_location.removeprefix("file://")

    assert "only its catalog knows" in _refused(folder, _source(f"iceberg:///{place}"), ConfigError)
    assert _raw(folder, _source(f"iceberg:///{first}")) == [record(1)]
    assert _raw(folder, _source(f"iceberg:///{second}")) == [record(1), record(2)]
    (place / "metadata" / "version-hint.text").write_text("1")
    assert "only its catalog knows" in _refused(folder, _source(f"iceberg:///{place}"), ConfigError)


def test_a_numbered_hint_is_where_the_search_for_the_newest_begins(folder: Path) -> None:
    """Hint and metadata are not written at once, and a writer may die in between."""
    place = folder / "lake"
    table = _iceberg(place, _rows([record(1)]))
    first = Path(table.metadata_location.removeprefix("file://")).read_bytes()
    table.append(_known(_rows([record(2)])))
    second = Path(table.metadata_location.removeprefix("file://")).read_bytes()
    for file in (place / "metadata").glob("*.metadata.json"):
        file.unlink()
    hint = place / "metadata" / "version-hint.text"
    source = _source(f"iceberg:///{place}")

    (place / "metadata" / "v1.metadata.json").write_bytes(first)
    hint.write_text("1\n")
    assert _raw(folder, source) == [record(1)]
    (place / "metadata" / "v2.gz.metadata.json").write_bytes(gzip.compress(second))
    assert _raw(folder, source) == [record(1), record(2)]
    hint.write_text("7")
    assert "that is not there" in _refused(folder, source, ConnectionFailedError)
    hint.write_text("v9.metadata.json")
    assert "that is not there" in _refused(folder, source, ConnectionFailedError)
    (place / "metadata" / "v2.metadata.json.gz").write_bytes(gzip.compress(second))
    hint.write_text("1")
    assert "several of one number" in _refused(folder, source, ConfigError)


def test_an_iceberg_table_that_was_copied_is_refused(folder: Path) -> None:
    """Its metadata names the files of the original, which may change."""
    table = _iceberg(folder / "lake", _rows([record(1)]))
    _hint(folder / "lake", table)
    shutil.copytree(folder / "lake", folder / "copy")

    told = _refused(folder, _source(f"iceberg:///{folder}/copy"), ConfigError)

    assert "outside of its folder" in told


def test_an_iceberg_table_is_read_as_it_was_when_it_was_opened(folder: Path) -> None:
    table = _iceberg(folder / "lake", _rows([record(1)]))
    source = _source(_hint(folder / "lake", table))
    with reading_register("insurance", source) as (register, query):
        table.append(_known(_rows([record(2)])))
        _hint(folder / "lake", table)
        assert register.count(query.statement) == 1
        assert sum(batch.num_rows for batch in register.batches(query.statement)) == 1


def test_an_iceberg_table_of_another_place_is_refused(folder: Path) -> None:
    table = _iceberg(folder / "lake", _rows([record(1)]))
    metadata = Path(table.metadata_location.removeprefix("file://"))
    metadata.write_text(metadata.read_text().replace("file://", "s3://"))

    told = _refused(folder, _source(f"iceberg:///{metadata}"), ConfigError)

    assert "names files under s3:" in told


def test_what_an_iceberg_tables_rows_fail_by_is_not_taken_for_a_lost_file(folder: Path) -> None:
    """Trying again would fail again."""
    url = _hint(folder / "lake", _iceberg(folder / "lake", _rows([record(1)])))
    (file,) = (folder / "lake" / "data").glob("*.parquet")
    numbered = pa.field("record_id", pa.float64(), metadata={"PARQUET:field_id": "1"})
    pq.write_table(pa.table([[1.5]], schema=pa.schema([numbered])), file)

    told = _refused(folder, _source(url), ConnectionFailedError)

    assert "the Iceberg table cannot be read (ResolveError)" in told


def test_an_iceberg_table_that_cannot_be_read_is_told(folder: Path) -> None:
    place = folder / "lake"
    url = _hint(place, _iceberg(place, _rows([record(1)])))
    for file in (place / "data").glob("*.parquet"):
        file.unlink()
    assert "a file of it cannot be read" in _refused(folder, _source(url), ServerAwayError)
    for file in (place / "metadata").glob("*.avro"):
        file.unlink()
    assert "the Iceberg table cannot be read" in _refused(
        folder, _source(url), ConnectionFailedError
    )
    for metadata in (place / "metadata").glob("*.metadata.json"):
        metadata.write_text('{"format-version": 2, "Khuỷu": 1}')
    told = _refused(folder, _source(url), ConnectionFailedError)
    assert "the Iceberg table cannot be read" in told
    assert "Khuỷu" not in told


@pytest.mark.parametrize(
    ("package", "kind"), [("deltalake", "delta"), ("pyiceberg.table", "iceberg")]
)
def test_the_package_that_reads_a_table_is_named_where_it_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, package: str, kind: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match="not installed") as told:
        _raw(folder, _source(f"{kind}:///{folder}"))
    assert "CLONE[lake]" in str(told.value)


# --- what is refused ----------------------------------------------------------------------------


def _refused(folder: Path, source: Source, kind: type[DoisoatError]) -> str:
    with pytest.raises(kind) as told:
        _raw(folder, source)
    assert told.value.remedy
    assert told.value.where
    return str(told.value)


def test_what_is_no_register_is_refused(folder: Path) -> None:
    url = _as_delta(folder / "delta", _rows([record(1)]))
    (folder / "iceberg" / "metadata").mkdir(parents=True)
    (folder / "iceberg" / "metadata" / "v1.metadata.json").touch()
    (folder / "empty").mkdir()
    (folder / "damaged").mkdir()
    (folder / "damaged" / "a.parquet").write_text("Khuỷu")

    def told(url: str, kind: type[DoisoatError] = ConnectionFailedError) -> str:
        return _refused(folder, _source(url), kind)

    assert "does not exist" in told(f"parquet:///{folder}/nowhere")
    assert "no Parquet file is there" in told(f"parquet:///{folder}/empty")
    assert "no Parquet file is there" in told(f"parquet:///{folder}/empty/*")
    assert "Write delta:" in told(url.replace("delta:", "parquet:"), ConfigError)
    assert "Iceberg table" in told(f"parquet:///{folder}/iceberg", ConfigError)
    assert "damaged/a.parquet" in (damaged := told(f"parquet:///{folder}/damaged"))
    assert "cannot be read" in damaged
    assert "Khuỷu" not in damaged
    assert "no Delta table is there" in told(f"delta:///{folder}/empty")
    assert "no Delta table is there" in told(f"delta:///{folder}/nowhere")
    assert "no Iceberg table is there" in told(f"iceberg:///{folder}/empty")
    assert "no Iceberg table is there" in told(f"iceberg:///{folder}/nowhere")
    assert "Write iceberg:" in told(f"parquet:///{folder}/iceberg", ConfigError)
    assert not (folder / "nowhere").exists()


def test_a_delta_table_whose_files_are_gone_is_told(folder: Path) -> None:
    url = _as_delta(folder / "lake", _rows([record(1)]))
    for file in (folder / "lake").glob("*.parquet"):
        file.unlink()

    told = _refused(folder, _source(url), ServerAwayError)
    assert "a file of it cannot be read" in told
    assert "vacuum" in told


def test_a_delta_table_that_is_vacuumed_while_it_is_read_is_told(folder: Path) -> None:
    source = _source(_as_delta(folder / "lake", _rows([record(1)])))
    with reading_register("insurance", source) as (register, query):
        _as_delta(folder / "lake", _rows([record(2)]))
        DeltaTable(folder / "lake").vacuum(0, dry_run=False, enforce_retention_duration=False)
        with pytest.raises(ServerAwayError, match="is there no longer") as told:
            list(register.batches(query.statement))
    assert "vacuum" in str(told.value)


def test_a_path_that_the_package_of_delta_tables_misreads_is_refused(folder: Path) -> None:
    settings = _settings(folder, ("delta:///a%2520b", "delta:///a"))

    assert "'deltalake' takes %20" in _refused(folder, settings.insurance, ConfigError)


@pytest.mark.parametrize(
    "columns",
    [{"gender": "case full_name"}, {"gender": "nobody(full_name)"}, {"gender": "no.column"},
     {"gender": "cast(full_name as integer)"}, {"gender": "strptime(full_name, '%Y')::text"},
     {"gender": "regexp_extract(full_name, '(')"}],
)  # fmt: skip
def test_an_expression_that_cannot_be_is_explained_and_quotes_nothing(
    folder: Path, write: Write, columns: dict[str, str]
) -> None:
    url = write(folder / "lake", _rows([record(1, full_name="Quềnh Khuỷu")]))

    told = _refused(folder, _source(url, columns=columns), ConnectionFailedError)

    assert "does not understand an SQL expression" in told
    assert "Khuỷu" not in told


def test_missing_columns_are_named_with_those_that_are_there(folder: Path, write: Write) -> None:
    url = write(folder / "lake", pa.table({"id": ["1"], "ten": ["A"]}))

    told = _refused(folder, _source(url), ContractError)

    assert "record_id" in told
    assert "Its columns are: id, ten" in told


def test_bytes_are_refused_with_what_to_map(folder: Path, write: Write) -> None:
    rows = _with(_rows([record(1)]), full_name=pa.array(["Đặng".encode()]))
    url = write(folder / "lake", rows)

    assert 'full_name = "decode(column)"' in _refused(folder, _source(url), ContractError)
    (found,) = _raw(folder, _source(url, columns={"full_name": "decode(full_name)"}))
    assert found["full_name"] == "Đặng"


def test_a_table_in_a_lake_is_refused_by_the_configuration() -> None:
    with pytest.raises(ValueError, match="the files that 'url' names are the table"):
        _source("parquet:////lake", table="insurance")


@pytest.mark.parametrize(
    "url", ["parquet://", "parquet:///", "parquet://mnt/lake", "parquet+x:////lake", "delta:///",
            "parquet:////lake/a?b"],
)  # fmt: skip
def test_a_url_that_names_files_by_more_or_less_than_a_path_is_refused(
    folder: Path, url: str
) -> None:
    with pytest.raises(ValueError, match=r"(nothing more than a path|no files); write it as"):
        _source(url)
    with pytest.raises(ConfigError, match=r"(nothing more than a path|no files); write it as"):
        _settings(folder, (url, "parquet:////lake"))


def test_a_link_that_leads_elsewhere_meanwhile_changes_nothing(folder: Path, write: Write) -> None:
    write(folder / "v1", _rows([record(1)]))
    url = write(folder / "v2", _rows([record(2)])).replace("/v2", "/current")
    link = folder / "current"
    link.symlink_to("v1")
    with reading_register("insurance", _source(url)) as (register, query):
        link.unlink()
        link.symlink_to("v2")
        (found,) = (row for one in register.batches(query.statement) for row in one.to_pylist())

    assert found["record_id"] == record(1)["record_id"]


def test_an_empty_register_is_read_as_no_rows(folder: Path, write: Write) -> None:
    empty = _rows([record(1)]).slice(0, 0)

    assert _raw(folder, _source(write(folder / "lake", empty))) == []
