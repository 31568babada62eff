"""Reasons for whoever uses the estimator alone: which columns moved a row's score, with their values."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_UP, _DOWN = "↑", "↓"


def strongest_columns(table: pa.Table, contributions: Floats, top: int) -> pd.DataFrame:
    """The `top` columns of each row by the size of their contribution.

    Args:
        table: the rows as they were given.
        contributions: shape (rows, columns + 1), the starting value last.
        top: how many at most.

    >>> rows = pa.table({"visits": [3.0], "rank": ["chief"]})
    >>> strongest_columns(rows, np.array([[0.5, -1.0, -2.0]]), 2)["reason_1"].item()
    '↓ rank: chief'
    """
    values = contributions[:, :-1]
    # Sorting by rounded size keeps the order when two machines differ in the last bit.
    size = np.round(np.abs(values), 6)
    kept = min(top, values.shape[1])
    candidates = np.argpartition(-size, kept - 1, axis=1)[:, :kept] if kept else np.empty((len(size), 0), np.int64)
    candidates.sort(axis=1)
    order = np.argsort(-np.take_along_axis(size, candidates, 1), axis=1, kind="stable")
    strongest = np.take_along_axis(candidates, order, 1)
    named = np.full((len(values), top), "", dtype=object)
    effects = np.zeros((len(values), top))
    for column in range(values.shape[1]):
        rows, places = np.nonzero((strongest == column) & (size[:, column] > 0)[:, np.newaxis])
        if len(rows):
            effect = values[rows, column]
            spoken = _spoken(table.column(column).take(pa.array(rows)))
            name = table.column_names[column]
            said = pc.binary_join_element_wise(np.where(effect > 0, _UP, _DOWN), pa.scalar(name + ":"), spoken, " ")
            named[rows, places] = said.to_numpy(zero_copy_only=False)
            effects[rows, places] = effect
    return pd.DataFrame(
        {
            name: part[:, n]
            for n in range(top)
            for name, part in ((f"reason_{n + 1}", named), (f"effect_{n + 1}", effects))
        }
    )


def _spoken(values: pa.ChunkedArray) -> pa.Array:
    """Values as texts; a missing one is a dash."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        # Four digits say enough, and need no rounding rule of their own.
        magnitude = pc.floor(pc.log10(pc.abs(pc.if_else(pc.equal(values, 0.0), 1.0, values))))
        known = values.to_numpy()
        digits = np.nan_to_num(3 - magnitude.to_numpy(), nan=0.0, posinf=0.0, neginf=0.0)
        scale = 10.0 ** np.clip(digits, 0, 12)
        values = pc.if_else(pc.is_finite(values), pa.array(np.round(known * scale) / scale), values)
    texts = pc.fill_null(values.cast(pa.string()), "–")
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
