"""Who turned hot since the last list of scores, as sets of people without any store behind them."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Crossings:
    """How the set of hot people moved. Both lists are sorted by id."""

    entered: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True)
class SeenList:
    """Which list of scores was looked at last: the model version with its cuts, and the moment it holds for."""

    hot_rule: str | None
    as_of: datetime | None


def crossings(hot_before: Set[str], hot_now: Set[str]) -> Crossings:
    """Who entered and who left. Somebody who is no longer on the list left as well.

    >>> crossings({"a", "b"}, {"b", "c"})
    Crossings(entered=('c',), left=('a',))
    """
    return Crossings(tuple(sorted(hot_now - hot_before)), tuple(sorted(hot_before - hot_now)))


def is_stale(seen: SeenList, as_of: datetime) -> bool:
    """Whether a newer list was looked at already; the same moment again is not stale, its data may be corrected."""
    return seen.as_of is not None and as_of < seen.as_of


def is_comparable(seen: SeenList, hot_rule: str) -> bool:
    """Whether a crossing means that the person changed.

    The first list ever, a promotion, a rollback and a change of the cuts move everybody at once: no news for sales.

    >>> is_comparable(SeenList(None, None), "v1"), is_comparable(SeenList("v1", None), "v2")
    (False, False)
    >>> is_comparable(SeenList("v1", None), "v1")
    True
    """
    return seen.hot_rule is not None and seen.hot_rule == hot_rule


def is_cooling_down(last_alert_at: datetime | None, now: datetime, days: float) -> bool:
    """Whether sales was told about the person less than so many days ago."""
    return last_alert_at is not None and now < last_alert_at + timedelta(days=days)
