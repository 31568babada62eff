"""A boosted forest as text: raw margins and exact contributions."""

import lightgbm
import numpy as np
from numpy.typing import NDArray

from core.errors import ContractError
from scoring.encoding import Matrix

Floats = NDArray[np.float64]
_FEW_ROWS = 64


class Trees:
    """LightGBM trees loaded from their text form, never from a pickle."""

    def __init__(self, text: str) -> None:
        try:
            self._booster = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as error:
            raise ContractError("the model's trees cannot be read", "LightGBM's text format", "train again") from error
        self.text = text

    @property
    def width(self) -> int:
        """How many columns a row has."""
        return int(self._booster.num_feature())

    @property
    def count(self) -> int:
        """How many trees there are."""
        return int(self._booster.num_trees())

    def margin(self, matrix: Matrix) -> Floats:
        """Raw log-odds of each row, shape (rows,)."""
        if len(matrix) == 0:
            return np.empty(0)
        raw = self._booster.predict(matrix, raw_score=True, num_threads=_threads(matrix))
        return np.asarray(raw, dtype=np.float64)

    def contributions(self, matrix: Matrix) -> Floats:
        """Exact TreeSHAP values in raw log-odds (Lundberg et al. 2020), shape (rows, columns + 1).

        The last column is the value expected before anything is known of the row; each row sums to its margin.
        """
        if len(matrix) == 0:
            return np.empty((0, self.width + 1))
        values = self._booster.predict(matrix, pred_contrib=True, num_threads=_threads(matrix))
        return np.asarray(values, dtype=np.float64)


def _threads(matrix: Matrix) -> int:
    # Handing a few rows to several threads costs more than the trees themselves; 0 is LightGBM's own choice.
    return 1 if len(matrix) < _FEW_ROWS else 0
