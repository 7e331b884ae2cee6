"""Bad data: each row is in the result or in the rejects, and nothing shows a person's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import pytest

from etl.domain.columns import KEY_LENGTH
from etl.simulate import SimulationSpec, simulate_batches
from tests.support import (
    INSURANCE_COLUMNS,
    POPULATION_COLUMNS,
    Registers,
    Row,
    Server,
    Synced,
    citizen,
    fill,
    record,
)

pytestmark = pytest.mark.wide

Make = Callable[..., Registers]


def _reasons(pair: Registers, register: str) -> dict[str, int]:
    return {
        row["reason"]: row["n"]
        for row in pair.published(
            "select reason, count(*) as n from {rejects} "
            f"where register = '{register}' group by reason"
        )
    }


def _prove(pair: Registers, synced: Synced) -> dict[str, str]:
    """Every record id has exactly one row, the ledger holds, and no row is lost."""
    assert synced.broken == []
    ids = {str(r["record_id"]) for r in pair.insurance if str(r["record_id"] or "").strip()}
    rows = pair.published("select record_id, status from {reconciled}")
    assert len(rows) == len({row["record_id"] for row in rows}) == len(ids)
    return {row["record_id"]: row["status"] for row in rows}


NASTY = {
    "nul": "Nguyễn\x00 Văn A",
    "long": "Nguyễn " * 715,
    "injection": "'; DROP TABLE reconciled; --",
    "quotes": "\"'`\\;--/*%s:x{}$1",
    "controls": "a\tb\nc\rd\x07\x1b[31me\u202e",
    "astral": "𡨸喃 🙂 \U0010ffff",
}


def test_nasty_text_in_every_field_is_kept_and_harms_nothing(
    registers: Make, new_database: Callable[[], str]
) -> None:
    texts = [name for name in INSURANCE_COLUMNS if name != "record_id"]
    records, people = [record(1)], [citizen(1)]
    for start, nasty in zip(range(10, 100, 10), NASTY.values(), strict=False):
        records += [
            record(start, full_name=nasty),
            record(start + 1, **dict.fromkeys(texts, nasty)),
            record(start + 2, record_id=nasty),
            record(start + 3, employer_code=nasty),
        ]
        people += [
            *(citizen(start + n) for n in range(4)),
            citizen(start + 4, **dict.fromkeys(POPULATION_COLUMNS[1:], nasty)),
            citizen(start + 5, personal_id=nasty),
        ]
    pair = registers(records, people, target=new_database)

    statuses = _prove(pair, pair.sync())

    assert statuses["R000001"] == "VERIFIED"
    for start, nasty in zip(range(10, 100, 10), NASTY.values(), strict=False):
        assert statuses[f"R{start:06d}"] in ("MISMATCH", "REVIEW"), nasty[:30]
        # A citizen has the same text as name and address: it must never become a link.
        unlinked = ("REJECTED", "NOT_FOUND", "REVIEW")
        assert statuses[f"R{start + 1:06d}"] in unlinked, nasty[:30]
        assert statuses[f"R{start + 3:06d}"] == "VERIFIED", nasty[:30]
        assert statuses[_published_key(statuses, nasty)] == "VERIFIED"
    assert _reasons(pair, "population") == {"personal_id_invalid": len(NASTY)}
    assert pair.sync().changes == {}


def _published_key(keys: Iterable[str], record_id: str) -> str:
    (found,) = (key for key in keys if key.replace("␀", "\x00")[:100] == record_id[:100])
    return found


def test_sixty_four_thousand_and_more_bytes_fit_the_target(
    registers: Make, mariadb: Server
) -> None:
    pair = registers([record(1, full_name="Ữ" * 70_000)], target=mariadb.database)

    _prove(pair, pair.sync())


def test_record_ids_longer_than_a_key_are_shortened_and_stay_different(
    registers: Make, new_database: Callable[[], str]
) -> None:
    long = "Đ" * 5_000
    ids = ["x" * KEY_LENGTH, "x" * (KEY_LENGTH + 1), long + "1", long + "2"]
    pair = registers(
        [record(n, record_id=key, gender=None) for n, key in enumerate(ids, 1)],
        target=new_database,
    )

    statuses = _prove(pair, pair.sync())

    assert "x" * KEY_LENGTH in statuses
    assert all(len(key) <= KEY_LENGTH for key in statuses)
    named = {row["record_id"] for row in pair.published("select record_id from {mismatches}")}
    assert named == set(statuses)
    assert pair.sync().changes == {}


def test_identical_rows_count_once_and_the_copies_are_set_aside(registers: Make) -> None:
    pair = registers([record(1), record(2), record(2), record(2)])

    assert _prove(pair, pair.sync()) == {"R000001": "VERIFIED", "R000002": "VERIFIED"}
    assert _reasons(pair, "insurance") == {"row_repeated": 2}


def test_different_rows_of_one_record_id_are_all_set_aside(registers: Make) -> None:
    twice = [record(2), record(2, full_name="Trần Văn Khác")]
    pair = registers([record(1), *twice, twice[0]])

    assert _prove(pair, pair.sync()) == {"R000001": "VERIFIED", "R000002": "REJECTED"}
    assert _reasons(pair, "insurance") == {"record_id_conflict": 3}


def test_rows_without_a_record_id_are_rejects(registers: Make) -> None:
    pair = registers([record(1), *(record(2, record_id=key) for key in (None, None, "", "   "))])

    assert _prove(pair, pair.sync()) == {"R000001": "VERIFIED"}
    assert _reasons(pair, "insurance") == {"record_id_missing": 4}


def test_records_with_nothing_to_compare_are_rejected_with_a_row(registers: Make) -> None:
    empty = dict.fromkeys(("full_name", "date_of_birth", "id_number", "insurance_number"))
    only_name = {**empty, "full_name": "Nguyễn Thị Lan"}
    pair = registers([record(1), record(2, **empty), record(3, **only_name)])

    statuses = _prove(pair, pair.sync())

    assert statuses == {"R000001": "VERIFIED", "R000002": "REJECTED", "R000003": "REJECTED"}
    assert _reasons(pair, "insurance") == {"nothing_to_compare": 2}


def test_citizens_that_cannot_be_used_are_rejects_with_their_reason(registers: Make) -> None:
    unusable: dict[int, tuple[list[Row], str]] = {
        2: ([citizen(2, personal_id=None)], "record_id_missing"),
        3: ([citizen(3, personal_id=" ")], "record_id_missing"),
        4: ([citizen(4, personal_id="abc")], "personal_id_invalid"),
        5: ([citizen(5, personal_id="1234567890123")], "personal_id_invalid"),
        6: ([citizen(6, personal_id="000000000000")], "personal_id_invalid"),
        7: ([citizen(7), citizen(7, full_name="Vũ Văn Khác")], "personal_id_conflict"),
        8: (
            [citizen(8), citizen(8, personal_id=f" {citizen(8)['personal_id']}")],
            "personal_id_conflict",
        ),
    }
    people = [citizen(1), citizen(9), citizen(9), *chain(*(rows for rows, _ in unusable.values()))]
    pair = registers([record(n) for n in range(1, 10)], people)

    statuses = _prove(pair, pair.sync())

    expected = Counter(reason for rows, reason in unusable.values() for _ in rows)
    assert _reasons(pair, "population") == {**expected, "row_repeated": 1}
    found = {key for key, status in statuses.items() if status == "VERIFIED"}
    assert found == {"R000001", "R000009"}
    assert {statuses[f"R{n:06d}"] for n in unusable} == {"NOT_FOUND"}


def test_a_column_that_is_nearly_all_null_loses_no_row(registers: Make) -> None:
    nulls = dict.fromkeys(INSURANCE_COLUMNS[1:])
    rows = [record(n, **(nulls if n > 3 else {})) for n in range(1, 301)]
    pair = registers(rows)

    statuses = _prove(pair, pair.sync())

    assert sorted(set(statuses.values())) == ["REJECTED", "VERIFIED"]
    assert _reasons(pair, "insurance") == {"nothing_to_compare": 297}


@pytest.mark.parametrize(("insurance", "population"), [(0, 3), (3, 0), (0, 0)])
def test_empty_registers_break_nothing_in_the_library(
    registers: Make, insurance: int, population: int
) -> None:
    """The command would stop before publishing these; the ledger must hold all the same."""
    pair = registers(
        [record(n) for n in range(1, insurance + 1)],
        [citizen(n) for n in range(1, population + 1)],
    )

    statuses = _prove(pair, pair.sync())

    assert set(statuses.values()) <= {"NOT_FOUND"}


def test_two_thousand_simulated_citizens_with_every_fault_balance(
    registers: Make, postgresql: Server
) -> None:
    pair = registers([], [], source=postgresql.database, target=postgresql.database)
    for batch in simulate_batches(SimulationSpec(citizens=2_000, seed=7, workers=1)):
        pair.insurance.extend(batch.insurance.to_pylist())
        pair.population.extend(batch.population.to_pylist())
    fill(pair.insurance_url, "insurance", INSURANCE_COLUMNS, _text(pair.insurance))
    fill(pair.population_url, "population", POPULATION_COLUMNS, _text(pair.population))

    statuses = _prove(pair, pair.sync())

    verified = sum(1 for status in statuses.values() if status == "VERIFIED")
    assert verified > 0.3 * len(statuses)
    assert pair.sync().changes == {}


def _text(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [{k: None if v is None else str(v) for k, v in row.items()} for row in rows]
