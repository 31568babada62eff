"""Exact forward filtering: the chance of a win, given only what was on record before a moment.

The filter reads the record days of traces, the visible deal stage, the exposure windows and the fit class, never the
hidden intent. Prediction multiplies the daily matrices of the next 90 days; what they absorb in `won` is the answer.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulator.causal_model import (
    CLOSED_WON,
    EXPOSURE_OF_TRACE,
    HORIZON_DAYS,
    INITIAL,
    STAGE_OF_STATE,
    STATE_COUNT,
    TRACE_RATES,
    WON,
    Dynamics,
)
from simulator.chain import Calendar, Members, Traces, Units

MAX_MEMBERS = 3


def winning_chances(
    calendar: Calendar,
    units: Units,
    members: Members,
    traces: Traces,
    stages: NDArray[np.int8],
    dynamics: Dynamics,
    as_of_days: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The chance that a deal of the unit is won in the 90 days from each as-of day on.

    Args:
        calendar: days, months and weights.
        units: the buying units.
        members: the people of the units; their traces are evidence about the unit.
        traces: what was recorded, by record day.
        stages: visible deal stage, shape (days, units); negative before the unit exists.
        dynamics: the daily matrices.
        as_of_days: days at whose first moment the question is asked; evidence is from the days before.

    Returns:
        Shape (as-of days, units); NaN before the first day of a unit, and once it is won.
    """
    count = len(units.first_day)
    last = int(as_of_days.max()) if len(as_of_days) else 0
    exposure_change = _exposure_changes(members, last)
    silence = _silence_tables()
    evidence = _TraceEvidence(traces, members, last)
    visible = (STAGE_OF_STATE[None, :] == np.arange(CLOSED_WON + 1)[:, None]).astype(np.float64)

    by_class = np.argsort(units.fit_class, kind="stable")
    bounds = np.searchsorted(units.fit_class[by_class], np.arange(dynamics.known.shape[1] + 1))
    rank = np.empty(count, dtype=np.int64)
    rank[by_class] = np.arange(count)
    belief = np.zeros((count, STATE_COUNT))
    exposure = np.zeros((count, 3), dtype=np.int64)
    fit = units.fit_class[by_class].astype(np.int64)
    first_day = units.first_day[by_class]
    known_day = units.known_day[by_class]
    arrival = units.arrival[by_class]
    starting = np.argsort(first_day, kind="stable")
    start_bounds = np.searchsorted(first_day[starting], np.arange(last + 1))
    naming = np.flatnonzero(first_day < known_day)

    answers = np.full((len(as_of_days), count), np.nan, dtype=np.float32)
    wanted = {int(day): index for index, day in enumerate(as_of_days)}
    for day in range(last + 1):
        if day in wanted:
            total = belief.sum(axis=1)
            absorbed = _absorption(calendar, dynamics, day)
            alive = (total > 0) & (first_day < day)
            if day > 0:
                alive &= stages[day - 1, by_class] != CLOSED_WON
            chance = np.einsum("ns,ns->n", belief[alive], absorbed[fit[alive]]) / total[alive]
            answers[wanted[day], by_class[alive]] = chance.astype(np.float32)
        if day == last:
            break
        month = calendar.month[day]
        anonymous = naming[(first_day[naming] < day) & (known_day[naming] >= day)]
        waiting = np.einsum("ns,nst->nt", belief[anonymous], dynamics.anonymous[month][fit[anonymous]])
        for index in range(len(bounds) - 1):
            part = slice(bounds[index], bounds[index + 1])
            belief[part] = belief[part] @ dynamics.known[month, index]
        belief[anonymous] = waiting
        new = starting[start_bounds[day] : start_bounds[day + 1]]
        belief[new, :3] = INITIAL[arrival[new]]

        changed, window, amount = exposure_change[day]
        np.add.at(exposure, (rank[changed], window), amount)
        code = (exposure[:, 0] * (MAX_MEMBERS + 1) + exposure[:, 1]) * (MAX_MEMBERS + 1) + exposure[:, 2]
        belief *= np.exp(calendar.weight[day] * silence)[code]
        seen, likelihood = evidence.of_day(day)
        belief[rank[seen]] *= likelihood
        stage = stages[day, by_class]
        belief *= visible[np.maximum(stage, 0)]
        scale = belief.sum(axis=1, keepdims=True)
        np.divide(belief, scale, out=belief, where=scale > 0)
    return answers


def _silence_tables() -> NDArray[np.float64]:
    """Log chance of no trace on an average day, by exposure code and state."""
    rate = np.stack([TRACE_RATES[window == EXPOSURE_OF_TRACE].sum(axis=0) for window in range(3)])
    levels = np.arange(MAX_MEMBERS + 1)
    table = -(
        levels[:, None, None, None] * rate[0]
        + levels[None, :, None, None] * rate[1]
        + levels[None, None, :, None] * rate[2]
    )
    result: NDArray[np.float64] = table.reshape(-1, STATE_COUNT)
    return result


def _exposure_changes(
    members: Members, days: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """For each day: units whose number of exposed members changes, the kind of exposure, and by how much."""
    open_window = members.window_end > members.window_start
    person, window = np.nonzero(open_window)
    day = np.concatenate([members.window_start[person, window], members.window_end[person, window]])
    unit = np.tile(members.unit[person], 2)
    kind = np.tile(window, 2)
    amount = np.repeat(np.array([1, -1], dtype=np.int64), len(person))
    order = np.argsort(day, kind="stable")
    bounds = np.searchsorted(day[order], np.arange(days + 2))
    return [
        (unit[order[low:high]], kind[order[low:high]], amount[order[low:high]])
        for low, high in pairwise(bounds.tolist())
    ]


class _TraceEvidence:
    """Likelihood ratios of the traces of each day, one row per unit that left any."""

    def __init__(self, traces: Traces, members: Members, days: int) -> None:
        unit = members.unit[traces.person]
        order = np.lexsort((unit, traces.day))
        self._unit = unit[order]
        self._kind = traces.kind[order].astype(np.int64)
        self._bounds = np.searchsorted(traces.day[order], np.arange(days + 2))
        self._log_rates = np.log(TRACE_RATES)

    def of_day(self, day: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        low, high = self._bounds[day], self._bounds[day + 1]
        if low == high:
            return np.zeros(0, dtype=np.int64), np.zeros((0, STATE_COUNT))
        unit = self._unit[low:high]
        first = np.flatnonzero(np.append(True, unit[1:] != unit[:-1]))
        logs = np.add.reduceat(self._log_rates[self._kind[low:high]], first, axis=0)
        return unit[first], np.exp(logs - logs.max(axis=1, keepdims=True))


def _absorption(calendar: Calendar, dynamics: Dynamics, day: int) -> NDArray[np.float64]:
    """Chance to be won within the horizon from `day` on, by fit class and state of the day before."""
    chance = np.zeros((dynamics.known.shape[1], STATE_COUNT, 1))
    chance[:, WON] = 1.0
    for ahead in reversed(range(day, day + HORIZON_DAYS)):
        chance = dynamics.known[calendar.month[ahead]] @ chance
    return chance[:, :, 0]
