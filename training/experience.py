"""What became of the people whom a model learned from, by what they had in each of its columns."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.encoding import FeatureColumn, Matrix
from scoring.experience import LEAST_PEOPLE, Alike, ColumnExperience, Experience

# Numbers above zero are divided into so many groups of about the same size.
_GROUPS = 4


def experience_of(
    matrix: Matrix, columns: Sequence[FeatureColumn], label: NDArray[np.bool_], person: NDArray[np.int64]
) -> Experience:
    """Count people and outcomes by groups of each column's values.

    Args:
        matrix: encoded rows, shape (rows, columns); several of a person.
        columns: what they are.
        label: whether the outcome came within the horizon, shape (rows,).
        person: numbers of the people, shape (rows,).
    """
    everybody = _counted(np.zeros(len(label), dtype=np.int64), 1, label, person)
    told = []
    for place, column in enumerate(columns):
        numbers = matrix[:, place]
        known = ~np.isnan(numbers)
        edges = np.unique(numbers[known]) if column.is_category else _edges(numbers[known])
        group = np.where(known, np.minimum(np.searchsorted(edges, numbers), max(len(edges) - 1, 0)), len(edges))
        people, won = _counted(group, len(edges) + 1, label, person)
        few = people < LEAST_PEOPLE
        people[few], won[few] = 0, 0
        told.append(ColumnExperience(*(tuple(values.tolist()) for values in (edges, people, won))))
    return Experience(Alike(*(int(count[0]) for count in everybody)), tuple(told))


def _edges(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Zero apart, since nothing is another matter than little; what is above it by quantiles."""
    above = numbers[numbers > 0]
    shares = np.arange(1, _GROUPS + 1) / _GROUPS
    edges = [np.quantile(above, shares, method="inverted_cdf")] if len(above) else []
    # All that is not above zero is one group, whose edge is zero.
    return np.unique(np.concatenate([*edges, np.zeros(int(len(above) < len(numbers)))]))


def _counted(
    group: NDArray[np.int64], groups: int, label: NDArray[np.bool_], person: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """By group the number of different people, and of those with an outcome."""
    pairs = person * groups + group
    people = np.bincount(np.unique(pairs) % groups, minlength=groups)
    won = np.bincount(np.unique(pairs[label]) % groups, minlength=groups)
    return people, won
