import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook

from activation.alerts import raise_alerts
from activation.channel import open_channels
from activation.deliver import DeliverySummary, Worker, deliver_pending
from activation.outbox import DELAYS, LEASE, Answered, Claimed, claim, enable_channel, settle
from core.alert_tables import OutboxMessage
from core.clock import SystemClock
from core.database import open_database
from core.logs import configure_logs
from core.settings import Settings
from core.storage import Workspace

COLD, HOT = 0.1, 0.6
PEOPLE = tuple(f"p{n}" for n in range(1, 7))


@pytest.fixture
def outbox(
    people: Callable[..., Workspace],
    make_settings: Callable[..., Settings],
    publish_scores: Callable[..., None],
    clock: Any,
) -> Callable[..., tuple[Settings, Workspace]]:
    """So many people turn hot; their messages wait on the channels given. The clock then shows the present time."""

    def fill(
        channels: list[dict[str, Any]], count: int = 1, database_url: str | None = None
    ) -> tuple[Settings, Workspace]:
        clock.moment = datetime.now(UTC)
        workspace = people()
        settings = make_settings(channels=channels, database_url=database_url)
        publish_scores(workspace, dict.fromkeys(PEOPLE, COLD), as_of=clock.now() - timedelta(hours=1))
        raise_alerts(settings, workspace, "lead", clock=clock)
        hot = dict.fromkeys(PEOPLE[:count], HOT) | dict.fromkeys(PEOPLE[count:], COLD)
        publish_scores(workspace, hot, as_of=clock.now())
        assert raise_alerts(settings, workspace, "lead", clock=clock).raised == count
        return settings, workspace

    return fill


def messages(settings: Settings, workspace: Workspace) -> list[OutboxMessage]:
    engine = open_database(settings, workspace)
    with Session(engine, expire_on_commit=False) as session:
        rows = list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.message_id)))
    engine.dispose()
    return rows


def test_a_receiver_that_fails_twice_gets_one_message_under_one_id(
    outbox: Any, webhook: Any, make_receiver: Any, database_url: str | None, clock: Any
) -> None:
    receiver = make_receiver((500, {}), (503, {}))
    settings, workspace = outbox([webhook(receiver)], database_url=database_url)
    failed = DeliverySummary(delivered=0, failed=1, dead=0, disabled=0, waiting=1)
    assert deliver_pending(settings, workspace, clock=clock) == failed
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 0, 0, 0, 1), "not due yet"
    clock.step(seconds=5)
    assert deliver_pending(settings, workspace, clock=clock) == failed
    clock.step(seconds=299)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 0, 0, 0, 1), "not due yet"
    clock.step(seconds=1)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(1, 0, 0, 0, 0)
    clock.step(days=3)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 0, 0, 0, 0)
    assert len(receiver.received) == 3
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert len({request.body for request in receiver.received}) == 1, "the body is frozen"
    stamps = [int(request.headers["webhook-timestamp"]) for request in receiver.received]
    assert stamps[1] - stamps[0] == 5
    assert stamps[2] - stamps[1] == 300
    # The first two were signed for a moment within five minutes of now, so that the receivers' library takes them.
    secret = os.environ["HOOK_SECRET"]
    told = [Webhook(secret).verify(request.body, request.headers) for request in receiver.received[:2]]
    assert {content["data"]["customer_id"] for content in told} == {"p1"}
    (message,) = messages(settings, workspace)
    assert (message.state, message.attempts, message.last_status) == ("delivered", 3, 200)


def test_the_schedule_ends_after_ten_attempts(outbox: Any, webhook: Any, make_receiver: Any, clock: Any) -> None:
    receiver = make_receiver(*[(500, {})] * 20)
    settings, workspace = outbox([webhook(receiver)])
    for number, delay in enumerate(DELAYS):
        clock.step(seconds=delay.total_seconds())
        result = deliver_pending(settings, workspace, clock=clock)
        assert (result.failed, result.dead) == ((0, 1) if number == 9 else (1, 0))
    clock.step(days=30)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 0, 0, 0, 0)
    assert len(receiver.received) == 10
    assert [delay.total_seconds() for delay in DELAYS] == [
        0, 5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600,
    ]  # fmt: skip


