"""From the trees' raw margin to a probability: a straight line in log-odds, so that contributions stay additive."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Floats = NDArray[np.float64]

# How far the line may leave the identity without evidence (standard deviations of a normal prior). Snapshots of one
# person repeat, so that rows overstate the evidence; the prior on the slope is therefore kept tight.
_SLOPE_SPREAD = 0.1
_SHIFT_SPREAD = 0.7


@dataclass(frozen=True)
class Calibrator:
    """Log-odds = slope x margin + shift (Platt 1999), with a slope above zero, so that the order is kept.

    >>> Calibrator(1.0, 0.0).probability(np.array([0.0]))
    array([0.5])
    """

    slope: float = 1.0
    shift: float = 0.0

    def log_odds(self, margin: Floats) -> Floats:
        """Calibrated log-odds of raw margins."""
        return self.slope * margin + self.shift

    def probability(self, margin: Floats) -> Floats:
        """Calibrated probabilities of raw margins, strictly between 0 and 1."""
        probability: Floats = np.clip(expit(self.log_odds(margin)), 1e-9, 1 - 1e-9)
        return probability


def fit_calibrator(margin: Floats, outcome: NDArray[np.bool_]) -> Calibrator:
    """The line of best log-likelihood on held-out rows, drawn towards the identity where there is little evidence."""

    def loss(line: Floats) -> tuple[float, Floats]:
        z = line[0] * margin + line[1]
        error = expit(z) - outcome
        value = float(np.sum(np.logaddexp(0.0, z) - outcome * z))
        value += (line[0] - 1) ** 2 / (2 * _SLOPE_SPREAD**2) + line[1] ** 2 / (2 * _SHIFT_SPREAD**2)
        slope_pull = (line[0] - 1) / _SLOPE_SPREAD**2
        gradient = np.array([np.sum(error * margin) + slope_pull, np.sum(error) + line[1] / _SHIFT_SPREAD**2])
        return value, gradient

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.2, 3.0), (-5.0, 5.0)])
    return Calibrator(float(found.x[0]), float(found.x[1]))


def shift_to_mean(calibrator: Calibrator, margin: Floats, rate: float) -> Calibrator:
    """The same slope with the shift at which the mean probability over `margin` equals `rate`."""
    low, high = -15.0, 15.0
    for _ in range(60):
        middle = (low + high) / 2
        if float(np.mean(expit(calibrator.slope * margin + middle))) < rate:
            low = middle
        else:
            high = middle
    return Calibrator(calibrator.slope, (low + high) / 2)
