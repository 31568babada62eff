"""Where a person stands among the people the model was made with: percentile, grade, fit, engagement, evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.model_settings import GradeSettings
from features.catalog import Feature

Floats = NDArray[np.float64]
Evidence = Literal["low", "medium", "high"]
# A reference distribution is kept as so many evenly spaced order statistics at most.
_KEPT_VALUES = 2000
_FIT_CUTS = ((75.0, "A"), (50.0, "B"), (25.0, "C"))
# How much must be known of the person, and how many people like them must have been seen, for each level of evidence.
_MEDIUM_FACTS, _HIGH_FACTS = 3, 8
_MEDIUM_PEOPLE, _HIGH_PEOPLE = 30, 200
_HIGH_SIGNALS = 2
# People within this distance in log-odds count as alike: a factor of 1.6 in the odds.
_ALIKE = 0.5


def freeze_reference(values: Floats) -> tuple[float, ...]:
    """Order statistics that stand for the distribution of `values`, ascending."""
    ordered = np.sort(values)
    if len(ordered) > _KEPT_VALUES:
        places = np.linspace(0, len(ordered) - 1, _KEPT_VALUES).round().astype(np.int64)
        ordered = ordered[places]
    return tuple(float(value) for value in ordered)


def percentile(reference: Sequence[float], values: Floats) -> Floats:
    """Share in percent of the reference below each value, equals counted half; 0 to 100.

    >>> percentile([1.0, 2.0, 2.0, 3.0], np.array([0.0, 2.0, 9.0])).tolist()
    [0.0, 50.0, 100.0]
    """
    ordered = np.asarray(reference)
    below = np.searchsorted(ordered, values, side="left")
    up_to = np.searchsorted(ordered, values, side="right")
    share: Floats = 50.0 * (below + up_to) / len(ordered)
    return share


def score_of(reference: Sequence[float], margin: Floats) -> NDArray[np.int64]:
    """The percentile as a whole number from 1 to 100, by raw margin."""
    score: NDArray[np.int64] = np.clip(np.floor(percentile(reference, margin)) + 1, 1, 100).astype(np.int64)
    return score


def grade_of(score: NDArray[np.int64], cuts: GradeSettings) -> NDArray[np.str_]:
    """A to D by the lowest score of each grade.

    >>> grade_of(np.array([95, 70, 40, 39]), GradeSettings()).tolist()
    ['A', 'B', 'C', 'D']
    """
    return np.select([score >= cuts.a, score >= cuts.b, score >= cuts.c], ["A", "B", "C"], "D")


def fit_of(reference: Sequence[float], contribution: Floats) -> NDArray[np.str_]:
    """A (best quarter of the reference) to D by what speaks for or against who the person is."""
    share = percentile(reference, contribution)
    return np.select([share >= cut for cut, _ in _FIT_CUTS], [letter for _, letter in _FIT_CUTS], "D")


def engagement_of(reference: Sequence[float], contribution: Floats) -> NDArray[np.int64]:
    """1 (most engaged quarter of the reference) to 4 by what speaks for or against what the person does."""
    share = percentile(reference, contribution)
    return np.select([share >= cut for cut, _ in _FIT_CUTS], [1, 2, 3], 4)


@dataclass(frozen=True)
class Support:
    """Calibrated log-odds of people whose outcome was held out in training, one value a person."""

    log_odds: tuple[float, ...]
    people: int

    def alike(self, log_odds: Floats) -> Floats:
        """About how many held-out people had nearly the same log-odds as each row."""
        if not self.log_odds:
            return np.zeros(len(log_odds))
        ordered = np.asarray(self.log_odds)
        # Beyond the ends of what was seen, the people at the end are the nearest ones.
        inside = np.clip(log_odds, ordered[0] + _ALIKE, max(ordered[-1] - _ALIKE, ordered[0] + _ALIKE))
        above = np.searchsorted(ordered, inside + _ALIKE, side="right")
        below = np.searchsorted(ordered, inside - _ALIKE, side="left")
        return np.asarray((above - below) * (self.people / len(ordered)), dtype=np.float64)


def evidence_of(features: Sequence[Feature], table: pa.Table, alike: Floats) -> NDArray[np.str_]:
    """How much a probability rests on: `low`, `medium` or `high`.

    Two things are needed. Facts about the person: filled profile fields, and different signals ever shown. And
    experience: people with nearly the same log-odds whose outcome was known and kept out of training. `medium` takes
    3 facts and 30 people, `high` 8 facts, 2 of them signals, and 200 people.
    """
    known = np.zeros(table.num_rows, dtype=np.int64)
    signals = np.zeros(table.num_rows, dtype=np.int64)
    for feature in features:
        if feature.kind == "fit" and feature.source is not None:
            known += pc.is_valid(table[feature.name]).to_numpy()
    for names in _last_seen(features).values():
        shown = np.zeros(table.num_rows, dtype=np.bool_)
        for name in names:
            shown |= pc.is_valid(table[name]).to_numpy()
        signals += shown
    facts = known + signals
    high = (facts >= _HIGH_FACTS) & (signals >= _HIGH_SIGNALS) & (alike >= _HIGH_PEOPLE)
    medium = (facts >= _MEDIUM_FACTS) & (alike >= _MEDIUM_PEOPLE)
    return np.select([high, medium], ["high", "medium"], "low")


def _last_seen(features: Sequence[Feature]) -> Mapping[str, list[str]]:
    """By subject, the columns that are filled as soon as the signal was ever shown."""
    found: dict[str, list[str]] = {}
    for feature in features:
        if feature.measure == "days_since" and feature.signal is not None:
            found.setdefault(feature.subject, []).append(feature.name)
        if feature.name in ("deal_stage", "days_since_lost"):
            found.setdefault(feature.subject, []).append(feature.name)
    return found
