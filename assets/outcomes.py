"""How a run ended, read from its events.

Belongs here: what a person wants to know of a run, for the terminal and for alerts. Does not belong
here: running it (``running.py``) and reporting it (``alerts.py``, ``etl/cli/app.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from etl.domain.errors import QualityGateError
from etl.publish.asking import AskPublished
from etl.report.figures import Figures

_INTERNAL = 70  # EX_SOFTWARE of sysexits.h: a fault of doisoat itself


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        run_id: Dagster's id of the run.
        exit_code: What the command ends with.
        problem: Why it failed, for a person; empty where it did not.
        failed_checks: Table, check, severity and what was observed, of each check that failed.
        steps: Steps that ended well.
        figures: What the run found, where it ended well.
    """

    run_id: str
    exit_code: int = 0
    problem: str = ""
    failed_checks: list[dict[str, Any]] = field(default_factory=list)
    steps: int = 0
    figures: Figures | None = None


def note(event: dg.DagsterEvent, outcome: Outcome) -> None:
    """Notes what an event says that the person at the terminal should know."""
    if event.event_type == dg.DagsterEventType.STEP_SUCCESS:
        outcome.steps += 1
    elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        _note_check(event, outcome)
    elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
        _note_failure(event, outcome)
    elif event.event_type == dg.DagsterEventType.RUN_FAILURE and not outcome.exit_code:
        outcome.exit_code = _INTERNAL
        outcome.problem = outcome.problem or (event.message or "The run failed.")


_PUBLISHING = "publish_to_target"
"""The step that writes the target."""


def has_published(
    events: Iterable[dg.DagsterEvent], run_id: str, ask: AskPublished | None
) -> bool | None:
    """Says whether a run has published; None if only the target knows and cannot be asked.

    Args:
        events: At least its steps' starts and successes.
        run_id: Dagster's id of the run.
        ask: Asks the target; used only where the step began and did not end well.
    """
    of_step = {event.event_type for event in events if event.step_key == _PUBLISHING}
    if dg.DagsterEventType.STEP_SUCCESS in of_step:
        return True
    if dg.DagsterEventType.STEP_START not in of_step:
        return False
    return ask(run_id) if ask else None


_GATE_CLOSED = "A blocking quality check failed, so nothing was published; the target is as it was."
_BY_CHECKS = "blocking checks that failed"


def gate_closed(rules: Sequence[str]) -> dg.Failure:
    """What a step raises after its results if blocking checks failed, with words for the UI.

    Dagster would stop such a step, too, but with its own stack trace in place of words.

    Args:
        rules: Those that failed, as ``table.check``.
    """
    told = QualityGateError(
        _GATE_CLOSED,
        where=", ".join(rules),
        remedy=f"Look at the failed check, or run: doisoat triage {rules[0]}; once the register "
        "or its mapping is mended: doisoat sync.",
    )
    return dg.Failure(
        description=str(told),
        metadata={"exit_code": told.exit_code, _BY_CHECKS: ", ".join(rules)},
        allow_retries=False,
    )


def stopped_by_check(event: dg.DagsterEvent) -> bool:
    """Says whether a step failed only because a blocking check did."""
    data = event.step_failure_data
    if data.user_failure_data is not None:
        return _BY_CHECKS in data.user_failure_data.metadata
    # Earlier versions left it to Dagster, which raises this error.
    return data.error is not None and data.error.cls_name == "DagsterAssetCheckFailedError"


def _note_check(event: dg.DagsterEvent, outcome: Outcome) -> None:
    check = event.asset_check_evaluation_data
    if not check.passed:
        outcome.failed_checks.append(
            {
                "table": ".".join(check.asset_key.path),
                "check": check.check_name,
                "severity": check.severity.value.lower(),
                "observed": str(getattr(check.metadata.get("observed"), "value", "")),
                "blocking": bool(check.blocking),
            }
        )


def _note_failure(event: dg.DagsterEvent, outcome: Outcome) -> None:
    data = event.step_failure_data
    failure = data.user_failure_data
    if stopped_by_check(event):
        outcome.exit_code = QualityGateError.exit_code
        outcome.problem = _GATE_CLOSED
    elif failure is not None:
        code = failure.metadata.get("exit_code")
        outcome.exit_code = int(code.value) if code is not None else _INTERNAL  # type: ignore[arg-type]
        outcome.problem = failure.description or ""
    else:
        outcome.exit_code = _INTERNAL
        outcome.problem = f"The step {event.step_key} failed; its log is in the UI."
