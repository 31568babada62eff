"""The oracle: equal to a slow reading of the same model, calibrated, neither blind nor all-knowing."""

from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from simulator.causal_model import (
    EXPOSURE_OF_TRACE,
    HORIZON_DAYS,
    INITIAL,
    STAGE_OF_STATE,
    STATE_COUNT,
    TRACE_RATES,
    WON,
    build_dynamics,
)
from simulator.chain import Calendar, Members, Units, day_weights, draw_paths, draw_traces, exposure_windows
from simulator.oracle import winning_chances
from simulator.world import live


def eligible_rows(customers: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    world = live(
        customers=customers, months=24, seed=seed, locale="ja", until=date(2026, 9, 30),
        progress=lambda step, share: None,
    )  # fmt: skip
    known_day = world.people.known_day[:customers]
    won_day = world.won_day[:customers]
    day = world.as_of_days[:, None]
    eligible = (known_day < day) & (won_day >= day)
    won = (won_day < day + HORIZON_DAYS) & eligible
    return world.chances[:, world.people.unit[:customers]][eligible].astype(float), won[eligible]


@pytest.fixture(scope="module")
def many() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    parts = [eligible_rows(4_000, seed) for seed in (101, 102, 103)]
    return np.concatenate([chance for chance, _ in parts]), np.concatenate([won for _, won in parts])


def test_expected_wins_equal_observed_wins(many: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    chance, won = many
    assert np.isfinite(chance).all()
    # About 1,900 winners, each counted in about three rows: one standard error of the ratio is near 0.025.
    assert 0.92 < chance.sum() / won.sum() < 1.08


def test_calibration_slope_is_one(many: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    chance, won = many
    fitted = LogisticRegression(C=1e6).fit(np.log(chance / (1 - chance))[:, None], won)
    assert 0.93 < fitted.coef_[0, 0] < 1.07


def test_each_tenth_of_the_chances_is_calibrated(many: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    chance, won = many
    tenth = np.argsort(np.argsort(chance, kind="stable"), kind="stable") * 10 // len(chance)
    for number in range(10):
        expected, observed = chance[tenth == number].sum(), won[tenth == number].sum()
        # Rows of one winner come together: allow three times the variance of independent rows.
        assert abs(expected - observed) < 4 * np.sqrt(3 * expected)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_oracle_is_neither_trivial_nor_hopeless(seed: int) -> None:
    chance, won = eligible_rows(3_000, seed)
    assert 0.75 < roc_auc_score(won, chance) < 0.88
    assert 0.022 < won.mean() < 0.045
    assert won.sum() > 500


def test_the_filter_equals_a_slow_reading_of_the_model() -> None:
    """One unit at a time, one day at a time, with Poisson chances written out."""
    random = np.random.default_rng(5)
    days, count = 150, 12
    weekday = np.arange(days + HORIZON_DAYS) % 7
    calendar = Calendar(np.arange(days + HORIZON_DAYS) // 30 % 12, day_weights(weekday), days)
    first_day = random.integers(0, 60, count)
    known_day = first_day + random.integers(0, 20, count)
    units = Units(
        first_day=first_day,
        known_day=known_day,
        fit_class=random.integers(0, 9, count).astype(np.int8),
        arrival=random.integers(0, 3, count).astype(np.int8),
        is_veteran=np.zeros(count, dtype=bool),
    )
    dynamics = build_dynamics()
    paths = draw_paths(calendar, units, dynamics, random)
    start, end = exposure_windows(
        np.repeat(first_day, 2), np.repeat(known_day, 2), random.integers(60, 200, 2 * count), days
    )
    members = Members(np.repeat(np.arange(count), 2), start, end)
    traces = draw_traces(calendar, paths, members, random)
    stages = np.where(paths < 0, np.int8(-1), STAGE_OF_STATE[np.maximum(paths, 0)])
    as_of = np.array([80, 120, 150])
    answers = winning_chances(calendar, units, members, traces, stages, dynamics, as_of)

    compared = 0
    for unit in range(count):
        fit = units.fit_class[unit]
        belief = np.zeros(STATE_COUNT)
        for day in range(days + 1):
            if day in as_of and first_day[unit] < day and stages[day - 1, unit] != 4:
                ahead = belief.copy()
                for later in range(day, day + HORIZON_DAYS):
                    ahead = ahead @ dynamics.known[calendar.month[later], fit]
                assert answers[as_of.tolist().index(day), unit] == pytest.approx(ahead[WON], rel=1e-4)
                compared += 1
            if day == days or day < first_day[unit]:
                continue
            if day == first_day[unit]:
                belief[:3] = INITIAL[units.arrival[unit]]
            else:
                matrices = dynamics.known if day > known_day[unit] else dynamics.anonymous
                belief = belief @ matrices[calendar.month[day], fit]
            for person in (2 * unit, 2 * unit + 1):
                for kind, window in enumerate(EXPOSURE_OF_TRACE):
                    if start[person, window] <= day < end[person, window]:
                        seen = int(((traces.person == person) & (traces.day == day) & (traces.kind == kind)).sum())
                        rate = TRACE_RATES[kind] * calendar.weight[day]
                        belief = belief * np.exp(-rate) * rate**seen
            belief = belief * np.equal(STAGE_OF_STATE, stages[day, unit])
            belief = belief / belief.sum()
    assert compared > 20


def test_later_evidence_changes_no_earlier_answer() -> None:
    random = np.random.default_rng(6)
    days, count = 120, 200
    calendar = Calendar(
        np.zeros(days + HORIZON_DAYS, dtype=np.int64), day_weights(np.arange(days + HORIZON_DAYS) % 7), days
    )
    zero = np.zeros(count, dtype=np.int64)
    units = Units(zero, zero - 1, np.full(count, 4, np.int8), np.zeros(count, np.int8), np.zeros(count, dtype=bool))
    dynamics = build_dynamics()
    paths = draw_paths(calendar, units, dynamics, random)
    start, end = exposure_windows(zero, zero - 1, zero + days, days)
    members = Members(np.arange(count), start, end)
    traces = draw_traces(calendar, paths, members, random)
    stages = STAGE_OF_STATE[paths]
    whole = winning_chances(calendar, units, members, traces, stages, dynamics, np.array([60, 120]))
    early = traces.day < 60
    cut = type(traces)(traces.person[early], traces.day[early], traces.kind[early])
    until_then = winning_chances(calendar, units, members, cut, stages[:60], dynamics, np.array([60]))
    np.testing.assert_array_equal(whole[0], until_then[0])
