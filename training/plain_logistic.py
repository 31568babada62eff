"""A logistic regression as a statistician would set it up in an hour: a baseline, not a model of ours."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from scoring.encoding import FeatureColumn, encode
from training.columns import learn_columns

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True)
class PlainLogistic:
    """Numbers on a logarithmic scale, standardised, with a mark where they are missing; one column for each value."""

    columns: tuple[FeatureColumn, ...]
    centre: Floats
    spread: Floats
    line: LogisticRegression

    def probability(self, table: pa.Table) -> Floats:
        """Chance of a win of each row."""
        laid = _laid_out(table, self.columns)
        chance: Floats = np.clip(self.line.predict_proba((laid - self.centre) / self.spread)[:, 1], 1e-9, 1 - 1e-9)
        return chance


def fit_plain_logistic(table: pa.Table, label: Labels) -> PlainLogistic:
    """Learn from all columns of `table`, with a weak pull towards zero."""
    columns = learn_columns(table, label)
    laid = _laid_out(table, columns)
    centre, spread = laid.mean(axis=0), laid.std(axis=0)
    spread[spread == 0] = 1.0
    line = LogisticRegression(C=0.1, solver="newton-cholesky", max_iter=25).fit((laid - centre) / spread, label)
    return PlainLogistic(columns, centre, spread, line)


def _laid_out(table: pa.Table, columns: tuple[FeatureColumn, ...]) -> Floats:
    matrix = encode(table, columns)
    parts = []
    for place, column in enumerate(columns):
        values = matrix[:, place]
        if column.vocabulary is not None:
            parts += [values == code for code in range(len(column.vocabulary))]
            continue
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        parts += [np.sign(filled) * np.log1p(np.abs(filled)), ~known]
    return np.column_stack(parts).astype(np.float64)
