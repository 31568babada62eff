"""The hot leads as sales sees them: score and reasons of this moment, who it is, since when, and who takes care."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from core.database import ScoreState
from core.model_settings import ModelName
from core.storage import Workspace
from scoring.flat_answer import FlatAnswer
from scoring.reasons import REASONS, Language
from serving.alerts import AlertAnswer, newest_alerts
from serving.availability import Database
from serving.directory import OWN_SYSTEM, Reference
from serving.lookup import Lookup

_NAME_COLUMNS = ["customer_id", "full_name", "last_name", "first_name", "company", "title"]


@dataclass(frozen=True)
class HotLead:
    """One line of the list.

    Attributes:
        answer: the flat answer of this moment.
        name: empty where nobody knows it.
        hot_since: when the lead turned hot (UTC).
        alert: the newest alert about the person; None when there was none.
    """

    answer: FlatAnswer
    name: str
    company: str
    title: str
    hot_since: datetime | None
    alert: AlertAnswer | None

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences, without blanks."""
        return tuple(text for n in range(1, REASONS + 1) if (text := str(self.answer[f"reason_{n}"])))


def hot_leads(
    workspace: Workspace, database: Database, lookup: Lookup, model: ModelName, language: Language, limit: int
) -> list[HotLead]:
    """Who is hot now, the best first.

    Raises:
        AwayError: the database is away.
    """
    with database.engine() as engine:
        since = _hot_since(engine, model, limit)
        alerts = newest_alerts(engine, model) if since else {}
    answers = lookup.answer(model, [Reference(OWN_SYSTEM, customer_id) for customer_id in since], language)
    # Computed anew: whoever cooled down, was won or refused profiling since the last run is hot no longer.
    hot = [answer for answer in answers if answer["hot"] and answer["status"] in ("ok", "stale")]
    names = _names(workspace, [str(answer["customer_id"]) for answer in hot])
    leads = [
        HotLead(answer, *names.get(customer_id, ("", "", "")), since.get(customer_id), alerts.get(customer_id))
        for answer in hot
        for customer_id in [str(answer["customer_id"])]
    ]
    return sorted(leads, key=lambda lead: (-float(lead.answer["probability"]), str(lead.answer["customer_id"])))


def _hot_since(engine: Engine, model: str, limit: int) -> dict[str, datetime | None]:
    query = (
        select(ScoreState.customer_id, ScoreState.hot_since)
        .where(ScoreState.model == model, ScoreState.hot)
        .order_by(ScoreState.probability.desc(), ScoreState.customer_id)
        .limit(limit)
    )
    with Session(engine) as session:
        return {row.customer_id: row.hot_since for row in session.execute(query)}


def _names(workspace: Workspace, customer_ids: list[str]) -> dict[str, tuple[str, str, str]]:
    if not customer_ids or workspace.manifest("customers") is None:
        return {}
    table = workspace.read_table("customers", _NAME_COLUMNS)
    rows = table.filter(pc.is_in(table["customer_id"], pa.array(sorted(customer_ids), pa.string()))).to_pylist()
    return {
        row["customer_id"]: (
            row["full_name"] or " ".join(part for part in (row["last_name"], row["first_name"]) if part),
            row["company"] or "",
            row["title"] or "",
        )
        for row in rows
    }
