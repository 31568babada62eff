"""What every rung of the ladder becomes: a constant, curves and trees whose log-odds are added."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scoring.curves import Curves
from scoring.encoding import Matrix
from scoring.trees import Trees

Floats = NDArray[np.float64]
Rung = Literal["prior", "logistic", "trees"]


@dataclass(frozen=True, repr=False)
class AdditiveModel:
    """Log-odds = constant + curves + trees, each of the latter optional; what one column adds is therefore exact.

    Attributes:
        width: how many columns a row has.
        constant: log-odds before anything is known.
        curves: the logistic part.
        trees: the boosted part, its leaf values scaled by its weight in the blend.
    """

    width: int
    constant: float = 0.0
    curves: Curves | None = None
    trees: Trees | None = None

    def __repr__(self) -> str:
        parts = [f"{self.trees.count} trees"] if self.trees is not None else []
        parts += [f"{len(self.curves.curves)} curves"] if self.curves is not None else []
        return " and ".join(parts) or "the base rate"

    @property
    def rung(self) -> Rung:
        """The highest rung that has a part in it."""
        if self.trees is not None:
            return "trees"
        return "logistic" if self.curves is not None else "prior"

    def margin(self, matrix: Matrix) -> Floats:
        """Raw log-odds of each row, shape (rows,)."""
        total = np.full(len(matrix), self.constant)
        if self.curves is not None:
            total += self.curves.margin(matrix)
        if self.trees is not None:
            total += self.trees.margin(matrix)
        return total

    def contributions(self, matrix: Matrix) -> Floats:
        """What each column adds to the raw log-odds, shape (rows, columns + 1).

        The last column is the value expected before anything is known of the row; each row sums to its margin.
        """
        values = np.zeros((len(matrix), self.width + 1)) if self.trees is None else self.trees.contributions(matrix)
        if self.curves is not None:
            values += self.curves.contributions(matrix)
        values[:, -1] += self.constant
        return values
