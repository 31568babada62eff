"""Churn, revival and lookalike: who is asked about, and what came of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from core.storage import Workspace
from training.spine import Spine, build_spine, scoring_moments

DAY = timedelta(days=1)
MICRO = timedelta(microseconds=1)
MARK = datetime(2025, 3, 31, 15, tzinfo=UTC)  # 1 April in Tokyo
NOW = datetime(2025, 12, 1, tzinfo=UTC)
START = MARK - 200 * DAY
Tables = dict[str, list[dict[str, Any]]]


def record(customer: str, source: str, system: str = "crm") -> dict[str, Any]:
    return {"customer_id": customer, "system": system, "source_id": source}


def person(customer: str, source: str, system: str = "crm", since: datetime = START) -> Tables:
    return {
        "customers": [
            {
                "customer_id": customer, "kind": "anonymous" if system == "cookie" else "known", "records": 1,
                "consent_marketing": True, "consent_profiling": True, "consent_transfer": False, "first_seen_at": since,
            }
        ],
        "identities": [
            {**record(customer, source, system), "rule": "source", "probability": 1.0, "linked_at": since, "run": "r"}
        ],
        "events": [
            {
                "event_id": f"first-{source}", **record(customer, source, system), "channel": "web", "is_bot": False,
                "type": "web_visit", "occurred_at": since, "recorded_at": since, "recorded_assumed": False,
            }
        ],
    }  # fmt: skip


def contract(name: str, start: datetime, end: datetime | None = None, cancelled: datetime | None = None) -> Tables:
    row = {
        "contract_id": name, **record("c", "s"), "started_at": start, "ends_at": end, "cancelled_at": cancelled,
        "recorded_at": start, "terms_recorded_at": start,
    }  # fmt: skip
    return {"contracts": [row]}


def purchase(at: datetime) -> Tables:
    row = {
        "event_id": f"buy-{at.isoformat()}", **record("c", "s"), "channel": "shop", "type": "purchase",
        "occurred_at": at, "recorded_at": at, "recorded_assumed": False, "is_bot": False,
    }  # fmt: skip
    return {"events": [row]}


def won(customer: str, source: str, at: datetime, amount: float = 100.0) -> Tables:
    deal = f"d-{source}"
    return {
        "deals": [
            {
                "deal_id": deal, "system": "crm", "outcome": "won", "opened_at": at, "closed_at": at,
                "recorded_at": at, "amount": amount,
            }
        ],
        "deal_stages": [
            {"deal_id": deal, "stage": "won", "outcome": "won", "entered_at": at, "recorded_at": at}
        ],
        "deal_people": [{"deal_id": deal, **record(customer, source), "recorded_at": at}],
    }  # fmt: skip


Build = Callable[..., Spine]


@pytest.fixture
def workspace(publish_tables: Callable[..., Workspace]) -> Callable[..., Workspace]:
    def publish(*parts: Tables, now: datetime = NOW) -> Workspace:
        tables: Tables = {}
        for part in parts:
            for name, rows in part.items():
                tables.setdefault(name, []).extend(rows)
        return publish_tables(data_until=now, **tables)

    return publish


def settings(model: str, **label: Any) -> Settings:
    source = {"name": "s", "system": "crm", "path": "none.csv", "people": {"id": "id"}}
    models = {model: {"label": {"horizon_days": 30, **label}}}
    return Settings.model_validate({"name": "t", "home": Path("none"), "sources": [source], "models": models})


def at_mark(spine: Spine) -> list[dict[str, Any]]:
    return [row for row in spine.table.to_pylist() if row["as_of"] == MARK]


@pytest.mark.parametrize(
    ("ends", "cancelled", "label"),
    [
        (None, None, False),
        (MARK, None, True),  # the last moment at which it runs is the mark itself
        (MARK + 30 * DAY - MICRO, None, True),
        (MARK + 30 * DAY, None, False),
        (None, MARK + 3 * DAY, True),
        (MARK + 90 * DAY, MARK + 3 * DAY, True),
        (MARK + 90 * DAY, None, False),
    ],
)
def test_an_agreement_that_ends_within_the_horizon_is_churn(
    workspace: Callable[..., Workspace], ends: datetime | None, cancelled: datetime | None, label: bool
) -> None:
    tables = workspace(person("c", "s"), contract("k", START, ends, cancelled))
    (row,) = at_mark(build_spine(settings("churn"), tables, "churn"))
    assert row["label"] is label
    assert (row["outcome_id"], row["outcome_at"]) == (("k", cancelled or ends) if label else (None, None))


@pytest.mark.parametrize(("gap", "label"), [(0, False), (7, False), (8, True)])
def test_an_agreement_that_follows_within_the_grace_is_a_renewal(
    workspace: Callable[..., Workspace], gap: int, label: bool
) -> None:
    end = MARK + 10 * DAY
    tables = workspace(person("c", "s"), contract("k1", START, end), contract("k2", end + gap * DAY))
    (row,) = at_mark(build_spine(settings("churn"), tables, "churn"))
    assert row["label"] is label


def test_nobody_is_asked_about_without_a_running_agreement(workspace: Callable[..., Workspace]) -> None:
    ended = workspace(person("c", "s"), contract("k", START, MARK - MICRO))
    assert at_mark(build_spine(settings("churn"), ended, "churn")) == []
    later = workspace(person("c", "s"), contract("k", MARK))
    assert at_mark(build_spine(settings("churn"), later, "churn")) == []


def test_a_renewal_is_waited_for(workspace: Callable[..., Workspace]) -> None:
    settled = MARK + 37 * DAY
    for now, rows in ((settled, 1), (settled - timedelta(seconds=1), 0)):
        tables = workspace(person("c", "s"), contract("k", START), now=now)
        assert len(at_mark(build_spine(settings("churn"), tables, "churn"))) == rows


def test_who_stops_buying_has_left(workspace: Callable[..., Workspace]) -> None:
    bought = workspace(person("c", "s"), purchase(MARK - 10 * DAY), purchase(MARK + 30 * DAY))
    (row,) = at_mark(build_spine(settings("churn", basis="purchase"), bought, "churn"))
    assert row["label"]
    again = workspace(person("c", "s"), purchase(MARK - 10 * DAY), purchase(MARK + 30 * DAY - MICRO))
    (row,) = at_mark(build_spine(settings("churn", basis="purchase"), again, "churn"))
    assert not row["label"]
    idle = workspace(person("c", "s"), purchase(MARK - 10 * DAY))
    assert at_mark(build_spine(settings("churn", basis="purchase", active_days=9), idle, "churn")) == []


def talks(name: str, *stages: tuple[str, datetime], late: timedelta = timedelta(0)) -> Tables:
    """A deal of c by its stages' outcomes; `late` is how long after each of them it was noted."""
    outcome, closed = stages[-1]
    deal = {
        "deal_id": name, "system": "crm", "outcome": outcome, "opened_at": stages[0][1],
        "closed_at": None if outcome == "open" else closed, "recorded_at": stages[0][1] + late,
    }  # fmt: skip
    return {
        "deals": [deal],
        "deal_stages": [
            {"deal_id": name, "stage": f"{kind}-{n}", "outcome": kind, "entered_at": at, "recorded_at": at + late}
            for n, (kind, at) in enumerate(stages)
        ],
        "deal_people": [{"deal_id": name, **record("c", "s"), "recorded_at": stages[0][1] + late}],
    }


