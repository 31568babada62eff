"""The logistic rung: a regularised additive model, each number a bent line, each category a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from scoring.curves import Curve, Curves
from scoring.encoding import FeatureColumn, Matrix

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
# Penalties on the squared coefficients, strongest first: each fit starts from its stronger neighbour.
PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0)
# On few rows the penalty that suits held-out rows best is mostly luck: a normal prior on its logarithm (mean and
# standard deviation) keeps it sensible there, and is forgotten where there are many.
_USUAL_PENALTY, _PENALTY_SPREAD = 10.0, 0.7
_MAX_COEFFICIENTS = 300
_STEPS = 60
# A fit ends when a step gains less than this a row, and its curvature is worked out anew when a step gains more than
# this share of the one before.
_CONVERGED, _SLOW = 1e-6, 0.1
# Rows that the coefficients are learned from, and rows that tell which penalty suits.
LEARNED_ROWS, TRIED_ROWS = 40_000, 16_000


def choose_penalty(total_losses: Sequence[float]) -> int:
    """The position in `PENALTIES` of the best one, from the summed held-out log-losses of each.

    >>> PENALTIES[choose_penalty([80, 71, 70.5, 70.2, 70])]
    10.0
    """
    away = np.log(np.array(PENALTIES) / _USUAL_PENALTY) / _PENALTY_SPREAD
    return int(np.argmin(np.asarray(total_losses) + away**2 / 2))


def telling_rows(label: Labels, most: int) -> tuple[NDArray[np.int64], Floats]:
    """So many rows that tell almost as much as all, and what each of them counts.

    What a model learns is limited by the rarer outcome: as many of its rows are taken as make up half, and the rest
    from the others, which count the more for those that were left out (weighted case-control sampling). Both outcomes
    must occur, and the order of the rows must be a random one.

    >>> rows, weight = telling_rows(np.arange(1000) % 20 == 0, 250)
    >>> len(rows), float(weight.min()), float(weight.max())
    (250, 1.0, 4.75)
    """
    if len(label) <= most:
        return np.arange(len(label)), np.ones(len(label))
    rare = label if 2 * label.sum() < len(label) else ~label
    few = np.flatnonzero(rare)[: most // 2]
    many = np.flatnonzero(~rare)[: most - len(few)]
    rows = np.sort(np.concatenate([few, many]))
    share = len(few) / rare.sum(), len(many) / (~rare).sum()
    return rows, np.where(rare[rows], 1.0, share[0] / share[1])


@dataclass(frozen=True)
class Basis:
    """How a matrix becomes the columns of the linear model.

    Attributes:
        places: by column of the matrix; of a number its knots, of a category its codes.
        category: whether it is one.
        blank: whether a missing value has a coefficient of its own.
    """

    places: tuple[tuple[float, ...], ...]
    category: tuple[bool, ...]
    blank: tuple[bool, ...]

    @property
    def sizes(self) -> list[int]:
        """Coefficients by column, that of the missing value last."""
        return [
            max(0, len(places) - (not category)) + blank
            for places, category, blank in zip(self.places, self.category, self.blank, strict=True)
        ]


def lay_basis(matrix: Matrix, columns: Sequence[FeatureColumn]) -> Basis:
    """Knots at quantiles: more of them where there are more rows, fewer where there are many columns."""
    share = max(1, _MAX_COEFFICIENTS // max(1, len(columns)))
    count = int(np.clip(len(matrix) // 100, 2, min(12, 1 + share)))
    places: list[tuple[float, ...]] = []
    blank = []
    for position, column in enumerate(columns):
        values = matrix[:, position]
        known = values[np.isfinite(values)]
        if column.vocabulary is not None:
            places.append(tuple(float(code) for code in range(len(column.vocabulary))))
        elif len(known) < 2:
            places.append(())
        else:
            knots = np.unique(np.quantile(known, np.linspace(0.01, 0.99, count + 1), method="nearest"))
            if len(knots) < 2:
                knots = np.unique([known.min(), known.max()])
            places.append(tuple(float(knot) for knot in knots) if len(knots) > 1 else ())
        blank.append(bool(len(known) < len(values)))
    return Basis(tuple(places), tuple(column.is_category for column in columns), tuple(blank))


def design(matrix: Matrix, basis: Basis) -> Floats:
    """Ramps between neighbouring knots, one column for each code, one for "missing"; shape (rows, coefficients)."""
    laid = np.zeros((len(matrix), sum(basis.sizes)), order="F")
    start = 0
    for position, (places, category, blank) in enumerate(zip(basis.places, basis.category, basis.blank, strict=True)):
        values = matrix[:, position]
        known = ~np.isnan(values)
        if category:
            for code in places:
                laid[:, start] = values == code
                start += 1
        else:
            for left, right in pairwise(places):
                laid[known, start] = np.clip((values[known] - left) / (right - left), 0.0, 1.0)
                start += 1
        if blank:
            laid[:, start] = ~known
            start += 1
    return laid


def limits(basis: Basis, monotone: Sequence[int]) -> tuple[Floats, Floats]:
    """Lowest and highest coefficients: the ramps of a monotone number all go one way."""
    low, high = [], []
    for size, blank, category, direction in zip(basis.sizes, basis.blank, basis.category, monotone, strict=True):
        ramps = 0 if category else size - blank
        low += [0.0 if direction > 0 else -np.inf] * ramps + [-np.inf] * (size - ramps)
        high += [0.0 if direction < 0 else np.inf] * ramps + [np.inf] * (size - ramps)
    return np.array(low), np.array(high)


def fit_coefficients(
    laid: Floats, label: Labels, row_weight: Floats, penalty: float, low: Floats, high: Floats, start: Floats
) -> Floats:
    """Ridge logistic coefficients, the constant last, by Newton's method on those that are not held at a limit.

    The problem is strictly convex; a step is halved until the loss falls. The curvature is what costs, and changes
    little once the loss does: it is worked out anew only where a step with the former one gains too little.
    """
    low, high = np.append(low, -np.inf), np.append(high, np.inf)
    weight = np.full(laid.shape[1] + 1, penalty)
    weight[-1] = 1e-6
    found = np.clip(start, low, high)
    z = laid @ found[:-1] + found[-1]

    def loss(z: Floats, coefficients: Floats) -> float:
        return float(np.sum(row_weight * (np.logaddexp(0.0, z) - label * z)) + 0.5 * np.sum(weight * coefficients**2))

    now = loss(z, found)
    free, factor, before, fresh = np.empty(0, np.int64), None, np.inf, False
    for _ in range(_STEPS):
        chance = expit(z)
        error = row_weight * (chance - label)
        gradient = np.append(laid.T @ error, error.sum()) + weight * found
        held = ((found <= low) & (gradient > 0)) | ((found >= high) & (gradient < 0))
        moving = np.flatnonzero(~held)
        fresh = factor is None or not np.array_equal(moving, free)
        if factor is None or fresh:
            free, factor = moving, cho_factor(_curvature(laid, row_weight * chance * (1 - chance), moving, weight))
        step = np.zeros(len(found))
        step[free] = cho_solve(factor, gradient[free])
        size = 1.0
        while size > 1e-4:
            tried = np.clip(found - size * step, low, high)
            tried_z = laid @ tried[:-1] + tried[-1]
            then = loss(tried_z, tried)
            if then < now:
                break
            size /= 2
        else:
            if fresh:
                break
            factor = None
            continue
        gained, found, z, now = now - then, tried, tried_z, then
        if gained < _CONVERGED * row_weight.sum():
            break
        if size < 1 or gained > _SLOW * before:
            factor = None
        before = gained
    return found


def _curvature(laid: Floats, row_weight: Floats, free: NDArray[np.int64], weight: Floats) -> Floats:
    """The second derivatives by the coefficients that may move, the constant among them as the last."""
    inner = free[free < laid.shape[1]]
    part = laid if len(inner) == laid.shape[1] else laid[:, inner]
    weighted = part * row_weight[:, np.newaxis]
    hessian = np.empty((len(free), len(free)))
    hessian[:-1, :-1] = part.T @ weighted
    hessian[-1, :-1] = hessian[:-1, -1] = weighted.sum(axis=0)
    hessian[-1, -1] = row_weight.sum()
    hessian[np.diag_indices(len(free))] += weight[free] + 1e-9
    return hessian


def curves_of(basis: Basis, coefficients: Floats, laid: Floats, row_weight: Floats) -> tuple[float, Curves]:
    """The coefficients as a constant and curves, each centred on the rows that were learned from."""
    constant = float(coefficients[-1])
    mean = row_weight @ laid / row_weight.sum()
    curves = []
    start = 0
    for position, (places, category, blank, size) in enumerate(
        zip(basis.places, basis.category, basis.blank, basis.sizes, strict=True)
    ):
        own = coefficients[start : start + size]
        centre = float(mean[start : start + size] @ own)
        start += size
        constant += centre
        slopes, missing = (own[:-1], float(own[-1])) if blank else (own, 0.0)
        heights = slopes if category else np.append(0.0, np.cumsum(slopes))
        if not size:
            continue
        curves.append(
            Curve(
                position,
                places,
                tuple(float(height) - centre for height in heights[: len(places)]),
                missing - centre,
            )
        )
    return constant, Curves(len(basis.places), tuple(curves))
