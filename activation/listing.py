"""The alerts as they stand, with the names of those they are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyarrow.compute as pc
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from core.alert_tables import Alert
from core.storage import Workspace

State = Literal["open", "acknowledged", "held", "withdrawn"]


@dataclass(frozen=True)
class AlertView:
    """One alert, with the person's name and company as they stand today (empty where unknown)."""

    alert_id: str
    model: str
    customer_id: str
    name: str
    company: str
    owner_id: str | None
    probability: float
    score: int
    grade: str
    evidence: str
    reasons: tuple[str, ...]
    as_of: datetime
    model_version: str
    created_at: datetime
    released_at: datetime | None
    state: str
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    feedback: str | None
    feedback_note: str | None


def list_alerts(
    engine: Engine,
    workspace: Workspace,
    *,
    states: Sequence[State] = ("open",),
    model: str | None = None,
    owner_id: str | None = None,
    limit: int = 100,
) -> tuple[AlertView, ...]:
    """The newest alerts first, those of one moment by probability.

    Args:
        engine: the application database (`core.database.open_database`).
        workspace: names are read from its unified tables.
        states: which alerts.
        model: only of this model.
        owner_id: only this salesperson's.
        limit: at most so many.
    """
    query = (
        select(Alert)
        .where(Alert.state.in_(states))
        .order_by(Alert.released_at.desc(), Alert.created_at.desc(), Alert.probability.desc(), Alert.alert_id)
        .limit(limit)
    )
    if model is not None:
        query = query.where(Alert.model == model)
    if owner_id is not None:
        query = query.where(Alert.owner_id == owner_id)
    with Session(engine) as session:
        alerts = list(session.scalars(query))
        names = _names(workspace, [alert.customer_id for alert in alerts])
        return tuple(_view(alert, names) for alert in alerts)


def _names(workspace: Workspace, customer_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    if not customer_ids or workspace.manifest("customers") is None:
        return {}
    table = workspace.read_table("customers", ["customer_id", "full_name", "last_name", "first_name", "company"])
    rows = table.filter(pc.is_in(table["customer_id"], pc.cast(sorted(set(customer_ids)), "string"))).to_pylist()
    return {
        row["customer_id"]: (
            row["full_name"] or " ".join(part for part in (row["last_name"], row["first_name"]) if part),
            row["company"] or "",
        )
        for row in rows
    }


def _view(alert: Alert, names: Mapping[str, tuple[str, str]]) -> AlertView:
    name, company = names.get(alert.customer_id, ("", ""))
    return AlertView(
        alert.alert_id,
        alert.model,
        alert.customer_id,
        name,
        company,
        alert.owner_id,
        alert.probability,
        alert.score,
        alert.grade,
        alert.evidence,
        tuple(alert.reasons),
        alert.as_of,
        alert.model_version,
        alert.created_at,
        alert.released_at,
        alert.state,
        alert.acknowledged_at,
        alert.acknowledged_by,
        alert.feedback,
        alert.feedback_note,
    )
