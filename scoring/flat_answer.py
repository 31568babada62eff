"""The answer of a lookup: one flat object whose keys always have the same types and are never blank."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from core.database import Answer
from core.settings import Settings
from features.catalog import Feature
from scoring.answers import Scored, StoredScore, unpack
from scoring.reasons import REASONS, Language
from scoring.registry import Registered
from scoring.replay import logged_values
from scoring.score import score_rows

FlatAnswer = dict[str, str | int | float | bool]


def flat_answers(
    settings: Settings,
    model: str,
    champion: Registered,
    rows: pa.Table,
    features: tuple[Feature, ...],
    last: Mapping[str, StoredScore],
    before: Mapping[str, int],
    now: datetime,
    language: Language,
) -> tuple[list[FlatAnswer], list[Scored]]:
    """Answers for feature rows, through the same path as a batch, and what is to be logged of them.

    The arguments are those of `scoring.score.score_rows`; both lists are in the order of `rows`.
    """
    scored, table = score_rows(settings, model, champion, rows, features, last, before, now, language)
    return [flat_answer(row) for row in table.to_pylist()], scored


def flat_answer(row: Mapping[str, Any]) -> FlatAnswer:
    """One row in the columns of `scoring.score.SCORES_SCHEMA` as an answer."""
    blank = empty_answer(row["status"], row["model"], row["customer_id"], row["scored_at"], row["model_version"])
    if row["status"] != "ok":
        return blank
    told = {key: value for key, value in row.items() if key in blank and key != "scored_at"}
    return {**blank, **told, "features_as_of": iso(row["as_of"])}


def empty_answer(status: str, model: str, customer_id: str, now: datetime, version: str) -> FlatAnswer:
    """All keys with nothing said: what people get for whom there is no score.

    >>> answer = empty_answer("unknown", "lead", "", datetime(2026, 10, 1, tzinfo=UTC), "-")
    >>> answer["status"], answer["score"], answer["grade"], answer["reason_1"], answer["scored_at"]
    ('unknown', 0, '-', '', '2026-10-01T00:00:00Z')
    """
    return {
        "status": status,
        "system": "",
        "id": "",
        "customer_id": customer_id,
        "model": model,
        "score": 0,
        "probability": 0.0,
        "grade": "-",
        "fit": "-",
        "engagement": 0,
        "trend": "new",
        "delta_7d": 0,
        "hot": False,
        "evidence": "low",
        **{f"reason_{n}": "" for n in range(1, REASONS + 1)},
        "scored_at": iso(now),
        "features_as_of": "",
        "model_version": version,
    }


def stale_answer(
    stored: Answer, champion: Registered | None, features: tuple[Feature, ...], language: Language
) -> FlatAnswer:
    """The answer that was given last, for when no new one can be computed.

    Reasons, fit and engagement are taken from what was logged, where the version that gave the answer is at hand.
    """
    answer = empty_answer("stale", stored.model, stored.customer_id, stored.answered_at, stored.model_version)
    answer |= {
        "score": stored.score,
        "probability": stored.probability,
        "grade": stored.grade,
        "hot": stored.hot,
        "evidence": stored.evidence,
        "features_as_of": iso(stored.features_as_of),
    }
    if champion is None or champion.version != stored.model_version:
        return answer
    contributions = unpack(stored.contributions)
    fit, engagement = champion.bundle.fit_and_engagement(contributions[np.newaxis, :], features)
    writer = champion.bundle.reason_writer(features, language)
    effects = writer.by_subject(contributions[np.newaxis, :])[0]
    values = logged_values(stored, champion)
    spoken = [reason.text for reason in writer.strongest(contributions, effects, values, unpack(stored.features))]
    answer |= {f"reason_{n}": text for n, text in enumerate(spoken, start=1)}
    return answer | {"fit": str(fit[0]), "engagement": int(engagement[0])}


def iso(moment: datetime) -> str:
    """A moment as text, in UTC.

    >>> iso(datetime(2026, 10, 1, 9, 30, tzinfo=UTC))
    '2026-10-01T09:30:00Z'
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
