"""Alerts: from real runs on a real Dagster instance to a real mail server and a real webhook."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import dagster as dg
import pytest

from assets.alerts import SENSOR, tell_news
from assets.checks import KNOWN_UNTIL
from assets.definitions import build_defs
from assets.jobs import FULL_SYNC
from etl.alerts import CheckReport, Report, say_test, tell
from etl.alerts.memory import memory_file, remembering
from etl.domain.errors import AlertError, ConfigError
from etl.pipeline.lock import release_lock
from etl.report.triage import acknowledge
from expectations import SUITES
from tests.receivers import Hook, Mailbox, Message
from tests.support import Command, Registers, record, run_sql

pytestmark = pytest.mark.wide

Make = Callable[..., Registers]
Doisoat = Callable[..., Command]

NOW = datetime.now(UTC)
RED = Report(
    "red", FULL_SYNC, NOW, cause="quality gate", problem="A blocking check failed.",
    checks=[CheckReport("raw.insurance.is_not_empty", False, blocking=True, observed="0 rows")],
)  # fmt: skip


@dataclass
class Nights:
    """Registers that are read and checked every night, without the later steps."""

    pair: Registers
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def run(self, broken: str = "") -> str:
        """Reads and checks both registers as the main job does; returns the run's id.

        Args:
            broken: A register whose table is missing.
        """
        self.pair.write()
        if broken:
            run_sql(self.pair.population_url, f"drop table {broken}")
        job = self.definitions.resolve_job_def(FULL_SYNC)
        try:
            done = job.execute_in_process(instance=self.instance, raise_on_error=False)
        finally:
            release_lock(self.pair.settings)
        return done.run_id

    def tell(self) -> int:
        return tell_news(self.pair.settings, self.instance).messages

    def tick(self) -> str:
        """What the sensor answers at one look."""
        repository = self.definitions.get_repository_def()
        sensor = repository.get_sensor_def(SENSOR)
        context = dg.build_sensor_context(
            self.instance, repository_def=repository, resources=repository.get_top_level_resources()
        )
        return sensor.evaluate_tick(context).skip_message or ""


@pytest.fixture
def nights(registers: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Nights]]:
    """Makes registers and the Dagster instance in which they are read."""
    from assets.instance import instance_for

    for name in ("DAGSTER_HOME", "DOISOAT_CONFIG"):
        monkeypatch.setenv(name, "")
    made: list[dg.DagsterInstance] = []

    def make(*urls: str) -> Nights:
        pair = registers()
        pair.options["alerts"] = {"urls": list(urls), "ui_url": "https://dagster.example/"}
        whole = build_defs(pair.settings)
        # Only the first tables: a whole run takes a minute and would test nothing more.
        registers_only = dg.define_asset_job(
            FULL_SYNC, dg.AssetSelection.assets(["raw", "insurance"], ["raw", "population"])
        )
        made.append(instance_for(pair.settings))
        small = dg.Definitions(
            assets=whole.assets,
            asset_checks=whole.asset_checks,
            jobs=[registers_only],
            sensors=whole.sensors,
            resources=whole.resources,
            executor=whole.executor,
        )
        return Nights(pair, made[-1], small)

    yield make
    for instance in made:
        instance.dispose()


def _one(messages: list[Message]) -> Message:
    (message,) = messages
    messages.clear()
    return message


@pytest.mark.wide
def test_a_password_of_any_characters_beside_a_url_arrives_and_is_nowhere_shown(
    registers: Make, doisoat: Doisoat, hook: Hook
) -> None:
    """Neither in the output of commands, nor in messages that wait to be sent."""
    pair = registers()
    password = "a@b/c#d%41 e+f:g?h'i&j=k"
    pair.options["alerts"] = {
        "urls": [{"url": hook.url, "user": "duty", "password": "${ALERT_PASSWORD}"}]
    }
    tell_it = ("--config", pair.file, "alerts", "--test")

    sent = doisoat(*tell_it, ALERT_PASSWORD=password)

    assert sent.exit_code == 0, sent.errors
    assert hook.users == [f"duty:{password}"]
    hook.refuse = True
    refused = doisoat(*tell_it, ALERT_PASSWORD=password)
    assert refused.exit_code == AlertError.exit_code
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALERT_PASSWORD", password)
        settings = pair.settings
    with pytest.raises(AlertError) as caught:
        tell(settings, lambda *_: [RED])
    waiting = memory_file(settings.home).read_text()
    assert RED.problem in waiting
    shown = doisoat("--config", pair.file, "alerts", ALERT_PASSWORD=password)
    told = sent, refused, shown, caught.value, waiting
    for part in (password, quote(password), quote(password, safe=""), "b/c#d", "e+f", "g?h"):
        assert not any(part in str(words) for words in told)


def test_a_failed_gate_ends_its_step_in_plain_words_after_every_check(
    nights: Callable[..., Nights],
) -> None:
    night = nights()
    night.pair.population.clear()

    run = night.run()

    logs = night.instance.all_logs(run)
    events = [entry.dagster_event for entry in logs if entry.dagster_event]
    (failed,) = [e for e in events if e.event_type == dg.DagsterEventType.STEP_FAILURE]
    data = failed.step_failure_data
    assert data.error is not None
    words = data.error.message.partition("Failure: ")[2]
    assert words.startswith("A blocking quality check failed, so nothing was published")
    assert "doisoat triage raw.population." in words
    assert data.user_failure_data is not None
    assert data.user_failure_data.description == words.strip()
    judged = {
        e.asset_check_evaluation_data.check_name
        for e in events
        if e.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        and e.step_key == failed.step_key
    }
    (suite,) = [suite for suite in SUITES if suite.table.sql == "raw.population"]
    assert judged == {rule.name for rule in suite.rules}


def test_a_failed_run_is_told_once_with_all_its_red_checks_until_it_recovers(
    nights: Callable[..., Nights], mailbox: Mailbox, hook: Hook
) -> None:
    night = nights(mailbox.url, hook.url)
    night.run()
    assert night.tell() == 0
    records = list(night.pair.insurance)
    names = [row["full_name"] for row in night.pair.population]
    night.pair.insurance.clear()
    for row in night.pair.population[1:]:
        row["full_name"] = None

    failed = night.run()
    assert night.tell() == 1
    assert night.tell() == 0

    mail, post = _one(mailbox.messages), _one(hook.messages)
    title = "doisoat: đồng bộ thất bại · sync failed, nothing was published"
    assert mail.title == post.title == title
    assert mail.body.strip() == post.body.strip()
    assert post.kind == "failure"
    assert f"https://dagster.example/runs/{failed}" in mail.body
    for said in (
        "* raw.insurance.is_not_empty (error, stops the publish)",
        "* raw.population.full_name_is_mostly_filled (error, stops the publish)",
        "29 rows fail, 96.67% of the table",
        "Next: doisoat triage raw.population.full_name_is_mostly_filled",
        "Owner: the population register's office",
    ):
        assert said in mail.body
    _nothing_personal(mail, night.pair, names)

    night.run()
    assert night.tell() == 0, "the same failure is told once"

    night.pair.insurance.extend(records)
    for row, name in zip(night.pair.population, names, strict=True):
        row["full_name"] = name
    night.run()
    assert night.tell() == 1
    recovered = _one(hook.messages)
    assert (recovered.kind, recovered.title) == ("success", "doisoat: đã khắc phục · recovered")
    assert "* raw.population.full_name_is_mostly_filled, failing since" in recovered.body


def _nothing_personal(message: Message, pair: Registers, names: list[object]) -> None:
    personal = {str(name) for name in names}
    personal |= {str(row["personal_id"]) for row in pair.population}
    personal |= {str(row["date_of_birth"]) for row in pair.population}
    assert not [value for value in personal if value in message.title + message.body]


def test_an_acknowledged_failure_is_not_told_until_the_note_expires(
    nights: Callable[..., Nights], hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = "raw.insurance.record_id_is_filled"
    night = nights(hook.url)
    night.pair.insurance.append(record(90, record_id=None))
    night.run()
    night.tell()
    warning = _one(hook.messages)
    assert (warning.kind, warning.title) == ("warning", "doisoat: cảnh báo mới · 1 new warning")
    assert f"* {rule} (warning)\n  Seen: 1 row fails, 3.23% of the table" in warning.body
    acknowledge(night.pair.settings, rule, "the register's office is at it", 3)
    night.pair.insurance += [record(n, record_id=None) for n in range(91, 95)]

    run_id = night.run()
    assert night.tell() == 0

    key = dg.AssetCheckKey(dg.AssetKey(["raw", "insurance"]), "record_id_is_filled")
    kept = night.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert kept.event is not None
    assert kept.event.dagster_event is not None
    shown = kept.event.dagster_event.asset_check_evaluation_data
    assert kept.run_id == run_id
    assert not shown.passed, "it still counts"
    until = float(str(shown.metadata[KNOWN_UNTIL].value))
    assert timedelta(days=2, hours=23) < datetime.fromtimestamp(until, UTC) - NOW < timedelta(4)


def test_a_broken_step_is_told_beside_a_red_check(
    nights: Callable[..., Nights], hook: Hook
) -> None:
    night = nights(hook.url)
    night.pair.insurance.clear()
    night.run(broken="population")
    night.tell()

    message = _one(hook.messages)
    assert "Step: raw__population" in message.body
    assert "* raw.insurance.is_not_empty (error, stops the publish)" in message.body


def test_the_sensor_tells_of_a_killed_run_and_says_when_nobody_was_reached(
    nights: Callable[..., Nights], hook: Hook
) -> None:
    night = nights(hook.url)
    job = night.definitions.resolve_job_def(FULL_SYNC)
    run = night.instance.create_run_for_job(
        job,
        tags={
            ".dagster/doisoat_host": socket.gethostname(),
            ".dagster/doisoat_process": str(os.getpid()),
            ".dagster/doisoat_began": "0",
        },
    )
    started = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, FULL_SYNC)
    night.instance.report_dagster_event(started, run.run_id)
    hook.refuse = True

    with pytest.raises(Exception) as caught:  # noqa: PT011 - Dagster wraps it
        night.tick()

    assert isinstance(caught.value.__cause__ or caught.value, AlertError)
    assert hook.secret not in str(caught.value.__cause__ or caught.value)
    hook.refuse = False
    assert night.tick() == "Runs looked at: 0; messages sent: 1."
    message = _one(hook.messages)
    assert "The process of this run ended before the run did" in message.body
    assert run.run_id in message.body
    assert night.tick() == "No run has ended since the last look."
    assert hook.messages == []


def test_the_first_look_tells_how_it_stands_and_not_what_was_before(
    nights: Callable[..., Nights], hook: Hook
) -> None:
    night = nights(hook.url)
    job = night.definitions.resolve_job_def(FULL_SYNC)
    for cause in ("a power cut", "another one"):
        night.instance.report_run_failed(night.instance.create_run_for_job(job), cause)

    assert [night.tell() for _ in range(3)] == [1, 0, 0]
    assert _one(hook.messages).body.startswith("another one")


def test_nothing_configured_means_nothing_sent(nights: Callable[..., Nights]) -> None:
    night = nights()
    sensor = night.definitions.get_repository_def().get_sensor_def(SENSOR)

    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    assert "urls is empty" in night.tick()
    assert night.tell() == 0
    assert not memory_file(night.pair.settings.home).exists()
    with pytest.raises(ConfigError, match="urls is empty"):
        say_test(night.pair.settings)


def test_the_sensor_is_on_where_somebody_is_to_be_told(
    nights: Callable[..., Nights], hook: Hook
) -> None:
    sensor = nights(hook.url).definitions.get_repository_def().get_sensor_def(SENSOR)

    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_who_was_not_reached_is_told_later_and_nobody_twice(
    registers: Make, mailbox: Mailbox, hook: Hook
) -> None:
    pair = registers()
    pair.options["alerts"] = {"urls": [mailbox.url, hook.url]}
    mailbox.refuse = True

    with pytest.raises(AlertError) as caught:
        tell(pair.settings, lambda _since, _seen: [RED])

    assert "Number 1 (mailto)" in caught.value.what
    assert mailbox.url not in str(caught.value)
    _one(hook.messages)
    mailbox.refuse = False
    assert tell(pair.settings, lambda _since, _seen: []).messages == 1
    assert tell(pair.settings, lambda _since, _seen: []).messages == 0
    assert "raw.insurance.is_not_empty" in _one(mailbox.messages).body
    assert hook.messages == []


def test_a_damaged_memory_silences_nobody_and_is_told_once(registers: Make, hook: Hook) -> None:
    pair = registers()
    pair.options["alerts"] = {"urls": [hook.url]}
    tell(pair.settings, lambda _since, _seen: [RED])
    memory_file(pair.settings.home).write_bytes(b"")

    for night in range(3):
        ended = NOW + timedelta(days=night + 1)
        again = replace(RED, run_id=f"night {night}", ended=ended)
        tell(pair.settings, lambda _since, _seen, r=again: [r])

    red = "doisoat: đồng bộ thất bại · sync failed, nothing was published"
    forgotten = "doisoat: mất danh sách tin đã gửi · record of earlier alerts lost"
    assert [message.title for message in hook.messages] == [red, forgotten, red]
    assert "alerts.json.damaged-" in hook.messages[1].body


def test_two_processes_do_not_tell_the_same(registers: Make, hook: Hook) -> None:
    pair = registers()
    pair.options["alerts"] = {"urls": [hook.url]}
    with remembering(pair.settings.home):
        assert tell(pair.settings, lambda _since, _seen: [RED]).busy

    assert tell(pair.settings, lambda _since, _seen: [RED]).messages == 1
    assert len(hook.messages) == 1


def test_what_goes_on_failing_is_told_again_after_a_week(registers: Make, hook: Hook) -> None:
    pair = registers()
    pair.options["alerts"] = {"urls": [hook.url]}
    counts = []
    for day in range(9):
        ended = NOW + timedelta(days=day)
        again = replace(RED, run_id=f"night {day}", ended=ended)
        counts.append(tell(pair.settings, lambda _since, _seen, r=again: [r]).messages)

    assert counts == [1, 0, 0, 0, 0, 0, 0, 1, 0]
    assert hook.messages[1].title == "doisoat: đồng bộ vẫn thất bại · still failing"
    assert "Still failing:\n* raw.insurance.is_not_empty since" in hook.messages[1].body


def test_the_command_sends_a_test_and_says_who_did_not_take_it(
    registers: Make, doisoat: Doisoat, hook: Hook, mailbox: Mailbox
) -> None:
    pair = registers()
    pair.options["alerts"] = {"urls": ["${HOOK}", mailbox.url]}
    file = pair.folder / "doisoat.toml"
    os.environ["HOOK"] = hook.url
    try:
        assert pair.file == file
    finally:
        del os.environ["HOOK"]
    mailbox.refuse = True

    ended = doisoat("--config", file, "alerts", "--test", HOOK=hook.url)

    assert ended.exit_code == 3
    assert "number 1 (json) accepted the test message" in ended.output
    assert "Number 2 (mailto) did not accept the message" in ended.errors
    assert hook.secret not in ended.output + ended.errors
    assert _one(hook.messages).title == "doisoat: tin thử · test message"


def test_a_sync_that_cannot_begin_is_told(registers: Make, doisoat: Doisoat, hook: Hook) -> None:
    pair = registers(target=lambda: "postgresql://nobody:pa55word@127.0.0.1:1/none")
    pair.options["alerts"] = {"urls": [hook.url]}

    ended = doisoat("--config", pair.file, "sync")

    assert ended.exit_code == 3
    message = _one(hook.messages)
    assert "before a run could begin" in message.body
    assert "What to do:" in message.body
    assert "pa55word" not in message.body
