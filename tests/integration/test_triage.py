"""The list of what failed: rules, their records, one record, and acknowledged failures."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from etl.domain.errors import ConfigError, ServerAwayError
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.report import display
from etl.report import triage as work
from etl.settings import Schedule
from expectations import SUITES
from expectations.runner import run_suite
from tests.support import (
    Command,
    Registers,
    citizen,
    from_state,
    memory_folder,
    record,
)

DEAD = "core.reconciled.nobody_dead_is_active"
STALE = "raw.insurance.has_fresh_changes"
UNREAD = "clean.population.names_are_mostly_readable"
NAMELESS = "raw.population.full_name_is_mostly_filled"


@pytest.fixture(scope="module")
def registers() -> Iterator[Registers]:
    """Forty people, two of whom have died; one of these two records is of another province.

    Nothing has changed for years, and a citizen without a record has no name.
    """
    folder = memory_folder("doisoat-triage-")
    dead = {"status": "deceased", "date_of_death": "2024-05-01"}
    made = Registers(
        folder,
        [
            record(n, province_code="79" if n == 7 else "01", updated_at="2001-01-01")
            for n in range(40)
        ],
        [
            *(citizen(n, **(dead if n in (5, 7) else {})) for n in range(40)),
            citizen(90, full_name=None),
        ],
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    with warehouse_for(made.settings, Run("triage")) as warehouse:
        runner.run(warehouse, made.settings)
        for suite in SUITES:
            run_suite(warehouse, suite)
    release_lock(made.settings)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


Doisoat = Callable[..., Command]
Triage = Callable[..., list[dict[str, object]]]


@pytest.fixture
def run(doisoat_here: Doisoat, registers: Registers) -> Doisoat:
    """The command with the configuration of these registers."""
    return lambda *arguments: doisoat_here("--config", registers.file, *arguments)


@pytest.fixture
def triage(run: Doisoat) -> Triage:
    """What ``doisoat triage`` says as JSON."""

    def read(*arguments: str) -> list[dict[str, object]]:
        done = run("triage", *arguments, "--json")
        assert done.exit_code == 0, done.errors
        found: list[dict[str, object]] = json.loads(done.output)
        return found

    return read


def test_rules_that_rows_fail_are_listed_with_age_and_owner(triage: Triage) -> None:
    (rule,) = (rule for rule in triage() if rule["rule"] == DEAD)
    assert (rule["failed_rows"], rule["severity"], rule["owner"]) == (2, "warning", "insurance")
    assert rule["first_seen"]
    assert "stewards" in str(rule["meaning"])


def test_a_rules_records_are_keys_by_province(triage: Triage) -> None:
    everywhere = triage(DEAD)
    assert len(everywhere) == 2
    (there,) = triage(DEAD, "--province", "79")
    assert there in everywhere
    assert not {"R000005", "R000007"} & set(map(str, there.values()))


def test_a_rule_about_the_whole_table_says_what_was_seen_and_expected_and_what_to_do(
    run: Doisoat, triage: Triage
) -> None:
    (rule,) = triage(STALE)
    assert rule["observed"] == "the newest change is of 2001-01-01"
    assert str(rule["expected"]).startswith("a change within 30 days. ")
    assert "Ask the register's administrator" in str(rule["meaning"])
    assert rule["first_seen"]
    assert not rule["about_rows"]

    shown = run("triage", STALE).output
    for said in ("a change within 30 days", "warning", "since", "Ask the register's administrator",
                 f"doisoat acknowledge {STALE}"):  # fmt: skip
        assert said in " ".join(shown.split())
    assert "No row fails" not in shown
    assert "--record KEY" not in shown
    refused = run("triage", STALE, "--record", "0123456789abcdef")
    assert "about the table as a whole" in refused.errors


def test_only_an_insurance_records_story_is_offered(run: Doisoat) -> None:
    assert "doisoat explain --record-key" in run("triage", DEAD).output
    citizens = run("triage", UNREAD).output
    assert "1 rows fail" in citizens
    assert f"doisoat triage {UNREAD} --record KEY" in " ".join(citizens.split())
    assert "explain" not in citizens


def test_one_record_is_shown_with_its_values_and_the_look_is_remembered(
    run: Doisoat, triage: Triage, registers: Registers
) -> None:
    (there,) = triage(DEAD, "--province", "79")
    key = str(there["record_key"])
    shown = run("triage", DEAD, "--record", key, "--json")
    assert json.loads(shown.output)["record_id"] == "R000007"
    looks = from_state(
        registers.settings, f"select command from {{access_log}} where record_key = '{key}'"
    )
    assert [look["command"] for look in looks] == ["triage"]


def test_the_list_for_an_office_names_rows_as_its_register_does_and_that_is_remembered(
    run: Doisoat, triage: Triage, registers: Registers
) -> None:
    named = triage(DEAD, "--ids")
    assert {row["record_id"] for row in named} == {"R000005", "R000007"}
    unnamed = [{name: row[name] for name in row if name != "record_id"} for row in named]
    assert unnamed == triage(DEAD)
    (citizen,) = triage(UNREAD, "--ids")
    assert re.fullmatch(r"\d{12}", str(citizen["personal_id"]))

    keys = [row["record_key"] for row in named]
    looks = from_state(
        registers.settings,
        "select record_key from {access_log} where command = 'triage --ids'",
    )
    assert sorted(str(look["record_key"]) for look in looks) == sorted(
        map(str, [*keys, citizen["record_key"]])
    )
    of_nobody = run("triage", "clean.names.raw_is_unique", "--ids")
    assert (of_nobody.exit_code, "of no register" in of_nobody.errors) == (2, True)


def test_a_rules_screen_tells_its_trend_and_what_becomes_of_the_publish(run: Doisoat) -> None:
    shown = " ".join(run("triage", DEAD).output.split())
    assert re.search(r"trend .*2 ", shown)
    assert "goes on: this check does not stop it" in shown
    assert (
        "Of 2 rows 2 are new since the run before. Where: 1 in province 01; 1 in province 79."
        in (shown)
    )
    assert "with --ids so that its office finds the rows" in shown
    assert "+07" in shown


def test_a_key_that_fails_nothing_shows_nobody(run: Doisoat) -> None:
    refused = run("triage", DEAD, "--record", "0123456789abcdef")
    assert refused.exit_code == 2
    assert "No row of that key" in refused.errors


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_the_list_leaves_as_a_file(
    run: Doisoat, triage: Triage, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"dead.{ending}"
    done = run("triage", DEAD, "--out", str(file))
    assert done.exit_code == 0, done.errors
    keys = [str(row["record_key"]) for row in triage(DEAD)]
    if ending == "csv":
        with file.open(encoding="utf-8-sig") as lines:
            assert [row["record_key"] for row in csv.DictReader(lines)] == keys
    else:
        with zipfile.ZipFile(file) as book:
            sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert all(key in sheet for key in keys)


def test_a_known_failure_is_marked_and_still_counts(run: Doisoat, triage: Triage) -> None:
    rule = "core.reconciled.everybody_is_found"
    refused = run("acknowledge", DEAD, "--reason", "  ")
    assert refused.exit_code == 2
    done = run("acknowledge", DEAD, "--reason", "Hà Nội at work",
        "--days", "3",
    )  # fmt: skip
    assert done.exit_code == 0, done.errors
    (marked,) = (found for found in triage() if found["rule"] == DEAD)
    assert marked["acknowledged_because"] == "Hà Nội at work"
    assert marked["failed_rows"] == 2
    assert rule not in {found["rule"] for found in triage()}
    shown = run("triage", DEAD).output
    until = Schedule().local(datetime.fromisoformat(str(marked["acknowledged_until"])))
    assert f"to be corrected, known until {until:%Y-%m-%d}" in shown
    assert f"known until {until:%Y-%m-%d}" in run("triage").output
    assert "Hà Nội at work" in shown


def test_a_check_and_triage_say_the_same_of_a_failure(
    run: Doisoat, triage: Triage, registers: Registers
) -> None:
    for reason, days in (("long", "90"), ("short, but later", "5")):
        done = run("acknowledge", STALE, "--reason", reason, "--days", days)
        assert done.exit_code == 0, done.errors
    suite = next(s for s in SUITES if s.table.sql == "raw.insurance")
    with warehouse_for(registers.settings, Run("later")) as warehouse:
        (shown,) = (r for r in run_suite(warehouse, suite) if r.rule.name == "has_fresh_changes")
    release_lock(registers.settings)
    (told,) = triage(STALE)

    assert shown.standing is not None
    assert shown.standing.acknowledged_until is not None
    assert told["acknowledged_because"] == "long"  # in both, the note that lasts longest counts
    until = datetime.fromisoformat(str(told["acknowledged_until"]))
    assert until == shown.standing.acknowledged_until
    assert datetime.fromisoformat(str(told["first_seen"])) == shown.standing.since


def test_a_wrong_name_or_ending_is_explained(run: Doisoat, tmp_path: Path) -> None:
    unknown = run("triage", "no_such_rule")
    assert (unknown.exit_code, "no rule of that name" in unknown.errors) == (2, True)
    twice = run("triage", "is_not_empty")
    assert "raw.population.is_not_empty" in twice.errors
    ending = run("triage", DEAD, "--out", str(tmp_path / "dead.pdf"))
    assert ".csv" in ending.errors
    nothing = run("triage", "--province", "79")
    assert nothing.exit_code == 2


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_list_is_its_owners_only_and_one_that_is_refused_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    file = tmp_path / f"list.{ending}"
    file.write_text("of yesterday")
    file.chmod(0o644)
    rows = [{"record_key": "0123456789abcdef"}] * 3
    monkeypatch.setattr(work, "EXCEL_ROWS", 2)
    if ending == "xlsx":
        with pytest.raises(ConfigError, match="A worksheet holds 2 rows"):
            work.write_out(rows, file, Schedule())
        assert file.read_text() == "of yesterday"
    work.write_out(rows[:2], file, Schedule())
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes() != b"of yesterday"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_list_of_what_fails_is_cut_at_no_width(
    registers: Registers, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    rules = work.read_rules(registers.settings)
    screen = Console(width=width, file=io.StringIO())
    monkeypatch.setattr(display, "console", screen)
    display.show_failing_rules(rules, registers.settings.schedule)
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= width
    for rule in rules:
        assert f" {rule['rule']} " in shown
    words = shown.split()
    assert {"corrected", "corrected,", "tolerance", "holds"} & set(words)
    assert not {word for word in words if "correcte".startswith(word) and len(word) > 3}


def test_rows_are_listed_after_a_rule_has_stopped_a_run(
    doisoat_here: Doisoat, tmp_path: Path
) -> None:
    """The run that was stopped has the registers only; the clean tables are those of the last."""
    dead = {"status": "deceased", "date_of_death": "2024-05-01"}
    made = Registers(
        tmp_path,
        [record(n) for n in range(40)],
        [citizen(n, **(dead if n == 5 else {})) for n in range(40)],
        *(f"sqlite:///{tmp_path}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    with warehouse_for(made.settings, Run("whole")) as warehouse:
        runner.run(warehouse, made.settings)
        for suite in SUITES:
            run_suite(warehouse, suite)
    release_lock(made.settings)
    for n, province in ((3, "79"), (4, " tỉnh 01")):
        made.population[n] |= {"full_name": None, "province_code": province}
    made.write()
    with warehouse_for(made.settings, Run("stopped")) as warehouse:
        for register in ("insurance", "population"):
            runner.read(warehouse, register, made.settings)
        for suite in SUITES:
            if suite.table.schema == "raw":
                run_suite(warehouse, suite)
    release_lock(made.settings)

    def read(*arguments: str) -> list[dict[str, object]]:
        done = doisoat_here("--config", made.file, "triage", *arguments, "--json")
        assert done.exit_code == 0, done.errors
        found: list[dict[str, object]] = json.loads(done.output)
        return found

    assert [row["province_code"] for row in read(NAMELESS)].count("79") == 1
    ((key, row),) = ((row["record_key"], row) for row in read(NAMELESS, "--province", "79"))
    assert "employer_code" in row
    shown = doisoat_here("--config", made.file, "triage", NAMELESS, "--record", str(key))
    assert str(made.population[3]["personal_id"]) in shown.output
    assert [row["province_code"] for row in read(DEAD)] == ["01"]


def test_notes_that_cannot_be_read_are_told_and_the_failures_shown_all_the_same(
    run: Doisoat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> None:
        raise ServerAwayError("Writing the state: nobody answers.", where="db.example")

    monkeypatch.setattr(work, "refresh", away)
    for arguments in (["triage"], ["triage", DEAD]):
        shown = run(*arguments)
        assert shown.exit_code == 0, shown.errors
        assert "nobody_dead_is_active" in shown.output
        (told,) = [entry.getMessage() for entry in caplog.records if entry.name == "doisoat"]
        assert told.startswith("Acknowledgements are shown as of the last run")
        assert "nobody answers.\nWhere: db.example" in told
        caplog.clear()
