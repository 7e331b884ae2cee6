"""What Dagster keeps of a failed step: enough to find the cause, and no value of a person."""

import dagster as dg
import pytest
from dagster import serialize_value

from assets.resources import Doisoat, DoisoatResource
from etl.domain.errors import ConnectionFailedError

CANARY = "ChimHoangYen5521"  # stands for a value of a register, and is easy to search for


def run_failing(raised: Exception, tmp_path, monkeypatch) -> tuple[str, dg.DagsterEvent]:
    monkeypatch.setattr(Doisoat, "settings", property(lambda _: _raise(raised)))

    @dg.asset
    def broken(context: dg.AssetExecutionContext, doisoat: DoisoatResource) -> None:
        with doisoat.step(context):
            pass

    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        result = dg.materialize(
            [broken], resources={"doisoat": Doisoat()}, instance=instance, raise_on_error=False
        )
        kept = "\n".join(serialize_value(entry) for entry in instance.all_logs(result.run_id))
    failure = next(event for event in result.all_events if event.is_step_failure)
    return kept, failure


def _raise(error: Exception) -> None:
    try:
        raise ValueError(f"could not convert string '{CANARY}'")
    except ValueError as cause:
        raise error from cause


def test_an_unexpected_error_is_kept_without_its_words(tmp_path, monkeypatch):
    kept, failure = run_failing(RuntimeError(f"row {CANARY}"), tmp_path, monkeypatch)
    assert CANARY not in kept
    description = failure.step_failure_data.user_failure_data.description
    assert description.startswith("RuntimeError at ")
    assert "test_step_errors.py" in description


def test_a_known_trouble_keeps_its_remedy_and_exit_code(tmp_path, monkeypatch):
    error = ConnectionFailedError("The server cannot be reached.", remedy="Start it.")
    kept, failure = run_failing(error, tmp_path, monkeypatch)
    assert CANARY not in kept
    data = failure.step_failure_data.user_failure_data
    assert "What to do: Start it." in data.description
    assert data.metadata["exit_code"].value == 3


@pytest.mark.parametrize("error", [RuntimeError("x")])
def test_the_test_would_see_a_leak(tmp_path, monkeypatch, error):
    monkeypatch.setattr("assets.resources.places", lambda _: CANARY)
    kept, _ = run_failing(error, tmp_path, monkeypatch)
    assert CANARY in kept
