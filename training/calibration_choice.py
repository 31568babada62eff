"""Which form calibration takes: a line, a bent line or steps, whichever serves rows that it was not fitted on."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scoring.calibration import Calibrator, fit_calibrator, fit_steps
from training.ladder import log_loss, wins_clearly
from training.split import divide_by_circle

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
# Simplest first.
_FORMS: tuple[Callable[[Floats, Labels], Calibrator], ...] = (
    fit_calibrator,
    lambda margin, outcome: fit_calibrator(margin, outcome, bent=True),
    fit_steps,
)
_PARTS = 4
# With fewer circles that hold a win, or another row, a form has nothing to tell itself apart by.
_LEAST_WINS = 200


def best_calibrator(margin: Floats, outcome: Labels, circle: NDArray[np.int64]) -> Calibrator:
    """The simplest form, unless a bend or steps serve other people's rows clearly better.

    Args:
        margin: of rows that the model did not see.
        outcome: theirs.
        circle: rows with equal numbers share people, deals or accounts; they are fitted or judged together.
    """
    if min(len(np.unique(circle[outcome])), len(np.unique(circle[~outcome]))) < _LEAST_WINS:
        return fit_calibrator(margin, outcome)
    losses = [np.zeros(len(margin)) for _ in _FORMS]
    part = divide_by_circle(circle, _PARTS, seed=0, won=outcome)
    for number in range(_PARTS):
        judged, fitted = part == number, part != number
        for loss, form in zip(losses, _FORMS, strict=True):
            calibrator = form(margin[fitted], outcome[fitted])
            loss[judged] = log_loss(outcome[judged], calibrator.log_odds(margin[judged]))
    chosen = 0
    for other in range(1, len(_FORMS)):
        if wins_clearly(losses[chosen], losses[other], circle):
            chosen = other
    return _FORMS[chosen](margin, outcome)
