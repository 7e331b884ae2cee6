"""Publishing: only differences, in one transaction, on three products."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Table

from etl.databases.writers import metadata_for, transaction
from etl.domain.contract import DIFFERENCE_TABLES, HISTORY_TABLES
from etl.domain.errors import (
    ConnectionFailedError,
    DiskFullError,
    DoisoatError,
    LedgerError,
    PublishError,
    ServerAwayError,
)
from etl.settings import Target
from tests.support import (
    Registers,
    Server,
    citizen,
    fill,
    from_warehouse,
    read_sql,
    record,
    run_sql,
    writing,
)

Make = Callable[..., Registers]


def _records() -> list[dict[str, object]]:
    records = [record(n) for n in range(1, 31)]
    records[0]["gender"] = "Nữ" if records[0]["gender"] == "Nam" else "Nam"
    records[1]["id_number"] = None
    records[2] |= {"full_name": None, "date_of_birth": None, "id_number": None}
    records[3] |= {"full_name": "Người Không Ai Biết", "id_number": "001099999999"}
    return records


@pytest.fixture
def faulty(registers: Make, new_database: Callable[[], str]) -> Registers:
    """Thirty records, of which four have faults, and a target of each product."""
    return registers(_records(), target=new_database)


@pytest.fixture
def faulty_in_file(registers: Make) -> Registers:
    """The same with a SQLite file as target, for tests that do not depend on the product."""
    return registers(_records())


@pytest.fixture
def ran(synced: Make) -> Registers:
    """The same after a first sync."""
    return synced(_records())


def test_the_first_publish_writes_each_record_once(faulty: Registers) -> None:
    first = faulty.sync()

    rows = faulty.published("select record_id, status, first_seen_run from {reconciled}")
    assert sorted(row["record_id"] for row in rows) == [f"R{n:06d}" for n in range(1, 31)]
    assert {row["first_seen_run"] for row in rows} == {first.run_id}
    statuses = {row["record_id"]: row["status"] for row in rows}
    assert statuses["R000001"] == "MISMATCH"
    assert statuses["R000003"] == "REJECTED"
    assert statuses["R000004"] == "NOT_FOUND"
    assert statuses["R000030"] == "VERIFIED"
    assert first.broken == []


@pytest.mark.parametrize("product", ["postgresql", "sqlite"])
def test_an_error_of_the_engine_in_what_is_written_stays_the_engines(
    registers: Make, request: pytest.FixtureRequest, product: str
) -> None:
    """A full disk of the home, say, is no fault of the target."""
    if product == "postgresql":
        pair = registers(target=request.getfixturevalue("postgresql").database)
    else:
        pair = registers()
    pair.sync()
    target = pair.settings.target
    codes, arrived = codes_of(target), []
    # (So many rows that they leave the engine bit by bit.)
    rows = """
        select
            'x' as kind,
            if(range = 250_000, error('No space left on device'), 'x' || range) as code
        from range(400_000)
    """

    def work() -> None:
        with writing(pair.settings) as warehouse, transaction(target) as writer:
            found = warehouse.batches(rows)
            arrived.append("before the error")
            writer.delete(codes, found)

    with pytest.raises(DiskFullError) as told:
        work()
    assert arrived
    assert str(pair.settings.home) in told.value.where


@pytest.mark.wide
def test_a_server_that_goes_away_while_it_is_read_is_told(
    registers: Make, postgresql: Server
) -> None:
    pair = registers(target=postgresql.database)
    pair.sync()
    target = pair.settings.target
    codes = codes_of(target)
    others = ", ".join(column.name for column in codes.columns if column.name != "code")
    run_sql(
        pair.target_url,
        f"insert into {codes} (code, {others}) select 'x' || n, {others} "
        f"from (select * from {codes} limit 1) as one cross join generate_series(1, 200000) as n",
    )

    def work() -> None:
        with writing(pair.settings) as warehouse, transaction(target) as writer:
            rows = writer.read(codes, [column.name for column in codes.columns])
            postgresql.run(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                f"where datname = '{target.parsed.database}'"
            )
            with warehouse.lending("theirs", rows):
                warehouse.execute("create temp table published as select * from theirs")

    with pytest.raises(ServerAwayError) as told:
        work()
    assert told.value.where == target.shown


def codes_of(target: Target) -> Table:
    (codes,) = (t for t in metadata_for(target).sorted_tables if t.name == "codes")
    return codes


def test_every_table_that_leaves_arrives_whole(ran: Registers) -> None:
    """Every table, whether it is published by difference or by run."""

    others = {"sync_runs", "quality_results", "mismatch_ages"}
    for name in {*DIFFERENCE_TABLES, *HISTORY_TABLES} - others:
        (there,) = ran.published(f"select count(*) as n from {{{name}}}")
        (here,) = from_warehouse(ran.settings, f"select count(*) as n from publish.{name}")
        assert there == here, name


@pytest.mark.wide
def test_the_ages_of_mismatches_are_told_by_code_and_province(faulty: Registers) -> None:
    """The ages are counted for each run; a mismatch that was found long ago is older."""
    first = faulty.sync().run_id
    (told,) = faulty.published(
        "select * from {mismatch_ages} where code = 'GENDER_DIFFERENT' and province_code = 'all'"
    )
    assert (told["run_id"], told["mismatches"], told["up_to_7_days"]) == (first, 1, 1)
    found_at = datetime.fromisoformat(str(told["oldest_since_at"]))
    for days, band in ((8, "up_to_30_days"), (31, "up_to_90_days"), (91, "over_90_days")):
        since = f"{found_at - timedelta(days=days):%Y-%m-%d %H:%M:%S}"
        schema = "doisoat." if faulty.target_url.startswith("postgresql") else ""
        run_sql(faulty.target_url, f"update {schema}mismatches set since_at = '{since}.000000'")
        run = faulty.sync().run_id
        rows = faulty.published(f"select * from {{mismatch_ages}} where run_id = '{run}'")
        assert [row[band] for row in rows] == [row["mismatches"] for row in rows]
        of_code = [row for row in rows if row["code"] == "GENDER_DIFFERENT"]
        assert {row["province_code"] for row in of_code} == {"01", "all"}
        assert {str(row["oldest_since_at"])[:19] for row in of_code} == {since}


def test_a_second_publish_of_the_same_registers_changes_nothing(faulty: Registers) -> None:
    faulty.sync()
    before = faulty.target_state()

    second = faulty.sync()

    assert second.changes == {}
    after = faulty.target_state()
    for table in DIFFERENCE_TABLES:
        assert after[table] == before[table], table
    assert len(after["sync_runs"]) == 2


@pytest.mark.wide
def test_a_changed_source_row_changes_its_rows_and_no_others(faulty_in_file: Registers) -> None:
    first = faulty_in_file.sync()
    before = {row["record_id"]: row for row in faulty_in_file.target_state()["reconciled"]}
    faulty_in_file.insurance[9]["date_of_birth"] = "1960-11-12"  # one digit off
    faulty_in_file.write()

    second = faulty_in_file.sync()

    assert second.changes["reconciled"] == (0, 1, 0)
    after = {row["record_id"]: row for row in faulty_in_file.target_state()["reconciled"]}
    assert {key for key in after if after[key] != before[key]} == {"R000010"}
    assert after["R000010"]["first_seen_run"] == first.run_id
    assert after["R000010"]["last_changed_run"] == second.run_id
    assert after["R000010"]["status"] == "MISMATCH"
    since = faulty_in_file.published("select record_id, code, since_run from {mismatches}")
    new = {(row["record_id"], row["since_run"]) for row in since}
    assert ("R000010", second.run_id) in new
    assert {run for key, run in new if key != "R000010"} == {first.run_id}


def test_a_mismatch_that_stays_keeps_the_run_that_first_found_it(faulty_in_file: Registers) -> None:
    first = faulty_in_file.sync()
    # The sex stays wrong in another spelling: the published value changes, `since_run` does not.
    faulty_in_file.insurance[0]["gender"] = {"Nam": "M", "Nữ": "F"}[
        str(faulty_in_file.insurance[0]["gender"])
    ]
    faulty_in_file.write()

    faulty_in_file.sync()

    found = faulty_in_file.published(
        "select code, since_run from {mismatches} where record_id = 'R000001'"
    )
    assert {"code": "GENDER_DIFFERENT", "since_run": first.run_id} in found


def test_a_vanished_record_is_deleted_everywhere(ran: Registers) -> None:
    del ran.insurance[0]
    ran.write()

    second = ran.sync()

    assert second.changes["reconciled"] == (0, 0, 1)
    for table in ("reconciled", "mismatches", "corrections"):
        left = ran.published(f"select record_id from {{{table}}} where record_id = 'R000001'")
        assert left == [], table


def test_mismatch_counts_add_up_in_the_target(faulty_in_file: Registers) -> None:
    faulty_in_file.insurance[5]["province_code"] = "48"
    faulty_in_file.insurance[6] |= {"compulsory_si": "1", "gender": None, "province_code": None}
    faulty_in_file.write()
    faulty_in_file.sync()

    per_code = {
        row["code"]: row["n"]
        for row in faulty_in_file.published(
            "select code, count(*) as n from {mismatches} group by code"
        )
    }
    counts = faulty_in_file.published("select * from {mismatch_counts}")
    totals = {
        row["code"]: row["mismatches"]
        for row in counts
        if row["scheme"] == "all" and row["province_code"] == "all"
    }
    assert len(per_code) >= 4
    assert totals == per_code
    by_province = [r for r in counts if r["scheme"] == "all" and r["province_code"] != "all"]
    assert {row["province_code"] for row in by_province} >= {"01", "48", "unknown"}
    for code, total in totals.items():
        assert sum(r["mismatches"] for r in by_province if r["code"] == code) == total, code


def _trap(url: str, table: str) -> None:
    """Makes the target refuse every new row of a table that is written near the end."""
    if url.startswith("postgresql"):
        run_sql(
            url,
            "create function refuse() returns trigger language plpgsql as "
            "$$ begin raise exception 'no: Nguyễn Văn Mật 001085000001'; end $$",
            f"create trigger trap before insert on doisoat.{table} "
            "for each row execute function refuse()",
        )
    elif url.startswith("sqlite"):
        run_sql(
            url,
            f"create trigger trap before insert on {table} begin "
            "select raise(abort, 'no: Nguyễn Văn Mật 001085000001'); end",
        )
    else:
        run_sql(
            url,
            f"create trigger trap before insert on {table} for each row "
            "signal sqlstate '45000' set message_text = 'no: Nguyễn Văn Mật 001085000001'",
        )


def _free(url: str, table: str) -> None:
    on = f" on doisoat.{table}" if url.startswith("postgresql") else ""
    run_sql(url, f"drop trigger trap{on}")


def test_a_publish_that_fails_late_leaves_the_target_as_it_was(faulty: Registers) -> None:
    faulty.sync()
    before = faulty.target_state()
    faulty.insurance[9]["date_of_birth"] = "1999-12-31"
    del faulty.insurance[20]
    faulty.insurance.append(record(31))
    faulty.write()
    _trap(faulty.target_url, "sync_runs")

    with pytest.raises(DoisoatError) as caught:
        faulty.sync()

    assert caught.value.exit_code == 3
    assert "Mật" not in str(caught.value)
    assert "001085000001" not in str(caught.value)
    assert caught.value.remedy
    assert faulty.target_state() == before
    assert from_warehouse(
        faulty.settings, "select count(*) as n from ops.link_history where closed_run is not null"
    ) == [{"n": 0}]

    _free(faulty.target_url, "sync_runs")
    again = faulty.sync()
    assert again.changes["reconciled"] == (1, 1, 1)
    assert again.broken == []


def test_a_foreign_row_in_the_target_is_put_right(ran: Registers) -> None:
    run_sql(
        ran.target_url,
        "update reconciled set record_id = 'STRANGER' where record_id = 'R000007'",
    )

    again = ran.sync()

    assert again.changes["reconciled"] == (1, 0, 1)
    rows = ran.published("select record_id from {reconciled}")
    assert sorted(row["record_id"] for row in rows) == [f"R{n:06d}" for n in range(1, 31)]


def test_a_target_that_loses_rows_on_the_way_is_rolled_back(
    registers: Make, postgresql: Server
) -> None:
    faulty = registers(target=postgresql.database)
    faulty.sync()
    before = faulty.target_state()
    faulty.insurance += [record(31), record(32)]
    faulty.population += [citizen(31), citizen(32)]
    faulty.write()
    run_sql(
        faulty.target_url,
        "create function swallow() returns trigger language plpgsql as "
        "$$ begin return null; end $$",
        "create trigger trap before insert on doisoat.reconciled "
        "for each row execute function swallow()",
    )

    with pytest.raises(LedgerError, match="reconciled"):
        faulty.sync()

    assert faulty.target_state() == before


@pytest.mark.wide
def test_a_row_that_a_constraint_refuses_is_a_publish_error(faulty: Registers) -> None:
    faulty.sync()
    table = "doisoat.reconciled" if "postgresql" in faulty.target_url else "reconciled"
    key = "insurance_number(20)" if "mysql" in faulty.target_url else "insurance_number"
    run_sql(faulty.target_url, f"create unique index only_one on {table} ({key})")
    faulty.insurance.append(record(31, insurance_number="7900000009"))
    faulty.write()

    with pytest.raises(PublishError) as caught:
        faulty.sync()

    assert "refused a row" in str(caught.value)
    assert "R000031" not in str(caught.value)


@pytest.mark.wide
def test_a_target_of_an_earlier_version_gains_the_columns_that_are_new(faulty: Registers) -> None:
    first = faulty.sync()
    prefix = "doisoat." if faulty.target_url.startswith("postgresql") else ""
    for table, column in (
        ("mismatches", "since_at"), ("mismatches", "remedy"), ("candidates", "full_name"),
        ("reconciled", "office"),
    ):  # fmt: skip
        run_sql(
            faulty.target_url,
            f"alter table {prefix}{table} drop column {column}",
            f"update {prefix}{table} set row_hash = 'of fewer columns'",
        )

    again = faulty.sync()

    assert again.run_id != first.run_id
    rows = faulty.published(
        "select m.since_at, r.started_at, m.remedy from {mismatches} m "
        "join {sync_runs} r on m.since_run = r.run_id"
    )
    assert rows
    assert all(row["since_at"] == row["started_at"] and row["remedy"] for row in rows)


def test_the_codes_are_told_in_the_target(ran: Registers) -> None:
    (row,) = ran.published("select * from {codes} where code = 'ID_FORMER'")
    assert (row["kind"], row["severity"], row["owner"]) == ("mismatch", "warning", "insurance")
    assert row["vi"].startswith("Số cũ")
    assert row["en"].startswith("A former number")
    used = ran.published(
        "select distinct code from {mismatches} union select distinct remedy from {mismatches} "
        "union select distinct status from {reconciled} union select reason from {candidates}"
    )
    known = {row["code"] for row in ran.published("select code from {codes}")}
    assert {row["code"] for row in used} <= known


def test_a_target_table_without_a_column_is_explained(ran: Registers) -> None:
    run_sql(ran.target_url, "alter table sync_runs drop column rows_deleted")

    with pytest.raises(DoisoatError) as caught:
        ran.sync()

    assert caught.value.exit_code == 3
    assert "sync_runs" in str(caught.value)
    assert "rows_deleted" in str(caught.value)


def test_readers_see_the_old_state_until_the_commit(
    registers: Make, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etl.publish import transaction

    pair = registers(target=postgresql.database)
    pair.sync()
    pair.insurance.append(record(31))
    del pair.insurance[0]
    pair.write()
    seen: list[list[dict[str, object]]] = []
    prove = transaction._prove

    def look_while_publishing(*arguments: object) -> None:
        prove(*arguments)  # type: ignore[arg-type]
        seen.append(pair.published("select record_id from {reconciled} order by record_id"))

    monkeypatch.setattr(transaction, "_prove", look_while_publishing)

    pair.sync()

    old = [f"R{n:06d}" for n in range(1, 31)]
    assert [[row["record_id"] for row in rows] for rows in seen] == [old]
    now = pair.published("select record_id from {reconciled} order by record_id")
    assert [row["record_id"] for row in now] == [*old[1:], "R000031"]


@pytest.mark.wide
def test_readers_all_through_a_publish_see_one_state_or_the_other(
    registers: Make, postgresql: Server
) -> None:
    pair = registers(target=postgresql.database)
    pair.sync()
    for row in pair.insurance[:10]:
        row["date_of_birth"] = str(row["date_of_birth"])[:4]
    pair.insurance += [record(n) for n in range(31, 41)]
    pair.write()
    query = (
        "select (select count(*) from {reconciled}) as records, "
        "(select count(*) from {reconciled} where mismatch_codes like '%BIRTH%') as births"
    )
    states: set[tuple[int, int]] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            row = pair.published(query)[0]
            states.add((row["records"], row["births"]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        pair.sync()
    finally:
        done.set()
        watcher.join()

    last = pair.published(query)[0]
    assert states <= {(30, 0), (40, last["births"])}
    assert last["births"] > 0


@pytest.mark.wide
def test_link_history_opens_and_closes_with_reasons(registers: Make) -> None:
    pair = registers()
    pair.insurance[3]["id_number"] = None
    pair.write()
    first = pair.sync()
    history = "select * from ops.link_history order by record_id, opened_at"
    opened = from_warehouse(pair.settings, history)
    assert {row["record_id"] for row in opened if row["opened_run"] == first.run_id} >= {
        "R000001",
        "R000002",
        "R000003",
    }
    assert all(row["closed_run"] is None for row in opened)

    pair.sync()
    assert from_warehouse(pair.settings, history) == opened

    del pair.insurance[0]
    stranger = record(2) | {"full_name": "Ma Thị Lạ", "date_of_birth": "1931-02-03"}
    pair.insurance[0] = stranger | {"id_number": "001099999999"}
    other = {**record(29), "record_id": "R000003", "insurance_number": "7900000003"}
    pair.insurance[1] = other
    pair.population[4 - 1]["former_id_numbers"] = "012345671"
    pair.write()
    last = pair.sync()

    closed = {
        row["record_id"]: row["why_closed"]
        for row in from_warehouse(pair.settings, history)
        if row["closed_run"] == last.run_id
    }
    assert closed["R000001"] == "record_gone"
    assert closed["R000002"] == "no_longer_linked"
    assert closed["R000003"] == "other_citizen"
    live = from_warehouse(
        pair.settings,
        "select record_id from ops.link_history where closed_run is null and opened_run = "
        f"'{last.run_id}'",
    )
    assert {"record_id": "R000003"} in live


def test_a_link_by_another_step_closes_and_opens(registers: Make) -> None:
    pair = registers()
    pair.population[9]["former_id_numbers"] = "012345671"
    pair.insurance[9]["id_number"] = "012345671"
    pair.write()
    pair.sync()
    pair.insurance[9]["id_number"] = citizen(10)["personal_id"]
    pair.write()
    pair.sync()

    history = from_warehouse(
        pair.settings,
        "select match_step, why_closed from ops.link_history where record_id = 'R000010' "
        "order by opened_at",
    )
    assert history == [
        {"match_step": "former_id", "why_closed": "other_step"},
        {"match_step": "personal_id", "why_closed": None},
    ]


def test_the_target_is_made_with_its_schema_and_keeps_its_comments(
    registers: Make, postgresql: Server
) -> None:
    pair = registers(target=postgresql.database)
    pair.sync()

    comments = read_sql(
        pair.target_url,
        "select obj_description('doisoat.reconciled'::regclass) as words",
    )
    assert comments == [
        {"words": "One row per insurance record, all of them: what the reconciliation says of it"}
    ]


def test_record_ids_that_differ_by_case_accent_or_a_space_are_different_records(
    registers: Make, mariadb: Server
) -> None:
    ids = ["r1", "R1", "R1 ", "Rê", "Re", "rê"]
    pair = registers(
        [record(n, record_id=key) for n, key in enumerate(ids, 1)], target=mariadb.database
    )

    synced = pair.sync()

    assert synced.broken == []
    rows = pair.published("select record_id from {reconciled}")
    assert sorted(row["record_id"] for row in rows) == sorted(ids)
    pair.insurance[0]["date_of_birth"] = "1999-12-31"
    pair.write()
    assert pair.sync().changes["reconciled"] == (0, 1, 0)


def test_a_target_that_cannot_be_reached_leaves_the_link_history_alone(registers: Make) -> None:
    pair = registers(target=lambda: "postgresql://nobody@127.0.0.1:1/x")

    with pytest.raises(ConnectionFailedError) as caught:
        pair.sync()

    assert "127.0.0.1:1" in str(caught.value)
    assert from_warehouse(pair.settings, "select count(*) as n from ops.link_history") == [{"n": 0}]


def test_postgresql_leaves_room_in_pages_whose_rows_change(
    registers: Make, postgresql: Server
) -> None:
    pair = registers(target=postgresql.database)
    pair.sync()

    roomy = pair.published("select relname from pg_class where 'fillfactor=90' = any(reloptions)")

    assert {row["relname"] for row in roomy} == {*DIFFERENCE_TABLES}


def test_sources_are_not_touched(registers: Make, postgresql: Server) -> None:
    pair = registers(source=postgresql.database)
    before = read_sql(pair.insurance_url, "select * from insurance order by record_id")
    fill(pair.insurance_url, "other", ("a",), [{"a": "1"}])

    pair.sync()

    assert read_sql(pair.insurance_url, "select * from insurance order by record_id") == before
    tables = read_sql(
        pair.insurance_url,
        "select table_name from information_schema.tables where table_schema not in "
        "('pg_catalog', 'information_schema') order by 1",
    )
    assert [row["table_name"] for row in tables] == ["insurance", "other"]
