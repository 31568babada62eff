"""The logistic rung: what it learns from a part of the rows, where the outcome is rare."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from scoring.encoding import FeatureColumn
from training.logistic import design, fit_coefficients, lay_basis, telling_rows

EFFECTS = np.array([0.8, 0.4, 0.0, -0.4, -0.8])
COLUMNS = (FeatureColumn("industry", vocabulary=("a", "b", "c", "d", "e")),)


def market(rows: int = 60_000) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Five industries of different promise, of which two people in a hundred are won."""
    random = np.random.default_rng(5)
    industry = random.integers(0, len(EFFECTS), rows)
    matrix = np.asfortranarray(industry[:, None].astype(float))
    return matrix, random.random(rows) < expit(-4 + EFFECTS[industry])


def learned(
    matrix: NDArray[np.float64], won: NDArray[np.bool_], weight: NDArray[np.float64], rate: float
) -> NDArray[np.float64]:
    """Log-odds of each industry."""
    basis = lay_basis(matrix, COLUMNS)
    laid = design(matrix, basis)
    free = np.full(laid.shape[1], np.inf)
    start = np.append(np.zeros(laid.shape[1]), logit(rate))
    found = fit_coefficients(laid, won, weight, 1.0, -free, free, start)
    return np.asarray(found[:-1] + found[-1])


def test_a_part_that_holds_the_rare_outcomes_tells_what_all_rows_tell() -> None:
    matrix, won = market()
    rows, weight = telling_rows(won, 6000)
    everything = learned(matrix, won, np.ones(len(won)), won.mean())
    part = learned(matrix[rows], won[rows], weight, won.mean())
    first = learned(matrix[:6000], won[:6000], np.ones(6000), won.mean())
    assert len(rows) == 6000
    assert won[rows].sum() == won.sum()
    assert np.abs(part - everything).max() < 0.1
    assert np.abs(part - everything).max() < 0.5 * np.abs(first - everything).max()


def test_a_part_claims_no_more_evidence_than_it_holds() -> None:
    _, won = market()
    often = np.random.default_rng(1).random(len(won)) < 0.4
    rows, weight = telling_rows(often, 6000)
    assert often[rows].sum() == 3000
    assert weight[often[rows]].max() == 1.0
    share = often[rows] @ weight / weight.sum()
    assert np.isclose(share, often.mean())


def test_few_rows_are_all_taken_as_they_are() -> None:
    won = np.arange(100) % 7 == 0
    rows, weight = telling_rows(won, 100)
    assert np.array_equal(rows, np.arange(100))
    assert np.array_equal(weight, np.ones(100))
