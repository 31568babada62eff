"""Division by time: develop on what came first, judge on what came later, with a gap in between."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError, EvidenceError
from core.model_settings import SplitSettings

Mask = NDArray[np.bool_]
Moments = NDArray[np.datetime64]


@dataclass(frozen=True)
class Part:
    """Rows from the first as-of moment to the last one, both included."""

    rows: Mask
    first: np.datetime64
    last: np.datetime64


@dataclass(frozen=True)
class TimeSplit:
    """An earlier part and a later one; rows in between belong to neither."""

    earlier: Part
    later: Part


def gap_of(rules: SplitSettings, horizon: timedelta) -> timedelta:
    """The time between the last as-of of one part and the first of the next.

    Raises:
        ConfigurationError: the configured gap is shorter than the horizon, so that outcomes would be shared.

    >>> gap_of(SplitSettings(gap_days=5), timedelta(days=30))
    Traceback (most recent call last):
    ...
    core.errors.ConfigurationError: split.gap_days is 5; expected at least the label's horizon of 30 days, since an \
outcome must not fall into two parts; leave gap_days out or raise it.
    """
    if rules.gap_days is None:
        return horizon
    gap = timedelta(days=rules.gap_days)
    if gap < horizon:
        raise ConfigurationError(
            f"split.gap_days is {rules.gap_days}",
            f"at least the label's horizon of {horizon.days} days, since an outcome must not fall into two parts",
            "leave gap_days out or raise it",
        )
    return gap


def split_off_newest(as_of: Moments, share: float, gap: timedelta, rows: Mask | None = None) -> TimeSplit:
    """Split the newest `share` of the as-of moments from all that lie at least `gap` before them.

    A row's outcome window is [as_of, as_of + horizon); with a gap of at least the horizon no window of the earlier
    part reaches into the later one, so that no outcome is counted on both sides.

    Args:
        as_of: each row's moment.
        share: of the distinct moments, 0 to 1; at least one moment is taken.
        gap: from the last moment of the earlier part to the first of the later one, at least.
        rows: which rows to divide; default all.

    Raises:
        EvidenceError: nothing is left before the gap.
    """
    chosen = np.ones(len(as_of), dtype=np.bool_) if rows is None else rows
    moments = np.unique(as_of[chosen])
    if len(moments) == 0:
        raise EvidenceError("there is no moment whose outcome is known yet", "some", "give a longer history")
    start = moments[len(moments) - max(1, round(share * len(moments)))]
    earlier = chosen & (as_of + np.timedelta64(gap) <= start)
    if not earlier.any():
        raise EvidenceError(
            f"the history from {moments[0]} to {moments[-1]} leaves nothing before a gap of {gap.days} days",
            "a history longer than two horizons",
            "give a longer history or shorten label.horizon_days",
        )
    later = chosen & (as_of >= start)
    return TimeSplit(
        Part(earlier, as_of[earlier].min(), as_of[earlier].max()), Part(later, as_of[later].min(), as_of[later].max())
    )


def divide_by_circle(circle: NDArray[np.int64], parts: int, seed: int, won: Mask | None = None) -> NDArray[np.int64]:
    """A part number from 0 for each row; rows of one circle share it, so no person, deal or account is split.

    Args:
        circle: rows with equal numbers belong together.
        parts: how many.
        seed: of the draw.
        won: outcomes; with them each part gets its share of the circles that hold a win.

    >>> divide_by_circle(np.array([5, 5, 7, 9]), 2, seed=0)[:2].tolist() in ([0, 0], [1, 1])
    True
    """
    distinct, position = np.unique(circle, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(distinct))
    if won is not None:
        order = order[np.argsort(np.bincount(position, won)[order] > 0, kind="stable")]
    number = np.empty(len(distinct), dtype=np.int64)
    number[order] = np.arange(len(distinct)) % parts
    return number[position]


def iso(moment: np.datetime64) -> str:
    """A moment in UTC as ISO 8601 tells it.

    >>> iso(np.datetime64("2026-01-02T03:04:05"))
    '2026-01-02T03:04:05+00:00'
    """
    return datetime.fromtimestamp(moment.astype("datetime64[us]").astype(np.int64) / 1e6, UTC).isoformat()
