"""From a model's raw margin to a probability, by a rising line or curve in log-odds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

# How far the line may leave the identity without evidence (standard deviations of a normal prior). Snapshots of one
# person repeat, so that rows overstate the evidence; the prior on the slope is therefore kept tight.
_SLOPE_SPREAD = 0.1
_SHIFT_SPREAD = 0.7
_BEND_SPREAD = 0.1
# Isotonic steps are averages of at least so many wins and others.
_MIN_STEP = 50


@dataclass(frozen=True)
class Calibrator:
    """Log-odds that rise with the margin, so that the order is kept.

    A line (slope and shift, Platt 1999), a line with a bend (beta calibration, Kull et al. 2017: slope - bend far below
    a chance of one half, slope + bend far above it), or steps (isotonic, joined by straight lines).

    Attributes:
        slope: above zero, and above the size of the bend.
        shift: added to all log-odds.
        bend: 0 for a line.
        steps: (margin, log-odds before the shift), ascending in both; empty for a line.

    >>> Calibrator(1.0, 0.0).probability(np.array([0.0]))
    array([0.5])
    """

    slope: float = 1.0
    shift: float = 0.0
    bend: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()

    @property
    def kind(self) -> str:
        """`line`, `beta` or `isotonic`."""
        if self.steps:
            return "isotonic"
        return "beta" if self.bend else "line"

    def log_odds(self, margin: Floats) -> Floats:
        """Calibrated log-odds of raw margins."""
        if self.steps:
            places, heights = np.array(self.steps).T
            beyond = margin - np.clip(margin, places[0], places[-1])
            risen: Floats = np.interp(margin, places, heights) + self.slope * beyond + self.shift
            return risen
        line: Floats = self.slope * margin + self.shift
        return line + self.bend * _hinge(margin) if self.bend else line

    def probability(self, margin: Floats) -> Floats:
        """Calibrated probabilities of raw margins, strictly between 0 and 1."""
        probability: Floats = np.clip(expit(self.log_odds(margin)), 1e-9, 1 - 1e-9)
        return probability

    def contributions(self, values: Floats) -> Floats:
        """Contributions to the raw margin as contributions to the calibrated log-odds; each row sums to the latter.

        A line scales all by its slope; on a curve each row is scaled by the slope of its chord from the starting value.

        Args:
            values: shape (rows, columns + 1), the starting value last.
        """
        start = values[:, -1]
        if self.kind == "line":
            scaled = values * self.slope
            scaled[:, -1] += self.shift
            return scaled
        margin = values.sum(axis=1)
        way, risen = margin - start, self.log_odds(margin) - self.log_odds(start)
        near = np.abs(way) < 1e-9
        chord = np.where(near, self.slope, risen / np.where(near, 1.0, way))
        scaled = values * chord[:, np.newaxis]
        scaled[:, -1] = self.log_odds(start)
        return scaled

    def shifted(self, by: float) -> "Calibrator":
        """The same rise with another shift."""
        return Calibrator(self.slope, self.shift + by, self.bend, self.steps)


def fit_calibrator(margin: Floats, outcome: Labels, *, bent: bool = False) -> Calibrator:
    """The line of best log-likelihood on held-out rows, drawn towards the identity where there is little evidence.

    Args:
        margin: of rows that the model did not see.
        outcome: theirs.
        bent: let the line bend (beta calibration).
    """
    hinge = _hinge(margin)
    hinge_mean = float(hinge.mean())

    def loss(line: Floats) -> tuple[float, Floats]:
        z = line[0] * margin + line[1] + line[2] * (hinge - hinge_mean)
        error = expit(z) - outcome
        value = float(np.sum(np.logaddexp(0.0, z) - outcome * z))
        value += (line[0] - 1) ** 2 / (2 * _SLOPE_SPREAD**2) + line[1] ** 2 / (2 * _SHIFT_SPREAD**2)
        value += line[2] ** 2 / (2 * _BEND_SPREAD**2)
        slope_pull = (line[0] - 1) / _SLOPE_SPREAD**2
        gradient = np.array(
            [
                np.sum(error * margin) + slope_pull,
                np.sum(error) + line[1] / _SHIFT_SPREAD**2,
                np.sum(error * (hinge - hinge_mean)) + line[2] / _BEND_SPREAD**2,
            ]
        )
        return value, gradient

    bounds = [(0.2, 3.0), (-5.0, 5.0), (-0.19, 0.19) if bent else (0.0, 0.0)]
    found = minimize(loss, np.array([1.0, 0.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    slope, shift, bend = (float(value) for value in found.x)
    return Calibrator(slope, shift - bend * hinge_mean, bend)


def fit_steps(margin: Floats, outcome: Labels) -> Calibrator:
    """Isotonic calibration: neighbours are pooled until each step holds enough of both outcomes and all steps rise.

    Instead of their plain share each step takes its share drawn to the fitted line, so that a step of few says little.
    """
    line = fit_calibrator(margin, outcome)
    order = np.argsort(margin, kind="stable")
    wins = min(int(outcome.sum()), int((~outcome).sum()))
    count = int(np.clip(wins // _MIN_STEP, 2, 20))
    blocks: list[tuple[float, float, float, float]] = []
    for rows in np.array_split(order, count):
        fair = line.log_odds(margin[rows])
        weight = float(np.sum(expit(fair) * (1 - expit(fair)))) + 1.0
        height = float(fair.mean()) + float(np.sum(outcome[rows] - expit(fair))) / weight
        blocks.append((weight, weight * float(margin[rows].mean()), weight * height, height))
        while len(blocks) > 1 and blocks[-2][3] >= blocks[-1][3]:
            upper, lower = blocks.pop(), blocks.pop()
            weight, place, rise = (low + high for low, high in zip(lower[:3], upper[:3], strict=True))
            blocks.append((weight, place, rise, rise / weight))
    steps = tuple((place / weight, height) for weight, place, _, height in blocks)
    return Calibrator(line.slope, 0.0, 0.0, steps)


def shift_to_mean(calibrator: Calibrator, margin: Floats, rate: float) -> Calibrator:
    """The same rise with the shift at which the mean probability over `margin` equals `rate`."""
    level = calibrator.log_odds(margin) - calibrator.shift
    low, high = -15.0, 15.0
    for _ in range(60):
        middle = (low + high) / 2
        if float(np.mean(expit(level + middle))) < rate:
            low = middle
        else:
            high = middle
    return calibrator.shifted((low + high) / 2 - calibrator.shift)


def _hinge(margin: Floats) -> Floats:
    """A smooth |margin|: what bends a line."""
    size = np.abs(margin)
    smooth: Floats = size + 2 * np.log1p(np.exp(-size))
    return smooth
