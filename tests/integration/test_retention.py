"""What is older than the configuration says is deleted, but nothing that still counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from etl.domain.errors import ConfigError
from etl.settings import load_settings
from tests.support import Registers, compared_earlier, from_state, from_warehouse, remember, run_sql

pytestmark = pytest.mark.wide

Make = Callable[..., Registers]
NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
LONG_AGO = NOW - timedelta(days=100)
NOON = NOW.replace(hour=5, minute=0, second=0)  # in Vietnam


def make_old(pair: Registers, run_id: str, when: datetime = LONG_AGO) -> None:
    """Dates a run back a hundred days, or to another moment."""
    moment = when.isoformat(sep=" ")
    run_sql(
        pair.target_url,
        f"update state_runs set started_at = '{moment}', published_at = '{moment}' "
        f"where run_id = '{run_id}'",
        f"update sync_runs set published_at = '{moment}' where run_id = '{run_id}'",
        f"update state_quality_results set checked_at = '{moment}' where run_id = '{run_id}'",
        f"update state_link_history set closed_at = '{moment}' where closed_run is not null",
        # Makes the next run read its working copy anew.
        "update state_revisions set revision = revision + 1",
    )


def runs_told(pair: Registers) -> dict[str, set[object]]:
    """The runs that each history has."""
    of_target = ("sync_runs", "mismatch_counts", "waterfall", "coverage", "mismatch_ages")
    told = {
        name: {row["run_id"] for row in pair.published(f"select run_id from {{{name}}}")}
        for name in of_target
    }
    of_state = ("runs", "ledger", "mismatch_history", "target_comparisons")
    for name in of_state:
        rows = from_state(pair.settings, f"select run_id from {{{name}}}")
        told[f"state {name}"] = {row["run_id"] for row in rows}
        ours = from_warehouse(pair.settings, f"select run_id from ops.{name}")
        assert {row["run_id"] for row in ours} == told[f"state {name}"], "the copy is the state's"
    return told


def links(pair: Registers) -> list[tuple[object, object]]:
    rows = from_state(pair.settings, "select record_id, closed_run from {link_history}")
    return [(row["record_id"], row["closed_run"]) for row in rows]


def judged(pair: Registers, run_id: str, *rules: str, passed: bool = True) -> None:
    """Adds a run's results of some rules."""
    for at, rule in enumerate(rules):
        remember(
            pair.settings,
            "quality_results",
            run_id=run_id,
            table_name="core.links",
            check_name=rule,
            checked_at=NOW - timedelta(days=1, minutes=len(rules) - at),
            severity="warning",
            blocking=False,
            passed=passed,
        )


def rules_told(pair: Registers) -> set[tuple[object, object]]:
    """Which run evaluated which rule, as the state has it."""
    rows = from_state(pair.settings, "select run_id, check_name from {quality_results}")
    return {(row["run_id"], row["check_name"]) for row in rows}


def test_old_runs_are_forgotten_in_target_and_state(registers: Make) -> None:
    pair = registers()
    pair.options["state"] = {"keep_days": 60}
    first = pair.sync().run_id
    pair.insurance.pop()
    pair.write()
    second = pair.sync().run_id
    make_old(pair, first)
    assert len(links(pair)) == 30

    third = pair.sync().run_id

    told = runs_told(pair)
    assert told.pop("state target_comparisons") == {first}, "asked of yet; no slice was due since"
    assert {run for runs in told.values() for run in runs} == {second, third}
    assert len(links(pair)) == 29, "a link that ended long ago is forgotten"
    assert all(closed is None for _, closed in links(pair)), "those that stand are kept"


def test_nothing_is_forgotten_until_somebody_says_so(registers: Make) -> None:
    pair = registers()
    first = pair.sync().run_id
    make_old(pair, first)

    second = pair.sync().run_id

    assert runs_told(pair)["sync_runs"] == {first, second}


