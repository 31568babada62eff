"""Who could be scored at a moment, by what was visible then."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.settings import Settings
from core.storage import Workspace
from training.eligibility import MOMENTS_SCHEMA, eligible_customers

DAY = timedelta(days=1)
T = datetime(2025, 6, 1, tzinfo=UTC)


def link(customer: str, source: str, at: datetime, end: datetime | None = None, system: str = "crm") -> dict[str, Any]:
    return {
        "system": system, "source_id": source, "customer_id": customer, "rule": "source",
        "probability": 1.0, "linked_at": at, "ended_at": end, "run": "r",
    }  # fmt: skip


def deal(deal_id: str, *stages: tuple[str, datetime, datetime]) -> dict[str, list[dict[str, Any]]]:
    """A deal of record `s` with stages of (outcome, entered, recorded)."""
    first, last = stages[0], stages[-1]
    return {
        "deals": [
            {
                "deal_id": deal_id, "system": "crm", "outcome": last[0], "opened_at": first[1],
                "closed_at": None if last[0] == "open" else last[1], "recorded_at": first[2],
            }
        ],
        "deal_stages": [
            {
                "deal_id": deal_id, "stage": f"{n}-{outcome}", "outcome": outcome, "entered_at": entered,
                "recorded_at": seen,
            }
            for n, (outcome, entered, seen) in enumerate(stages)
        ],
        "deal_people": [
            {"deal_id": deal_id, "customer_id": "c", "system": "crm", "source_id": "s", "recorded_at": first[2]}
        ],
    }  # fmt: skip


def consent(granted: bool, at: datetime, recorded: datetime | None = None) -> dict[str, Any]:
    return {
        "customer_id": "c", "system": "crm", "source_id": "s", "purpose": "profiling", "granted": granted,
        "decided_at": at, "recorded_at": recorded or at,
    }  # fmt: skip


@pytest.fixture
def is_eligible(
    publish_tables: Callable[..., Workspace], make_settings: Callable[..., Settings]
) -> Callable[..., bool]:
    def ask(open_deal: str = "any", at: datetime = T, exclude: dict[str, Any] | None = None, **tables: Any) -> bool:
        tables.setdefault("identities", [link("c", "s", T - 90 * DAY)])
        workspace = publish_tables(**tables)
        settings = make_settings(Path("unused"), lead={"eligible": {"open_deal": open_deal}, "exclude": exclude or {}})
        moments = pa.table({"customer_id": ["c"], "as_of": pa.array([at], MOMENTS_SCHEMA.field("as_of").type)})
        return eligible_customers(settings, workspace, "lead", moments).num_rows == 1

    return ask


def test_known_from_the_moment_after_the_first_record(is_eligible: Callable[..., bool]) -> None:
    identities = [link("c", "s", T)]
    assert not is_eligible(identities=identities, at=T)
    assert is_eligible(identities=identities, at=T + timedelta(microseconds=1))


def test_a_cookie_alone_makes_nobody_known(is_eligible: Callable[..., bool]) -> None:
    assert not is_eligible(identities=[link("c", "k", T - DAY, system="cookie")])


def test_an_id_that_was_merged_away_is_nobody_any_more(is_eligible: Callable[..., bool]) -> None:
    identities = [link("c", "s", T - 9 * DAY, T - DAY), link("b", "s", T - DAY)]
    assert not is_eligible(identities=identities)
    assert is_eligible(identities=identities, at=T - 2 * DAY)


@pytest.mark.parametrize(("entered", "recorded", "eligible"), [(-2, -1, False), (-2, 0, True), (0, 0, True)])
def test_a_won_deal_counts_once_it_is_visible_in_both_times(
    is_eligible: Callable[..., bool], entered: int, recorded: int, eligible: bool
) -> None:
    won = deal("d", ("open", T - 9 * DAY, T - 9 * DAY), ("won", T + entered * DAY, T + recorded * DAY))
    assert is_eligible(**won) is eligible


def test_people_in_talks_by_the_state_of_the_moment(is_eligible: Callable[..., bool]) -> None:
    open_then = deal("d", ("open", T - 9 * DAY, T - 9 * DAY), ("lost", T + DAY, T + DAY))
    lost_then = deal("d", ("open", T - 9 * DAY, T - 9 * DAY), ("lost", T - DAY, T - DAY))
    assert [is_eligible(rule, **open_then) for rule in ("any", "required", "excluded")] == [True, True, False]
    assert [is_eligible(rule, **lost_then) for rule in ("any", "required", "excluded")] == [True, False, True]
    assert [is_eligible(rule) for rule in ("any", "required", "excluded")] == [True, False, True]


def test_the_last_word_on_profiling_before_the_moment_holds(is_eligible: Callable[..., bool]) -> None:
    assert not is_eligible(consents=[consent(False, T - DAY)])
    assert is_eligible(consents=[consent(False, T)])
    assert is_eligible(consents=[consent(False, T - DAY, recorded=T)])
    assert is_eligible(consents=[consent(False, T - 2 * DAY), consent(True, T - DAY)])


def attribute(field: str, value: str, recorded: datetime) -> dict[str, Any]:
    return {
        "customer_id": "c", "system": "crm", "source_id": "s", "field": field, "value": value,
        "occurred_at": T - 60 * DAY, "recorded_at": recorded, "recorded_assumed": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "recorded", "pattern", "eligible"),
    [
        ("Taro@Our-Company.co.jp", T - DAY, "*@our-company.co.jp", False),
        ("taro@our-company.co.jp", T, "*@our-company.co.jp", True),  # nobody knew before the moment
        ("taro@customer.co.jp", T - DAY, "*@our-company.co.jp", True),
    ],
)
def test_own_people_competitors_and_tests_are_left_out_as_they_were_known(
    is_eligible: Callable[..., bool], value: str, recorded: datetime, pattern: str, eligible: bool
) -> None:
    exclude = {"values": {"email": [pattern], "company": ["*テスト*"]}}
    assert is_eligible(exclude=exclude, attributes=[attribute("email", value, recorded)]) is eligible
    assert not is_eligible(exclude=exclude, attributes=[attribute("company", "株式会社テスト用", T - DAY)])


def test_who_opted_out_is_left_out_where_that_is_wanted(is_eligible: Callable[..., bool]) -> None:
    said = [{**consent(False, T - DAY), "purpose": "marketing"}]
    assert is_eligible(consents=said)
    assert not is_eligible(consents=said, exclude={"opted_out": True})
    taken_back = [
        {**consent(True, T - DAY), "purpose": "marketing"},
        {**consent(False, T - 2 * DAY), "purpose": "marketing"},
    ]
    assert is_eligible(consents=taken_back, exclude={"opted_out": True})
