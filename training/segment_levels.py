"""Where a model is off in one part of the market: levels by value of a category, if other people bear them out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from scoring.calibration import fit_calibrator
from scoring.curves import Curve
from scoring.encoding import FeatureColumn, Matrix
from training.ladder import log_loss, wins_clearly
from training.split import divide_by_circle

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
Codes = NDArray[np.int64]
# With fewer circles that hold a win, or another row, nothing is said about parts of the market.
_LEAST_WINS = 200
# Standard errors by which levels must gain on rows they were not learned from. Levels of chance lose there: of 180
# categories in which a model was right, none passed at 1.5, one at 1.0 and six at 0.5.
_SURELY = 1.5
# How far a level may lie from none without evidence (standard deviation of a normal prior on the log-odds).
_SPREAD = 0.3
_MOST, _PARTS, _STEPS = 3, 4, 8


def segment_levels(
    matrix: Matrix, columns: Sequence[FeatureColumn], margin: Floats, outcome: Labels, circle: Codes
) -> tuple[Curve, ...]:
    """For the few categories in which the model is clearly off, what is to be added to the margin at each value.

    A model that is right on average may promise one industry too much and another too little. The levels by value are
    learned from three quarters of the circles and judged on the rest, in turn: they stay only where that lowers the
    log-loss by more than chance explains.

    Args:
        matrix: the rows, as `columns` encode them; they were not seen by the model.
        columns: what each column of the matrix is.
        margin: what the model said of the rows.
        outcome: what came of them.
        circle: rows with equal numbers share people, deals or accounts, and are one piece of evidence.
    """
    if min(len(np.unique(circle[outcome])), len(np.unique(circle[~outcome]))) < _LEAST_WINS:
        return ()
    part = divide_by_circle(circle, _PARTS, seed=1, won=outcome)
    # Rows that repeat a win say it once.
    weight = len(np.unique(circle[outcome])) / outcome.sum()
    codes = {n: _codes(matrix[:, n], column) for n, column in enumerate(columns) if column.vocabulary}
    found: list[Curve] = []
    for _ in range(_MOST):
        line = fit_calibrator(margin, outcome)
        said = line.log_odds(margin)
        gains = {n: _gain(said, outcome, circle, code, part, weight) for n, code in codes.items()}
        best = max(gains, key=lambda n: gains[n], default=None)
        if best is None or gains[best] <= 0:
            break
        level = _levels(said, outcome, codes[best], weight) / line.slope
        known = len(level) - 1
        found.append(
            Curve(best, tuple(float(n) for n in range(known)), tuple(level[:known].tolist()), float(level[known]))
        )
        margin = margin + level[codes[best]]
        del codes[best]
    return tuple(found)


def _codes(values: Floats, column: FeatureColumn) -> Codes:
    """Whole codes; the last one is that of missing values."""
    missing = len(column.vocabulary or ())
    return np.where(np.isnan(values), missing, values).astype(np.int64)


def _gain(said: Floats, outcome: Labels, circle: Codes, code: Codes, part: Codes, weight: float) -> float:
    """Log-loss that levels would save on rows they were not learned from; 0 where that is no clear gain."""
    before, after = log_loss(outcome, said), np.zeros(len(said))
    many = int(code.max()) + 1
    for number in range(_PARTS):
        judged, fitted = part == number, part != number
        level = np.zeros(many)
        learned = _levels(said[fitted], outcome[fitted], code[fitted], weight)
        level[: len(learned)] = learned
        after[judged] = log_loss(outcome[judged], said[judged] + level[code[judged]])
    return float((before - after).sum()) if wins_clearly(before, after, circle, _SURELY) else 0.0


def _levels(said: Floats, outcome: Labels, code: Codes, weight: float) -> Floats:
    """The most likely level of each code, drawn to none, by Newton's method on all of them at once."""
    level = np.zeros(int(code.max()) + 1)
    for _ in range(_STEPS):
        chance = expit(said + level[code])
        pull = weight * np.bincount(code, outcome - chance) - level / _SPREAD**2
        level += pull / (weight * np.bincount(code, chance * (1 - chance)) + 1 / _SPREAD**2)
    return level
