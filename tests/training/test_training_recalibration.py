"""Probabilities follow a base rate that has clearly moved, and only then."""

import numpy as np
import pytest
from scipy.special import expit

from training.recalibration import level_of

SIZE = 6000


def outcomes(seed, moved=0.0, since=0.5, size=SIZE):
    """Log-odds that were said, what came of the rows (newest last), and their moments."""
    random = np.random.default_rng(seed)
    said = random.normal(-2.5, 1, size)
    late = np.arange(size) >= since * size
    won = random.random(size) < expit(said + moved * late)
    return said, won, np.datetime64("2026-01-01") + np.arange(size).astype("timedelta64[m]")


def test_what_comes_as_expected_moves_nothing():
    shifts = [level_of(*outcomes(seed), np.arange(SIZE)).shift for seed in range(40)]
    assert shifts.count(0.0) >= 38


@pytest.mark.parametrize("moved", [1.0, -1.0])
def test_a_base_rate_that_moved_lately_is_read_from_the_newest_half(moved):
    said, won, time = outcomes(1, moved)
    level = level_of(said, won, time, np.arange(SIZE))
    assert level.shift == pytest.approx(moved, abs=0.2)
    assert level.observed == won[SIZE // 2 :].sum()
    assert level.expected == pytest.approx(expit(said[SIZE // 2 :]).sum())
    assert not level.rows[: SIZE // 2].any()


def test_a_small_move_that_all_rows_together_show_is_followed():
    said, won, time = outcomes(5, 0.25, since=0.0, size=4000)
    level = level_of(said, won, time, np.arange(4000))
    assert level.rows.all()
    assert level.shift == pytest.approx(0.25, abs=0.15)


def test_few_people_move_nothing_however_often_they_are_listed():
    said, won, time = outcomes(2, 2.0, since=0.0, size=60)
    assert 0 < won.sum() < 30
    many = np.repeat(np.arange(60), 40)
    assert level_of(said[many], won[many], time[many], many).shift == 0.0


def test_rows_that_repeat_a_win_are_counted_once():
    said, won, time = outcomes(3, 1.0)
    many = np.repeat(np.arange(SIZE), 3)
    once, thrice = (level_of(said[n], won[n], time[n], n) for n in (np.arange(SIZE), many))
    assert thrice.observed == once.observed
    assert thrice.expected == pytest.approx(once.expected, rel=0.01)
    assert thrice.shift == pytest.approx(once.shift, abs=0.02)
