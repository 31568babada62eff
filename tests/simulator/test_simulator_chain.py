"""The causal model and the draws from it: chances, seasons, exposures."""

import numpy as np
import pytest

from simulator.causal_model import (
    EXPOSURE_OF_TRACE,
    FIT_CLASSES,
    HORIZON_DAYS,
    STAGE_OF_STATE,
    STATES,
    TRACE_RATES,
    WON,
    build_dynamics,
    fit_class,
)
from simulator.chain import Calendar, Members, Units, day_weights, draw_paths, draw_traces, exposure_windows

DAYS = 730
MONTH = np.arange(DAYS + HORIZON_DAYS) // 30.4375 % 12
CALENDAR = Calendar(MONTH.astype(np.int64), day_weights(np.arange(DAYS + HORIZON_DAYS) % 7), DAYS)


def units_of_old(count: int) -> Units:
    zero = np.zeros(count, dtype=np.int64)
    return Units(
        zero, zero - 1, np.full(count, FIT_CLASSES // 2, np.int8), np.zeros(count, np.int8), np.zeros(count, dtype=bool)
    )


def test_rows_of_all_matrices_are_chances() -> None:
    dynamics = build_dynamics()
    for matrices in (dynamics.known, dynamics.anonymous):
        assert (matrices >= 0).all()
        np.testing.assert_allclose(matrices.sum(axis=-1), 1.0)
    assert (dynamics.known[..., WON, WON] == 1).all()
    assert (dynamics.anonymous[..., :3, 3:] == 0).all()


def test_better_fit_never_lowers_the_chance_to_win() -> None:
    matrices = build_dynamics().known[5]
    after = np.linalg.matrix_power(matrices, HORIZON_DAYS)[:, 0, WON]
    assert (np.diff(after) > 0).all()


def test_fit_classes_are_ordered_and_clipped() -> None:
    classes = fit_class(np.array([-9.0, -0.4, 0.0, 0.4, 9.0]))
    assert classes.tolist() == sorted(classes.tolist())
    assert classes[0] == 0
    assert classes[-1] == FIT_CLASSES - 1


def test_seasons_move_wins_mildly() -> None:
    """Fiscal year-end and half-year stand out, by not more than some 15 per cent in either factor."""
    paths = draw_paths(CALENDAR, units_of_old(60_000), build_dynamics(), np.random.default_rng(1))
    stages = STAGE_OF_STATE[paths]
    opened = ((stages[1:] == 1) & (stages[:-1] == 0)).sum(axis=1)
    month = CALENDAR.month[1:]
    share = np.array([opened[month == m].mean() for m in range(12)])
    peaks, rest = share[[2, 8]].mean(), np.delete(share, [2, 8]).mean()
    assert 1.05 < peaks / rest < 1.35


def test_no_deal_opens_before_a_unit_is_known() -> None:
    count = 20_000
    first = np.zeros(count, dtype=np.int64)
    known = np.full(count, 200)
    units = Units(first, known, np.full(count, 8, np.int8), np.ones(count, np.int8), np.zeros(count, dtype=bool))
    paths = draw_paths(CALENDAR, units, build_dynamics(), np.random.default_rng(2))
    assert (STAGE_OF_STATE[paths[:201]] == 0).all()
    assert (STAGE_OF_STATE[paths[201:260]] > 0).any()


def test_daily_moves_follow_the_matrix() -> None:
    paths = draw_paths(CALENDAR, units_of_old(40_000), build_dynamics(), np.random.default_rng(3))
    january = np.flatnonzero(CALENDAR.month[1:] == 0) + 1
    before, after = paths[january - 1].ravel().astype(int), paths[january].ravel().astype(int)
    counts = np.bincount(before * len(STATES) + after, minlength=len(STATES) ** 2).reshape(len(STATES), -1)
    expected = build_dynamics().known[0, FIT_CLASSES // 2]
    total = counts.sum(axis=1, keepdims=True)
    error = np.sqrt(np.maximum(total * expected * (1 - expected), 1))
    assert (np.abs(counts - total * expected) < 5 * error).all()


def test_traces_come_at_the_rates_of_the_state_and_only_while_exposed() -> None:
    count = 30_000
    units = units_of_old(count)
    paths = np.ones((DAYS + HORIZON_DAYS, count), dtype=np.int8)
    start, end = exposure_windows(units.first_day, np.full(count, 99), np.full(count, 300), DAYS)
    traces = draw_traces(CALENDAR, paths, Members(np.arange(count), start, end), np.random.default_rng(4))
    for kind, window in enumerate(EXPOSURE_OF_TRACE):
        mine = traces.kind == kind
        assert traces.day[mine].min() >= start[0, window]
        assert traces.day[mine].max() < end[0, window]
        busy = CALENDAR.weight[start[0, window] : end[0, window]].sum()
        expected = TRACE_RATES[kind, 1] * busy * count
        assert mine.sum() == pytest.approx(expected, abs=5 * np.sqrt(expected))
