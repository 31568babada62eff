"""An additive model: one curve a column, each a table of heights in log-odds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.encoding import Matrix

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """What one column adds to the log-odds.

    Attributes:
        column: its position in the matrix.
        places: ascending values; of a category its codes. Between two places the curve is a straight line, beyond the
            ends it is level.
        heights: the log-odds at each place.
        missing: the log-odds where the value is missing.
    """

    column: int
    places: tuple[float, ...]
    heights: tuple[float, ...]
    missing: float

    def at(self, values: Floats) -> Floats:
        """The height at each value."""
        places, heights = np.asarray(self.places), np.asarray(self.heights)
        if len(places) == 0:
            return np.where(np.isnan(values), self.missing, 0.0)
        found: Floats = np.where(np.isnan(values), self.missing, np.interp(values, places, heights))
        return found


@dataclass(frozen=True)
class Curves:
    """The sum of several curves over a matrix of `width` columns."""

    width: int
    curves: tuple[Curve, ...]

    def margin(self, matrix: Matrix) -> Floats:
        """The sum of the heights of each row, shape (rows,)."""
        total = np.zeros(len(matrix))
        for curve in self.curves:
            total += curve.at(matrix[:, curve.column])
        return total

    def contributions(self, matrix: Matrix) -> Floats:
        """The heights by column, shape (rows, columns + 1); the last column, the starting value, is 0."""
        values = np.zeros((len(matrix), self.width + 1))
        for curve in self.curves:
            values[:, curve.column] += curve.at(matrix[:, curve.column])
        return values

    def scaled(self, factor: float) -> "Curves":
        """The same curves with all heights times `factor`."""
        return Curves(
            self.width,
            tuple(
                Curve(c.column, c.places, tuple(factor * height for height in c.heights), factor * c.missing)
                for c in self.curves
            ),
        )

    def plus(self, others: Sequence[Curve]) -> "Curves":
        """These curves and others."""
        return Curves(self.width, (*self.curves, *others))

    def as_lists(self) -> list[list[Any]]:
        """A form for JSON."""
        return [[curve.column, list(curve.places), list(curve.heights), curve.missing] for curve in self.curves]

    @staticmethod
    def from_lists(width: int, lists: Sequence[Sequence[Any]]) -> "Curves":
        """The inverse of `as_lists`."""
        return Curves(
            width,
            tuple(Curve(column, tuple(places), tuple(heights), missing) for column, places, heights, missing in lists),
        )
