"""From feature columns to the numbers that a model reads; the same code in training and in scoring."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import ContractError
from scoring.text_values import date_of, is_text, number_of, read_texts, words_of

Matrix = NDArray[np.float64]
Parsed = Literal["number", "date"]
# The code of all values that are too rare for one of their own; no folded text holds a capital.
OTHER = "OTHER"


@dataclass(frozen=True)
class FeatureColumn:
    """One column of the model: a number, a category with the values that were seen in training, or words.

    Attributes:
        name: of the feature.
        vocabulary: of a category; the position of a folded value is its code. A value outside it is missing, or
            `OTHER` where training had enough rare ones.
        weights: of words; what each says for or against the outcome, in log-odds.
        parsed: set where texts hold numbers or dates.
    """

    name: str
    vocabulary: tuple[str, ...] | None = None
    weights: dict[str, float] | None = field(default=None, hash=False)
    parsed: Parsed | None = None

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
        code = {value: float(position) for position, value in enumerate(column.vocabulary)}
        other = code.get(OTHER, np.nan)
        return read_texts(values, lambda texts: np.array([code.get(text, other) for text in texts]))
    if column.weights is not None:
        weights = column.weights
        return read_texts(values, lambda texts: np.array([evidence_of_text(text, weights) for text in texts]))
    if column.parsed is not None and is_text(values.type):
        parse = number_of if column.parsed == "number" else date_of
        return read_texts(values, lambda texts: np.array([parse(text) for text in texts]))
    if pa.types.is_temporal(values.type):
        return days_of(values)
    try:
        numbers: NDArray[np.float64] = values.cast(pa.float64()).to_numpy().astype(np.float64, copy=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ContractError(
            f"the feature {column.name} is {values.type}", "a number", "build the features again"
        ) from error
    return numbers


def days_of(values: pa.ChunkedArray) -> NDArray[np.float64]:
    """Moments as days since 1970, NaN where missing; a moment without a zone is read as UTC."""
    moments = values.cast(pa.timestamp("us")) if pa.types.is_date(values.type) else values
    if pa.types.is_timestamp(moments.type):
        moments = moments.cast(pa.timestamp("us", moments.type.tz), safe=False)
    else:
        moments = moments.cast(pa.duration("us") if pa.types.is_duration(moments.type) else pa.time64("us"), safe=False)
    micros: NDArray[np.float64] = moments.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy()
    return micros / 86_400e6


def evidence_of_text(text: str, weights: dict[str, float]) -> float:
    """What a folded text says: as a whole where that is known, else the mean of its known words; NaN without any.

    >>> evidence_of_text("sales manager", {"sales": -0.25, "manager": 0.75}), evidence_of_text("x", {})
    (0.25, nan)
    """
    whole, *words = words_of(text)
    if whole in weights:
        return weights[whole]
    known = [weights[word] for word in words if word in weights]
    return sum(known) / len(known) if known else float("nan")