LOST = (("open", START), ("lost", START + 20 * DAY))


@pytest.mark.parametrize(
    ("later", "label"),
    [
        ([], None),
        ([talks("new", ("open", MARK))], MARK),
        ([talks("new", ("open", MARK + 30 * DAY - MICRO))], MARK + 30 * DAY - MICRO),
        ([talks("new", ("open", MARK + 30 * DAY))], None),
        # Opened after the mark counts even if it is noted long after the horizon.
        ([talks("new", ("open", MARK + DAY), late=90 * DAY)], MARK + DAY),
    ],
)
def test_a_lost_deal_comes_back_as_another_one(
    workspace: Callable[..., Workspace], later: list[Tables], label: datetime | None
) -> None:
    tables = workspace(person("c", "s"), talks("old", *LOST), *later)
    (row,) = at_mark(build_spine(settings("revival"), tables, "revival"))
    assert row["label"] is (label is not None)
    assert (row["outcome_id"], row["outcome_at"]) == (("new", label) if label else (None, None))


def test_a_lost_deal_is_opened_again(workspace: Callable[..., Workspace]) -> None:
    tables = workspace(person("c", "s"), talks("old", *LOST, ("open", MARK + DAY), ("won", MARK + 5 * DAY)))
    (row,) = at_mark(build_spine(settings("revival"), tables, "revival"))
    assert (row["label"], row["outcome_id"], row["outcome_at"]) == (True, "old", MARK + DAY)


