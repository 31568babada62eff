"""People counted by what they once had, and what became of them."""

import numpy as np
import pytest

from scoring.encoding import FeatureColumn
from scoring.experience import LEAST_PEOPLE, Alike
from training.experience import experience_of

COLUMNS = (FeatureColumn("visits"), FeatureColumn("industry", ("a", "b")))


def test_everybody_counts_once_in_each_group_they_were_in() -> None:
    rng = np.random.default_rng(1)
    person = rng.integers(0, 300, 5000)
    matrix = np.column_stack([rng.poisson(1.5, 5000), rng.choice([0.0, 1.0, np.nan], 5000)])
    label = rng.random(5000) < 0.02 + 0.05 * (matrix[:, 0] > 3)
    experience = experience_of(matrix, COLUMNS, label, person)
    assert experience.everybody == Alike(300, len(set(person[label])))
    for column, number, group in (
        (0, 0.0, matrix[:, 0] == 0),
        (0, 99.0, matrix[:, 0] > np.quantile(matrix[matrix[:, 0] > 0, 0], 0.75)),
        (1, 1.0, matrix[:, 1] == 1),
        (1, np.nan, np.isnan(matrix[:, 1])),
    ):
        expected = Alike(len(set(person[group])), len(set(person[group & label])))
        assert experience.columns[column].alike(number) == expected


def test_handfuls_are_not_kept() -> None:
    person = np.arange(LEAST_PEOPLE + 1)
    matrix = np.zeros((len(person), 2))
    matrix[0, 1] = 1.0
    experience = experience_of(matrix, COLUMNS, person < 3, person)
    assert experience.columns[1].alike(0.0) == Alike(LEAST_PEOPLE, 2)
    assert experience.columns[1].alike(1.0) == Alike(0, 0)
    assert experience.supporting(1, 1.0, raises=True) is None


@pytest.mark.parametrize("numbers", [[np.nan] * 40, [0.0] * 40, [-2.0, 0.0, 1.0, np.nan] * 10])
def test_any_numbers_have_a_group(numbers: list[float]) -> None:
    matrix = np.array([numbers]).T
    (column,) = experience_of(matrix, COLUMNS[:1], np.zeros(40, dtype=bool), np.zeros(40, dtype=np.int64)).columns
    for number in (*numbers, -9.0, 9.0, np.nan):
        assert column.alike(number) == Alike(0, 0)
