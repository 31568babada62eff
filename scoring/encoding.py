"""From feature columns to the numbers that the trees read; the same code in training and in scoring."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import ContractError

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class FeatureColumn:
    """One column of the model: a number, or a category with the values that were seen in training.

    Attributes:
        vocabulary: None for a number; the position of a value is its code. A value outside it is missing.
    """

    name: str
    vocabulary: tuple[str, ...] | None = None

    @property
    def is_category(self) -> bool:
        """Whether the column holds codes rather than amounts."""
        return self.vocabulary is not None


def encode(table: pa.Table, columns: Sequence[FeatureColumn]) -> Matrix:
    """The rows of `table` as a matrix (rows, columns); missing and unseen values are NaN.

    Raises:
        ContractError: a column is absent or has no numeric form.
    """
    missing = [column.name for column in columns if column.name not in table.column_names]
    if missing:
        raise ContractError(
            f"the features lack {', '.join(missing[:5])}{' and more' if len(missing) > 5 else ''}",
            f"the {len(columns)} columns that the model was trained on",
            "build the features again or train a new model",
        )
    # Column order: the trees read whole rows of few columns at once, the encoder writes one column at a time.
    matrix = np.empty((table.num_rows, len(columns)), dtype=np.float64, order="F")
    for position, column in enumerate(columns):
        matrix[:, position] = _numbers(table[column.name], column)
    return matrix


def _numbers(values: pa.ChunkedArray, column: FeatureColumn) -> NDArray[np.float64]:
    if column.vocabulary is not None:
        values = pc.index_in(_as_text(values), value_set=pa.array(column.vocabulary, pa.string()))
    try:
        numbers: NDArray[np.float64] = values.cast(pa.float64()).to_numpy().astype(np.float64, copy=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ContractError(
            f"the feature {column.name} is {values.type}", "a number", "build the features again"
        ) from error
    return numbers


def _as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values if pa.types.is_string(values.type) else values.cast(pa.string())


def learn_vocabulary(values: pa.ChunkedArray, min_rows: int, max_size: int) -> tuple[str, ...]:
    """The values worth a code of their own: seen in at least `min_rows` rows, most frequent first.

    Rare values say little and let trees remember single people, so that they are left to "missing".
    """
    counted = pc.value_counts(pc.drop_null(_as_text(values).combine_chunks()))
    pairs = [(entry["values"], entry["counts"]) for entry in counted.to_pylist()]
    frequent = sorted((pair for pair in pairs if pair[1] >= min_rows), key=lambda pair: (-pair[1], pair[0]))
    return tuple(value for value, _ in frequent[:max_size])