def test_after_a_week_the_last_run_of_a_day_stands_for_its_deltas(registers: Make) -> None:
    """Days are those of the settings' time zone: five in the morning, UTC, is noon."""
    pair = registers()
    full = pair.sync().run_id
    deltas = []
    for _ in range(5):
        pair.insurance.pop()
        pair.write()
        deltas.append(pair.sync("delta").run_id)
    judged(pair, deltas[0], "earlier", "last")
    judged(pair, deltas[1], "earlier")
    ten, six = NOON - timedelta(days=10), NOON - timedelta(days=6)
    make_old(pair, full, NOON - timedelta(days=30))
    make_old(pair, deltas[0], ten)
    make_old(pair, deltas[1], ten + timedelta(hours=11))  # the same day
    make_old(pair, deltas[2], ten + timedelta(hours=13))  # the next day, in Vietnam
    make_old(pair, deltas[3], six)
    make_old(pair, deltas[4], six + timedelta(hours=1))

    last = pair.sync("delta").run_id

    kept = {full, *deltas[1:], last}
    for history, runs in runs_told(pair).items():
        assert runs <= kept, history
    assert runs_told(pair)["sync_runs"] == kept
    assert rules_told(pair) == {(deltas[0], "last"), (deltas[1], "earlier")}
    assert pair.sync("delta").changes == {}


def test_what_later_runs_ask_of_a_forgotten_run_is_kept(registers: Make) -> None:
    """That is: when the whole target was last compared, and the results of rules of kept tables."""
    pair = registers()
    pair.options["target"] = {"compare_whole_days": 366}
    pair.options["state"] = {"keep_days": 60}
    first = pair.sync().run_id
    compared_earlier(pair, 0.5)
    second = pair.sync().run_id
    judged(pair, first, "earlier", "last")
    judged(pair, second, "earlier")
    make_old(pair, first)

    third = pair.sync("delta").run_id

    assert runs_told(pair)["sync_runs"] == {second, third}
    told = from_state(pair.settings, "select run_id, slice from {target_comparisons}")
    assert {row["run_id"] for row in told if row["slice"] is None} == {first}
    assert {row["run_id"] for row in told if row["slice"] is not None} == {second}
    assert rules_told(pair) == {(first, "last"), (second, "earlier")}


def test_since_when_a_rule_fails_is_told_however_many_runs_are_forgotten(
    registers: Make,
) -> None:
    """A rule failed, held, and has failed since; it held in a delta that is otherwise deleted."""
    pair = registers()
    pair.sync()
    runs = [pair.sync("delta").run_id for _ in range(5)]
    for run, passed in zip(runs, (False, True, False, False, False), strict=True):
        judged(pair, run, "rule", passed=passed)
    for hours, run in enumerate(runs):
        make_old(pair, run, NOON - timedelta(days=10) + timedelta(hours=hours))

    def since() -> list[dict[str, object]]:
        return from_warehouse(
            pair.settings, "select failing_since from ops.standings where check_name = 'rule'"
        )

    pair.sync("delta")
    (told,) = since()
    assert told["failing_since"] == NOON - timedelta(days=10) + timedelta(hours=2)
    pair.sync("delta")
    assert since() == [told]
    assert {run for run, _ in rules_told(pair)} == {*runs[1:3], runs[4]}


def test_the_last_full_run_is_told_however_old(registers: Make) -> None:
    """The guard against losing many records compares with the last full run."""
    pair = registers()
    pair.options["state"] = {"keep_days": 60}
    full = pair.sync().run_id
    first, second = (pair.sync("delta").run_id for _ in range(2))
    for run in (full, first, second):
        make_old(pair, run)

    last = pair.sync("delta").run_id

    assert runs_told(pair)["sync_runs"] == {full, second, last}


def test_a_state_elsewhere_forgets_too(registers: Make) -> None:
    pair = registers()
    state = f"sqlite:///{pair.folder}/state.db"
    pair.options["state"] = {"url": state}
    pair.sync()
    deltas = [pair.sync("delta").run_id for _ in range(3)]
    old = NOON - timedelta(days=10)
    run_sql(
        state,
        f"update state_runs set started_at = '{old}', published_at = '{old}' "
        f"where run_id in ('{deltas[0]}', '{deltas[1]}')",
        "update state_revisions set revision = revision + 1",
    )

    pair.sync("delta")

    told = {row["run_id"] for row in from_state(pair.settings, "select run_id from {runs}")}
    assert len(told & {*deltas}) == 2


def test_the_last_result_is_kept_however_old(registers: Make) -> None:
    pair = registers()
    pair.options["state"] = {"keep_days": 60}
    first = pair.sync().run_id
    make_old(pair, first)

    second = pair.sync().run_id

    assert runs_told(pair)["sync_runs"] == {first, second}


def test_so_few_days_that_rules_could_not_compare_are_refused(registers: Make) -> None:
    pair = registers()
    pair.options["state"] = {"keep_days": 7}

    with pytest.raises(ConfigError, match="must be 30 at least"):
        load_settings(pair.file)
