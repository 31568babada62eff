"""What was decided about a model, and the fit that makes it from rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from threadpoolctl import threadpool_limits

from scoring.additive import AdditiveModel, Rung
from scoring.curves import Curve, Curves
from scoring.encoding import FeatureColumn, Matrix
from training.forest import dataset, grow, join
from training.logistic import LEARNED_ROWS, curves_of, design, fit_coefficients, lay_basis, limits, telling_rows
from training.tuning import Trial

Labels = NDArray[np.bool_]


@dataclass(frozen=True)
class Recipe:
    """What the held-out rows decided: how a model is to be made.

    Attributes:
        rung: the highest rung in it.
        penalty: of the logistic part.
        curves_weight: of the logistic part in the blend.
        trees: shapes with their weights in the blend.
        levels: added where parts of the market came out clearly above or below what was said of them.
    """

    rung: Rung
    penalty: float = 0.0
    curves_weight: float = 0.0
    trees: tuple[tuple[Trial, float], ...] = ()
    levels: tuple[Curve, ...] = ()

    def make(
        self,
        matrix: Matrix,
        won: Labels,
        columns: Sequence[FeatureColumn],
        monotone: Sequence[int],
        *,
        base: float,
        seed: int,
        threads: int,
    ) -> AdditiveModel:
        """The model, learned from all the rows given.

        Args:
            matrix: the rows, as `columns` encode them.
            won: their outcomes.
            columns: what each column of the matrix is.
            monotone: for each column 1, -1 or 0, see `training.columns.directions`.
            base: log-odds of a model that knows nothing.
            seed: of the trees.
            threads: change the speed, never the result.
        """
        width = len(columns)
        if self.rung == "prior":
            return AdditiveModel(width, base)
        constant, curves, trees = 0.0, None, None
        if self.curves_weight:
            constant, curves = self._curves(matrix, won, columns, monotone)
        if self.levels:
            curves = (curves or Curves(width, ())).plus(self.levels)
        if self.trees:
            data = dataset(matrix, won, columns)
            trees = join(
                [
                    (grow(data, trial.shape, trial.rounds, seed + n, threads, monotone), weight)
                    for n, (trial, weight) in enumerate(self.trees)
                ]
            )
        return AdditiveModel(width, constant, curves, trees)

    def _curves(
        self, matrix: Matrix, won: Labels, columns: Sequence[FeatureColumn], monotone: Sequence[int]
    ) -> tuple[float, Curves]:
        """Constant and curves of the logistic part, with its weight."""
        rows, weight = telling_rows(won, LEARNED_ROWS)
        matrix = matrix[rows]
        basis = lay_basis(matrix, columns)
        laid = design(matrix, basis)
        low, high = limits(basis, monotone)
        start = np.append(np.zeros(laid.shape[1]), logit(won.mean()))
        with threadpool_limits(1):
            found = fit_coefficients(laid, won[rows], weight, self.penalty, low, high, start)
        level, curves = curves_of(basis, found, laid, weight)
        return level * self.curves_weight, curves.scaled(self.curves_weight)
