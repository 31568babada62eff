"""The log of what was answered: enough of each changed score to compute and explain it again."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, delete, func, insert, select
from sqlalchemy.orm import Session

from core.database import Answer, ScoreState

Floats = NDArray[np.float64]
# SQLite takes at most 32,766 variables in one statement.
_CHUNK = 500


@dataclass(frozen=True)
class StoredScore:
    """The last score of a person, as the next one needs it."""

    version: str
    features_as_of: datetime
    probability: float
    score: int
    hot: bool
    hot_since: datetime | None


@dataclass(frozen=True)
class Scored:
    """One person's new score with what it was computed from: `words` are the texts behind the numbers of `features`."""

    customer_id: str
    probability: float
    score: int
    grade: str
    evidence: str
    hot: bool
    hot_since: datetime | None
    features: Floats
    words: Mapping[str, str]
    contributions: Floats


def pack(row: Floats) -> bytes:
    """A row of numbers as bytes, exact to the last bit (little-endian doubles, deflated).

    >>> unpack(pack(np.array([1.5, np.nan]))).tolist()
    [1.5, nan]
    """
    return zlib.compress(np.ascontiguousarray(row, dtype="<f8").tobytes(), level=1)


def unpack(packed: bytes) -> Floats:
    """The row that was packed."""
    return np.frombuffer(zlib.decompressobj().decompress(packed), dtype="<f8").astype(np.float64)


def pack_features(row: Floats, words: Mapping[str, str]) -> bytes:
    """A row of features: its numbers, and behind them the texts that a model reads as numbers.

    >>> packed = pack_features(np.array([2.0]), {"industry": "製造業"})
    >>> unpack(packed).tolist(), unpack_words(packed)
    ([2.0], {'industry': '製造業'})
    """
    told = json.dumps(words, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return pack(row) + zlib.compress(told.encode(), level=1)


def unpack_words(packed: bytes) -> dict[str, str] | None:
    """The texts of a row; None for one that was packed without them."""
    numbers = zlib.decompressobj()
    numbers.decompress(packed)
    if not numbers.unused_data:
        return None
    words: dict[str, str] = json.loads(zlib.decompress(numbers.unused_data))
    return words


def stored_scores(engine: Engine, model: str, customer_ids: Sequence[str] | None = None) -> dict[str, StoredScore]:
    """The state of every person who was ever scored by `model`, or of a few of them, by customer id."""
    query = select(ScoreState).where(ScoreState.model == model)
    if customer_ids is not None:
        query = query.where(ScoreState.customer_id.in_(customer_ids))
    with Session(engine) as session:
        states = session.scalars(query)
        return {
            state.customer_id: StoredScore(
                state.model_version, state.features_as_of, state.probability, state.score, state.hot, state.hot_since
            )
            for state in states
        }


def scores_before(
    engine: Engine, model: str, version: str, moment: datetime, customer_ids: Sequence[str] | None = None
) -> dict[str, int]:
    """The score that held at `moment` for everybody, or a few people, whom this version had answered by then.

    Only changes are logged, so that the newest answer up to a moment is the one that held.
    """
    place = func.row_number().over(
        partition_by=Answer.customer_id, order_by=(Answer.features_as_of.desc(), Answer.answer_id.desc())
    )
    answered = select(Answer.customer_id, Answer.score, place.label("place")).where(
        Answer.model == model, Answer.model_version == version, Answer.features_as_of <= moment
    )
    if customer_ids is not None:
        answered = answered.where(Answer.customer_id.in_(customer_ids))
    ranked = answered.subquery()
    query = select(ranked.c.customer_id, ranked.c.score).where(ranked.c.place == 1)
    with Session(engine) as session:
        return {row.customer_id: row.score for row in session.execute(query)}


def log_answers(
    engine: Engine, model: str, version: str, as_of: datetime, answered_at: datetime, scored: Sequence[Scored]
) -> int:
    """Log each score that differs from the stored one, and move the states on; all of it or nothing.

    A score of an older moment than the stored state changes neither log nor state, and repeating a run adds nothing.

    Returns:
        How many answers were added.
    """
    few = [row.customer_id for row in scored] if len(scored) <= _CHUNK else None
    known = stored_scores(engine, model, few)
    answers: list[Mapping[str, object]] = []
    states: list[Mapping[str, object]] = []
    for row in scored:
        last = known.get(row.customer_id)
        if last is not None and last.features_as_of > as_of:
            continue
        if last is None or (last.version, last.probability, last.hot) != (version, row.probability, row.hot):
            answers.append(_answer(model, version, as_of, answered_at, row))
        states.append(_state(model, version, as_of, row))
    with Session(engine) as session, session.begin():
        for chunk in _chunks([str(state["customer_id"]) for state in states]):
            session.execute(delete(ScoreState).where(ScoreState.model == model, ScoreState.customer_id.in_(chunk)))
        if answers:
            session.execute(insert(Answer), answers)
        if states:
            session.execute(insert(ScoreState), states)
    return len(answers)


def forget_answers(engine: Engine, customer_ids: Sequence[str]) -> int:
    """Delete all that was ever answered about people who are to be forgotten; returns how many answers went."""
    gone = 0
    with Session(engine) as session, session.begin():
        for chunk in _chunks(customer_ids):
            matching = Answer.customer_id.in_(chunk)
            gone += session.scalar(select(func.count()).select_from(Answer).where(matching)) or 0
            session.execute(delete(Answer).where(matching))
            session.execute(delete(ScoreState).where(ScoreState.customer_id.in_(chunk)))
    return gone


def last_answer(engine: Engine, model: str, customer_id: str) -> Answer | None:
    """The newest answer about a person, or None."""
    query = (
        select(Answer)
        .where(Answer.model == model, Answer.customer_id == customer_id)
        .order_by(Answer.features_as_of.desc(), Answer.answer_id.desc())
        .limit(1)
    )
    with Session(engine, expire_on_commit=False) as session:
        return session.scalars(query).first()


def answers_about(engine: Engine, model: str, customer_ids: Sequence[str]) -> list[Answer]:
    """Every answer that was logged about a person, under any of the person's ids, oldest first."""
    query = (
        select(Answer)
        .where(Answer.model == model, Answer.customer_id.in_(customer_ids))
        .order_by(Answer.features_as_of, Answer.answer_id)
    )
    with Session(engine, expire_on_commit=False) as session:
        return list(session.scalars(query))


def week_before(as_of: datetime) -> datetime:
    """The moment that `delta_7d` compares with."""
    return as_of - timedelta(days=7)


def _answer(model: str, version: str, as_of: datetime, answered_at: datetime, row: Scored) -> dict[str, object]:
    return {
        "model": model,
        "customer_id": row.customer_id,
        "model_version": version,
        "features_as_of": as_of,
        "answered_at": answered_at,
        "probability": row.probability,
        "score": row.score,
        "grade": row.grade,
        "evidence": row.evidence,
        "hot": row.hot,
        "features": pack_features(row.features, row.words),
        "contributions": pack(row.contributions),
    }


def _state(model: str, version: str, as_of: datetime, row: Scored) -> dict[str, object]:
    return {
        "model": model,
        "customer_id": row.customer_id,
        "model_version": version,
        "features_as_of": as_of,
        "probability": row.probability,
        "score": row.score,
        "hot": row.hot,
        "hot_since": row.hot_since,
    }


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]