@pytest.mark.parametrize(
    "earlier",
    [
        [],
        [talks("old", *LOST), talks("now", ("open", MARK - DAY))],
        [talks("old", *LOST, ("open", MARK - DAY))],
        [talks("old", *LOST), talks("new", ("open", START), ("won", START + 30 * DAY))],
        # Lost, but nobody had noted it by then.
        [talks("old", ("open", START), ("lost", MARK - DAY), late=2 * DAY)],
        # In talks in truth, though nobody had noted it: there is nothing to be revived.
        [talks("old", *LOST), talks("now", ("open", MARK - DAY), late=2 * DAY)],
    ],
)
def test_who_lost_nothing_last_or_is_in_talks_is_not_asked_about(
    workspace: Callable[..., Workspace], earlier: list[Tables]
) -> None:
    tables = workspace(person("c", "s"), *earlier)
    assert at_mark(build_spine(settings("revival"), tables, "revival")) == []


def test_a_deal_lost_after_another_was_won_may_come_back(workspace: Callable[..., Workspace]) -> None:
    bought = talks("first", ("open", START), ("won", START + 5 * DAY))
    tables = workspace(person("c", "s"), bought, talks("more", *LOST))
    assert [row["label"] for row in at_mark(build_spine(settings("revival"), tables, "revival"))] == [False]


def test_an_anonymous_visitor_who_is_won_later_is_a_hidden_winner(workspace: Callable[..., Workspace]) -> None:
    met = MARK + 5 * DAY
    visitor, named = person("v", "cookie-1", "cookie"), person("n", "s", since=met)
    visitor["customers"] = []
    visitor["identities"][0]["ended_at"] = met
    joined = {
        "identities": [{**visitor["identities"][0], "customer_id": "n", "linked_at": met, "ended_at": None}],
        "identity_changes": [
            {"old_id": "v", "new_id": "n", "changed_at": met, "kind": "merge", "reason": "login", "run": "r"}
        ],
    }
    tables = workspace(visitor, named, joined, won("n", "s", MARK + 20 * DAY))
    (row,) = at_mark(build_spine(settings("lookalike"), tables, "lookalike"))
    assert (row["customer_id"], row["person"], row["label"]) == ("v", "n", True)
    assert at_mark(build_spine(settings("lead"), tables, "lead")) == []


def test_the_seed_itself_is_left_out(workspace: Callable[..., Workspace]) -> None:
    tables = workspace(person("c", "s"), won("c", "s", MARK - DAY), person("v", "cookie-2", "cookie"))
    assert [row["customer_id"] for row in at_mark(build_spine(settings("lookalike"), tables, "lookalike"))] == ["v"]
    assert scoring_moments(settings("lookalike"), tables, "lookalike")["customer_id"].to_pylist() == ["v"]


def test_a_seed_of_large_deals(workspace: Callable[..., Workspace]) -> None:
    tables = workspace(
        person("c", "s"), won("c", "s", MARK + DAY, 99.0), person("b", "s2"), won("b", "s2", MARK + DAY, 100.0)
    )
    spine = build_spine(settings("lookalike", min_amount=100), tables, "lookalike")
    assert {row["customer_id"]: row["label"] for row in at_mark(spine)} == {"c": False, "b": True}
