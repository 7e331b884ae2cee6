"""What the list of runs shows of a run: its checks and its outcome, as tags.

Belongs here: the words of the tags, and writing them during the run, so that they are there however
it ends. Does not belong here: the checks (``checks.py``) and how a run ends (``outcomes.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from etl.engine.port import Warehouse

REPLACE_TAG = "doisoat/replace_target"
"""With ``yes``, the run may take over a target or replace most of its rows."""

CHECKS = "doisoat/checks"
OUTCOME = "doisoat/outcome"
PUBLISHED = "published"

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext

_FAILED = """
select table_name || '.' || check_name as rule, severity, blocking, observed
from ops.quality_results
where run_id = (select run_id from ops.parameters) and not passed
order by severity <> 'error', not blocking, table_name, check_name
"""


def failed_checks(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Returns the rules that have failed in the current run, errors first."""
    return warehouse.rows(_FAILED)


def checks_in_words(failed: Sequence[Mapping[str, Any]]) -> str:
    """Says how many rules failed: 3 errors, 5 warnings."""
    errors = sum(rule["severity"] == "error" for rule in failed)
    parts = [
        f"{number} {name}{'s' if number > 1 else ''}"
        for number, name in ((errors, "error"), (len(failed) - errors, "warning"))
        if number
    ]
    return ", ".join(parts) or "none failed"


def tell_checks(context: Context, failed: Sequence[Mapping[str, Any]]) -> None:
    """Tags the run with the checks that have failed so far, and with what a blocking one means."""
    tags = {CHECKS: checks_in_words(failed)}
    blocking = [str(rule["rule"]) for rule in failed if rule["blocking"]]
    if blocking:
        others = f" and {len(blocking) - 1} more" if len(blocking) > 1 else ""
        tags[OUTCOME] = f"nothing published: {blocking[0]}{others}"
    context.instance.add_run_tags(context.run.run_id, tags)


def tell_published(context: Context) -> None:
    """Tags the run as published."""
    context.instance.add_run_tags(context.run.run_id, {OUTCOME: PUBLISHED})


def tell_failed(context: Context, step: str) -> None:
    """Tags the run with the step at which it failed, and whether it had published before."""
    known = context.instance.get_run_by_id(context.run.run_id)
    had = known is not None and known.tags.get(OUTCOME, "").startswith(PUBLISHED)
    words = f"{PUBLISHED}; failed afterwards at {step}" if had else f"failed at {step}"
    context.instance.add_run_tags(context.run.run_id, {OUTCOME: words})
