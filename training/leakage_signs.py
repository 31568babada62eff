"""What a column looks like beside the outcome: numbers that tell knowledge of the outcome from a sign of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from training.evaluation import area_under_curve
from training.split import divide_by_circle

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
Codes = NDArray[np.int64]
_FOLDS = 5
_BINS = 20
_KEPT_VALUES = 200
_USUAL = 0.25
# Rows that a value's rate is drawn towards the base rate with: single rows must not look sure.
_PRIOR_ROWS = 10.0
_EARLIER = 0.7
# Of values on one side only: how common the missing side must be, how many of it are missed, and stray rows allowed.
_COMMON_SIDE = 0.2
_LEAST_EXPECTED = 20.0
_STRAY = 0.002
# What forms and exports write where nothing was chosen.
_PLACEHOLDERS = frozenset(
    (
        *("", "-", "--", "select", "please select", "none", "n/a", "na", "nan", "null", "unknown", "not specified"),
        *("未選択", "選択してください", "未入力", "不明", "なし"),
    )
)


@dataclass(frozen=True)
class Coded:
    """A column as a few values; code 0 is "nothing filled in".

    Attributes:
        codes: of each row.
        count: how many codes there are.
        is_amount: a number or a date of many values: where nothing happened there is nothing to measure, so that its
            gaps are no sign by themselves.
    """

    codes: Codes
    count: int
    is_amount: bool

    @property
    def filled(self) -> Labels:
        """Rows in which something is filled in."""
        return np.asarray(self.codes > 0)


@dataclass(frozen=True)
class Outcomes:
    """The rows that columns are held against.

    Attributes:
        label: what came of each row.
        circle: rows of one person, deal or account share a number.
        fold: number of the part that each row belongs to; a circle is never divided.
        order: rank of each row in time; None where no time is known.
    """

    label: Labels
    circle: Codes
    fold: Codes
    order: Codes | None

    @property
    def rate(self) -> float:
        """Share of positive rows."""
        return float(self.label.mean())


def outcomes_of(
    label: Labels,
    time: NDArray[np.datetime64] | NDArray[np.float64] | None,
    circle: NDArray[np.int64] | None,
    seed: int,
) -> Outcomes:
    """Divide the rows into folds, and order them where a time is known."""
    circle = np.arange(len(label)) if circle is None else circle
    order = None
    if time is not None:
        order = np.empty(len(label), dtype=np.int64)
        order[np.argsort(time, kind="stable")] = np.arange(len(label))
    return Outcomes(label, circle, divide_by_circle(circle, _FOLDS, seed), order)


def coded(values: "pd.Series[Any]") -> Coded:
    """The column in a few values: numbers and dates in bins of equal size, texts by frequency.

    >>> coded(pd.Series(["a", None, "Select", "b", "a"])).codes.tolist()
    [1, 0, 0, 2, 1]
    """
    series = values
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        series = (pd.to_datetime(series, utc=True) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype):
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        known = np.isfinite(numbers)
        distinct, rows = np.unique(numbers[known], return_counts=True)
        if len(distinct) > _BINS:
            # A value of its own ("nothing was spent") would swallow the bins beside it.
            usual = distinct[rows.argmax()] if rows.max() >= _USUAL * rows.sum() else np.nan
            others = numbers[known & (numbers != usual)]
            edges = np.unique(np.quantile(others, np.linspace(0, 1, _BINS + 1)[1:-1]))
            place = np.where(numbers == usual, len(edges) + 1, np.searchsorted(edges, numbers, side="right"))
        else:
            place = np.searchsorted(distinct, numbers)
        codes = np.where(known, place + 1, 0).astype(np.int64)
        return Coded(codes, int(codes.max(initial=0)) + 1, is_amount=len(distinct) > _BINS)
    texts = series.astype("string").str.strip()
    blank = texts.isna() | texts.str.lower().isin(_PLACEHOLDERS)
    texts = texts.mask(blank)
    frequent = texts.value_counts().index[:_KEPT_VALUES]
    # Whatever is rarer shares one code: "something else was filled in".
    place = pd.Index(frequent).get_indexer(pd.Index(texts))
    codes = np.where(blank, 0, np.where(place < 0, len(frequent) + 1, place + 1)).astype(np.int64)
    return Coded(codes, int(codes.max(initial=0)) + 1, is_amount=False)


def held_out_log_odds(column: Coded, outcomes: Outcomes) -> Floats:
    """What the value alone says of each row, by the rates that it has in the other folds."""
    said = np.empty(len(column.codes))
    for fold in range(_FOLDS):
        held = outcomes.fold == fold
        said[held] = _log_odds(column, outcomes.label, ~held)[column.codes[held]]
    return said


def lower_area(label: Labels, said: Floats) -> float:
    """AUC less 1.64 standard errors (Hanley and McNeil 1982): what is surely reached; NaN with too few of a kind."""
    wins, others = int(label.sum()), int((~label).sum())
    if min(wins, others) < _FOLDS * 4:
        return float("nan")
    area = area_under_curve(label, said)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (wins - 1) * (q1 - area**2) + (others - 1) * (q2 - area**2)) / (wins * others)
    return area - 1.64 * float(np.sqrt(max(variance, 0.0)))


def area_where_filled(column: Coded, outcomes: Outcomes, said: Floats) -> float:
    """AUC of the value among the rows that have one, at least."""
    return lower_area(outcomes.label[column.filled], said[column.filled])


@dataclass(frozen=True)
class Filling:
    """How often the column is filled in, by outcome, and how surely the two rates differ (a z value)."""

    won: float
    lost: float
    z: float


def filling(column: Coded, label: Labels) -> Filling:
    """Compare the rates of filling."""
    filled = column.filled
    wins, others = int(label.sum()), int((~label).sum())
    won, lost, whole = float(filled[label].mean()), float(filled[~label].mean()), float(filled.mean())
    error = np.sqrt(max(whole * (1 - whole), 1e-12) * (1 / wins + 1 / others))
    return Filling(won, lost, float((won - lost) / error))


@dataclass(frozen=True)
class OneSided:
    """Values that occur on one side of the outcome only.

    Attributes:
        won: which side.
        people: how many different people (or deals, accounts) have such a value.
        expected: how many of them would be on the other side if the value said nothing.
    """

    won: bool
    people: int
    expected: float


def one_sided(column: Coded, outcomes: Outcomes) -> OneSided | None:
    """The values that all of one side has; None where there are none.

    Sure losers are found in any market: whoever never opened a mail. So the side that is missing must be a common one,
    a fifth of all at least; then not one of many is more than a sign.
    """
    pairs = np.unique(np.column_stack([column.codes, outcomes.circle, outcomes.label]), axis=0)
    codes, label = pairs[:, 0], pairs[:, 2].astype(np.bool_)
    rate = float(label.mean())
    found = []
    for won, missing in ((True, 1 - rate), (False, rate)):
        if missing < _COMMON_SIDE:
            continue
        on_side = np.bincount(codes[label == won], minlength=column.count)
        beside = np.bincount(codes[label != won], minlength=column.count)
        alone = (on_side > 0) & (beside <= _STRAY * on_side)
        alone[0] = False
        people = int(on_side[alone & (on_side * missing >= _LEAST_EXPECTED)].sum())
        found.append(OneSided(won, people, people * missing))
    best = max(found, key=lambda one: one.expected, default=None)
    return best if best is not None and best.people else None


def chronological_gap(column: Coded, outcomes: Outcomes) -> tuple[float, float] | None:
    """AUC of the column on a random division, and on the newest rows when learned from the earlier ones."""
    if outcomes.order is None:
        return None
    earlier = outcomes.order < _EARLIER * len(outcomes.label)
    later = outcomes.label[~earlier]
    if min(int(later.sum()), int((~later).sum())) < _FOLDS * 4:
        return None
    said = held_out_log_odds(column, outcomes)
    by_time = _log_odds(column, outcomes.label, earlier)[column.codes[~earlier]]
    return area_under_curve(outcomes.label, said), area_under_curve(later, by_time)


def area_together(said: Sequence[Floats], outcomes: Outcomes) -> float:
    """AUC that several columns reach together: a logistic model over what each of them says, in folds."""
    if not said:
        return 0.5
    matrix = np.column_stack(said)
    joint = np.empty(len(outcomes.label))
    for fold in range(_FOLDS):
        held = outcomes.fold == fold
        line = LogisticRegression(C=1.0, max_iter=200).fit(matrix[~held], outcomes.label[~held])
        joint[held] = line.decision_function(matrix[held])
    return area_under_curve(outcomes.label, joint)


def _log_odds(column: Coded, label: Labels, rows: Labels) -> Floats:
    """Log-odds of each code among `rows`, drawn towards the base rate."""
    rate = float(label[rows].mean())
    total = np.bincount(column.codes[rows], minlength=column.count)
    wins = np.bincount(column.codes[rows], weights=label[rows], minlength=column.count)
    share = (wins + _PRIOR_ROWS * rate) / (total + _PRIOR_ROWS)
    odds: Floats = logit(np.clip(share, 1e-6, 1 - 1e-6))
    return odds
