"""Quality within parts of the market: a model that is right on average may be wrong about an industry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog import Feature
from training.evaluation import area_under_curve

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
UNKNOWN = "-"
_LEAST_WINS = 10


@dataclass(frozen=True)
class Slice:
    """The rows in which a category has one value (`-`: none).

    Attributes:
        feature: the category.
        value: its value.
        rows: so many rows.
        positives: of them with the outcome.
        auc: ranking within the slice.
        expected_observed: sum of the probabilities over the number of wins.
    """

    feature: str
    value: str
    rows: int
    positives: int
    auc: float
    expected_observed: float


def slices_of(
    rows: pa.Table, features: Sequence[Feature], label: Labels, probability: Floats, least_wins: int = _LEAST_WINS
) -> tuple[Slice, ...]:
    """Every value of every category with enough wins to say anything, categories in their order, large slices first."""
    found = []
    for feature in features:
        if feature.type != "category":
            continue
        encoded = rows[feature.name].combine_chunks().dictionary_encode()
        values = [*encoded.dictionary.to_pylist(), UNKNOWN]
        place = encoded.indices.fill_null(len(values) - 1).to_numpy()
        wins = np.bincount(place, weights=label, minlength=len(values))
        of_feature = []
        for code in np.flatnonzero(wins >= least_wins):
            inside = place == code
            of_feature.append(
                Slice(
                    feature.name,
                    values[code],
                    int(inside.sum()),
                    int(wins[code]),
                    area_under_curve(label[inside], probability[inside]),
                    float(probability[inside].sum() / wins[code]),
                )
            )
        found += sorted(of_feature, key=lambda one: (-one.rows, one.value))
    return tuple(found)
