"""How many alerts a salesperson gets in a day, and which ones come first."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Waiting:
    """An alert that wants to go out. Those held since an earlier run go before new ones."""

    alert_id: str
    owner_id: str | None
    probability: float
    held: bool


def within_budget(
    waiting: Iterable[Waiting], budgets: Mapping[str | None, int], spent: Mapping[str | None, int]
) -> tuple[str, ...]:
    """The alerts that go out now, in their order: held ones first, each group by probability.

    Args:
        waiting: what wants to go out.
        budgets: alerts a day by owner; None stands for leads that nobody owns.
        spent: alerts that went out today already, by owner.

    >>> rest = [Waiting("a", "s1", 0.3, False), Waiting("b", "s1", 0.9, False), Waiting("c", "s1", 0.2, True)]
    >>> within_budget(rest, {"s1": 3}, {"s1": 1})
    ('c', 'b')
    """
    used = Counter(spent)
    released = []
    for alert in sorted(waiting, key=lambda alert: (not alert.held, -alert.probability, alert.alert_id)):
        if used[alert.owner_id] < budgets[alert.owner_id]:
            used[alert.owner_id] += 1
            released.append(alert.alert_id)
    return tuple(released)


def business_day(moment: datetime, timezone: str) -> tuple[datetime, datetime]:
    """Begin and end (UTC, half-open) of the day that the moment belongs to in the business time zone.

    >>> begin, end = business_day(datetime(2026, 1, 1, 16, tzinfo=UTC), "Asia/Tokyo")
    >>> begin.isoformat(), end.isoformat()
    ('2026-01-01T15:00:00+00:00', '2026-01-02T15:00:00+00:00')
    """
    zone = ZoneInfo(timezone)
    midnight = moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    # The next midnight on the clock on the wall: a day with a change to summer time has 23 or 25 hours.
    return midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
