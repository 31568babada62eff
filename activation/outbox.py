"""Messages that wait in the database: written with their alert, claimed by one worker at a time, settled afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import Engine, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from activation.people import Person
from activation.slack_message import slack_body
from activation.webhook_message import HotLead, webhook_body
from core.activation_settings import ChannelSettings
from core.alert_tables import Alert, ChannelState, OutboxMessage
from core.settings import Settings

# The schedule that the Standard Webhooks specification recommends: how long after an attempt the next one follows.
DELAYS = tuple(
    timedelta(seconds=seconds) for seconds in (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
# Longer than any attempt may take, so that a message is claimed anew only after its worker has died.
LEASE = timedelta(seconds=60)
# How long a receiver that says it is overloaded is left alone when it names no time, and at most.
_BREATHER = timedelta(seconds=5)
_LONGEST_WAIT = timedelta(days=1)
# Standard Webhooks: these say that the receiver is overloaded, not that the message is wrong.
_OVERLOADED = frozenset({429, 502, 504})
_GONE = 410
_NAMESPACE = UUID("0f0c2f9d-90a7-5a0e-8a31-9a8a3c8f1c55")


@dataclass(frozen=True)
class Claimed:
    """A message that this worker may send now; `attempts` counts this attempt and tells it from a later claim."""

    message_id: str
    body: str
    attempts: int


@dataclass(frozen=True)
class Blocked:
    """Messages are due, but the channel must not be used before `until`; `pacing`: for the usual short pause only."""

    until: datetime
    pacing: bool


@dataclass(frozen=True)
class Answered:
    """What came of an attempt.

    Attributes:
        status: the HTTP status, or None without an answer.
        error: a short word for what went wrong; never text of the receiver, which may repeat personal data.
        retry_after: how long the receiver asked to wait.
    """

    status: int | None
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        """Only a 2xx counts; a redirect does not."""
        return self.status is not None and 200 <= self.status < 300


def enqueue(settings: Settings, session: Session, alert: Alert, person: Person, now: datetime) -> None:
    """Write one message for each channel, in the transaction of the alert."""
    lead = HotLead(
        alert.alert_id,
        alert.model,
        alert.customer_id,
        alert.owner_id,
        alert.probability,
        alert.score,
        alert.grade,
        alert.evidence,
        tuple(alert.reasons),
        alert.as_of,
        alert.model_version,
        now,
    )
    for channel in settings.activation.channels:
        write = webhook_body if channel.kind == "webhook" else slack_body
        named = person if channel.personal_data else None
        session.add(
            OutboxMessage(
                message_id=f"msg_{uuid5(_NAMESPACE, f'{alert.alert_id}{channel.name}').hex}",
                alert_id=alert.alert_id,
                channel=channel.name,
                body=write(lead, named, settings.activation.page_url, channel.locale or settings.locale),
                created_at=now,
                state="pending",
                attempts=0,
                next_attempt_at=now + DELAYS[0],
            )
        )


def claim(
    engine: Engine, channel: ChannelSettings, address_fingerprint: str, now: datetime
) -> Claimed | Blocked | None:
    """Take the message that is due longest, or learn that the channel has to wait, or that nothing is due.

    The claim begins an attempt: should this process die, the message is due again after the lease.
    """
    if not _anything_due(engine, channel.name, now):
        return None
    with _locked(engine, channel.name) as (session, state):
        if state.disabled_at is not None and state.address_fingerprint == address_fingerprint:
            _disable_pending(session, channel.name)
            return None
        if state.disabled_at is not None:
            state.disabled_at = None
        state.address_fingerprint = address_fingerprint
        if state.throttled_until is not None and state.throttled_until > now:
            return Blocked(state.throttled_until, pacing=False)
        if state.next_send_at is not None and state.next_send_at > now:
            return Blocked(state.next_send_at, pacing=True)
        message = session.scalars(
            select(OutboxMessage)
            .where(
                OutboxMessage.channel == channel.name,
                OutboxMessage.state == "pending",
                OutboxMessage.next_attempt_at <= now,
            )
            .order_by(OutboxMessage.next_attempt_at, OutboxMessage.created_at, OutboxMessage.message_id)
            .limit(1)
        ).first()
        if message is None:
            return None
        message.attempts += 1
        message.next_attempt_at = now + LEASE
        if channel.kind == "slack":
            state.next_send_at = now + timedelta(seconds=channel.min_interval_seconds)
        return Claimed(message.message_id, message.body, message.attempts)


def settle(engine: Engine, channel: ChannelSettings, claimed: Claimed, answered: Answered, now: datetime) -> str:
    """Record what came of an attempt; returns the state that the message is in now.

    Another worker that took the message over after the lease keeps it, except that delivered stays delivered.
    """
    with _locked(engine, channel.name) as (session, state):
        message = session.get(OutboxMessage, claimed.message_id)
        if message is None:
            return "forgotten"
        if message.state != "pending" or (message.attempts != claimed.attempts and not answered.delivered):
            return message.state
        message.last_status, message.last_error = answered.status, answered.error
        if answered.delivered:
            message.state, message.delivered_at = "delivered", now
        elif answered.status == _GONE:
            message.state, state.disabled_at = "disabled", now
            session.flush()
            _disable_pending(session, channel.name)
        else:
            _wait(message, state, answered, now)
        return message.state


def _wait(message: OutboxMessage, state: ChannelState, answered: Answered, now: datetime) -> None:
    asked = min(answered.retry_after or timedelta(0), _LONGEST_WAIT)
    # Without any answer too: the other messages of the channel would only wait for the time-out one after the other.
    if answered.status is None or answered.status in _OVERLOADED or answered.retry_after is not None:
        state.throttled_until = now + (asked or _BREATHER)
    if message.attempts >= len(DELAYS):
        message.state = "dead"
    else:
        message.next_attempt_at = now + max(DELAYS[message.attempts], asked)


def enable_channel(engine: Engine, channel: str, now: datetime) -> int:
    """Use a channel again whose receiver had said 410 Gone; its messages become due. Returns how many."""
    with _locked(engine, channel) as (session, state):
        state.disabled_at = state.throttled_until = None
        disabled = select(OutboxMessage).where(OutboxMessage.channel == channel, OutboxMessage.state == "disabled")
        messages = list(session.scalars(disabled))
        for message in messages:
            message.state, message.attempts, message.next_attempt_at = "pending", 0, now
        return len(messages)


def count_waiting(engine: Engine) -> int:
    """Messages that are still to be delivered, due or not."""
    with Session(engine) as session:
        query = select(func.count()).select_from(OutboxMessage).where(OutboxMessage.state == "pending")
        return session.scalar(query) or 0


def _anything_due(engine: Engine, channel: str, now: datetime) -> bool:
    """A look without a lock: a worker that polls must not stand in the way of those who write."""
    due = exists().where(
        OutboxMessage.channel == channel, OutboxMessage.state == "pending", OutboxMessage.next_attempt_at <= now
    )
    with Session(engine) as session:
        return bool(session.scalar(select(due)))


def _disable_pending(session: Session, channel: str) -> None:
    pending = update(OutboxMessage).where(OutboxMessage.channel == channel, OutboxMessage.state == "pending")
    session.execute(pending.values(state="disabled"))


@contextmanager
def _locked(engine: Engine, channel: str) -> Iterator[tuple[Session, ChannelState]]:
    """One short transaction that no other may run beside for the same channel, on SQLite and on PostgreSQL."""
    insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    with Session(engine) as session, session.begin():
        # Writing first takes SQLite's write lock before anything is read; the second statement locks PostgreSQL's row.
        session.execute(insert(ChannelState).values(channel=channel).on_conflict_do_nothing())
        session.execute(update(ChannelState).where(ChannelState.channel == channel).values(channel=channel))
        yield session, session.get_one(ChannelState, channel)
