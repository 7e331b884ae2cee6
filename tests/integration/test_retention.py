"""What is older than the configuration has it kept is forgotten, and nothing that still counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from etl.domain.errors import ConfigError
from etl.settings import load_settings
from tests.support import Registers, from_state, from_warehouse, run_sql

pytestmark = pytest.mark.wide

Make = Callable[..., Registers]
LONG_AGO = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=100)


def make_old(pair: Registers, run_id: str) -> None:
    """Lets a run have been a hundred days ago."""
    moment = LONG_AGO.isoformat(sep=" ")
    run_sql(
        pair.target_url,
        f"update state_runs set started_at = '{moment}', published_at = '{moment}' "
        f"where run_id = '{run_id}'",
        f"update sync_runs set published_at = '{moment}' where run_id = '{run_id}'",
        f"update state_link_history set closed_at = '{moment}' where closed_run is not null",
        # The working copy is read anew.
        "update state_revisions set revision = revision + 1",
    )


def runs_told(pair: Registers) -> dict[str, set[object]]:
    """The runs that each history knows."""
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

    assert {run for runs in runs_told(pair).values() for run in runs} == {second, third}
    assert len(links(pair)) == 29, "a link that ended long ago is forgotten"
    assert all(closed is None for _, closed in links(pair)), "those that stand are kept"


def test_nothing_is_forgotten_until_somebody_says_so(registers: Make) -> None:
    pair = registers()
    first = pair.sync().run_id
    make_old(pair, first)

    second = pair.sync().run_id

    assert runs_told(pair)["sync_runs"] == {first, second}


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
