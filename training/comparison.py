"""The model beside what it must beat, on the same later rows."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.model_settings import EvaluationSettings
from core.storage import Workspace
from training.baselines import PointsRules, fit_points_scale
from training.estimator import LeadScorer
from training.evaluation import Gain, Quality, evaluate, gain_over
from training.naive_bayes import count_values
from training.plain_logistic import fit_plain_logistic
from training.resampling import Interval, intervals
from training.slices import Slice, slices_of
from training.split import TimeSplit
from training.training_set import TrainingSet

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
# What a company could use instead, today: the verdict is about these. The others only say where the model stands.
RIVALS = ("points", "naive_bayes")
_WORKING_DAYS = 5


@dataclass(frozen=True)
class Capacity:
    """What the people who call would have found: the best of each moment's list, as many as they can work on.

    Attributes:
        people: so many at each moment.
        precision: share of those with the outcome.
        by_points: the same for the points rules' list.
    """

    people: int
    precision: float
    by_points: float


@dataclass(frozen=True)
class Comparison:
    """What the test part says.

    Attributes:
        label: outcomes of the test rows.
        probability: what the model said.
        points: what the rules gave them.
        points_name: whose rules, `none` where they give everybody the same.
        quality: of the model.
        intervals: 95 % intervals of some measures, by name.
        baselines: quality of `base_rate`, `points`, `naive_bayes` and `logistic`.
        gains: log-loss gained over each of them.
        unseen: rows of people of whom none was trained on.
        slices: quality by value of each category.
        capacity: precision at what people can work on; None where nobody said how much that is.
    """

    label: Labels
    probability: Floats
    points: Floats
    points_name: str
    quality: Quality
    intervals: dict[str, Interval]
    baselines: dict[str, Quality]
    gains: dict[str, Gain]
    unseen: Labels
    slices: tuple[Slice, ...]
    capacity: Capacity | None

    @property
    def rival(self) -> str:
        """The best of what the company could use instead."""
        return min(RIVALS, key=lambda name: self.baselines[name].logloss)


def compare_on_later(
    data: TrainingSet,
    split: TimeSplit,
    scorer: LeadScorer,
    points: PointsRules,
    rules: EvaluationSettings,
    people: int | None,
) -> Comparison:
    """Measure the model and every baseline, all of them learned from the earlier part, on the later part.

    Args:
        data: all mature rows.
        split: which of them were learned from, and which are judged on.
        scorer: the fitted model.
        points: the company's rules, or usual ones.
        rules: how thoroughly.
        people: who can be worked on at each moment; None: not known.
    """
    learned, later = split.earlier.rows, split.later.rows
    names, outcomes = list(data.schema.names), data.outcomes
    known, label = outcomes.label[learned], outcomes.label[later]
    past, rows = data.features.filter(pa.array(learned)), data.features.filter(pa.array(later))
    probability = scorer.predict_proba(rows.select(names))[:, 1]
    earned = points.points(data.features)
    scale = fit_points_scale(earned[learned], known)
    categories = [feature.name for feature in data.schema.features if feature.type == "category"]
    said = {
        "base_rate": np.full(len(label), float(known.mean())),
        "points": scale.probability(earned[later]),
        "naive_bayes": count_values(past, known, categories).probability(rows),
        "logistic": fit_plain_logistic(past.select(names), known).probability(rows.select(names)),
    }
    cluster = np.unique(outcomes.person, return_inverse=True)[1][later]
    return Comparison(
        label=label,
        probability=probability,
        points=earned[later],
        points_name=points.name if np.ptp(earned) > 0 else "none",
        quality=evaluate(label, probability),
        intervals=intervals(label, probability, cluster, rules.resamples),
        baselines={name: evaluate(label, chance) for name, chance in said.items()},
        gains={name: gain_over(label, probability, chance, cluster) for name, chance in said.items()},
        unseen=~np.isin(outcomes.person[later], np.unique(outcomes.person[learned])),
        slices=slices_of(rows, data.schema.features, label, probability),
        capacity=_at_capacity(label, probability, earned[later], outcomes.as_of[later], people),
    )


def working_capacity(workspace: Workspace, rules: EvaluationSettings) -> int | None:
    """How many people can be worked on at a moment: as configured, else what all staff manage in a week."""
    if rules.capacity is not None:
        return rules.capacity
    daily = workspace.read_table("staff", ["daily_capacity"])["daily_capacity"].drop_null().to_numpy()
    return max(1, round(_WORKING_DAYS * float(daily.sum()))) if daily.sum() > 0 else None


def _at_capacity(
    label: Labels, probability: Floats, points: Floats, as_of: NDArray[np.datetime64], people: int | None
) -> Capacity | None:
    if people is None:
        return None
    hits, by_points, worked = 0, 0, 0
    for moment in np.unique(as_of):
        rows = np.flatnonzero(as_of == moment)
        many = min(people, len(rows))
        worked += many
        hits += int(label[rows[np.argsort(-probability[rows], kind="stable")[:many]]].sum())
        by_points += int(label[rows[np.argsort(-points[rows], kind="stable")[:many]]].sum())
    return Capacity(people, hits / worked, by_points / worked)
