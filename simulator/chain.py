"""Draws the life of every buying unit from the causal model, and the traces its members leave."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.causal_model import (
    EXPOSURE_OF_TRACE,
    INITIAL,
    KNOWN,
    MAIL,
    TRACE_RATES,
    TRACES,
    WEB,
    WEEKDAY_WEIGHT,
    WEEKEND_WEIGHT,
    WON,
    Dynamics,
)

NOT_YET = np.int8(-1)


@dataclass(frozen=True)
class Calendar:
    """Days of the simulation, counted from the first day of the history (day 0).

    Attributes:
        month: month of year, 0-11, of each day.
        weight: how busy the day is, near one on average.
        history_days: days written to the exports; the days after them are only lived, so that outcomes are known.
    """

    month: NDArray[np.int64]
    weight: NDArray[np.float64]
    history_days: int


@dataclass(frozen=True)
class Units:
    """Buying units: when they appear, when they are first known, and how well they fit.

    Attributes:
        first_day: first day with traces.
        known_day: day on which the first record with a name is created; below zero when older than the history.
            Units that never give a name have a day beyond the end.
        fit_class: class of fit, observable from the profile.
        arrival: row of `INITIAL`.
        is_veteran: customers since before the history.
    """

    first_day: NDArray[np.int64]
    known_day: NDArray[np.int64]
    fit_class: NDArray[np.int8]
    arrival: NDArray[np.int8]
    is_veteran: NDArray[np.bool_]


@dataclass(frozen=True)
class Members:
    """People of the buying units and the half-open day ranges in which each kind of trace can arise.

    Attributes:
        unit: index of the buying unit.
        window_start: shape (people, 3): first day of the WEB, KNOWN and MAIL exposure.
        window_end: the day after the last one.
    """

    unit: NDArray[np.int64]
    window_start: NDArray[np.int64]
    window_end: NDArray[np.int64]


@dataclass(frozen=True)
class Traces:
    """Recorded traces, ordered by kind, day and person.

    Attributes:
        person: index into `Members`.
        day: day of record.
        kind: index into `TRACES`.
    """

    person: NDArray[np.int32]
    day: NDArray[np.int32]
    kind: NDArray[np.int8]


def day_weights(weekday: NDArray[np.int64]) -> NDArray[np.float64]:
    """How busy each day is, from its weekday (Monday is 0)."""
    return np.where(weekday < 5, WEEKDAY_WEIGHT, WEEKEND_WEIGHT)


def draw_paths(calendar: Calendar, units: Units, dynamics: Dynamics, random: np.random.Generator) -> NDArray[np.int8]:
    """Draws the state of every unit on every day.

    Returns:
        Shape (days, units); `NOT_YET` before a unit's first day.
    """
    days, count = len(calendar.month), len(units.first_day)
    paths = np.full((days, count), NOT_YET, dtype=np.int8)
    initial = np.cumsum(INITIAL, axis=1)
    first_state = (random.random(count)[:, None] >= initial[units.arrival]).sum(axis=1).astype(np.int8)
    first_state[units.is_veteran] = WON
    by_first_day = np.argsort(units.first_day, kind="stable")
    boundaries = np.searchsorted(units.first_day[by_first_day], np.arange(days + 1))
    kind = units.fit_class.astype(np.int64)
    state = np.zeros(count, dtype=np.int8)
    cumulative_known = np.cumsum(dynamics.known, axis=-1)
    cumulative_anonymous = np.cumsum(dynamics.anonymous, axis=-1)
    arrived = np.zeros(0, dtype=np.int64)
    for day in range(days):
        if len(arrived):
            month = calendar.month[day]
            chance = random.random(len(arrived))
            before = state[arrived].astype(np.int64)
            # One draw serves both questions: below the chance to stay nothing else needs to be looked up.
            stay = np.einsum("kss->ks", dynamics.known[month])[kind[arrived], before]
            moving = np.flatnonzero(chance >= stay)
            mover = arrived[moving]
            left = (chance[moving] - stay[moving]) / (1 - stay[moving])
            for is_known, cumulative in ((True, cumulative_known[month]), (False, cumulative_anonymous[month])):
                chosen = (units.known_day[mover] < day) == is_known
                who = mover[chosen]
                rows = _leaving(cumulative)[kind[who], before[moving][chosen]]
                # An anonymous unit cannot open a deal: that part of the draw means that it stays.
                if not is_known:
                    leave_known = 1 - np.einsum("kss->ks", dynamics.known[month])
                    leave = 1 - np.einsum("kss->ks", dynamics.anonymous[month])
                    share = (leave / np.maximum(leave_known, 1e-300))[kind[who], before[moving][chosen]]
                    scaled = left[chosen] / np.maximum(share, 1e-300)
                    goes = left[chosen] < share
                    target = (scaled[:, None] >= rows).sum(axis=1)
                    state[who[goes]] = target[goes]
                else:
                    state[who] = (left[chosen][:, None] >= rows).sum(axis=1)
        new = by_first_day[boundaries[day] : boundaries[day + 1]]
        if len(new):
            state[new] = first_state[new]
            arrived = np.concatenate([arrived, new])
        paths[day, arrived] = state[arrived]
    return paths


def _leaving(cumulative: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative chances of the next state, given that the state changes."""
    matrix = np.diff(cumulative, axis=-1, prepend=0.0)
    diagonal = np.arange(matrix.shape[-1])
    matrix[..., diagonal, diagonal] = 0.0
    total = matrix.sum(axis=-1, keepdims=True)
    result: NDArray[np.float64] = np.cumsum(matrix / np.maximum(total, 1e-300), axis=-1)
    result[..., -1] = np.inf
    return result


