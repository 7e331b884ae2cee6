"""Which results are reported: once, again if worse or after a week, not while acknowledged."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from etl.alerts import sending, tell
from etl.alerts.incidents import GATE, CheckReport, News, Report, take_in
from etl.alerts.memory import Memory, memory_file, recall, remembering
from etl.alerts.sending import Sent, _without_secrets, send
from etl.alerts.wording import LISTED, letter
from etl.domain.errors import AlertError, ConfigError
from etl.process.files import refused
from etl.settings import Alerts, Settings

FIRST = datetime(2026, 3, 1, 18, tzinfo=UTC)
JOB = "full_sync"
WARNING = CheckReport("core.reconciled.everybody_is_found", False, error=False, failed=100)
ERROR = CheckReport("core.links.no_link_by_number_alone", False, failed=3)
GATED = CheckReport("raw.insurance.is_not_empty", False, blocking=True)
KNOWN = FIRST + timedelta(days=30)

Night = Callable[..., News | None]


def holds(check: CheckReport) -> CheckReport:
    return replace(check, passed=True, failed=0)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def night(memory: Memory) -> Night:
    """Ends a run; each ends a day after the one before."""
    count = 0

    def end(*checks: CheckReport, cause: str = "", job: str = JOB) -> News | None:
        nonlocal count
        report = Report(f"{count}", job, FIRST + timedelta(days=count), cause, cause, not cause,
                        checks)  # fmt: skip
        count += 1
        return take_in(memory, report)

    return end


def test_a_good_run_is_no_news(night: Night) -> None:
    assert night(holds(WARNING), holds(GATED)) is None


def test_what_fails_is_told_once(night: Night) -> None:
    first = night(WARNING, ERROR)
    assert first is not None
    assert [check.rule for check in first.new] == [WARNING.rule, ERROR.rule]
    assert [night(WARNING, ERROR) for _ in range(5)] == [None] * 5


@pytest.mark.parametrize(
    ("failed", "worse"), [(100, False), (110, False), (111, True), (90, False)]
)
def test_more_by_a_tenth_is_told_again(night: Night, failed: int, worse: bool) -> None:
    night(WARNING)
    assert (night(replace(WARNING, failed=failed)) is not None) == worse


def test_growth_is_counted_from_what_was_told_or_the_fewest_since(night: Night) -> None:
    night(WARNING)
    assert night(replace(WARNING, failed=50)) is None
    grown = night(replace(WARNING, failed=60))
    assert grown is not None
    assert grown.worse[0][1] == 50
    assert night(replace(WARNING, failed=65)) is None
    assert night(replace(WARNING, failed=70)) is not None


def test_a_failed_run_is_told_again_only_when_it_fails_by_something_else(night: Night) -> None:
    assert night(cause="raw__insurance") is not None
    assert night(cause="raw__insurance") is None
    assert night(cause="publish_to_target") is not None
    recovered = night()
    assert recovered is not None
    assert recovered.run_recovered
    assert night() is None


def test_another_red_check_in_a_run_that_fails_anyway_is_told(night: Night) -> None:
    other = replace(GATED, rule="raw.population.is_not_empty")
    assert night(GATED, cause=GATE) is not None
    assert night(GATED, cause=GATE) is None
    third = night(GATED, other, cause=GATE)
    assert third is not None
    assert [check.rule for check in third.new] == [other.rule]
    assert list(third.still) == [GATED.rule]


def test_a_check_that_was_not_made_stays_as_it_was(night: Night, memory: Memory) -> None:
    night(holds(GATED), WARNING)
    night(GATED, cause=GATE)
    assert WARNING.rule in memory.checks
    back = night(holds(GATED), WARNING)
    assert back is not None
    assert back.new == []
    assert list(back.recovered) == [GATED.rule]
    assert list(back.still) == [WARNING.rule]


def test_a_rule_that_is_no_more_is_forgotten(night: Night, memory: Memory) -> None:
    night(WARNING, ERROR)
    night(ERROR)
    assert list(memory.checks) == [ERROR.rule]


def test_a_known_failure_is_silent_until_the_note_expires(night: Night) -> None:
    known = replace(GATED, acknowledged_until=KNOWN)
    assert [night(known, cause=GATE) for _ in range(10)] == [None] * 10
    again = night(GATED, cause=GATE)
    assert again is not None
    assert again.failed


def test_a_known_failure_is_counted_in_the_message_of_another(night: Night) -> None:
    news = night(replace(WARNING, acknowledged_until=KNOWN), ERROR)
    assert news is not None
    assert news.known == 1
    assert [check.rule for check in news.new] == [ERROR.rule]


def test_a_known_red_check_does_not_hide_that_a_step_broke(night: Night) -> None:
    news = night(replace(GATED, acknowledged_until=KNOWN), cause="raw__population")
    assert news is not None
    assert news.failed


def test_what_goes_on_is_told_again_after_a_week(night: Night) -> None:
    said = [night(WARNING) for _ in range(15)]
    assert [day for day, news in enumerate(said) if news] == [0, 7, 14]
    assert all(news.reminder for news in (said[7], said[14]) if news)


def test_pruning_says_nothing_of_the_checks(night: Night) -> None:
    night(WARNING)
    assert [night(job="prune_history") for _ in range(9)] == [None] * 9
    failed = night(job="prune_history", cause="prune_old_runs")
    assert failed is not None
    assert failed.still == {}


SETTINGS = Settings.model_validate(
    {
        "insurance": {"url": "sqlite:///a.db", "table": "a"},
        "population": {"url": "sqlite:///a.db", "table": "a"},
        "target": {"url": "sqlite:///a.db"},
    }
)
ALERTED = Alerts(urls=(SecretStr("json://127.0.0.1"),))


def test_the_words_lead_with_the_gravest_and_are_not_endless() -> None:
    many = [replace(WARNING, rule=f"clean.t.rule_{n:02d}") for n in range(LISTED + 2)]
    told = letter(SETTINGS, News(Report("r", JOB, FIRST, published=True), new=[*many, ERROR]))

    assert told.kind == "failure"
    assert told.title == "doisoat: lỗi mới · 1 new error, published all the same"
    assert told.body.index(ERROR.rule) < told.body.index("clean.t.rule_00")
    assert "… and 3 more: doisoat triage lists them all." in told.body
    assert "http://127.0.0.1:3000/runs/r" in told.body
    assert "2026-03-02 01:00 +07" in told.body, "in the time zone of the schedule"


def test_an_age_is_told_where_the_failure_is_older_than_the_run() -> None:
    old = replace(ERROR, since=FIRST - timedelta(days=40))
    body = letter(SETTINGS, News(Report("r", JOB, FIRST), new=[old])).body
    assert "  Since: 2026-01-21" in body
    assert "Since" not in letter(SETTINGS, News(Report("r", JOB, FIRST), new=[ERROR])).body


@pytest.mark.parametrize("damaged", [b"", b"\0" * 512, b'{"seen": 7}', b'{"began": "2026', b"\xff"])
def test_a_damaged_memory_is_set_aside_and_begins_anew(tmp_path: Path, damaged: bytes) -> None:
    file = memory_file(tmp_path)
    file.write_bytes(damaged)
    assert recall(tmp_path).damaged
    assert file.read_bytes() == damaged  # reading changes nothing

    with remembering(tmp_path) as memory:
        assert memory is not None
        aside = memory.set_aside
        memory.save()

    assert aside is not None
    assert aside.name.startswith("alerts.json.damaged-")
    assert aside.read_bytes() == damaged
    assert [aside.stat().st_mode & 0o777, file.stat().st_mode & 0o777] == [0o600, 0o600]
    with remembering(tmp_path) as again:
        assert again is not None
        assert again.set_aside is None


def test_a_memory_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    memory_file(tmp_path).mkdir()
    with pytest.raises(AlertError, match="cannot be read") as caught:
        recall(tmp_path)
    assert "this user may read" in caught.value.remedy


def test_what_a_receiver_says_is_shown_without_the_secrets_of_its_url() -> None:
    url = "mailtos://duty:p%40ssw0rd@mail.example:587/channel?to=chief@bhxh.example&key=T0ken"
    said = "mail.example refused duty with p@ssw0rd / p%40ssw0rd, T0ken,\n chief, on 587"
    shown = _without_secrets(said, url)
    assert shown.startswith("mail.example refused … with")
    assert not [secret for secret in ("ssw0rd", "T0ken", "chief") if secret in shown]


TELEGRAM = "tgram://123456789:AAAAAbbbbbCCCCCdddddEEEEEfffffGGGGG/12345"


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        (TELEGRAM, ["123456789", "AAAAAbbbbbCCCCCdddddEEEEEfffffGGGGG"]),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", ["T1JJ3T3L2", "A1BRTD4JD"]),
        ("prowl://" + "k3y5" * 10, ["k3y5" * 10]),
        ("ntfys://duty-room-7f3a", ["duty-room-7f3a"]),
    ],
)
def test_a_token_in_the_place_of_host_and_port_is_a_secret(url: str, secrets: list[str]) -> None:
    shown = _without_secrets(f"Failed to send to {', '.join(secrets)}: HTTP 503", url)
    assert shown.endswith("HTTP 503")
    assert not [secret for secret in secrets if secret in shown]


def test_a_receiver_that_breaks_keeps_no_message_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def instance_of(url: str) -> object:
        if url == TELEGRAM:
            raise RuntimeError(f"no {url}")
        return None

    monkeypatch.setattr(sending, "instance_of", instance_of)

    sent = send({1: TELEGRAM, 2: "json://host"}, "title", "body", "info")

    assert sent[1] == Sent("tgram", False, "sending failed (RuntimeError)")
    assert sent[2].service == "json"


def test_telegram_that_cannot_be_reached_is_named_without_its_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its token stands where other URLs have their port."""
    nobody = "http://127.0.0.1:9"
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, nobody)

    (sent,) = send({1: TELEGRAM}, "title", "body", "info").values()

    assert (sent.service, sent.reached) == ("tgram", False)
    assert "AAAAA" not in sent.reason
    assert "sending failed" not in sent.reason


