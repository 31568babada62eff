"""What a training run found, for the summary, for `--json` and for the record of the stage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from training.backtest import Backtest, CutOff
from training.comparison import Comparison
from training.estimator import LeadScorer
from training.evaluation import area_under_curve
from training.gate import Judgement, Promotion, Verdict
from training.leakage import Language, LeakReport
from training.resampling import Interval
from training.slices import Slice
from training.spine import Spine
from training.split import TimeSplit, iso

_NOTHING = float("nan")


@dataclass(frozen=True)
class PartSummary:
    """One part of the data: rows, wins, people, and its first and last as-of moment (ISO 8601, UTC)."""

    rows: int
    positives: int
    people: int
    first: str
    last: str


@dataclass(frozen=True)
class TrainingResult:
    """What came of a training run; measures are of the test part, NaN where there was too little to measure.

    Attributes:
        version: number in the registry, "-" where nothing was registered.
        baselines: quality by name: `base_rate`, `points`, `naive_bayes`, `logistic`.
        verdict: is the model worth using against the baselines.
        promotion: did it become champion.
        why: both in words.
        points: whose rules `points` are: `configured`, `generic`, or `none`, where they give everybody the same.
        rows: mature rows in all parts and gaps.
        positives: won ones among them.
        unseen_auc: AUC on people of whom no row was trained on, with their numbers beside it.
        gain_over_base_rate: log-loss gained a row; `gain_standard_error` is clustered by person.
        rounds: trees of the model.
        calibrated_on: `later` or `circles`, see `training.estimator.HeldOut`.
        intervals: 95 % intervals of some measures, by name.
        capacity: people who can be worked on at each moment, 0 where nobody said; `precision_at_capacity` is the share
            of wins among the best so many.
        cut_offs: the backtest, oldest first; `random_auc` is for comparison.
        slices: quality by value of each category.
        leaks: names of fields with open strong evidence that they know the outcome.
        leakage: the gate's report, line by line, in the configured language.
        parts: `development` and `test`.
        data: fingerprint of everything the model was trained on.
        as_of: the moment (UTC) that the unified tables stood for; None in the records of earlier releases.
        generation: of the features that were learned from.
    """

    version: str
    auc: float
    ap: float
    logloss: float
    brier: float
    ece: float
    lift_at_10: float
    calibration_slope: float
    expected_observed: float
    baselines: dict[str, dict[str, float]]
    verdict: Verdict
    promotion: Promotion
    why: str
    points: str = "-"
    rows: int = 0
    positives: int = 0
    unseen_auc: float = _NOTHING
    unseen_rows: int = 0
    unseen_positives: int = 0
    gain_over_base_rate: float = _NOTHING
    gain_standard_error: float = _NOTHING
    rounds: int = 0
    calibrated_on: str = "-"
    intervals: dict[str, Interval] = field(default_factory=dict)
    capacity: int = 0
    precision_at_capacity: float = _NOTHING
    cut_offs: tuple[CutOff, ...] = ()
    random_auc: float = _NOTHING
    slices: tuple[Slice, ...] = ()
    leaks: tuple[str, ...] = ()
    leakage: tuple[str, ...] = ()
    parts: dict[str, PartSummary] = field(default_factory=dict)
    data: str = "-"
    as_of: datetime | None = None
    generation: str = "-"


def measured(
    spine: Spine,
    split: TimeSplit,
    scorer: LeadScorer,
    test: Comparison,
    past: Backtest,
    leaks: LeakReport,
    judgement: Judgement,
    language: Language,
) -> TrainingResult:
    """The result of a run that made a model; version and fingerprint of the data are filled in by the caller."""
    quality = test.quality
    return TrainingResult(
        version="-",
        auc=quality.auc,
        ap=quality.ap,
        logloss=quality.logloss,
        brier=quality.brier,
        ece=quality.ece,
        lift_at_10=quality.lift_at_10,
        calibration_slope=quality.calibration_slope,
        expected_observed=quality.expected_observed,
        baselines={name: baseline.as_dict() for name, baseline in test.baselines.items()},
        verdict=judgement.verdict,
        promotion=judgement.promotion,
        why=judgement.why,
        points=test.points_name,
        rows=spine.table.num_rows,
        positives=int(spine.label.sum()),
        unseen_auc=area_under_curve(test.label[test.unseen], test.probability[test.unseen]),
        unseen_rows=int(test.unseen.sum()),
        unseen_positives=int(test.label[test.unseen].sum()),
        gain_over_base_rate=test.gains["base_rate"].mean,
        gain_standard_error=test.gains["base_rate"].standard_error,
        rounds=scorer.rounds_,
        calibrated_on=scorer.held_out_.how,
        intervals=test.intervals,
        capacity=test.capacity.people if test.capacity else 0,
        precision_at_capacity=test.capacity.precision if test.capacity else _NOTHING,
        cut_offs=past.cut_offs,
        random_auc=past.random_auc,
        slices=test.slices,
        leaks=leaks.strong,
        leakage=tuple(leaks.lines(language)),
        parts={"development": _part(spine, split.earlier.rows), "test": _part(spine, split.later.rows)},
    )


def without_model(
    spine: Spine, judgement: Judgement, leaks: tuple[str, ...] = (), leakage: Sequence[str] = ()
) -> TrainingResult:
    """The result of a run that could make none: what stood in the way is told by the judgement."""
    return TrainingResult(
        version="-",
        auc=_NOTHING,
        ap=_NOTHING,
        logloss=_NOTHING,
        brier=_NOTHING,
        ece=_NOTHING,
        lift_at_10=_NOTHING,
        calibration_slope=_NOTHING,
        expected_observed=_NOTHING,
        baselines={},
        verdict=judgement.verdict,
        promotion=judgement.promotion,
        why=judgement.why,
        rows=spine.table.num_rows,
        positives=int(spine.label.sum()),
        leaks=leaks,
        leakage=tuple(leakage),
    )


def _part(spine: Spine, rows: NDArray[np.bool_]) -> PartSummary:
    as_of = spine.as_of[rows]
    return PartSummary(
        int(rows.sum()),
        int(spine.label[rows].sum()),
        len(np.unique(spine.person[rows])),
        iso(as_of.min()),
        iso(as_of.max()),
    )
