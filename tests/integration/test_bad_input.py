"""Bad configurations, and databases that refuse: what the real command says, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from etl.domain.errors import ConnectionFailedError
from tests.support import (
    INSURANCE_COLUMNS,
    POPULATION_COLUMNS,
    Command,
    Registers,
    Server,
    citizen,
    configure,
    fill,
    free_port,
    record,
    run_sql,
)

Doisoat = Callable[..., Command]
SECRET = "s3cret-Passw0rd"


def _well_said(words: str) -> None:
    """An error says what to do, and shows neither a stack trace nor a secret."""
    assert "What to do:" in words
    for unwanted in ("Traceback", 'File "', SECRET, "doisoat itself failed", "sqlalche.me"):
        assert unwanted not in words


# --- the file --------------------------------------------------------------------------------

GOOD = """
[insurance]
url = "sqlite:///a.db"
table = "insurance"
[population]
url = "sqlite:///b.db"
table = "population"
[target]
url = "sqlite:///c.db"
"""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, ["no readable configuration file wrong.toml", "--config"]),
        ("[insurance\n", ["not valid TOML", "line 1"]),
        (GOOD + "spead = 1\n", ["target.spead", "is not a setting"]),
        (GOOD.replace("sqlite:///c.db", f"postgresql://u:{SECRET}@h:99x/d"),
         ["target", "is not a database URL", "dialect://user:password@host:port/database"]),
        (GOOD.replace("sqlite:///a.db", "postgresql://u:${NOT_SET_ANYWHERE}@h/d"),
         ["insurance.url", "NOT_SET_ANYWHERE", "export NOT_SET_ANYWHERE="]),
        (GOOD.replace('table = "insurance"', ""), ["insurance", "either 'table' or 'query'"]),
    ],
    ids=["no file", "no TOML", "unknown setting", "malformed URL", "no variable", "no table"],
)  # fmt: skip
def test_a_configuration_that_cannot_be_used_is_explained(
    doisoat_here: Doisoat, folder: Path, content: str | None, said: list[str]
) -> None:
    if content is not None:
        (folder / "wrong.toml").write_text(content, encoding="utf-8")

    ended = doisoat_here("--config", "wrong.toml", "check")

    assert ended.exit_code == 2
    _well_said(ended.errors)
    assert ended.output == ""
    assert str(folder / "wrong.toml") in ended.errors
    for words in said:
        assert words in ended.errors


# --- the databases: each check tries three of them -------------------------------------------


@pytest.fixture
def checked(doisoat_here: Doisoat, folder: Path) -> Callable[..., dict[str, dict[str, Any]]]:
    """Runs ``doisoat check`` on a good configuration with the given changes."""
    fill(f"sqlite:///{folder}/a.db", "insurance", INSURANCE_COLUMNS, [record(1)])
    fill(f"sqlite:///{folder}/b.db", "population", POPULATION_COLUMNS, [citizen(1)])

    def check(**sections: dict[str, object]) -> dict[str, dict[str, Any]]:
        good: dict[str, dict[str, object]] = {
            "insurance": {"url": "sqlite:///a.db", "table": "insurance"},
            "population": {"url": "sqlite:///b.db", "table": "population"},
            "target": {"url": "sqlite:///c.db"},
        }
        for name, section in sections.items():
            good[name] = good.get(name, {}) | section
        file = configure(folder / "doisoat.toml", **good)
        ended = doisoat_here("--config", file, "check", "--json")
        assert ended.output, ended.errors
        found = {finding["name"]: finding for finding in json.loads(ended.output)}
        assert ended.exit_code == max(finding["exit_code"] for finding in found.values())
        assert ended.errors == ""
        for finding in found.values():
            if finding["exit_code"] not in (0, 70):
                _well_said(finding["error"])
        return found

    return check


Checked = Callable[..., dict[str, dict[str, Any]]]


def _says(finding: dict[str, Any], exit_code: int, *words: str) -> None:
    assert finding["exit_code"] == exit_code, finding
    for word in words:
        assert word in finding["error"], finding


def test_a_register_that_cannot_be_watched_is_found_beforehand(checked: Checked) -> None:
    found = checked(schedule={"watch_minutes": 15})

    _says(found["insurance"], 2, "[schedule] watch_minutes cannot tell", "delta_cron")
    assert checked(schedule={"watch_minutes": 0})["insurance"]["exit_code"] == 0


def test_a_fault_of_ours_in_one_finding_leaves_the_others(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr("etl.cli.probe.try_tables", fail)

    found = checked()

    assert found["target"]["exit_code"] == 70
    assert "doisoat itself failed (ZeroDivisionError at " in found["target"]["error"]
    assert SECRET not in found["target"]["error"]
    assert {one["exit_code"] for name, one in found.items() if name != "target"} == {0}


def test_a_good_configuration_is_praised_and_moves_nothing(checked: Checked, folder: Path) -> None:
    found = checked()

    assert {finding["exit_code"] for finding in found.values()} == {0}
    assert "1 rows" in found["insurance"]["detail"]
    assert not (folder / ".doisoat" / "warehouse.duckdb").exists()


def test_what_a_register_does_not_offer_is_named(checked: Checked, folder: Path) -> None:
    fill(f"sqlite:///{folder}/a.db", "odd", ("record_id", "ho_ten"), [])

    found = checked(
        insurance={"table": "odd"},
        population={"table": "cong_dan"},
        target={"url": "firebird://host/x"},
    )

    _says(found["insurance"], 2, "full_name", "date_of_birth", "record_id, ho_ten")
    _says(found["population"], 2, "no table or view 'cong_dan'", "There are: population")
    _says(found["target"], 2, "'firebird' are not supported", "postgresql")


def test_wrong_mappings_and_missing_drivers_are_explained(checked: Checked) -> None:
    found = checked(
        insurance={"columns": {"full_nme": "x"}},
        population={"columns": {"address": "nowhere"}},
        target={"url": f"mssql+pyodbc://u:{SECRET}@127.0.0.1/x"},
    )

    _says(found["insurance"], 2, "full_nme", "did you mean 'full_name'?")
    _says(found["population"], 2, "address", "personal_id, full_name")
    _says(found["target"], 2, "pyodbc", "not installed", "[sqlserver]")


def test_files_that_are_no_databases_are_explained(checked: Checked, folder: Path) -> None:
    (folder / "letter.db").write_text("Kính gửi: đây không phải cơ sở dữ liệu. " * 100)

    found = checked(
        insurance={"url": "sqlite:///gone.db"},
        population={"url": "sqlite:///letter.db"},
        target={"url": "sqlite:///no/such/folder/c.db"},
    )

    _says(found["insurance"], 3, "does not exist", str(folder / "gone.db"))
    _says(found["population"], 3, "no SQLite database", "letter.db")
    _says(found["target"], 3, "cannot be opened", "folder")


def test_servers_that_do_not_answer_are_named(checked: Checked) -> None:
    port = free_port()

    found = checked(
        insurance={"url": f"postgresql://u:{SECRET}@127.0.0.1:{port}/x"},
        population={"url": f"mysql://u:{SECRET}@127.0.0.1:{port}/x"},
        target={"url": f"postgresql://u:{SECRET}@db.example.vn/x?sslmode=disable"},
    )

    _says(found["insurance"], 3, "cannot be reached", f"postgresql://127.0.0.1:{port}/x")
    _says(found["population"], 3, "cannot be reached", f"mysql://127.0.0.1:{port}/x")
    _says(found["target"], 2, "sslmode=disable", "unencrypted", "sslmode=require")


def test_postgresql_that_refuses_is_explained(checked: Checked, postgresql: Server) -> None:
    url = postgresql.database()
    name = make_url(url).database
    fill(url, "population", POPULATION_COLUMNS, [citizen(1)])

    found = checked(
        insurance={"url": postgresql.url_of(name, "guarded", SECRET)},
        population={"url": postgresql.url_of(name, "guarded", "right-password")},
        target={"url": postgresql.url_of(name, "guarded", "right-password")},
    )

    _says(found["insurance"], 3, "refused the user or the password", name)
    _says(found["population"], 3, "lacks a right", "SELECT")
    _says(found["target"], 3, "lacks a right", "CREATE")
    _says(
        checked(insurance={"url": postgresql.url_of("no_such")})["insurance"],
        3,
        "no such database",
        "no_such",
    )


def test_mariadb_that_refuses_is_explained(checked: Checked, mariadb: Server) -> None:
    url = mariadb.database()
    name = make_url(url).database
    fill(url, "population", POPULATION_COLUMNS, [citizen(1)])
    other = mariadb.database()
    fill(other, "population", POPULATION_COLUMNS, [citizen(1)])
    run_sql(url, f"grant select on {name}.* to 'guarded'@'127.0.0.1'")

    found = checked(
        insurance={"url": mariadb.url_of(name, "guarded", SECRET)},
        population={"url": mariadb.url_of("no_such")},
        target={"url": mariadb.url_of(make_url(other).database, "guarded", "right-password")},
    )

    _says(found["insurance"], 3, "refused the user or the password", name)
    _says(found["population"], 3, "no such database", "no_such")
    _says(found["target"], 3, "lacks a right", "CREATE")


@pytest.mark.parametrize("product", ["postgresql", "mariadb"])
def test_a_target_without_rights_stays_empty(
    registers: Callable[..., Registers], request: pytest.FixtureRequest, product: str
) -> None:
    server: Server = request.getfixturevalue(product)
    url = server.database()
    name = make_url(url).database
    if product == "mariadb":
        run_sql(url, f"grant select, insert on {name}.* to 'guarded'@'127.0.0.1'")
    pair = registers(target=lambda: server.url_of(name, "guarded", "right-password"))

    with pytest.raises(ConnectionFailedError, match="lacks a right"):
        pair.sync()


# --- simulate --------------------------------------------------------------------------------


def test_simulate_does_not_overwrite_unasked(doisoat: Doisoat, folder: Path) -> None:
    assert doisoat("simulate", "--citizens", 50, "--out", "made").exit_code == 0
    before = (folder / "made" / "insurance.parquet").read_bytes()

    again = doisoat("simulate", "--citizens", 60, "--out", "made")

    assert again.exit_code == 2
    _well_said(again.errors)
    assert "--replace" in again.errors
    assert (folder / "made" / "insurance.parquet").read_bytes() == before


def test_simulate_explains_a_database_it_cannot_reach_or_understand(
    doisoat: Doisoat, folder: Path
) -> None:
    port = free_port()
    urls = ("--insurance-url", f"postgresql://u:{SECRET}@127.0.0.1:{port}/x")

    dead = doisoat("simulate", "--citizens", 50, *urls, "--population-url", "sqlite:///b.db")
    wrong = doisoat("simulate", "--citizens", 50, *urls[:1], "nonsense", "--population-url", "x")

    assert dead.exit_code == 3
    assert wrong.exit_code == 2
    for ended in (dead, wrong):
        _well_said(ended.errors)
        assert "--insurance-url" in ended.errors