def _full(file: Path, _text: str) -> None:
    raise refused(file, OSError(errno.ENOSPC, "no room"))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is sent: every receiver accepts it."""
    titles: list[str] = []

    def accept(urls: dict[int, str], title: str, _body: str, _kind: str) -> dict[int, Sent]:
        titles.extend(title for _ in urls)
        return {number: Sent("json", True) for number in urls}

    monkeypatch.setattr("etl.alerts.telling.send", accept)
    return titles


def test_a_full_disk_is_told_although_nothing_can_be_noted_there(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process remembers what it told until it can write it down."""
    home = SETTINGS.model_copy(update={"home": tmp_path, "alerts": ALERTED})
    broken = Report("first", JOB, FIRST, "disk", "The disk is full.", False)
    again = replace(broken, run_id="second", ended=FIRST + timedelta(hours=2))
    with monkeypatch.context() as patch:
        patch.setattr("etl.alerts.memory.write_whole", _full)
        with pytest.raises(ConfigError, match="the disk is full") as caught:
            tell(home, lambda *_: [broken])
        assert caught.value.where == str(memory_file(tmp_path))
        assert len(told) == 1
        with pytest.raises(ConfigError, match="the disk is full"):
            tell(home, lambda _since, seen: [] if "first" in seen else [broken])
        assert not memory_file(tmp_path).exists()

    assert tell(home, lambda _since, seen: [again] if "first" in seen else [broken]).runs == 1

    assert len(told) == 1
    assert set(recall(tmp_path).seen) == {"second"}
    assert recall(tmp_path).runs[JOB].since == FIRST


