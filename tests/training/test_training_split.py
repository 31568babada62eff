"""Parts by time never share an outcome."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import EvidenceError
from training.split import divide_by_circle, split_off_newest

START = np.datetime64("2024-01-01T00:00:00", "us")


@given(
    days=st.lists(st.floats(0, 700, allow_nan=False), min_size=1, max_size=60),
    share=st.floats(0.05, 0.9),
    horizon=st.integers(1, 120),
)
def test_no_outcome_window_reaches_into_the_later_part(days: list[float], share: float, horizon: int) -> None:
    as_of = START + (np.array(days) * 86_400e6).astype("timedelta64[us]")
    span = np.timedelta64(timedelta(days=horizon))
    try:
        split = split_off_newest(as_of, share, timedelta(days=horizon))
    except EvidenceError:
        # Refused only where nothing lies a whole horizon before the later part.
        moments = np.unique(as_of)
        assert not (as_of + span <= moments[len(moments) - max(1, round(share * len(moments)))]).any()
        return
    earlier, later = split.earlier, split.later
    assert earlier.rows.any()
    assert later.rows.any()
    assert not (earlier.rows & later.rows).any()
    assert (as_of[earlier.rows] + span).max() <= as_of[later.rows].min()
    assert later.last == as_of.max()
    # A deal won at any time has its window opened by rows of one part at most.
    for won in as_of + span / 2:
        counts = (as_of <= won) & (won < as_of + span)
        assert not ((counts & earlier.rows).any() and (counts & later.rows).any())


def test_the_share_is_of_moments_not_of_rows() -> None:
    as_of = START + np.array([0] * 50 + [100, 200, 300, 400]) * np.timedelta64(1, "D")
    split = split_off_newest(as_of, 0.4, timedelta(days=90))
    assert (split.earlier.rows.sum(), split.later.rows.sum()) == (52, 2)


def test_a_history_without_room_for_the_gap_is_refused() -> None:
    as_of = START + np.arange(20) * np.timedelta64(1, "D")
    with pytest.raises(EvidenceError, match="leaves nothing before a gap of 90 days"):
        split_off_newest(as_of, 0.2, timedelta(days=90))


@given(circle=st.lists(st.integers(0, 12), min_size=1, max_size=80), parts=st.integers(2, 5), seed=st.integers(0, 9))
def test_a_circle_lies_in_one_part(circle: list[int], parts: int, seed: int) -> None:
    number = divide_by_circle(np.array(circle), parts, seed)
    for one in set(circle):
        assert len(set(number[np.array(circle) == one])) == 1
