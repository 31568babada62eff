"""What sales tools ask over HTTP: hot leads, and what became of alerts."""

from dataclasses import asdict
from typing import Annotated, cast

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse

from scoring.flat_answer import iso
from serving.alerts import Verdict, acknowledge, give_feedback
from serving.authorisation import Parts, SalesCaller
from serving.leads import HotLead, hot_leads
from serving.messages import (
    CLEAN,
    AcknowledgeRequest,
    AlertStateAnswer,
    FeedbackRequest,
    LanguageText,
    LeadsAnswer,
    ModelText,
)
from serving.problems import PROBLEM_RESPONSES
from serving.score_routes import chosen_language, configured_model

router = APIRouter(prefix="/v1", tags=["sales"], responses=PROBLEM_RESPONSES)
AlertId = Annotated[str, Path(min_length=1, max_length=36, pattern=CLEAN)]


@router.get("/leads/hot", response_model=LeadsAnswer)
def list_hot_leads(
    parts: Parts,
    caller: SalesCaller,
    model: Annotated[ModelText, Query()] = "lead",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    lang: Annotated[LanguageText, Query()] = "",
) -> JSONResponse:
    """Who is hot now, the best first."""
    del caller
    name, language = configured_model(parts, model), chosen_language(parts, lang)
    leads = hot_leads(parts.workspace, parts.database, parts.lookup, name, language, limit)
    return JSONResponse({"items": [_flat(lead) for lead in leads]})


@router.post("/alerts/{alert_id}/ack", response_model=AlertStateAnswer)
def acknowledge_alert(
    alert_id: AlertId, parts: Parts, caller: SalesCaller, asked: AcknowledgeRequest | None = None
) -> JSONResponse:
    """Say that somebody takes care of the lead; the first one stays on record."""
    by = (asked.by if asked else "") or caller.name
    with parts.database.engine() as engine:
        return JSONResponse(asdict(acknowledge(engine, alert_id, by, clock=parts.clock)))


@router.post("/alerts/{alert_id}/feedback", response_model=AlertStateAnswer)
def give_alert_feedback(alert_id: AlertId, asked: FeedbackRequest, parts: Parts, caller: SalesCaller) -> JSONResponse:
    """Say what an alert was worth; a later verdict takes the place of an earlier one."""
    del caller
    verdict = cast("Verdict", asked.feedback)
    with parts.database.engine() as engine:
        return JSONResponse(asdict(give_feedback(engine, alert_id, verdict, asked.note, clock=parts.clock)))


def _flat(lead: HotLead) -> dict[str, object]:
    alert = lead.alert
    return {
        **lead.answer,
        "name": lead.name,
        "company": lead.company,
        "title": lead.title,
        "hot_since": iso(lead.hot_since) if lead.hot_since else "",
        "alert_id": alert.alert_id if alert else "",
        "acknowledged": bool(alert and alert.acknowledged_at),
        "acknowledged_at": alert.acknowledged_at if alert else "",
        "acknowledged_by": alert.acknowledged_by if alert else "",
        "feedback": alert.feedback if alert else "",
    }
