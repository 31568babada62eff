"""From day numbers to moments: the calendar of the history and the second of each recorded fact."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from simulator.causal_model import HORIZON_DAYS
from simulator.chain import Calendar, day_weights
from simulator.columns import JST_SECONDS

DAY = 86_400


def history_start(until: date, months: int) -> date:
    """First day of the calendar month that lies `months` months before the day after `until`."""
    after = until + timedelta(days=1)
    month = after.year * 12 + after.month - 1 - months
    return date(month // 12, month % 12 + 1, 1)


def build_calendar(start: date, until: date) -> Calendar:
    """Days of the history and of the horizon after it."""
    history_days = (until - start).days + 1
    days = [start + timedelta(days=day) for day in range(history_days + HORIZON_DAYS)]
    return Calendar(
        month=np.array([day.month - 1 for day in days]),
        weight=day_weights(np.array([day.weekday() for day in days])),
        history_days=history_days,
    )


def month_starts(start: date, history_days: int) -> NDArray[np.int64]:
    """Day numbers of the firsts of months after the start, the export moment included when it is one."""
    return np.array(
        [day for day in range(1, history_days + 1) if (start + timedelta(days=day)).day == 1], dtype=np.int64
    )


def newsletter_days(start: date, history_days: int) -> NDArray[np.int64]:
    """Day numbers of the second Tuesday of each month."""
    days = [start + timedelta(days=day) for day in range(history_days)]
    return np.array([n for n, day in enumerate(days) if day.weekday() == 1 and 8 <= day.day <= 14], dtype=np.int64)


def epoch_of_start(start: date) -> int:
    """Seconds since the epoch of midnight in Tokyo on the first day."""
    return int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp()) - JST_SECONDS


def office_seconds(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Seconds of the day at which business people browse: mostly from nine to seven, with a tail at night."""
    drawn = random.normal(13.8 * 3600, 3.1 * 3600, count)
    return np.clip(drawn, 6 * 3600, 23.9 * 3600).astype(np.int64)
