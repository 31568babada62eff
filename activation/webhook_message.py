"""The body of a webhook: `{type, timestamp, data}` after the Standard Webhooks specification, flat and below 20 kB."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from activation.people import Person
from activation.text import shorten

BODY_LIMIT = 20_000
_TEXT_LIMIT = 200
_REASON_LIMIT = 300


@dataclass(frozen=True)
class HotLead:
    """What is told about a lead that turned hot.

    Attributes:
        timestamp: when the alert was released (UTC).
        as_of: the moment that the probability holds for (UTC).
        reasons: sentences in the language of the scores, strongest first.
    """

    alert_id: str
    model: str
    customer_id: str
    owner_id: str | None
    probability: float
    score: int
    grade: str
    evidence: str
    reasons: tuple[str, ...]
    as_of: datetime
    model_version: str
    timestamp: datetime


def webhook_body(lead: HotLead, person: Person | None, page_url: str | None, locale: str) -> str:
    """The JSON text that is sent and signed. No nulls; each key always has the same type.

    Args:
        lead: the alert.
        person: whom it is about; None where the channel is not to name people.
        page_url: where sales sees the hot leads.
        locale: decides how the name is written.
    """
    data: dict[str, Any] = {
        "alert_id": lead.alert_id,
        "model": lead.model,
        "customer_id": lead.customer_id,
        "hot": True,
        "probability": lead.probability,
        "score": lead.score,
        "grade": lead.grade,
        "evidence": lead.evidence,
        "reasons": [shorten(reason, _REASON_LIMIT) for reason in lead.reasons],
        "owner_id": shorten(lead.owner_id or "", _TEXT_LIMIT),
        "as_of": utc_text(lead.as_of),
        "model_version": lead.model_version,
        "page_url": page_url or "",
        "records": [],
    }
    if person is not None:
        data |= {
            "name": shorten(person.full_name if locale == "ja" else person.western_name, _TEXT_LIMIT),
            "company": shorten(person.company, _TEXT_LIMIT),
            "email": shorten(person.email, _TEXT_LIMIT),
            "owner_name": shorten(person.owner_name if person.owner_id == lead.owner_id else "", _TEXT_LIMIT),
        }
        data["records"] = [{"system": system, "id": source_id} for system, source_id in person.records]
    while len((body := _dump(lead, data)).encode()) >= BODY_LIMIT and data["records"]:
        # The ids in other systems are the only part of unbounded length.
        data["records"].pop()
    return body


def _dump(lead: HotLead, data: dict[str, Any]) -> str:
    content = {"type": f"{lead.model}.hot", "timestamp": utc_text(lead.timestamp), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC.

    >>> utc_text(datetime(2026, 1, 1, 9, tzinfo=UTC))
    '2026-01-01T09:00:00Z'
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
