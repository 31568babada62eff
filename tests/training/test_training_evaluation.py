"""Measures against their definitions, and against scikit-learn's."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from training.canvas import as_png
from training.evaluation import area_under_curve, evaluate, gain_over, lift
from training.plots import gains_figure, reliability_figure


def sample(rows: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    chance = expit(rng.normal(-3, 1, rows))
    return rng.random(rows) < chance, chance


def test_true_probabilities_are_called_calibrated() -> None:
    won, chance = sample()
    quality = evaluate(won, chance)
    assert quality.calibration_slope == pytest.approx(1, abs=0.06)
    assert quality.expected_observed == pytest.approx(1, abs=0.06)
    assert quality.ece < 0.01


def test_agrees_with_scikit_learn() -> None:
    won, chance = sample(3000)
    chance = np.round(chance, 2).clip(0.01, 0.99)
    quality = evaluate(won, chance)
    assert quality.auc == pytest.approx(roc_auc_score(won, chance))
    assert quality.logloss == pytest.approx(log_loss(won, chance))
    assert quality.brier == pytest.approx(brier_score_loss(won, chance))


def test_too_extreme_probabilities_have_a_slope_below_one() -> None:
    won, chance = sample()
    assert evaluate(won, expit(2 * logit(chance))).calibration_slope == pytest.approx(0.5, abs=0.04)


def test_one_outcome_alone_measures_no_ranking() -> None:
    quality = evaluate(np.zeros(5, dtype=bool), np.full(5, 0.1))
    assert np.isnan([quality.auc, quality.ap, quality.lift_at_10, quality.expected_observed]).all()
    assert quality.logloss == pytest.approx(-np.log(0.9))


def test_ties_are_neither_gain_nor_loss() -> None:
    won, _ = sample(1000)
    same = np.full(1000, 0.3)
    assert area_under_curve(won, same) == 0.5
    assert lift(won, same, 0.1) == pytest.approx(1)


def test_a_gain_within_few_people_is_less_sure_than_among_many() -> None:
    won, chance = sample(4000)
    rate = np.full(4000, won.mean())
    alone = gain_over(won, chance, rate, np.arange(4000))
    repeated = gain_over(np.repeat(won, 5), np.repeat(chance, 5), np.repeat(rate, 5), np.repeat(np.arange(4000), 5))
    assert alone.confidence > 0.999
    # Five snapshots of each person are no more evidence than one.
    assert repeated.standard_error == pytest.approx(alone.standard_error, rel=1e-6)
    assert gain_over(won, rate, chance, np.arange(4000)).confidence < 0.001


def test_equal_probabilities_are_no_gain_at_all() -> None:
    won, chance = sample(100)
    assert gain_over(won, chance, chance, np.arange(100)).confidence == 0.5


def test_plots_are_pictures_and_the_same_twice() -> None:
    won, chance = sample(500)
    for draw in (lambda: reliability_figure(won, chance), lambda: gains_figure(won, chance, chance**2, "generic")):
        first, second = as_png(draw()), as_png(draw())
        assert first.startswith(b"\x89PNG")
        assert first == second
