"""What only a complete PostgreSQL has, such as Debian's with contrib: citext, postgres_fdw."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from etl.cli.probe import _register as try_register
from etl.domain.errors import ContractError
from etl.engine.duckdb.warehouse import open_warehouse
from etl.extract import extract_register
from etl.normalise.births import parse_birth
from etl.process.privacy import RecordKey
from etl.settings import Source
from etl.state.copying import make_ops
from tests.support import INSURANCE_COLUMNS, Server, fill, memory_folder, record, run_sql

Read = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.wide


@pytest.fixture(scope="module")
def debian() -> Iterator[Server]:
    """A server from Debian's package, or a skip that says what to install."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    contrib = [v for v in versions if _extension(v, "citext") and _extension(v, "postgres_fdw")]
    if not contrib:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    binaries, folder = contrib[-1], memory_folder("doisoat-deb-")
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    as_user: dict[str, Any] = {"user": user} if os.geteuid() == 0 else {}
    shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
         "--no-locale", "--no-sync"],
        check=True, capture_output=True, cwd="/", **as_user,
    )  # fmt: skip
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    control = [binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run(
        [*control, "-o", options, "start"], check=True, capture_output=True, cwd="/", **as_user
    )
    try:
        yield Server("postgresql", f"postgresql://postgres@/{{}}?host={folder}", "postgres")
    finally:
        subprocess.run(
            [*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/",
            **as_user,
        )  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)


def _extension(binaries: Path, name: str) -> bool:
    shared = Path("/usr/share/postgresql") / binaries.parent.name / "extension"
    return (shared / f"{name}.control").exists()


@pytest.fixture
def read(folder: Path) -> Iterator[Read]:
    """Reads a source as a sync does, after ``doisoat check`` has found it good."""
    with open_warehouse(folder / "w.duckdb", key=RecordKey(b"k" * 32)) as warehouse:
        make_ops(warehouse)
        warehouse.connection.execute("create table ops.parameters as select 'run' as run_id")

        def look(url: str, **options: Any) -> list[dict[str, Any]]:
            options = options if "query" in options else {"table": "insurance", **options}
            source = Source(url=SecretStr(url), **options)
            try_register("insurance", source)
            extract_register(warehouse, "insurance", source)
            return warehouse.rows(
                "select * exclude (run_id, read_at, row_number) from raw.insurance order by 1"
            )

        yield look


def test_citext_is_read_as_its_text(debian: Server, read: Read) -> None:
    url = debian.database()
    run_sql(
        url,
        "create extension citext",
        "create domain ho_ten as citext",
        "create table insurance (record_id citext, full_name ho_ten, date_of_birth citext, "
        "address citext[])",
        "insert into insurance values ('a', 'Nguyễn Á', '1990', array['Hà Nội'::citext])",
        "create view seen as select * from insurance",
    )

    for options in ({}, {"table": "seen"}, {"query": "select * from insurance"},
                    {"columns": {"full_name": "coalesce(full_name, '')"}}):  # fmt: skip
        (row,) = read(url, **options)
        assert (row["record_id"], row["full_name"]) == ("a", "Nguyễn Á")
        assert row["date_of_birth"] == "1990"
        assert row["address"] == '{"Hà Nội"}'


BORN = "1985-03-07"


@pytest.mark.parametrize("zone", ["Asia/Ho_Chi_Minh", "UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("kept", ["1985-03-07 00:00+07", "1985-03-07 00:00+00"])
@pytest.mark.parametrize("way", ["column", "domain", "view", "expression", "query"])
def test_births_that_are_kept_as_moments_are_the_day_that_was_meant(
    debian: Server, read: Read, zone: str, kept: str, way: str
) -> None:
    """Midnight in Viet Nam, or in universal time, whatever the time zone of the session."""
    url = debian.database()
    kind = "moment" if way == "domain" else "timestamptz"
    run_sql(
        url,
        f"alter database {make_url(url).database} set timezone = '{zone}'",
        "create domain instant as timestamptz",
        "create domain moment as instant",
        f"create table insurance (record_id text, full_name text, date_of_birth {kind}, "
        f"updated_at {kind})",
        f"insert into insurance values ('1', 'Lê', '{kept}', '2026-07-01 10:00+07')",
        "create view seen as select record_id, full_name, updated_at, "
        "coalesce(date_of_birth, now()) as date_of_birth from insurance",
    )
    options: dict[str, dict[str, Any]] = {
        "view": {"table": "seen"},
        "expression": {"columns": {"date_of_birth": "coalesce(date_of_birth, now())"}},
        "query": {"query": "select record_id, full_name, updated_at, "
                           "coalesce(date_of_birth, now()) as date_of_birth from insurance"},
    }  # fmt: skip

    (row,) = read(url, **options.get(way, {}))

    birth = parse_birth(row["date_of_birth"])
    assert str(birth.date) == BORN
    assert "time_zone_suspected" not in birth.notes
    assert row["updated_at"] == "2026-07-01 03:00:00+00"


@pytest.mark.parametrize("way", ["expression", "domain"])
def test_bytes_are_refused_whatever_they_come_from(debian: Server, read: Read, way: str) -> None:
    url = debian.database()
    run_sql(
        url,
        "create domain raw_text as bytea",
        "create table insurance (record_id text, full_name raw_text, date_of_birth text)",
        "insert into insurance values ('1', convert_to('Lê Ước', 'UTF8'), '1990')",
    )
    columns = {"full_name": "coalesce(full_name, '')"} if way == "expression" else {}

    with pytest.raises(ContractError, match="'full_name' as bytes"):
        read(url, columns=columns)


def test_domains_of_numbers_and_flags_are_read(debian: Server, read: Read) -> None:
    url = debian.database()
    run_sql(
        url,
        "create domain code as bigint",
        "create domain yes as boolean",
        "create domain nothing as text check (value <> '')",
        "create table insurance (record_id code, full_name nothing, date_of_birth text, "
        "health_insurance yes)",
        "insert into insurance values (7, 'Lê', '1990', true)",
    )

    for columns in (
        {},
        {"health_insurance": "not not health_insurance", "record_id": "+record_id"},
    ):
        (row,) = read(url, columns=columns)
        assert (row["record_id"], row["full_name"], row["health_insurance"]) == ("7", "Lê", "true")


def test_a_foreign_table_is_read_and_listed(debian: Server, read: Read) -> None:
    far, near = debian.database(), debian.database()
    fill(far, "insurance", INSURANCE_COLUMNS, [record(n) for n in range(1, 4)])
    place = make_url(far)
    run_sql(
        near,
        "create extension postgres_fdw",
        "create server far foreign data wrapper postgres_fdw options "
        f"(host '{place.query['host']}', dbname '{place.database}')",
        "create user mapping for postgres server far options (user 'postgres')",
        "create schema xa",
        "import foreign schema public from server far into xa",
    )

    assert len(read(near, table="xa.insurance")) == 3
    with pytest.raises(ContractError, match=r"There are: xa\.insurance\."):
        read(near, table="xa.nguoi")


@pytest.mark.parametrize("kept", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_names_are_found_however_their_accents_are_kept(
    debian: Server, read: Read, kept: Any, asked: Any
) -> None:
    """Macs and some keyboards store letters and accents separately; both forms look the same."""
    url = debian.database()
    there, wanted = (
        [unicodedata.normalize(form, name) for name in ("Người tham gia", "Họ và tên", "Lược đồ")]
        for form in (kept, asked)
    )
    run_sql(
        url,
        f'create schema "{there[2]}"',
        *(
            f'create table {schema}"{there[0]}" (record_id text, "{there[1]}" text, '
            "date_of_birth text)"
            for schema in ("", f'"{there[2]}".')
        ),
        *(
            f"insert into {schema}\"{there[0]}\" values ('1', 'Lê', '1990')"
            for schema in ("", f'"{there[2]}".')
        ),
    )

    for table in (wanted[0], f"{wanted[2]}.{wanted[0]}", f'"{wanted[2]}"."{wanted[0]}"'):
        (row,) = read(url, table=table, columns={"full_name": wanted[1]})
        assert row["full_name"] == "Lê"
