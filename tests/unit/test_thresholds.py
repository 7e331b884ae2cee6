"""The limits of the rules: the shipped ones, and those by which a configuration replaces them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assets.definitions import build_defs
from assets.resources import Doisoat
from etl.domain.codes import Severity
from etl.domain.errors import ConfigError
from etl.engine.statements import TableName
from etl.settings import load_settings
from expectations import SUITES, Rule, suites
from expectations.rules import Suite, never
from expectations.thresholds import thresholds, tuned
from tests.support import configure

SHRUNK = "raw.insurance.has_not_shrunk"
NAMES = "clean.insurance.names_are_mostly_readable"
ONE_LINK = "core.links.record_id_is_unique"
DRIFT = "publish.mismatch_counts.rates_are_as_usual"

Overlaid = Callable[[str], dict[str, Rule]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "numbers" / "mine.toml"


@pytest.fixture
def overlaid(file: Path) -> Overlaid:
    """Every rule with the limits of a file."""

    def read(text: str) -> dict[str, Rule]:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return {f"{s.table.sql}.{rule.name}": rule for s in suites(file) for rule in s.rules}

    return read


def shipped() -> dict[str, Rule]:
    return {f"{s.table.sql}.{rule.name}": rule for s in SUITES for rule in s.rules}


def test_an_entry_changes_its_own_rule_and_no_other(overlaid: Overlaid) -> None:
    found = overlaid(f'["{NAMES}"]\nmostly = 0.8\nwhy = "Paper of before 1995."')

    changed = {name for name, rule in found.items() if rule != shipped()[name]}
    assert changed == {NAMES}
    assert found[NAMES].arguments["mostly"] == 0.8
    assert found[NAMES].limit == "at least 80.0% of the rows pass. Paper of before 1995."
    assert found[NAMES].severity is Severity.WARNING  # the shipped severity


def test_a_rule_with_a_number_shows_it_and_has_one() -> None:
    with pytest.raises(ValueError, match="aged needs limit="):
        never("aged", "age > <at_most>", "Nobody is that old.")

    aged = never("aged", "age > <at_most>", "Nobody is that old.", limit="{at_most} at most")
    with pytest.raises(ValueError, match=r"aged has no at_most in .*thresholds\.toml"):
        tuned([Suite(TableName("clean", "population"), (aged,))])


def test_what_stops_the_run_goes_on_to_unless_the_entry_says_otherwise(overlaid: Overlaid) -> None:
    why = 'why = "Two provinces were merged."'
    kept = overlaid(f'["{SHRUNK}"]\nat_most = 0.4\n{why}')[SHRUNK]
    assert (kept.blocking, kept.severity) == (True, Severity.ERROR)
    assert "(1 - 0.4)" in kept.arguments["unexpected_rows_query"]
    assert kept.limit.startswith("at most 40% of the rows lost")

    # A rule that the shipped file does not mention keeps what its suite says.
    assert overlaid(f'["{ONE_LINK}"]\n{why}')[ONE_LINK].blocking
    milder = overlaid(f'["{ONE_LINK}"]\nblocking = false\nseverity = "warning"\n{why}')[ONE_LINK]
    assert (milder.blocking, milder.severity) == (False, Severity.WARNING)


def test_a_number_within_a_condition_is_replaced(overlaid: Overlaid) -> None:
    rule = overlaid(f'["{DRIFT}"]\nat_most = 2\nwhy = "Few records."')[DRIFT]

    assert "2 * usual_rate" in rule.failing
    assert "2 * usual_rate" in rule.arguments["unexpected_rows_query"]


def test_the_numbers_that_ship_pass_the_same_examination(file: Path, overlaid: Overlaid) -> None:
    import expectations

    text = Path(expectations.__file__).with_name("thresholds.toml").read_text("utf-8")
    assert overlaid(text) == shipped()
    assert thresholds()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('["raw.insurance.has_not_shrank"]\nwhy = "x"', "near it are raw.insurance.has_not_shrunk"),
        ('["colours"]\nwhy = "x"', "in quotation marks"),
        (f'[{SHRUNK}]\nwhy = "x"', "in quotation marks"),
        (f'["{SHRUNK}"]\nat_least = 1\nwhy = "x"', "allowed are at_most, severity, blocking, why"),
        (f'["{SHRUNK}"]\nmostly = 0.9\nwhy = "x"', "mostly is not for this rule"),
        (f'["{NAMES}"]\nat_most = 9\nwhy = "x"', "at_most is not for this rule"),
        (f'["{NAMES}"]\nmostly = 1.2\nwhy = "x"', "mostly must be a share from 0 to 1"),
        (f'["{NAMES}"]\nmostly = "half"\nwhy = "x"', "mostly must be a share from 0 to 1"),
        (f'["{NAMES}"]\nmostly = nan\nwhy = "x"', "mostly must be a share from 0 to 1"),
        (f'["{NAMES}"]\nmostly = true\nwhy = "x"', "mostly must be a share from 0 to 1"),
        (f'["{NAMES}"]\nseverity = "info"\nwhy = "x"', 'severity must be "error" or "warning"'),
        (f'["{NAMES}"]\nseverity = ["error"]\nwhy = "x"', 'severity must be "error" or "warning"'),
        (f'["{NAMES}"]\nblocking = 1\nwhy = "x"', "blocking must be true or false"),
        (f'["{NAMES}"]\nmostly = 0.5', "lacks why"),
        (f'["{NAMES}"]\nmostly = 0.5\nwhy = " "', "why must be the reason"),
        (f'["{SHRUNK}"]\nat_most = 5\nwhy = "x"', "at_most must be a share from 0 to 1"),
        (f'["{SHRUNK}"]\nat_most = -0.1\nwhy = "x"', "at_most must be a number, 0 or more"),
        (f'["{DRIFT}"]\nat_most = "1) or (1 = 1"\nwhy = "x"', "at_most must be a number"),
        ('["raw.insurance.has_fresh_changes"]\nat_most = 1.5\nwhy = "x"', "a whole number"),
        (f'["{ONE_LINK}"]\nseverity = "warning"\nwhy = "x"', "say blocking = false, too"),
        (f'"{NAMES}" = 0.9', "must be a table of mostly, at_most"),
        (f'["{NAMES}"\n', "not valid TOML"),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_allowed(
    overlaid: Overlaid, file: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        overlaid(text)

    assert said in caught.value.what
    assert caught.value.where == str(file)
    assert caught.value.remedy


def test_every_fault_of_a_file_is_told_at_once(overlaid: Overlaid) -> None:
    with pytest.raises(ConfigError) as caught:
        overlaid(f'["{NAMES}"]\nmostly = 2\nwhy = "x"\n["{ONE_LINK}"]\nmostly = 3\nwhy = "x"')

    assert NAMES in caught.value.what
    assert ONE_LINK in caught.value.what


def test_a_file_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        suites(tmp_path / "none.toml")

    assert caught.value.where == str(tmp_path / "none.toml")
    assert "[quality] thresholds" in caught.value.remedy


# --- in the graph ---------------------------------------------------------------------------------


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    source = {"url": "sqlite:///register.db", "table": "people"}
    return configure(
        tmp_path / "doisoat.toml", insurance=source, population=source,
        target={"url": "sqlite:///target.db"}, quality={"thresholds": "numbers/mine.toml"},
    )  # fmt: skip


def _declared(configuration: Path, rule: str) -> tuple[object, bool]:
    """The severity and blocking of a check as the graph declares them."""
    table, check = rule.rsplit(".", 1)
    for checks in build_defs(load_settings(configuration)).asset_checks or ():
        for spec in checks.check_specs:  # type: ignore[union-attr]
            if (".".join(spec.asset_key.path), spec.name) == (table, check):
                return spec.metadata["severity"], spec.blocking
    raise AssertionError(f"{rule} is not declared")


def test_the_path_starts_at_the_configuration_and_the_graph_shows_its_numbers(
    configuration: Path, file: Path, overlaid: Overlaid
) -> None:
    assert load_settings(configuration).quality.thresholds == file
    overlaid(f'["{ONE_LINK}"]\nseverity = "warning"\nblocking = false\nwhy = "A trial run."')

    assert _declared(configuration, ONE_LINK) == ("warning", False)
    assert _declared(configuration, SHRUNK) == ("error", True)


def test_numbers_that_cannot_be_read_hide_no_graph_and_stop_a_run(configuration: Path) -> None:
    assert _declared(configuration, ONE_LINK) == ("error", True)
    with pytest.raises(ConfigError, match=r"no readable file of thresholds mine\.toml"):
        Doisoat(configuration).settings  # noqa: B018 - what a step does first