def test_gone_disables_the_channel_until_it_is_enabled_or_gets_another_address(
    outbox: Any, webhook: Any, make_receiver: Any, make_settings: Any, clock: Any
) -> None:
    receiver = make_receiver((410, {}))
    settings, workspace = outbox([webhook(receiver)], count=3)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 0, 0, 1, 0)
    clock.step(days=1)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 0, 0, 0, 0)
    assert len(receiver.received) == 1
    assert [message.state for message in messages(settings, workspace)] == ["disabled"] * 3
    engine = open_database(settings, workspace)
    assert enable_channel(engine, "crm", clock.now()) == 3
    engine.dispose()
    receiver.script.append((410, {}))
    deliver_pending(settings, workspace, clock=clock)
    moved_to = make_receiver()
    moved = make_settings(channels=[webhook(moved_to)])
    engine = open_database(settings, workspace)
    with Session(engine) as session, session.begin():
        for message in session.scalars(select(OutboxMessage)):
            message.state, message.next_attempt_at = "pending", clock.now()
    engine.dispose()
    assert deliver_pending(moved, workspace, clock=clock).delivered == 3
    assert len(moved_to.received) == 3


@pytest.mark.parametrize("status", [429, 502, 504])
def test_an_overloaded_receiver_is_left_alone_as_long_as_it_asks(
    outbox: Any, webhook: Any, make_receiver: Any, clock: Any, status: int
) -> None:
    receiver = make_receiver((status, {"Retry-After": "90"}))
    settings, workspace = outbox([webhook(receiver)], count=3)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 1, 0, 0, 3)
    clock.step(seconds=89)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 0, 0, 0, 3)
    assert len(receiver.received) == 1, "the other messages wait as well"
    clock.step(seconds=1)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(3, 0, 0, 0, 0)


def test_many_workers_send_each_message_once(
    outbox: Any, webhook: Any, make_receiver: Any, database_url: str | None
) -> None:
    receiver = make_receiver()
    settings, workspace = outbox([webhook(receiver)], count=6, database_url=database_url)
    receiver.on_request = lambda: time.sleep(0.05)
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: deliver_pending(settings, workspace, clock=SystemClock()), range(3)))
    assert sum(result.delivered for result in done) == 6
    ids = Counter(request.headers["webhook-id"] for request in receiver.received)
    assert sorted(ids.values()) == [1] * 6
    assert {json.loads(request.body)["data"]["customer_id"] for request in receiver.received} == set(PEOPLE)


CRASHING = """
import sys
from pathlib import Path
from activation.deliver import deliver_pending
from core.clock import SystemClock
from core.settings import Settings
from core.storage import Workspace
settings = Settings.model_validate_json(sys.stdin.read())
deliver_pending(settings, Workspace(Path(sys.argv[1])), clock=SystemClock())
"""


def test_a_worker_killed_between_sending_and_marking_leads_to_the_same_message_again(
    outbox: Any, webhook: Any, make_receiver: Any, clock: Any
) -> None:
    receiver = make_receiver()
    settings, workspace = outbox([webhook(receiver)])
    arrived, answer = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        answer.wait(60)

    receiver.on_request = hold
    with subprocess.Popen(
        [sys.executable, "-c", CRASHING, str(workspace.home)],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(settings.model_dump_json().encode())
        process.stdin.close()
        assert arrived.wait(60), "the message reached the receiver"
        process.send_signal(signal.SIGKILL)
    answer.set()
    receiver.on_request = None
    clock.moment = datetime.now(UTC)
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 0, 0, 0, 1), "the lease still holds"
    clock.step(seconds=LEASE.total_seconds())
    assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(1, 0, 0, 0, 0)
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    (message,) = messages(settings, workspace)
    assert (message.state, message.attempts) == ("delivered", 2)


