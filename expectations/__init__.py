"""Great Expectations suites, one module per schema of the warehouse, and the one runner.

Belongs here: what must be true of the tables. Does not belong here: Dagster, which shows each rule
as a check (``assets/checks.py``).
"""

from expectations import clean, core, publish, raw, waterfall
from expectations.rules import Rule, Suite
from expectations.thresholds import tuned

SUITES: tuple[Suite, ...] = tuple(
    tuned(suite)
    for suite in (
        *raw.SUITES,
        *clean.SUITES,
        *waterfall.SUITES,
        *core.SUITES,
        *publish.SUITES,
    )
)

__all__ = ["SUITES", "Rule", "Suite"]
