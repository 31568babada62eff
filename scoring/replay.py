"""A score that was given in the past, computed once more from what was logged with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from core.database import Answer
from core.errors import ContractError
from features.catalog import ServiceSchema
from scoring.answers import unpack, unpack_words
from scoring.grades import evidence_of
from scoring.reasons import Language
from scoring.registry import Registered


@dataclass(frozen=True)
class Replayed:
    """One logged answer and what its model says of the same features today.

    Attributes:
        told: what was answered: probability, score, grade, evidence.
        again: the same, computed anew.
        differences: names of what is not the same to the last bit, the contributions included; empty as a rule.
        values: the features by name, as they were read; None where nothing was known.
        log_odds: calibrated, of the probability that was answered.
        effects: what each subject adds to the log-odds, by its name in the language asked for.
        reasons: the sentences that were given.
    """

    customer_id: str
    model: str
    model_version: str
    features_as_of: datetime
    answered_at: datetime
    told: Mapping[str, Any]
    again: Mapping[str, Any]
    differences: tuple[str, ...]
    values: Mapping[str, Any]
    log_odds: float
    effects: Mapping[str, float]
    reasons: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether everything came out as it was answered."""
        return not self.differences


def replay_answer(answer: Answer, version: Registered, schema: ServiceSchema, language: Language) -> Replayed:
    """Compute a logged answer again, with the model version that gave it.

    Args:
        answer: from the log.
        version: the answer's own model version.
        schema: the features as they are configured now, whose labels the sentences use.
        language: of subjects and sentences.

    Raises:
        ContractError: the version is another one, or was trained on features that are no longer configured.
    """
    if version.version != answer.model_version:
        raise ContractError(
            f"an answer of version {answer.model_version} and the model version {version.version}",
            "the version that gave the answer",
            "load that version",
        )
    bundle = version.bundle
    bundle.check(schema)
    matrix = unpack(answer.features)[np.newaxis, :]
    values = logged_values(answer, version)
    margin = bundle.predict_margin(matrix)
    score = bundle.score(margin)
    contributions = bundle.contributions(matrix)
    table = pa.table({name: pa.array([value]) for name, value in values.items()})
    alike = bundle.support.alike(bundle.calibrator.log_odds(margin))
    told = {name: getattr(answer, name) for name in ("probability", "score", "grade", "evidence")}
    again = {
        "probability": float(bundle.calibrator.probability(margin)[0]),
        "score": int(score[0]),
        "grade": str(bundle.grade(score)[0]),
        "evidence": str(evidence_of(schema.features, table, alike)[0]),
    }
    differences = [name for name, value in told.items() if again[name] != value]
    if not np.array_equal(bundle.encode(table), matrix, equal_nan=True):
        differences.append("features")
    if not np.array_equal(contributions[0], unpack(answer.contributions)):
        differences.append("contributions")
    writer = bundle.reason_writer(schema.features, language)
    effects = writer.by_subject(contributions)[0]
    reasons = writer.strongest(contributions[0], effects, values, matrix[0])
    return Replayed(
        customer_id=answer.customer_id,
        model=answer.model,
        model_version=answer.model_version,
        features_as_of=answer.features_as_of,
        answered_at=answer.answered_at,
        told=told,
        again=again,
        differences=tuple(differences),
        values=values,
        log_odds=float(bundle.calibrator.log_odds(margin)[0]),
        effects={writer.label(group): float(effect) for group, effect in enumerate(effects)},
        reasons=tuple(reason.text for reason in reasons),
    )


def logged_values(answer: Answer, version: Registered) -> dict[str, Any]:
    """The feature values behind a logged answer: numbers as the model read them, texts as they were told."""
    words = unpack_words(answer.features)
    values: dict[str, Any] = {}
    for column, number in zip(version.bundle.columns, unpack(answer.features), strict=True):
        known = not np.isnan(number)
        if words is not None and (column.name in words or column.vocabulary is not None):
            values[column.name] = words.get(column.name)
        elif column.vocabulary is not None:
            # Logged before texts were: what is too rare for a code of its own is not known any more.
            values[column.name] = column.vocabulary[int(number)] if known else None
        else:
            values[column.name] = float(number) if known else None
    return values
