"""People's decisions: made by command, kept, applied, and brought back when outdated."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime, timedelta

import pytest

from etl.report import display
from etl.report.figures import read_figures
from etl.report.people import Compared
from tests.support import (
    Command,
    Registers,
    citizen,
    from_state,
    from_warehouse,
    record,
    remember,
)

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]

LAN, MAI, HUNG = (str(citizen(n)["personal_id"]) for n in (1, 2, 3))
"""Citizens of the registers below."""


@pytest.fixture
def pair(synced: Make) -> Registers:
    """Ten faultless records, one without a number under another name, and a second of citizen 3."""
    return synced(
        [
            *(record(n) for n in range(1, 11)),
            record(1, record_id="unknown", id_number=None, full_name="Ai Đó Khác"),
            record(3, record_id="second", insurance_number="7900000099"),
        ]
    )


@pytest.fixture
def decide(pair: Registers, doisoat_here: Doisoat) -> Callable[..., Command]:
    """Runs ``doisoat decide`` with a reason."""

    def run(record_id: str, *options: str, by: str = "lan") -> Command:
        return doisoat_here(
            "--config", pair.file, "decide", record_id, "--reason", "papers seen", *options,
            DOISOAT_USER=by,
        )  # fmt: skip

    return run


def verdict(pair: Registers, record_id: str) -> tuple[object, object, object]:
    """Status, citizen and step of a record, as published."""
    (row,) = pair.published(
        "select status, personal_id, match_step from {reconciled} "
        f"where record_id = '{record_id}'"
    )
    return row["status"], row["personal_id"], row["match_step"]


def reasons(pair: Registers, record_id: str) -> list[tuple[object, object]]:
    """The citizens that a person is shown for a record, and why."""
    rows = pair.published(
        f"select personal_id, reason from {{candidates}} where record_id = '{record_id}' "
        "order by candidate_rank"
    )
    return [(row["personal_id"], row["reason"]) for row in rows]


def change(pair: Registers, record_id: str, **columns: object) -> None:
    """Corrects a record at its source, and syncs."""
    for row in pair.insurance:
        if row["record_id"] == record_id:
            row.update(columns)
    pair.write()
    pair.sync()


def test_a_record_is_linked_as_a_person_decided_and_no_more_when_that_is_taken_back(
    pair: Registers, decide: Callable[..., Command]
) -> None:
    assert verdict(pair, "unknown")[1] is None

    told = decide("unknown", "--link", LAN)
    assert told.exit_code == 0, told.errors
    assert f"Decided: the record is of citizen {LAN}. It applies with the next run." in told.output
    assert verdict(pair, "unknown")[1] is None
    pair.sync()
    assert verdict(pair, "unknown")[1:] == (LAN, "steward")

    again = decide("unknown", "--link", LAN)
    assert "The same is decided already; nothing was written." in again.output
    assert len(from_state(pair.settings, "select 1 from {decisions}")) == 1
    assert len(from_state(pair.settings, "select 1 from {access_log}")) == 2  # the first was shown

    taken = decide("unknown", "--undo")
    assert f"Taken back: the record is of citizen {LAN}" in taken.output
    pair.sync()
    assert verdict(pair, "unknown")[1] is None
    assert len(from_state(pair.settings, "select 1 from {decisions}")) == 2  # nothing is deleted
    nothing = decide("unknown", "--undo")
    assert nothing.exit_code == 2
    assert "Nothing is decided on this record" in nothing.errors


def test_the_second_person_sees_what_the_first_decided_and_the_last_word_counts(
    pair: Registers, decide: Callable[..., Command]
) -> None:
    decide("unknown", "--link", LAN)
    told = decide("unknown", "--link", MAI, by="minh")

    assert f"Decided before: the record is of citizen {LAN} (lan, 2" in told.output
    assert ": papers seen)" in told.output
    pair.sync()
    assert verdict(pair, "unknown")[1:] == (MAI, "steward")
    # The last decision is taken back; the one before it counts again.
    decide("unknown", "--undo")
    pair.sync()
    assert verdict(pair, "unknown")[1:] == (LAN, "steward")


def test_a_record_that_is_not_a_citizens_is_not_linked_and_its_number_is_somebody_elses(
    pair: Registers, decide: Callable[..., Command]
) -> None:
    """Its number would settle it at once (the fast lane)."""
    assert verdict(pair, "R000002")[1:] == (MAI, "personal_id")

    decide("R000002", "--not-link", MAI)
    pair.sync()

    assert verdict(pair, "R000002") == ("NOT_FOUND", None, None)
    assert reasons(pair, "R000002") == []
    codes = pair.published("select code from {mismatches} where record_id = 'R000002'")
    assert "ID_OTHER_PERSON" in {row["code"] for row in codes}
    # A link that is decided later replaces it.
    decide("R000002", "--link", MAI)
    pair.sync()
    assert verdict(pair, "R000002")[1:] == (MAI, "steward")


def test_a_record_said_to_be_nobodys_is_searched_no_more(
    pair: Registers, decide: Callable[..., Command]
) -> None:
    decide("R000002", "--not-a-person")
    pair.sync()
    assert verdict(pair, "R000002") == ("NOT_FOUND", None, None)


def test_a_person_names_the_record_to_keep(pair: Registers, decide: Callable[..., Command]) -> None:
    kept = "select record_id, kept_record_id, reason from core.duplicates order by record_id"
    before = from_warehouse(pair.settings, kept)
    assert {row["record_id"] for row in before} == {"R000003", "second"}
    (loser,) = {"R000003", "second"} - {row["kept_record_id"] for row in before}

    told = decide("R000003", "--keep", loser)
    assert told.exit_code == 0, told.errors
    pair.sync()

    after = from_warehouse(pair.settings, kept)
    assert {(row["kept_record_id"], row["reason"]) for row in after} == {(loser, "keep_decided")}
    stranger = decide("R000003", "--keep", "R000001")
    assert stranger.exit_code == 2
    assert "These two are not records of one citizen" in stranger.errors


def test_a_link_whose_record_was_changed_since_goes_back_to_a_person_unless_all_agrees_now(
    pair: Registers, decide: Callable[..., Command]
) -> None:
    decide("unknown", "--link", LAN)
    pair.sync()

    change(pair, "unknown", full_name="Người Nào Khác")
    assert verdict(pair, "unknown") == ("REVIEW", None, None)
    assert reasons(pair, "unknown")[0] == (LAN, "decision_outdated")

    change(pair, "unknown", full_name=citizen(1)["full_name"])
    assert verdict(pair, "unknown")[1:] == (LAN, "steward")


@pytest.mark.wide
def test_a_link_does_not_hold_where_the_record_carries_a_namesakes_number_now(
    pair: Registers, decide: Callable[..., Command], doisoat_here: Doisoat
) -> None:
    """Name, birth date and sex agree with both citizens."""
    twin = {**citizen(1), "personal_id": "001151000099"}
    pair.population.append(twin)
    of_both = {name: citizen(1)[name] for name in ("full_name", "date_of_birth", "gender")}
    change(pair, "unknown", **of_both)
    decide("unknown", "--link", LAN)
    pair.sync()
    assert verdict(pair, "unknown")[1:] == (LAN, "steward")

    change(pair, "unknown", id_number=twin["personal_id"])

    assert verdict(pair, "unknown") == ("REVIEW", None, None)
    assert reasons(pair, "unknown")[0] == (LAN, "decision_outdated")
    told = doisoat_here("--config", pair.file, "explain", "unknown", "--lang", "en")
    assert told.exit_code == 0, told.errors
    assert "the data have changed since a person decided" in told.output


@pytest.mark.wide
def test_a_link_to_a_citizen_who_has_died_since_goes_back_to_a_person(
    pair: Registers, decide: Callable[..., Command]
) -> None:
    decide("unknown", "--link", LAN)
    pair.population[0]["status"] = "deceased"
    assert pair.population[0]["personal_id"] == LAN
    pair.write()
    pair.sync()

    assert verdict(pair, "unknown") == ("REVIEW", None, None)
    assert reasons(pair, "unknown") == [(LAN, "decision_outdated")]
    decide("unknown", "--link", LAN)  # decided with knowledge of the change
    pair.sync()
    assert verdict(pair, "unknown")[1:] == (LAN, "steward")


@pytest.mark.parametrize("said", [("--not-link", MAI), ("--not-a-person",)])
@pytest.mark.wide
def test_the_machine_does_not_overrule_a_person_when_the_data_have_changed(
    pair: Registers,
    decide: Callable[..., Command],
    doisoat_here: Doisoat,
    said: tuple[str, ...],
) -> None:
    decide("R000002", *said)
    pair.sync()
    assert verdict(pair, "R000002") == ("NOT_FOUND", None, None)

    change(pair, "R000002", insurance_number="7912345678")

    assert verdict(pair, "R000002") == ("REVIEW", None, None)
    assert reasons(pair, "R000002") == [(MAI, "decision_outdated")]
    told = doisoat_here("--config", pair.file, "explain", "R000002", "--lang", "en")
    assert told.exit_code == 0, told.errors
    assert "Not linked by itself: the data have changed" in told.output


def test_what_was_decided_is_kept_with_what_the_machine_had_said_and_told_by_explain(
    pair: Registers, decide: Callable[..., Command], doisoat_here: Doisoat
) -> None:
    decide("R000002", "--not-link", MAI)
    decide("unknown", "--link", LAN)

    kept = from_state(pair.settings, "select * from {decisions} order by record_id")
    assert [(r["verdict"], r["machine_verdict"], r["machine_step"]) for r in kept] == [
        ("not_link", "link", "personal_id"),
        ("link", "other", None),
    ]
    told = doisoat_here("--config", pair.file, "explain", "R000002", "--lang", "en").output
    assert f"the record is not of citizen {MAI}" in told
    assert "papers seen" in told
    assert "applies with the next run" in told
    pair.sync()
    told = doisoat_here("--config", pair.file, "explain", "R000002", "--json").output
    (decision,) = json.loads(told)["decisions"]
    assert (decision["verdict"], decision["personal_id"]) == ("not_link", MAI)
    assert datetime.fromisoformat(decision["decided_at"])
    assert "applies" not in doisoat_here("--config", pair.file, "explain", "R000002").output


NOON = datetime(2026, 1, 2, 12)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("said", "found"),
    [
        # The same decision twice is no contradiction.
        ([("link", LAN, 0), ("link", LAN, 0)], (LAN, "steward")),
        ([("not_a_person", None, 0), ("not_a_person", None, 0)], (None, None)),
        ([("not_link", LAN, 0), ("not_link", LAN, 0)], (None, None)),
        ([("not_a_person", None, 0), ("link", LAN, 1), ("not_link", LAN, 2)], (None, None)),
        ([("link", MAI, 0), ("link", LAN, 1), ("not_link", LAN, 2)], (MAI, "steward")),
        ([("not_link", LAN, 0), ("link", LAN, 1)], (LAN, "steward")),
        ([("link", LAN, 0), ("not_link", LAN, 0)], "decisions_contradict"),
        ([("link", LAN, 0), ("link", MAI, 0)], "decisions_contradict"),
        ([("link", LAN, 0), ("not_link", MAI, 0)], (LAN, "steward")),
    ],
)
def test_of_several_words_the_last_counts_and_two_of_one_moment_ask_a_person(
    pair: Registers, said: list[tuple[str, str | None, int]], found: object
) -> None:
    for number, (word, who, hour) in enumerate(said):
        remember(
            pair.settings, "decisions", decision_id=f"d{number}", record_id="unknown",
            personal_id=who, verdict=word, decided_by="lan", reason="papers",
            decided_at=NOON + timedelta(hours=hour),
        )  # fmt: skip
    pair.sync()

    if isinstance(found, tuple):
        assert verdict(pair, "unknown")[1:] == found
    else:
        assert verdict(pair, "unknown")[0] == "REVIEW"
        shown = reasons(pair, "unknown")
        assert {reason for _, reason in shown} == {found}
        assert len(shown) == len({who for who, _ in shown})


def test_what_was_said_again_of_other_facts_is_taken_back_with_it(
    pair: Registers, decide: Callable[..., Command]
) -> None:
    decide("R000003", "--keep", "second")
    decide("unknown", "--link", MAI)
    decide("unknown", "--link", LAN)
    change(pair, "unknown", full_name="Người Nào Khác")
    assert "Decided:" in decide("unknown", "--link", LAN).output  # the facts are new

    told = decide("unknown", "--undo").output

    assert f"Taken back: the record is of citizen {LAN}" in told
    assert f"What counts again: the record is of citizen {MAI}" in told
    pair.sync()
    assert verdict(pair, "unknown")[1] is None
    assert reasons(pair, "unknown")[0] == (MAI, "decision_outdated")


def test_a_run_tells_how_far_people_agree_with_the_machine(
    pair: Registers, decide: Callable[..., Command]
) -> None:
    decide("R000002", "--not-link", MAI)
    decide("R000004", "--link", str(citizen(4)["personal_id"]))
    decide("unknown", "--link", LAN)  # the machine had linked the record to nobody
    decide("R000006", "--link", MAI)  # the machine had linked another
    decide("R000007", "--not-link", MAI)  # the machine had not linked it either
    decide("R000005", "--not-a-person")
    decide("R000005", "--undo")

    pair.sync()
    figures = read_figures(pair.settings)
    assert figures
    assert figures.people == [Compared("link", "personal_id", "", confirmed=1, refused=2)]
    with redirect_stdout(io.StringIO()) as shown:
        display.show_figures(figures)
    told = " ".join(shown.getvalue().split())
    assert "Of 3 links of the machine that people decided on, they refused 2: with 95%" in told
    assert "wrong_links_per_million allows 20." in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody", "--link", LAN), "knows no such insurance record"),
        (("R000001", "--link", "001"), "knows no citizen of that number"),
        (("R000001",), "Say one thing of the record"),
        (("R000001", "--link", LAN, "--undo"), "Say one thing of the record"),
        (("R000001", "--link", LAN, "--reason", " "), "needs a reason"),
    ],
)
def test_what_cannot_be_decided_is_refused_and_nothing_is_written(
    pair: Registers, decide: Callable[..., Command], arguments: tuple[str, ...], said: str
) -> None:
    told = decide(*arguments)

    assert told.exit_code == 2
    assert said in told.errors
    assert LAN not in told.errors
    assert from_state(pair.settings, "select 1 from {decisions}") == []
