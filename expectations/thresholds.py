"""The numbers of the rules: how much may fail, and how much that matters.

Belongs here: reading ``thresholds.toml`` and putting its numbers into the rules. Does not belong
here: the rules, and the reasons for the numbers, which stand beside them in the file.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from etl.codes import Severity
from expectations.rules import AT_MOST, Kind, Rule, Suite


@cache
def thresholds() -> dict[str, dict[str, Any]]:
    """Returns the entries of ``thresholds.toml`` by table and check."""
    text = files(__package__).joinpath("thresholds.toml").read_text("utf-8")
    return tomllib.loads(text)


def tuned(suite: Suite) -> Suite:
    """Returns a suite with the numbers of ``thresholds.toml`` in its rules."""
    found = thresholds()
    return replace(
        suite,
        rules=tuple(
            _tuned(rule, found[name]) if (name := f"{suite.table.sql}.{rule.name}") in found
            else rule
            for rule in suite.rules
        ),
    )  # fmt: skip


def _tuned(rule: Rule, entry: dict[str, Any]) -> Rule:
    return replace(
        rule,
        arguments=_arguments(rule, entry),
        severity=Severity(entry.get("severity", Severity.ERROR)),
        blocking=bool(entry.get("blocking", False)),
        failing=rule.failing.replace(AT_MOST, str(entry.get("at_most", ""))),
        limit=_limit(rule, entry),
    )


def _arguments(rule: Rule, entry: dict[str, Any]) -> dict[str, Any]:
    arguments = dict(rule.arguments)
    if "mostly" in entry:
        arguments["mostly"] = entry["mostly"]
    if "at_most" in entry and rule.kind is Kind.ROW_COUNT:
        arguments["max_value"] = entry["at_most"]
    if "at_most" in entry and rule.kind is Kind.NO_ROWS:
        query = arguments["unexpected_rows_query"]
        arguments["unexpected_rows_query"] = query.replace(AT_MOST, str(entry["at_most"]))
    return arguments


def _limit(rule: Rule, entry: dict[str, Any]) -> str:
    """Words what is expected, with the reason for the number."""
    if "mostly" in entry:
        expected = f"at least {entry['mostly']:.1%} of the rows hold"
    else:
        expected = rule.limit.format(at_most=entry.get("at_most"))
    return f"{expected}. {entry['why']}"
