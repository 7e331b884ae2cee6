"""The numbers of the rules: how much may fail, and how severe a failure is.

Belongs here: reading ``thresholds.toml`` and the configuration's file that overrides it, and
putting their numbers into the rules. Does not belong here: the rules, and the reasons for the
numbers, which stand beside them in the files.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from etl.domain.codes import Severity
from etl.domain.errors import ConfigError
from etl.process.files import read_toml
from expectations.rules import AT_MOST, Kind, Rule, Suite

Entry = Mapping[str, Any]
Entries = Mapping[str, Entry]
"""The entries, by table and check."""


@cache
def thresholds() -> Entries:
    """Returns the entries of ``thresholds.toml`` by table and check."""
    text = files(__package__).joinpath("thresholds.toml").read_text("utf-8")
    return tomllib.loads(text)


def tuned(suites: Iterable[Suite], overlay: Entries | None = None) -> tuple[Suite, ...]:
    """Returns suites with the numbers of ``thresholds.toml`` in their rules.

    Args:
        suites: The suites as they are written.
        overlay: Entries that override those; what an entry leaves out stays as in
            ``thresholds.toml``.
    """
    found = _merged(overlay or {})
    return tuple(
        replace(
            suite,
            rules=tuple(_tuned(rule, found.get(_name(suite, rule))) for rule in suite.rules),
        )
        for suite in suites
    )


def _name(suite: Suite, rule: Rule) -> str:
    return f"{suite.table.sql}.{rule.name}"


def _merged(overlay: Entries) -> Entries:
    shipped = thresholds()
    return {
        name: {**shipped.get(name, {}), **overlay.get(name, {})} for name in {**shipped, **overlay}
    }


def _tuned(rule: Rule, entry: Entry | None) -> Rule:
    if entry is None:
        if AT_MOST in f"{rule.arguments}{rule.failing}":
            raise ValueError(f"the rule {rule.name} has no at_most in expectations/thresholds.toml")
        return rule
    return replace(
        rule,
        arguments=_arguments(rule, entry),
        severity=Severity(entry.get("severity", rule.severity)),
        blocking=bool(entry.get("blocking", rule.blocking)),
        failing=rule.failing.replace(AT_MOST, str(entry.get("at_most", ""))),
        limit=_limit(rule, entry),
    )


def _arguments(rule: Rule, entry: Entry) -> dict[str, Any]:
    arguments = dict(rule.arguments)
    if "mostly" in entry:
        arguments["mostly"] = entry["mostly"]
    if "at_most" in entry and rule.kind is Kind.ROW_COUNT:
        arguments["max_value"] = entry["at_most"]
    if "at_most" in entry and rule.kind is Kind.NO_ROWS:
        query = arguments["unexpected_rows_query"]
        arguments["unexpected_rows_query"] = query.replace(AT_MOST, str(entry["at_most"]))
    return arguments


def _limit(rule: Rule, entry: Entry) -> str:
    """Describes what is expected, with the reason for the number."""
    if "mostly" in entry:
        expected = f"at least {entry['mostly']:.1%} of the rows pass"
    else:
        expected = rule.limit.format(at_most=entry.get("at_most"))
    return f"{expected}. {entry['why']}"


# --- the file of a configuration --------------------------------------------------------------


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "mostly": (lambda value: _is_number(value) and 0 <= value <= 1, "a share from 0 to 1"),
    "at_most": (lambda value: _is_number(value) and value >= 0, "a number, 0 or more"),
    "severity": (
        lambda value: value in (Severity.ERROR.value, Severity.WARNING.value),
        '"error" or "warning"',
    ),
    "blocking": (lambda value: isinstance(value, bool), "true or false"),
    "why": (
        lambda value: isinstance(value, str) and bool(value.strip()),
        "the reason for what is said here, in words",
    ),
}
"""The keys of an entry, each with a test of its value and with words for what is allowed."""

_SHARES_OF_ROWS = (Kind.NOT_NULL, Kind.UNIQUE, Kind.IN_SET, Kind.BETWEEN)
_RULES_SHOWN = 3


def read_overlay(file: Path, suites: Iterable[Suite]) -> Entries:
    """Reads the numbers with which a configuration overrides those of the package.

    Args:
        file: The file that ``[quality] thresholds`` names.
        suites: The suites as they are written, whose rules it may name.

    Raises:
        ConfigError: The file cannot be read, or an entry is not valid.
    """
    rules = {_name(suite, rule): rule for suite in suites for rule in suite.rules}
    found = _parsed(file)
    faults = [fault for name, entry in found.items() for fault in _faults(name, entry, rules)]
    if faults:
        raise ConfigError(
            f"The thresholds cannot be used: {'; '.join(faults)}.",
            where=str(file),
            remedy="docs/quality.md, Numbers, tells what an entry may say.",
        )
    return found


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return read_toml(file)
    except OSError:
        raise ConfigError(
            f"There is no readable file of thresholds {file.name}.",
            where=str(file),
            remedy="Correct [quality] thresholds in the configuration, or leave it out.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The thresholds are not valid TOML: {error}.",
            where=str(file),
            remedy="Mend the line named above.",
        ) from None


def _faults(name: str, entry: Any, rules: Mapping[str, Rule]) -> Iterator[str]:
    """Yields what is wrong with an entry, each with what is allowed."""
    at = f'["{name}"]'
    if name not in rules:
        yield f"{at} is no rule{_hint(name, rules)}"
        return
    if not isinstance(entry, dict):
        yield f"{at} must be a table of {', '.join(_ALLOWED)}"
        return
    allowed = _keys_of(rules[name])
    for key, value in entry.items():
        if key not in allowed:
            yield f"{at} {key} is not for this rule; allowed are {', '.join(allowed)}"
        elif not _ALLOWED[key][0](value):
            yield f"{at} {key} must be {_ALLOWED[key][1]}"
    if "why" not in entry:
        yield f"{at} lacks why: {_ALLOWED['why'][1]}"
    yield from _contradictions(at, name, entry, rules[name])


def _hint(name: str, rules: Iterable[str]) -> str:
    if "." not in name:  # TOML reads a name without quotation marks as nested tables
        return '; an entry is ["schema.table.check"], in quotation marks'
    near = get_close_matches(name, rules, _RULES_SHOWN)
    return f"; near it are {', '.join(near)}" if near else "; doisoat triage and the UI name them"


def _keys_of(rule: Rule) -> list[str]:
    """Returns the keys of an entry that suit a rule, which has one kind of number or none."""
    shares = rule.kind in _SHARES_OF_ROWS
    counts = AT_MOST in f"{rule.arguments}{rule.failing}" or "{at_most" in rule.limit
    unfit = {"mostly": not shares, "at_most": not counts}
    return [key for key in _ALLOWED if not unfit.get(key)]


def _contradictions(at: str, name: str, entry: Entry, rule: Rule) -> Iterator[str]:
    """Yields what an entry says that is valid for other rules but not for this one."""
    whole = {**thresholds().get(name, {}), **entry}
    blocking = whole.get("blocking", rule.blocking)
    if blocking is True and whole.get("severity", rule.severity) == Severity.WARNING:
        yield f"{at} stops the publish, which only an error does: say blocking = false, too"
    number = entry.get("at_most")
    if number is None or not _is_number(number):
        return
    if "{at_most:.0%}" in rule.limit and number > 1:
        yield f"{at} at_most must be a share from 0 to 1"
    elif "{at_most}" in rule.limit and not isinstance(number, int):
        yield f"{at} at_most must be a whole number"
