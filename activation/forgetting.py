"""Forgetting a person deletes what was raised and sent about them."""

from collections.abc import Sequence

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from core.alert_tables import Alert, AlertState, OutboxMessage

# SQLite takes at most 32,766 variables in one statement.
_CHUNK = 500


def forget_alerts(engine: Engine, customer_ids: Sequence[str]) -> int:
    """Delete states, alerts and messages (their bodies name the person) of these people; returns how many alerts."""
    gone = 0
    with Session(engine) as session, session.begin():
        for start in range(0, len(customer_ids), _CHUNK):
            chunk = customer_ids[start : start + _CHUNK]
            alerts = select(Alert.alert_id).where(Alert.customer_id.in_(chunk))
            gone += session.scalar(select(func.count()).select_from(alerts.subquery())) or 0
            session.execute(delete(OutboxMessage).where(OutboxMessage.alert_id.in_(alerts)))
            session.execute(delete(Alert).where(Alert.customer_id.in_(chunk)))
            session.execute(delete(AlertState).where(AlertState.customer_id.in_(chunk)))
    return gone
