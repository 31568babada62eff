"""Whatever the scores do: crossings, cool-down and budget hold, and looking twice changes nothing."""

import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from sqlalchemy import select
from sqlalchemy.orm import Session

from activation.alerts import AlertsRaised, raise_alerts
from activation.budget import Waiting, business_day, within_budget
from activation.crossing import crossings
from activation.text import shorten
from core.alert_tables import Alert
from core.database import open_database
from core.settings import Settings
from core.storage import Workspace

names = strategies.sets(strategies.sampled_from("abcdefgh"))


@given(names, names)
def test_crossings_and_who_stayed_make_up_everybody(before: set[str], now: set[str]) -> None:
    moved = crossings(before, now)
    assert (before - set(moved.left)) | set(moved.entered) == now
    assert not set(moved.entered) & before
    assert not set(moved.left) & now


owners = strategies.sampled_from(["s1", "s2", None])


@given(
    strategies.lists(strategies.tuples(owners, strategies.floats(0, 1), strategies.booleans()), max_size=20),
    strategies.fixed_dictionaries({owner: strategies.integers(0, 5) for owner in ("s1", "s2", None)}),
    strategies.dictionaries(owners, strategies.integers(0, 5)),
)
def test_budgets_are_kept_and_used_up_by_the_best(
    drawn: list[tuple[str | None, float, bool]], budgets: dict[str | None, int], spent: dict[str | None, int]
) -> None:
    waiting = [Waiting(str(n), owner, chance, held) for n, (owner, chance, held) in enumerate(drawn)]
    released = set(within_budget(waiting, budgets, spent))
    assert released == set(within_budget(reversed(waiting), budgets, spent)), "the order of arrival does not matter"
    for owner, budget in budgets.items():
        mine = [alert for alert in waiting if alert.owner_id == owner]
        gone = [alert for alert in mine if alert.alert_id in released]
        room = max(budget - spent.get(owner, 0), 0)
        assert len(gone) == min(len(mine), room)
        rest = [alert for alert in mine if alert.alert_id not in released]
        for out in gone:
            assert all((out.held, out.probability) >= (kept.held, kept.probability) for kept in rest)


minutes = strategies.integers(0, 50 * 365 * 24 * 60)


@given(minutes, strategies.sampled_from(["Asia/Tokyo", "America/New_York"]))
def test_a_moment_lies_in_its_business_day(minute: int, zone: str) -> None:
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    begin, end = business_day(moment, zone)
    assert begin <= moment < end
    assert timedelta(hours=23) <= end - begin <= timedelta(hours=25)


PEOPLE = ("p1", "p2", "p3", "p4")
steps = strategies.lists(
    strategies.tuples(
        strategies.sets(strategies.sampled_from(PEOPLE)),
        strategies.sampled_from(["1", "1", "1", "2"]),
        strategies.sampled_from([1, 20, 50]),
    ),
    min_size=3,
    max_size=6,
)


# Each example runs against a real database and real tables; their number is kept to what a test run can bear.
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, strategies.integers(0, 3), strategies.sampled_from([0, 1, 3]))
def test_any_course_of_scores(
    publish_tables: Callable[..., Workspace],
    publish_scores: Callable[..., None],
    make_settings: Callable[..., Settings],
    make_customer: Callable[..., dict[str, Any]],
    clock: Any,
    drawn: list[tuple[set[str], str, int]],
    budget: int,
    cool_down: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = publish_tables(home=Path(folder), customers=[make_customer(name) for name in PEOPLE])
        configured = make_settings(alerts={"unassigned_daily_budget": budget, "cool_down_days": cool_down})
        genuine = Counter[str]()
        before: tuple[set[str], str] | None = None
        for hot, version, hours in drawn:
            clock.step(hours=hours)
            publish_scores(
                workspace, {name: 0.9 if name in hot else 0.1 for name in PEOPLE}, as_of=clock.now(), version=version
            )
            raise_alerts(configured, workspace, "lead", clock=clock)
            again = raise_alerts(configured, workspace, "lead", clock=clock)
            assert again == AlertsRaised(held=again.held), "the same scores again raise nothing"
            if before is not None and before[1] == version:
                genuine.update(hot - before[0])
            before = hot, version
        engine = open_database(configured, workspace)
        with Session(engine) as session:
            alerts = list(session.scalars(select(Alert).order_by(Alert.released_at)))
        engine.dispose()
    assert all(count <= genuine[person] for person, count in Counter(a.customer_id for a in alerts).items())
    if cool_down == 0:
        assert Counter(alert.customer_id for alert in alerts) == genuine
    opened = [alert for alert in alerts if alert.released_at is not None]
    days = Counter(business_day(alert.released_at, configured.timezone) for alert in opened if alert.released_at)
    assert all(count <= budget for count in days.values())
    for person in PEOPLE:
        told = [alert.released_at for alert in opened if alert.customer_id == person and alert.released_at]
        assert all(b - a >= timedelta(days=cool_down) for a, b in pairwise(told))


@pytest.mark.parametrize(("text", "expected"), [("a" * 10, "aaaa…"), ("\u202eabc", "abc"), ("a\x00b", "a b")])
def test_texts_fit_a_line(text: str, expected: str) -> None:
    assert shorten(text, 5) == expected
