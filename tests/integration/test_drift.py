"""Rows that somebody else changes in the target are found, repaired and reported; no others."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl.databases.writers import metadata_for, transaction
from etl.domain.contract import DIFFERENCE_TABLES
from etl.domain.words import UNTRAINED
from etl.publish.differences import publish_difference
from etl.publish.drift import SLICES, Part
from etl.simulate import SimulationSpec, write_database
from etl.stewards.worklists.sending import Grouping, Request, send
from etl.stewards.worklists.writing import Format
from tests.support import (
    Command,
    Registers,
    compared_earlier,
    from_warehouse,
    memory_folder,
    read_sql,
    run_sql,
    writing,
)

pytestmark = pytest.mark.wide

Make = Callable[..., Registers]

ODD_TEXTS = (
    "", " ", "khoảng trắng cuối  ", "=1+1", "xuống\ndòng", "tab\t", "Nguyễn".encode().decode(),
    "Nguye\u0302\u0303n", "🏭 '\"\\%_", "\x1b[31m", "\u202e", "0012", "1.0", "true", "null",
)  # fmt: skip
"""Employer codes that a database or a driver might return differently."""


@pytest.fixture(scope="module")
def rich_sources() -> Iterator[dict[str, str]]:
    """Two registers with every fault of the simulator, probabilities and odd texts."""
    folder = memory_folder("doisoat-drift-")
    urls = {name: f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population")}
    spec = SimulationSpec(citizens=1_500, seed=6, birth_window_days=1)
    write_database(spec, urls["insurance"], urls["population"])
    run_sql(
        urls["insurance"],
        "update insurance set employer_code = :code where record_id = "
        "(select record_id from insurance order by record_id limit 1 offset :at)",
        parameters=[{"code": code, "at": at} for at, code in enumerate(ODD_TEXTS)],
    )
    run_sql(
        urls["insurance"],
        "update insurance set full_name = null, date_of_birth = '\t=x', id_number = null, "
        "insurance_number = null, health_card_number = null where record_id = "
        "(select record_id from insurance order by record_id limit 1)",
    )
    yield urls
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def rich(rich_sources: dict[str, str], folder: Path, new_database: Callable[[], str]) -> Registers:
    """Those registers with a target of each product; every run compares all rows."""
    urls = rich_sources["insurance"], rich_sources["population"], new_database()
    return _comparing_all(Registers(folder, [], [], *urls))


def _comparing_all(pair: Registers) -> Registers:
    pair.options = {**pair.options, "target": {"compare_whole_days": 0}}
    return pair


def _tables(pair: Registers) -> dict[str, str]:
    prefix = "doisoat." if pair.target_url.startswith("postgresql") else ""
    return {name: prefix + name for name in DIFFERENCE_TABLES}


def test_rows_that_nobody_touched_are_never_written_again(rich: Registers) -> None:
    rich.sync()
    send(
        rich.settings,
        Request(rich.folder / "sent", Grouping.PROVINCE, format=Format.JSONL),
        lambda _done, _total: None,
    )
    first = rich.sync()
    floats = rich.published("select count(distinct match_probability) as d from {reconciled}")
    assert floats[0]["d"] >= 3
    rows = {name: first.counts.rows[name] for name in DIFFERENCE_TABLES}
    assert all(rows.values())

    for _ in range(2):
        again = rich.sync()

        assert again.changes == {}
        assert {name: d.compared for name, d in again.counts.differences.items()} == rows
        assert {name: d.repaired for name, d in again.counts.differences.items()} == dict.fromkeys(
            DIFFERENCE_TABLES, 0
        )


def test_the_slices_together_hold_every_row_once(rich: Registers) -> None:
    synced = rich.sync()
    with (
        writing(rich.settings) as warehouse,
        transaction(rich.settings.target) as writer,
    ):
        for table in metadata_for(rich.settings.target).sorted_tables:
            if table.name in DIFFERENCE_TABLES:
                found = [
                    publish_difference(warehouse, writer, table, Part(range(first, first + 32)))
                    for first in range(0, SLICES, 32)
                ]
                assert sum(d.compared for d in found) == synced.counts.rows[table.name]
                assert {d.total for d in found} == {0}


def test_a_run_compares_the_next_slices_a_sixteenth_of_all_a_day(registers: Make) -> None:
    pair = registers()
    pair.options = {**pair.options, "target": {"compare_whole_days": 366}}

    def slices(days: float) -> range | None:
        if days:
            compared_earlier(pair, days)
        return pair.sync().counts.part.slices

    assert slices(0) is None, "a new target"
    assert slices(0) == range(0)
    assert [slices(1 / 96) for _ in range(4)] == [range(0), range(0), range(1), range(0)]
    assert slices(0.98) == range(1, 17), "a night later"
    assert slices(9.99) == range(17, 177)
    assert slices(9.99) == range(177, 256), "the rest of them"
    assert slices(0.49) == range(8)


def test_slices_go_on_after_those_of_an_earlier_version(registers: Make) -> None:
    pair = registers()
    pair.sync()
    compared_earlier(pair, 1 / 24)
    pair.sync()
    with writing(pair.settings) as warehouse:
        warehouse.execute("update ops.target_comparisons set slice = '3' where slice = '00'")
    compared_earlier(pair, 1 / 24)

    assert pair.sync().counts.part.slices == range(0x40, 0x41)


CELLS = (
    ("reconciled", "status", "'DONE'"),
    ("reconciled", "personal_id", "null"),
    ("reconciled", "employer_code", "'E9'"),
    ("reconciled", "health_insurance", "{false}"),
    ("reconciled", "match_probability", "0.5"),
    ("mismatches", "population_value", "'another'"),
    ("mismatches", "severity", "'worse'"),
    ("corrections", "proposed_value", "'Nguyễn Thị Khác'"),
    ("rejects", "raw_value", "'another'"),
)  # fmt: skip


def test_cells_changed_by_hand_are_put_right_and_counted(
    registers: Make, new_database: Callable[[], str]
) -> None:
    pair = _comparing_all(_with_faults(registers(target=new_database)))
    pair.sync()
    before = _rows(pair)
    untouched = {name: iter(rows) for name, rows in before.items()}
    false = "false" if pair.target_url.startswith("postgresql") else "0"
    touched = []
    for table, column, value in CELLS:
        touched.append(next(untouched[table]))
        run_sql(
            pair.target_url,
            f"update {_tables(pair)[table]} set {column} = {value.format(false=false)} "
            f"where row_hash = '{touched[-1]}'",
        )

    again = pair.sync()

    found = {name: (d.repaired, d.total) for name, d in again.counts.differences.items() if d.total}
    assert found == {
        "reconciled": (5, 5), "mismatches": (2, 2), "corrections": (1, 1), "rejects": (1, 1)
    }  # fmt: skip
    after = _rows(pair)
    for row in after["reconciled"].values():
        changed = row.pop("last_changed_run") == again.run_id
        assert changed == (row["row_hash"] in touched)
    for row in before["reconciled"].values():
        del row["last_changed_run"]
    assert after == before
    assert pair.sync().changes == {}


def _rows(pair: Registers) -> dict[str, dict[str, dict[str, object]]]:
    """The published rows of each table by their hash, in the order of their keys."""
    return {
        name: {
            row["row_hash"]: row
            for row in sorted(pair.published(f"select * from {{{name}}}"), key=str)
        }
        for name in ("reconciled", "mismatches", "corrections", "rejects")
    }


def _with_faults(pair: Registers) -> Registers:
    pair.insurance[0]["gender"] = "Nữ" if pair.insurance[0]["gender"] == "Nam" else "Nam"
    pair.insurance[2] |= {"full_name": None, "date_of_birth": None, "id_number": None}
    return pair.write()


@pytest.mark.long
def test_a_hand_anywhere_is_found_within_sixteen_nights(
    registers: Make,
) -> None:
    pair = registers()
    pair.options = {**pair.options, "target": {"compare_whole_days": 366}}
    pair.sync()
    run_sql(pair.target_url, "update reconciled set status = 'REVIEW'")

    repaired = []
    for _ in range(16):
        compared_earlier(pair, 0.99)
        repaired.append(pair.sync().counts.differences["reconciled"].repaired)

    assert sum(repaired) == 30
    assert sum(count > 0 for count in repaired) > 3
    assert {row["status"] for row in pair.published("select status from {reconciled}")} == {
        "VERIFIED"
    }


def test_all_rows_are_compared_when_the_last_time_is_a_week_ago(registers: Make) -> None:
    pair = registers()
    assert pair.sync().counts.part.is_all
    assert not pair.sync().counts.part.is_all
    compared_earlier(pair, days=6)
    assert not pair.sync().counts.part.is_all
    compared_earlier(pair, days=1)

    assert pair.sync().counts.part.is_all
    assert not pair.sync().counts.part.is_all


def test_comparisons_that_a_clock_dates_into_the_future_count_for_nothing(
    registers: Make,
) -> None:
    """The clock was set back, or the warehouse comes from a machine whose clock was ahead."""
    pair = registers()
    pair.sync()
    compared_earlier(pair, days=-400)

    assert pair.sync().counts.part.is_all
    assert pair.sync().counts.part.slices == range(0), "none is due so soon"


def test_another_target_is_compared_whole_the_first_time(
    registers: Make, new_sqlite: Callable[[], str]
) -> None:
    pair = registers()
    pair.sync()
    pair.target_url = new_sqlite()

    assert pair.sync().counts.part.is_all


def test_a_publish_that_fails_is_no_comparison(registers: Make) -> None:
    pair = registers()
    pair.sync()
    compared_earlier(pair, days=7)
    run_sql(
        pair.target_url,
        "create trigger trap before insert on sync_runs begin select raise(abort, 'no'); end",
    )
    with pytest.raises(Exception, match="refused a row"):
        pair.sync()
    run_sql(pair.target_url, "drop trigger trap")

    assert pair.sync().counts.part.is_all


def test_what_sqlite_takes_into_a_column_of_another_kind_is_put_right(registers: Make) -> None:
    pair = _comparing_all(registers())
    pair.sync()
    run_sql(
        pair.target_url,
        "update reconciled set match_probability = 'nhiều' where record_id = 'R000001'",
        "update reconciled set status = x'ff00' where record_id = 'R000002'",
        "update reconciled set province_code = 7 where record_id = 'R000003'",
    )

    assert pair.sync().counts.differences["reconciled"].repaired == 3
    assert pair.sync().changes == {}


def test_a_target_that_changes_what_is_written_is_told(registers: Make) -> None:
    pair = _comparing_all(registers())
    pair.sync()
    run_sql(
        pair.target_url,
        "create trigger loud after update on reconciled begin "
        "update reconciled set employer_code = 'ANOTHER' where record_id = new.record_id; end",
        "update reconciled set status = 'REVIEW' where record_id = 'R000001'",
    )

    found = pair.sync().counts.differences["reconciled"]

    assert (found.repaired, found.unkept) == (1, 1)


def test_a_real_change_and_a_hand_on_the_same_row_are_one_update(registers: Make) -> None:
    pair = _comparing_all(registers())
    pair.sync()
    run_sql(pair.target_url, "update reconciled set status = 'X' where record_id = 'R000010'")
    pair.insurance[9]["date_of_birth"] = "1960-11-12"
    pair.write()

    found = pair.sync().counts.differences["reconciled"]

    assert (found.updated, found.repaired) == (1, 0)


def test_the_sync_the_check_and_the_history_tell_what_was_put_right(
    registers: Make, doisoat_here: Callable[..., Command]
) -> None:
    pair = _comparing_all(registers())
    file = pair.file
    pair.sync()
    run_sql(pair.target_url, "update reconciled set status = 'REVIEW' where record_id = 'R000002'")

    told = doisoat_here("--config", file, "sync")

    assert told.exit_code == 0
    said = "Somebody other than doisoat had changed 1 row of the target's 'reconciled'; this run"
    assert f"{said} has put that right." in told.output
    assert "target.reconciled.rows_are_as_written" in told.output
    assert UNTRAINED.en in " ".join(told.output.split())
    assert "R000002" not in told.output
    checks = _checks(pair)
    assert {name: passed for name, passed, _ in checks[-len(DIFFERENCE_TABLES) :]} == {
        "target/reconciled": False,
        **{f"target/{name}": True for name in DIFFERENCE_TABLES if name != "reconciled"},
    }
    assert {severity for _, _, severity in checks} == {"WARN"}
    (run,) = read_sql(
        pair.target_url,
        "select rows_updated from sync_runs order by published_at desc limit 1",
    )
    assert run["rows_updated"] == 1

    assert pair.sync().changes == {}
    assert from_warehouse(
        pair.settings,
        "select sum(repaired_rows)::int as n from ops.target_comparisons",
    ) == [{"n": 1}]


def _checks(pair: Registers) -> list[tuple[str, bool, str]]:
    """The evaluations of the target's checks, oldest first."""
    import dagster as dg

    from assets.running import instance_for

    instance = instance_for(pair.settings)
    records = [
        evaluation
        for run in reversed(instance.get_runs())
        for entry in instance.all_logs(
            run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        )
        if (evaluation := entry.dagster_event.asset_check_evaluation_data)  # type: ignore[union-attr]
        if evaluation.check_name == "rows_are_as_written"
    ]
    return [
        (check.asset_key.to_user_string(), check.passed, check.severity.value) for check in records
    ]
