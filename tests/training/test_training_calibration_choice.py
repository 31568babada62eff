"""The form of a calibration follows the evidence: a line, unless a bend or steps clearly serve better."""

import numpy as np
import pytest
from scipy.special import expit

from training.calibration_choice import best_calibrator
from training.ladder import log_loss

SIZE = 40_000


def drawn(log_odds, seed=0):
    return np.random.default_rng(seed).random(len(log_odds)) < expit(log_odds)


def margins(seed=1, size=SIZE):
    return np.random.default_rng(seed).normal(-2, 1.5, size)


@pytest.mark.parametrize("seed", range(3))
def test_where_a_line_holds_it_stays_a_line(seed):
    margin = margins(seed)
    found = best_calibrator(margin, drawn(0.8 * margin - 0.3, seed), np.arange(SIZE))
    assert found.kind == "line"
    assert found.slope == pytest.approx(0.8, abs=0.05)
    assert found.shift == pytest.approx(-0.3, abs=0.1)


def test_what_no_line_follows_is_followed_by_another_form():
    margin = margins()
    # Nothing above a chance of one in four: the model is far too sure at the top.
    true = np.minimum(margin, -1.1)
    found = best_calibrator(margin, drawn(true), np.arange(SIZE))
    assert found.kind != "line"
    top = margin > 0
    assert expit(found.log_odds(margin))[top].mean() == pytest.approx(expit(true)[top].mean(), rel=0.1)
    others, label = margins(5), drawn(np.minimum(margins(5), -1.1), 6)
    line = best_calibrator(margin[:300], drawn(true)[:300], np.arange(300))
    assert log_loss(label, found.log_odds(others)).mean() < log_loss(label, line.log_odds(others)).mean()


def test_few_outcomes_bear_a_line_only():
    margin = margins(size=600)
    label = drawn(np.minimum(margin, -1.1))
    assert 0 < label.sum() < 200
    assert best_calibrator(margin, label, np.arange(600)).kind == "line"


def test_rows_that_repeat_are_no_evidence_of_their_own():
    """Sixty rows of each of some people say no more than one of each."""
    margin = np.repeat(margins(size=700), 60)
    label = np.repeat(drawn(np.minimum(margins(size=700), -1.1)), 60)
    assert label.sum() > 200
    assert best_calibrator(margin, label, np.repeat(np.arange(700), 60)).kind == "line"


@pytest.mark.parametrize("shape", [lambda m: np.minimum(m, -1.1), lambda m: m + 0.3 * np.abs(m + 2), lambda m: 0.7 * m])
def test_the_order_is_kept_and_parts_add_up(shape):
    margin = margins()
    found = best_calibrator(margin, drawn(shape(margin)), np.arange(SIZE))
    ordered = np.sort(margin)
    assert (np.diff(found.log_odds(ordered)) >= 0).all()
    parts = np.column_stack([0.4 * margin, 0.6 * margin + 1.5, np.full(SIZE, -1.5)])
    np.testing.assert_allclose(found.contributions(parts).sum(axis=1), found.log_odds(margin), atol=1e-9)
