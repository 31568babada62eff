"""What sales does with an alert: take it, and say what it was worth."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from core.alert_tables import Alert
from core.clock import Clock
from core.errors import NotFoundError
from scoring.flat_answer import iso

Verdict = Literal["useful", "not_useful", "already_known"]
# Alerts that sales may see; one over the day's budget is held back until it is released.
SHOWN_STATES = ("open", "acknowledged")


@dataclass(frozen=True)
class AlertAnswer:
    """An alert as it stands; what has not happened yet is empty."""

    alert_id: str
    model: str
    customer_id: str
    state: str
    acknowledged_at: str
    acknowledged_by: str
    feedback: str


def acknowledge(engine: Engine, alert_id: str, by: str, *, clock: Clock) -> AlertAnswer:
    """Somebody takes care of the lead. Who said so first stays on record; saying it again changes nothing.

    Raises:
        NotFoundError: there is no such alert.
    """
    with Session(engine) as session, session.begin():
        # One statement decides between two people who press the button at the same time.
        session.execute(
            update(Alert)
            .where(Alert.alert_id == alert_id, Alert.state.in_(("open", "held")))
            .values(state="acknowledged", acknowledged_at=clock.now(), acknowledged_by=by)
        )
        return _found(session, alert_id)


def give_feedback(engine: Engine, alert_id: str, verdict: Verdict, note: str, *, clock: Clock) -> AlertAnswer:
    """What sales thinks of the alert; a later verdict takes the place of an earlier one.

    Raises:
        NotFoundError: there is no such alert.
    """
    with Session(engine) as session, session.begin():
        session.execute(
            update(Alert)
            .where(Alert.alert_id == alert_id)
            .values(feedback=verdict, feedback_note=note or None, feedback_at=clock.now())
        )
        return _found(session, alert_id)


def newest_alerts(engine: Engine, model: str) -> dict[str, AlertAnswer]:
    """The newest alert about each person, of those that sales may see, by customer id."""
    query = (
        select(Alert)
        .where(Alert.model == model, Alert.state.in_(SHOWN_STATES))
        .order_by(Alert.created_at, Alert.alert_id)
    )
    with Session(engine) as session:
        return {alert.customer_id: _answer(alert) for alert in session.scalars(query)}


def _found(session: Session, alert_id: str) -> AlertAnswer:
    alert = session.get(Alert, alert_id)
    if alert is None:
        raise NotFoundError("there is no such alert", "an alert_id from /v1/leads/hot", "look it up there")
    return _answer(alert)


def _answer(alert: Alert) -> AlertAnswer:
    return AlertAnswer(
        alert.alert_id,
        alert.model,
        alert.customer_id,
        alert.state,
        iso(alert.acknowledged_at) if alert.acknowledged_at else "",
        alert.acknowledged_by or "",
        alert.feedback or "",
    )
