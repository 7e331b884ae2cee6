"""Extraction: the same register from any product gives the same raw rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Column, MetaData, Table, create_engine, make_url, text
from sqlalchemy.dialects import mssql, oracle
from sqlalchemy.types import Boolean, Date, DateTime, Integer, Numeric, String

from etl.databases.connect import reading
from etl.domain.errors import ConfigError, ConnectionFailedError, ContractError, LedgerError
from etl.engine.duckdb.warehouse import open_warehouse
from etl.extract import extract_register
from etl.extract.load import store
from etl.extract.mapping import register_query, select_from
from etl.extract.streams import reading_register
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.process.privacy import RecordKey
from etl.settings import Source
from etl.state.copying import make_ops
from tests.support import (
    INSURANCE_COLUMNS,
    Registers,
    Row,
    Server,
    empty_warehouse,
    fill,
    record,
    run_sql,
)

Make = Callable[..., Registers]


def _source(url: str, **options: Any) -> Source:
    options = {"table": "insurance", **options} if "query" not in options else options
    return Source(url=SecretStr(url), **options)


def _raw(folder: Path, source: Source, register: str = "insurance") -> list[dict[str, object]]:
    with empty_warehouse(folder) as warehouse:
        extraction = extract_register(warehouse, register, source)
        rows = warehouse.rows(
            "select * exclude (run_id, read_at, row_number) "
            f"from raw.{register} order by 1 nulls last"
        )
        types = {kind for _, kind in warehouse.columns(TABLES[register])[:-2]}
        assert types == {"VARCHAR"}
        assert extraction.rows == len(rows)
        return rows


def _tables() -> dict[str, Any]:
    from etl.engine.statements import TableName

    return {register: TableName("raw", register) for register in ("insurance", "population")}


TABLES = _tables()

_TYPED = {
    "record_id": "integer",
    "date_of_birth": "date",
    "employer_code": "numeric(10, 2)",
    "updated_at": "timestamp",
    "compulsory_si": "smallint",
}


def _typed_rows() -> list[Row]:
    return [
        record(
            n,
            record_id=n,
            date_of_birth=f"19{50 + n}-02-0{n}",
            employer_code="12.25",
            updated_at=f"2026-07-0{n} 23:59:0{n}",
            compulsory_si=n % 2,
            full_name=f"Đặng Thị Ước\u0301 {n} 🙂",
            address=None if n == 1 else "  nhà 'số' \"5\"; \\n % :x ",
            gender="",
        )
        for n in range(1, 4)
    ]


def test_typed_columns_arrive_as_the_same_text_from_every_product(
    folder: Path, new_database: Callable[[], str]
) -> None:
    url = new_database()
    kinds = dict(_TYPED)
    if url.startswith("mysql"):
        kinds["updated_at"] = "datetime"
    fill(url, "insurance", INSURANCE_COLUMNS, _typed_rows(), kinds)

    rows = _raw(folder, _source(url))

    assert rows[0] == {
        **record(1),
        "record_id": "1",
        "date_of_birth": "1951-02-01",
        "employer_code": "12.25",
        "updated_at": "2026-07-01 23:59:01",
        "compulsory_si": "1",
        "full_name": "Đặng Thị Ước\u0301 1 🙂",
        "address": None,
        "gender": "",
    }
    assert rows[2]["address"] == "  nhà 'số' \"5\"; \\n % :x "
    assert len(rows) == 3


def test_fractions_of_a_second_are_the_same_text_from_every_product(
    folder: Path, new_database: Callable[[], str]
) -> None:
    url = new_database()
    kind = "datetime(6)" if url.startswith("mysql") else "timestamp"
    rows = [record(1, updated_at="2026-07-01 23:59:01.5"), record(2, updated_at="2026-07-01")]
    fill(url, "insurance", INSURANCE_COLUMNS, rows, {"updated_at": kind})

    found = [row["updated_at"] for row in _raw(folder, _source(url))]

    # SQLite has no dates: it returns what was written.
    midnight = "2026-07-01" if url.startswith("sqlite") else "2026-07-01 00:00:00"
    assert found == ["2026-07-01 23:59:01.5", midnight]


def _flags(folder: Path, url: str, kind: str, yes: str, no: str) -> list[object]:
    run_sql(
        url,
        "create table insurance (record_id varchar(9), full_name varchar(9), "
        f"date_of_birth varchar(10), health_insurance {kind})",
        f"insert into insurance values ('1', 'A', '1990', {yes}), ('2', 'B', '1990', {no}), "
        "('3', 'C', '1990', null)",
    )
    return [row["health_insurance"] for row in _raw(folder, _source(url))]


def test_booleans_are_understood_as_flags(folder: Path, new_database: Callable[[], str]) -> None:
    url = new_database()

    flags = _flags(folder, url, "boolean", "true", "false")

    # MariaDB has no booleans: it stores and shows 1 and 0.
    assert flags == (["1", "0", None] if url.startswith("mysql") else ["true", "false", None])


def test_bits_of_mariadb_are_understood_as_flags(folder: Path, mariadb: Server) -> None:
    assert _flags(folder, mariadb.database(), "bit(1)", "b'1'", "b'0'") == ["1", "0", None]


def test_sqlite_columns_hold_what_their_type_does_not_allow(folder: Path) -> None:
    url = f"sqlite:///{folder}/a.db"
    kinds = {"date_of_birth": "date", "updated_at": "datetime", "health_insurance": "boolean",
             "record_id": "integer"}  # fmt: skip
    rows = [
        record(1, record_id="x7", date_of_birth="7/3/85", updated_at="hôm qua"),
        record(2, record_id=8, date_of_birth=1985, health_insurance="có"),
    ]
    fill(url, "insurance", INSURANCE_COLUMNS, rows, kinds)

    found = _raw(folder, _source(url))

    assert [row["record_id"] for row in found] == ["8", "x7"]
    assert [row["date_of_birth"] for row in found] == ["1985", "7/3/85"]
    assert found[0]["health_insurance"] == "có"
    assert found[1]["updated_at"] == "hôm qua"


def test_sqlite_bytes_that_are_no_utf8_keep_their_letters(folder: Path) -> None:
    file = folder / "a.db"
    with sqlite3.connect(file) as connection:
        connection.execute("create table insurance (record_id, full_name, date_of_birth)")
        connection.execute(
            "insert into insurance values ('1', cast(x'4ca92056a1' as text), '1990')"
        )

    assert _raw(folder, _source(f"sqlite:///{file}"))[0]["full_name"] == "L© V¡"


def test_postgresql_enums_zones_and_arrays_arrive_as_text(folder: Path, postgresql: Server) -> None:
    url = postgresql.database()
    run_sql(
        url,
        "create type sex as enum ('Nam', 'Nữ')",
        "create table insurance (record_id uuid, full_name varchar(50), date_of_birth char(10), "
        "gender sex, health_insurance bool, id_number bigint, updated_at timestamptz, "
        "address text[])",
        "insert into insurance values ('00000000-0000-0000-0000-000000000001', 'Lê Sen', "
        "'1990-01-01', 'Nữ', true, 1090000001, '2026-07-01 10:00:00+07', array['a', 'b'])",
    )

    row = _raw(folder, _source(url))[0]

    assert row["record_id"] == "00000000-0000-0000-0000-000000000001"
    assert row["gender"] == "Nữ"
    assert row["id_number"] == "1090000001"
    assert row["health_insurance"] == "true"
    assert row["date_of_birth"] == "1990-01-01"
    assert row["updated_at"] == "2026-07-01 03:00:00+00"
    assert row["address"] == "{a,b}"


def test_a_mapping_to_columns_of_other_names_and_to_sql_expressions(
    folder: Path, new_database: Callable[[], str]
) -> None:
    url = new_database()
    columns = ("MA", "Họ & tên đệm", "tên", "ngày sinh", "50% [x]")
    fill(
        url,
        "insurance",
        columns,
        [dict(zip(columns, ("7", "Đỗ Văn", "Bảo", "1990-01-02", "h:1"), strict=True))],
    )
    quote = "`" if url.startswith("mysql") else '"'
    joined = f"{quote}Họ & tên đệm{quote} || ' ' || {quote}tên{quote}"
    if url.startswith("mysql"):
        joined = "concat(`Họ & tên đệm`, ' ', `tên`)"
    mapping = {
        "record_id": "ma",
        "full_name": joined,
        "date_of_birth": "ngày sinh",
        "address": "50% [x]",
        "gender": "case when 7 % 4 = 3 and 'a:b' like '%:b' then 'Nam' end",
        "status": "'active'",
    }

    row = _raw(folder, _source(url, columns=mapping))[0]

    assert {name: row[name] for name in mapping} == {
        "record_id": "7",
        "full_name": "Đỗ Văn Bảo",
        "date_of_birth": "1990-01-02",
        "address": "h:1",
        "gender": "Nam",
        "status": "active",
    }
    assert row["insurance_number"] is None


def test_a_query_may_join_and_may_hold_colons_and_percents(
    folder: Path, new_database: Callable[[], str]
) -> None:
    url = new_database()
    fill(url, "people", ("id", "name", "born"), [{"id": "1", "name": "A:b", "born": "1990"}])
    fill(url, "numbers", ("id", "number"), [{"id": "1", "number": "10:20"}])
    query = (
        'select p.id as record_id, p.name as "Full_Name", p.born as date_of_birth, '
        "n.number as id_number, 'x:y %s' as address from people p "
        "join numbers n on n.id = p.id where p.name like '%:b' and 5 % 2 = 1;"
    )
    if url.startswith("mysql"):
        query = query.replace('"', "`")

    row = _raw(folder, _source(url, query=query))[0]

    assert row["full_name"] == "A:b"
    assert row["id_number"] == "10:20"
    assert row["address"] == "x:y %s"


def test_views_are_read(folder: Path, new_database: Callable[[], str]) -> None:
    url = new_database()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1), record(2)])
    run_sql(url, "create view seen as select * from insurance where record_id = 'R000002'")

    assert [row["record_id"] for row in _raw(folder, _source(url, table="seen"))] == ["R000002"]


@pytest.mark.parametrize("schema", ["bhxh", "BHXH Việt"])
def test_tables_of_another_schema_are_read(folder: Path, postgresql: Server, schema: str) -> None:
    url = postgresql.database()
    run_sql(url, f'create schema "{schema}"')
    fill(url, f'"{schema}".insurance', INSURANCE_COLUMNS, [record(1)])

    rows = _raw(folder, _source(url, table=f"{schema}.insurance"))

    assert len(rows) == 1


def test_tables_of_another_mariadb_database_are_read(folder: Path, mariadb: Server) -> None:
    url, other = mariadb.database(), mariadb.database()
    fill(other, "insurance", INSURANCE_COLUMNS, [record(1)])
    schema = other.rsplit("/", 1)[1]

    assert len(_raw(folder, _source(url, table=f"{schema}.insurance"))) == 1


@pytest.mark.parametrize("product", ["postgresql", "mariadb"])
def test_count_and_rows_are_of_one_snapshot(product: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(product).database()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(n) for n in range(10)])
    source = _source(url)
    with reading_register("insurance", source) as (register, query):
        expected = register.count(query.statement)
        run_sql(
            url,
            "insert into insurance (record_id) values ('late')",
            "update insurance set full_name = 'changed'",
            "delete from insurance where record_id = 'R000003'",
        )
        rows = [row for batch in register.batches(query.statement) for row in batch.to_pylist()]

    assert expected == len(rows) == 10
    assert "late" not in {row["record_id"] for row in rows}
    assert "changed" not in {row["full_name"] for row in rows}


def test_rows_that_do_not_arrive_are_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, new_sqlite: Callable[[], str]
) -> None:
    url = new_sqlite()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(n) for n in range(10)])
    with empty_warehouse(folder) as warehouse:
        extract_register(warehouse, "insurance", _source(url))
        run_sql(url, "insert into insurance (record_id) values ('late')")
        monkeypatch.setattr("etl.extract.load.store", lambda *arguments: store(*arguments) - 1)
        with pytest.raises(LedgerError, match="counts 11 rows but 10 arrived"):
            extract_register(warehouse, "insurance", _source(url))

        assert warehouse.count(TABLES["insurance"]) == 10, "the last good read stays"
        assert [file.name for file in warehouse.files.iterdir()] == ["raw.insurance.parquet"]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into insurance (record_id) values ('x')",
        "update insurance set full_name = 'x'",
        "delete from insurance",
        "create table made (a integer)",
    ],
)
def test_a_source_cannot_be_written(new_database: Callable[[], str], statement: str) -> None:
    url = new_database()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1)])

    def write() -> None:
        with reading(_source(url), "Trying") as connection:
            connection.execute(text(statement))
            connection.commit()

    with pytest.raises(ConnectionFailedError, match="may only be read"):
        write()


def test_a_sqlite_source_that_is_not_there_is_not_made(folder: Path) -> None:
    with (
        pytest.raises(ConnectionFailedError, match="does not exist"),
        reading(_source(f"sqlite:///{folder}/none.db"), "Trying"),
    ):
        pass
    assert not (folder / "none.db").exists()


def test_a_missing_required_column_is_named_with_those_that_are_there(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    fill(url, "insurance", ("record_id", "ho_ten"), [])
    source = _source(url)

    with (
        pytest.raises(ContractError) as caught,
        reading(source, "Trying") as connection,
    ):
        register_query(connection, "insurance", source)

    assert "full_name" in caught.value.what
    assert "date_of_birth" in caught.value.what
    assert "record_id, ho_ten" in caught.value.what
    assert "[insurance.columns]" in caught.value.remedy


def test_a_mapped_column_that_is_not_there_is_an_error_even_where_it_is_not_required(
    new_sqlite: Callable[[], str],
) -> None:
    url = new_sqlite()
    fill(url, "insurance", INSURANCE_COLUMNS, [])
    source = _source(url, columns={"address": "dia_chi"})

    with (
        pytest.raises(ContractError, match="address"),
        reading(source, "Trying") as connection,
    ):
        register_query(connection, "insurance", source)


def test_an_expression_that_the_database_does_not_understand_is_explained(
    folder: Path, new_database: Callable[[], str]
) -> None:
    url = new_database()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1)])

    with pytest.raises(ConnectionFailedError, match="SQL expression of the mapping"):
        _raw(folder, _source(url, columns={"gender": "case when full_name"}))


def test_a_row_that_breaks_an_expression_is_explained_and_not_quoted(
    folder: Path, postgresql: Server
) -> None:
    """PostgreSQL counts such rows, and fails when they are read."""
    url = postgresql.database()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1), record(2, full_name="Quềnh Khuỷu")])
    source = _source(url, columns={"employer_code": "cast(full_name as integer)"})

    with pytest.raises(ConnectionFailedError, match="does not understand an SQL") as caught:
        _raw(folder, source)

    assert "Khuỷu" not in str(caught.value)
    assert not caught.value.may_pass


def test_an_empty_register_is_read_as_no_rows(
    folder: Path, new_database: Callable[[], str]
) -> None:
    url = new_database()
    fill(url, "insurance", INSURANCE_COLUMNS, [])

    assert _raw(folder, _source(url)) == []


def test_a_server_that_dies_while_it_is_read_is_a_failed_connection(
    folder: Path, postgresql: Server
) -> None:
    url = postgresql.database()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(n) for n in range(10)])
    source = _source(url, columns={"address": "(select pg_terminate_backend(pg_backend_pid()))"})

    with pytest.raises(ConnectionFailedError) as caught:
        _raw(folder, source)

    assert caught.value.may_pass


def test_more_rows_than_one_batch_arrive_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch, new_sqlite: Callable[[], str]
) -> None:
    monkeypatch.setattr("etl.extract.streams.ROWS_PER_BATCH", 7)
    url = new_sqlite()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(n) for n in range(100)])

    rows = _raw(folder, _source(url))

    assert [row["record_id"] for row in rows] == [f"R{n:06d}" for n in range(100)]


def test_raw_rows_carry_the_run_and_the_time_they_were_read(registers: Make) -> None:
    pair = registers()
    try:
        with warehouse_for(pair.settings, Run("abcdefgh123")) as warehouse:
            extract_register(warehouse, "insurance", pair.settings.insurance)
            found = warehouse.rows(
                "select distinct run_id, read_at is not null as timed from raw.insurance"
            )
            current = warehouse.value("select run_id from ops.parameters")
    finally:
        release_lock(pair.settings)
    assert found == [{"run_id": current, "timed": True}]


def test_a_warehouse_can_be_moved_to_a_folder_of_any_name(
    folder: Path, new_sqlite: Callable[[], str]
) -> None:
    url = new_sqlite()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(n) for n in range(3)])
    here, there = folder / "before", folder / "after [1] * 'quoted'"
    with open_warehouse(here / "w.duckdb", key=RecordKey(b"k" * 32)) as warehouse:
        make_ops(warehouse)
        warehouse.connection.execute("create table ops.parameters as select 'run' as run_id")
        extract_register(warehouse, "insurance", _source(url))
    here.rename(there)

    with open_warehouse(there / "w.duckdb", key=RecordKey(b"k" * 32)) as warehouse:
        assert warehouse.exists(TABLES["insurance"])
        assert warehouse.count(TABLES["insurance"]) == 3


# --- products for which there is no server here: the statements for them ------------------------

_ODD = Table(
    "Người tham gia",
    MetaData(),
    Column("Mã số", Integer),
    Column("Họ và tên", String(100)),
    Column("ngày]sinh", Date),
    Column("giá", Numeric(10, 2)),
    Column("cập nhật", DateTime),
    Column("bhyt", Boolean),
)
_ODD_MAPPING = {
    "record_id": "Mã số",
    "full_name": "Họ và tên",
    "date_of_birth": "ngày]sinh",
    "employer_code": "giá",
    "updated_at": "cập nhật",
    "health_insurance": "bhyt",
    "address": "upper(N'Đà Nẵng')",
}


def _asked(dialect: Any) -> str:
    source = _source("sqlite://", table="x", columns=_ODD_MAPPING)
    statement = select_from(_ODD, "insurance", source, dialect.name)
    return str(statement.compile(dialect=dialect)).replace("\n", " ")


def test_sql_server_is_asked_with_its_own_quotes_and_unicode() -> None:
    asked = _asked(mssql.dialect())

    assert "[Người tham gia].[Họ và tên] AS full_name" in asked
    assert "[Người tham gia].[ngày]]sinh] AS date_of_birth" in asked
    assert "CAST((upper(N'Đà Nẵng')) AS NVARCHAR(max)) AS address" in asked
    assert "CAST([Người tham gia].[giá] AS NVARCHAR(max)) AS employer_code" in asked
    assert "NULL AS gender" in asked
    assert asked.endswith("FROM [Người tham gia]")


def test_oracle_is_asked_with_its_own_quotes_and_without_lobs() -> None:
    asked = _asked(oracle.dialect())

    assert '"Người tham gia"."Họ và tên" AS full_name' in asked
    assert '"Người tham gia"."ngày]sinh" AS date_of_birth' in asked
    assert "CAST((upper(N'Đà Nẵng')) AS VARCHAR2(4000 CHAR)) AS address" in asked
    assert "CLOB" not in asked
    assert asked.endswith('FROM "Người tham gia"')


def test_an_unknown_product_is_refused_with_those_that_are_known() -> None:
    with (
        pytest.raises(ConfigError, match="not supported"),
        reading(_source("firebird://host/x"), "Trying"),
    ):
        pass


def test_another_machine_is_only_talked_to_in_cipher() -> None:
    from etl.databases.connect import secured

    for mode in ("disable", "allow", "prefer"):
        with pytest.raises(ConfigError, match=f"sslmode={mode}"):
            secured(make_url(f"postgresql://u@db.example.vn/x?sslmode={mode}"))
    url, _ = secured(make_url("postgresql://u@db.example.vn/x"))
    assert url.query["sslmode"] == "require"
    _, arguments = secured(make_url("mysql+pymysql://u@db.example.vn/x"))
    assert arguments["ssl"].check_hostname
    assert secured(make_url("mssql+pymssql://u@db.example.vn/x"))[1] == {"encryption": "require"}
    assert secured(make_url("oracle+oracledb://u@db.example.vn/x"))[1] == {"protocol": "tcps"}
    for local in (
        "postgresql://u@127.0.0.1/x",
        "postgresql://u@/x?host=/tmp",
        "mysql://localhost/x",
    ):
        assert secured(make_url(local))[1] == {}


@pytest.mark.parametrize(
    "elsewhere",
    [
        "postgresql://u@localhost/x?hostaddr=10.1.2.3",
        "postgresql://u@/x?host=/tmp&host=db.example.vn",
        "postgresql://u@/x?host=/tmp,db.example.vn",
        "postgresql://u@localhost/x?service=far",
        "postgresql://u@127.0.0.1,10.1.2.3/x",
    ],
)
def test_no_parameter_leads_to_another_machine_in_clear(elsewhere: str) -> None:
    from etl.databases.connect import secured

    assert secured(make_url(elsewhere))[0].query["sslmode"] == "require"
    mark = "&" if "?" in elsewhere else "?"
    with pytest.raises(ConfigError, match="sslmode=prefer"):
        secured(make_url(f"{elsewhere}{mark}sslmode=prefer"))


def test_the_environment_of_libpq_names_a_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from etl.databases.connect import secured

    local = make_url("postgresql://u@/x")
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    assert secured(local) == (local, {})
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"):
        with monkeypatch.context() as there:
            there.setenv(name, "10.1.2.3")
            assert secured(local)[0].query["sslmode"] == "require"


def test_no_parameter_switches_encryption_off() -> None:
    from etl.databases.connect import secured

    for far in ("mysql://u@localhost/x?host=db.example.vn", "mysql://u@db.example.vn/x?a=b"):
        assert "ssl" in secured(make_url(far))[1]
        with pytest.raises(ConfigError, match="ssl_disabled"):
            secured(make_url(f"{far}&ssl_disabled=true"))
    with pytest.raises(ConfigError, match="read_default_file"):
        secured(make_url("mysql://u@localhost/x?read_default_file=/etc/far.cnf"))
    twice = "postgresql://u@db.example.vn/x?sslmode=require&sslmode=disable"
    with pytest.raises(ConfigError, match="sslmode=disable"):
        secured(make_url(twice))
    assert secured(make_url("mssql://u@localhost/x?server=db.example.vn"))[1]
    for named in ("tcps.example.vn", "(address=(protocol=tcp)(host=x))(protocol=tcps)"):
        assert secured(make_url("oracle://u@x/y").set(host=named))[1] == {"protocol": "tcps"}
    assert secured(make_url("oracle://u@x/y?protocol=tcps"))[1] == {}


def test_the_file_of_a_sqlite_source_is_opened_read_only(folder: Path) -> None:
    file = folder / "a.db"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("create table insurance (record_id text)"))
    before = file.read_bytes()
    file.chmod(0o400)

    with reading(_source(f"sqlite:///{file}"), "Trying") as connection:
        assert connection.execute(text("select count(*) from insurance")).scalar_one() == 0

    assert file.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["a.db"]
