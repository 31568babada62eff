"""Alerts, and the messages about them that wait to be delivered: tables of the application database."""

from datetime import datetime

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, UtcMoment


class AlertCursor(Base):
    """The last list of scores that was looked at; whoever changes alerts of the model locks this row first.

    `hot_rule` covers the model version and the cuts: a change of either moves people in and out of hot without
    anything having happened to them.
    """

    __tablename__ = "alert_cursors"

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    model_version: Mapped[str | None] = mapped_column(String(64))
    hot_rule: Mapped[str | None] = mapped_column(String(64))
    as_of: Mapped[datetime | None] = mapped_column(UtcMoment)


class AlertState(Base):
    """Whether a person was hot when last looked at, and when sales was last told; absent: never hot so far."""

    __tablename__ = "alert_states"

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    hot: Mapped[bool] = mapped_column(Boolean)
    model_version: Mapped[str] = mapped_column(String(64))
    as_of: Mapped[datetime] = mapped_column(UtcMoment)
    last_alert_at: Mapped[datetime | None] = mapped_column(UtcMoment)


class Alert(Base):
    """A lead turned hot.

    `held`: over the budget of the day; `withdrawn`: no longer true before it was released, or the person refuses to be
    profiled since, and then without its reasons.

    Names and e-mail addresses are not kept here: they are read from the unified tables when somebody looks.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        Index("alerts_by_state", "model", "state", "released_at"),
        Index("alerts_by_customer", "customer_id"),
    )

    alert_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    model: Mapped[str] = mapped_column(String(64))
    customer_id: Mapped[str] = mapped_column(String(64))
    owner_id: Mapped[str | None] = mapped_column(Text)
    probability: Mapped[float] = mapped_column(Float(53))
    score: Mapped[int] = mapped_column(Integer)
    grade: Mapped[str] = mapped_column(String(1))
    evidence: Mapped[str] = mapped_column(String(8))
    reasons: Mapped[list[str]] = mapped_column(JSON)
    as_of: Mapped[datetime] = mapped_column(UtcMoment)
    model_version: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    released_at: Mapped[datetime | None] = mapped_column(UtcMoment)
    state: Mapped[str] = mapped_column(String(12))
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcMoment)
    acknowledged_by: Mapped[str | None] = mapped_column(Text)
    feedback: Mapped[str | None] = mapped_column(String(16))
    feedback_note: Mapped[str | None] = mapped_column(Text)
    feedback_at: Mapped[datetime | None] = mapped_column(UtcMoment)


class OutboxMessage(Base):
    """One message for one channel. The body is frozen: every attempt sends the same bytes under the same id.

    `attempts` counts attempts begun. Beginning one moves `next_attempt_at` on, so that a worker that dies in the
    middle leaves a message that becomes due again by itself.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_due", "channel", "state", "next_attempt_at"),)

    message_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.alert_id", ondelete="CASCADE"), index=True)
    channel: Mapped[str] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int] = mapped_column(Integer)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcMoment)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcMoment)
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str | None] = mapped_column(String(64))


class ChannelState(Base):
    """What one channel's receiver asked for: to wait, or never to be called again.

    `address_fingerprint` belongs to `disabled_at`: a channel that was given another address starts afresh.
    """

    __tablename__ = "alert_channels"

    channel: Mapped[str] = mapped_column(String(64), primary_key=True)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcMoment)
    address_fingerprint: Mapped[str | None] = mapped_column(String(64))
    throttled_until: Mapped[datetime | None] = mapped_column(UtcMoment)
    next_send_at: Mapped[datetime | None] = mapped_column(UtcMoment)
