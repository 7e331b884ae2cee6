"""Great Expectations suites, one module per schema of the warehouse, and the one runner.

Belongs here: what must be true of the tables. Does not belong here: Dagster, which shows each rule
as a check (``assets/checks.py``).
"""

from pathlib import Path

from expectations import clean, core, publish, raw, waterfall
from expectations.rules import Rule, Suite
from expectations.thresholds import read_overlay, tuned

_WRITTEN: tuple[Suite, ...] = (
    *raw.SUITES,
    *clean.SUITES,
    *waterfall.SUITES,
    *core.SUITES,
    *publish.SUITES,
)

SUITES = tuned(_WRITTEN)
"""The suites with the numbers of the package."""


def suites(thresholds: Path | None) -> tuple[Suite, ...]:
    """Returns the suites with a configuration's numbers in place of the package's.

    Args:
        thresholds: The file that ``[quality] thresholds`` names; None where it names none.

    Raises:
        ConfigError: The file cannot be read, or has an entry that is not valid.
    """
    return tuned(_WRITTEN, read_overlay(thresholds, _WRITTEN)) if thresholds else SUITES


__all__ = ["SUITES", "Rule", "Suite", "suites"]