def test_what_another_process_noted_meanwhile_counts(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SETTINGS.model_copy(update={"home": tmp_path, "alerts": ALERTED})
    with monkeypatch.context() as patch:
        patch.setattr("etl.alerts.memory.write_whole", _full)
        with pytest.raises(ConfigError):
            tell(home, lambda *_: [Report("first", JOB, FIRST, "disk", "Full.", False)])
    others = Memory(began=FIRST, seen={"theirs": FIRST})
    memory_file(tmp_path).write_text(others.model_dump_json(), "utf-8")

    assert set(recall(tmp_path).seen) == {"theirs"}
    assert len(told) == 1


def test_a_lock_that_cannot_be_made_silences_nobody(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SETTINGS.model_copy(update={"home": tmp_path, "alerts": ALERTED})
    (tmp_path / "alerts.lock").mkdir()
    monkeypatch.setattr("etl.alerts.memory.write_whole", _full)

    with pytest.raises(ConfigError, match="the disk is full"):
        tell(home, lambda *_: [Report("first", JOB, FIRST, "disk", "Full.", False)])

    assert len(told) == 1


def test_a_damaged_memory_on_a_disk_that_can_only_be_read_silences_nobody(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(file: Path) -> Path:
        raise OSError(errno.EROFS, "Read-only file system", str(file))

    home = SETTINGS.model_copy(update={"home": tmp_path, "alerts": ALERTED})
    memory_file(tmp_path).write_bytes(b"")
    monkeypatch.setattr("etl.alerts.memory._moved", moved)
    monkeypatch.setattr("etl.alerts.memory.write_whole", _full)

    for _ in range(2):
        with pytest.raises(ConfigError, match="the disk is full"):
            tell(
                home,
                lambda _since, seen: (
                    [Report("first", JOB, FIRST, "disk", "Full.", False)]
                    if "first" not in seen
                    else []
                ),
            )

    assert len(told) == 1


def test_who_was_not_reached_while_the_disk_was_full_is_told_later(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SETTINGS.model_copy(update={"home": tmp_path, "alerts": ALERTED})
    now = datetime.now(UTC)  # (what is days old is given up)
    with monkeypatch.context() as patch:
        patch.setattr("etl.alerts.memory.write_whole", _full)
        patch.setattr(
            "etl.alerts.telling.send",
            lambda urls, *_: {number: Sent("json", False, "HTTP 503") for number in urls},
        )
        with pytest.raises(ConfigError, match="the disk is full"):
            tell(home, lambda *_: [Report("first", JOB, now, "disk", "Full.", False)])

    assert tell(home, lambda *_: []).messages == 1

    assert len(told) == 1
    assert recall(tmp_path).letters == []