def draw_traces(calendar: Calendar, paths: NDArray[np.int8], members: Members, random: np.random.Generator) -> Traces:
    """Draws what every member leaves behind, on the days of the history.

    The number in a run of equal states is Poisson with rate times the summed day weights; days within it are drawn in
    proportion to their weights. Traces outside a member's exposure are dropped, which leaves the process inside exact.
    """
    states, starts, ends, owners = _runs(paths[: calendar.history_days])
    order = np.argsort(owners, kind="stable")
    states, starts, ends, owners = states[order], starts[order], ends[order], owners[order]
    first_run = np.searchsorted(owners, np.arange(paths.shape[1] + 1))
    runs_of_member = first_run[members.unit + 1] - first_run[members.unit]
    person = np.repeat(np.arange(len(members.unit)), runs_of_member)
    offset = np.arange(len(person)) - np.repeat(np.cumsum(runs_of_member) - runs_of_member, runs_of_member)
    run = first_run[members.unit[person]] + offset
    cumulative = np.concatenate([[0.0], np.cumsum(calendar.weight[: calendar.history_days])])
    people: list[NDArray[np.int32]] = []
    days: list[NDArray[np.int32]] = []
    kinds: list[NDArray[np.int8]] = []
    for kind in range(len(TRACES)):
        window = int(EXPOSURE_OF_TRACE[kind])
        start = np.maximum(starts[run], members.window_start[person, window])
        end = np.minimum(ends[run], members.window_end[person, window])
        open_run = np.flatnonzero(end > start)
        low, high = cumulative[start[open_run]], cumulative[end[open_run]]
        number = random.poisson(TRACE_RATES[kind, states[run[open_run]]] * (high - low))
        position = np.repeat(low, number) + random.random(int(number.sum())) * np.repeat(high - low, number)
        day = np.searchsorted(cumulative, position, side="right") - 1
        who = np.repeat(person[open_run], number)
        day = np.minimum(day, np.repeat(end[open_run], number) - 1)
        order = np.lexsort((who, day))
        people.append(who[order].astype(np.int32))
        days.append(day[order].astype(np.int32))
        kinds.append(np.full(len(who), kind, dtype=np.int8))
    return Traces(np.concatenate(people), np.concatenate(days), np.concatenate(kinds))


def _runs(
    paths: NDArray[np.int8],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Runs of equal states: state, first day, day after the last, unit."""
    days, count = paths.shape
    states: list[NDArray[np.int64]] = []
    starts: list[NDArray[np.int64]] = []
    ends: list[NDArray[np.int64]] = []
    owners: list[NDArray[np.int64]] = []
    # Unit by unit in blocks: the transposed copy of the whole would double the memory.
    for low in range(0, count, 20_000):
        block = np.ascontiguousarray(paths[:, low : low + 20_000].T)
        changed = np.ones(block.shape, dtype=bool)
        changed[:, 1:] = block[:, 1:] != block[:, :-1]
        owner, start = np.nonzero(changed)
        end = np.append(start[1:], 0)
        last = np.append(owner[1:] != owner[:-1], True)
        end[last] = days
        state = block[owner, start].astype(np.int64)
        alive = state >= 0
        states.append(state[alive])
        starts.append(start[alive].astype(np.int64))
        ends.append(end[alive].astype(np.int64))
        owners.append(owner[alive].astype(np.int64) + low)
    return np.concatenate(states), np.concatenate(starts), np.concatenate(ends), np.concatenate(owners)


def exposure_windows(
    first_day: NDArray[np.int64],
    known_day: NDArray[np.int64],
    unsubscribed_day: NDArray[np.int64],
    last_day: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Day ranges of the WEB, KNOWN and MAIL exposure of each person.

    Traces that need a name start on the day after the name is given.
    """
    start = np.empty((len(first_day), 3), dtype=np.int64)
    end = np.full((len(first_day), 3), last_day, dtype=np.int64)
    start[:, WEB] = np.maximum(first_day, 0)
    start[:, KNOWN] = np.clip(known_day + 1, 0, last_day)
    start[:, MAIL] = start[:, KNOWN]
    end[:, MAIL] = np.minimum(last_day, np.maximum(unsubscribed_day, 0))
    return start, end