def test_slack_gets_one_message_a_second(
    outbox: Any, make_receiver: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = make_receiver()
    monkeypatch.setenv("SLACK_URL", receiver.url)
    slack = {"kind": "slack", "name": "sales", "url_env": "SLACK_URL", "locale": "en"}
    settings, workspace = outbox([{**slack, "allow_http": True, "allow_private_addresses": True}], count=3)
    for waiting in (2, 1, 0):
        assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(1, 0, 0, 0, waiting)
        clock.step(seconds=0.5)
        assert deliver_pending(settings, workspace, clock=clock) == DeliverySummary(0, 0, 0, 0, waiting), "too early"
        clock.step(seconds=0.5)
    assert len(receiver.received) == 3
    texts = [json.loads(request.body)["text"] for request in receiver.received]
    assert all(text.startswith("Hot lead: 花子 山田 · さくら商事") for text in texts)
    assert "webhook-signature" not in receiver.received[0].headers


def test_a_silent_receiver_does_not_hold_up_the_other_channel(
    outbox: Any, webhook: Any, make_receiver: Any, clock: Any
) -> None:
    silent, good = make_receiver(), make_receiver()
    release = threading.Event()
    silent.on_request = lambda: release.wait(30)
    channels = [webhook(silent, timeout_seconds=0.5), webhook(good, name="other")]
    settings, workspace = outbox(channels, count=6)
    result = deliver_pending(settings, workspace, clock=clock)
    release.set()
    assert (result.delivered, result.failed, result.waiting) == (6, 1, 6)
    assert len(silent.received) == 1, "without an answer the rest of the channel waits for the next pass"
    ids = {message.channel: message.message_id for message in messages(settings, workspace)}
    assert ids["crm"] != ids["other"]


def test_a_limit_bounds_the_attempts(outbox: Any, webhook: Any, make_receiver: Any, clock: Any) -> None:
    receiver = make_receiver()
    settings, workspace = outbox([webhook(receiver)], count=6)
    assert deliver_pending(settings, workspace, clock=clock, limit=4) == DeliverySummary(4, 0, 0, 0, 2)
    assert len(receiver.received) == 4


def test_a_private_address_is_not_called_unless_it_is_allowed(
    outbox: Any, webhook: Any, make_receiver: Any, clock: Any
) -> None:
    receiver = make_receiver()
    settings, workspace = outbox([webhook(receiver, allow_private_addresses=False)])
    assert deliver_pending(settings, workspace, clock=clock).failed == 1
    assert receiver.received == []
    (message,) = messages(settings, workspace)
    assert (message.state, message.last_status, message.last_error) == ("pending", None, "private_address")


def test_no_log_line_holds_a_name_an_address_or_a_secret(
    outbox: Any,
    make_receiver: Any,
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logs("DEBUG")
    caplog.set_level(logging.DEBUG)
    receiver = make_receiver((500, {}))
    monkeypatch.setenv("SLACK_URL", receiver.url + "/topsecret")
    slack = {"kind": "slack", "name": "sales", "url_env": "SLACK_URL", "allow_http": True}
    try:
        settings, workspace = outbox([{**slack, "allow_private_addresses": True}])
        deliver_pending(settings, workspace, clock=clock)
    finally:
        configure_logs()
    written = "".join(capfd.readouterr()) + caplog.text
    assert "alert_message_sent" in written
    assert "topsecret" in receiver.received[0].path
    assert "山田" in receiver.received[0].body
    assert not any(word in written for word in ("topsecret", "山田", "花子", "さくら", "sakura"))


def test_a_late_failure_does_not_undo_what_another_worker_delivered(
    outbox: Any, webhook: Any, make_receiver: Any, clock: Any
) -> None:
    settings, workspace = outbox([webhook(make_receiver())])
    (channel,) = open_channels(settings.activation)
    engine = open_database(settings, workspace)
    slow = claim(engine, channel.settings, channel.address_fingerprint, clock.now())
    clock.step(seconds=LEASE.total_seconds())
    quick = claim(engine, channel.settings, channel.address_fingerprint, clock.now())
    assert isinstance(slow, Claimed)
    assert isinstance(quick, Claimed)
    assert (slow.message_id, slow.attempts, quick.attempts) == (quick.message_id, 1, 2)
    assert settle(engine, channel.settings, slow, Answered(500), clock.now()) == "pending"
    assert settle(engine, channel.settings, quick, Answered(200), clock.now()) == "delivered"
    assert settle(engine, channel.settings, slow, Answered(410), clock.now()) == "delivered"
    engine.dispose()


def test_the_worker_delivers_what_is_raised_while_it_runs_and_releases_what_was_held(
    people: Any, make_settings: Any, publish_scores: Any, webhook: Any, make_receiver: Any, clock: Any
) -> None:
    receiver = make_receiver()
    workspace = people()
    clock.moment = datetime.now(UTC)
    settings = make_settings(channels=[webhook(receiver)], alerts={"unassigned_daily_budget": 1})
    publish_scores(workspace, dict.fromkeys(PEOPLE, COLD), as_of=clock.now() - timedelta(hours=1))
    raise_alerts(settings, workspace, "lead", clock=clock)
    with Worker(settings, workspace, clock=clock, poll_seconds=0.05):
        publish_scores(workspace, dict.fromkeys(PEOPLE, HOT), as_of=clock.now())
        assert raise_alerts(settings, workspace, "lead", clock=clock).held == 5
        assert wait_for(lambda: len(receiver.received) == 1)
        clock.step(days=1)
        assert wait_for(lambda: len(receiver.received) == 2)
    assert threading.active_count() < 50
    assert not any(thread.name == "alert-delivery" for thread in threading.enumerate())
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 2


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False
