"""The calendar moments at which the past is looked at."""

from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo


def calendar_marks(first: datetime, last: datetime, every: Literal["month", "week"], timezone: str) -> list[datetime]:
    """Starts of months or weeks (Mondays), 00:00 in the business time zone, from `first` to `last`, both included.

    Returns:
        Ascending moments in UTC.

    >>> first, last = datetime(2025, 1, 10, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
    >>> marks = calendar_marks(first, last, "month", "Asia/Tokyo")
    >>> [mark.isoformat() for mark in marks]
    ['2025-01-31T15:00:00+00:00', '2025-02-28T15:00:00+00:00']
    """
    zone = ZoneInfo(timezone)
    day = first.astimezone(zone).date()
    day = day.replace(day=1) if every == "month" else day - timedelta(days=day.weekday())
    marks: list[datetime] = []
    while (moment := datetime.combine(day, time.min, zone).astimezone(UTC)) <= last:
        if moment >= first:
            marks.append(moment)
        if every == "week":
            day += timedelta(days=7)
        else:
            day = (day + timedelta(days=31)).replace(day=1)
    return marks
