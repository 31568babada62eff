"""What a system is told about the life cycle: each change once, opt-outs of everybody, nothing of the forgotten."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from activation.lifecycle_delta import Confirmation, confirm_told, count_told, forget_told, lifecycle_delta
from core.database import open_database
from core.errors import ConfigurationError
from core.settings import Settings
from core.storage import Workspace
from tests.activation.conftest import START, customer

Row = dict[str, Any]


def ago(days: float) -> datetime:
    return START - timedelta(days=days)


def record(person: str, source_id: str, system: str = "ma", ended: datetime | None = None) -> Row:
    return {
        "system": system, "source_id": source_id, "customer_id": person, "rule": "record", "probability": 1.0,
        "linked_at": ago(100), "ended_at": ended, "run": "r",
    }  # fmt: skip


def visit(person: str, number: int, stage: str, entered: float, left: float | None = None, delay: float = 0) -> Row:
    return {
        "customer_id": person, "visit": number, "stage": stage, "rule": "x",
        "entered_at": ago(entered), "recorded_at": ago(entered - delay),
        "left_at": None if left is None else ago(left), "left_recorded_at": None if left is None else ago(left),
    }  # fmt: skip


def deal(person: str, name: str, *stages: tuple[str, float]) -> dict[str, list[Row]]:
    part = {"deal_id": name, "customer_id": person, "system": "crm", "source_id": person, "recorded_at": ago(90)}
    entered = [
        {"deal_id": name, "stage": outcome, "outcome": outcome, "entered_at": ago(days), "recorded_at": ago(days)}
        for outcome, days in stages
    ]
    return {"deal_people": [part], "deal_stages": entered}


def refusal(person: str, purpose: str, days: float, granted: bool = False) -> Row:
    return {
        "customer_id": person, "system": "ma", "source_id": person, "purpose": purpose, "granted": granted,
        "decided_at": ago(days), "recorded_at": ago(days),
    }  # fmt: skip


def company(**changes: Any) -> dict[str, list[Row]]:
    """p1 has two records and is in talks, p2 is a lead, p3 refused profiling and opted out, p4 is not in the MA."""
    tables: dict[str, list[Row]] = {
        "customers": [
            customer("p1"), customer("p2", consent_marketing=True), customer("p3", consent_profiling=False),
            customer("p4"), customer("p5", consent_profiling=False),
        ],
        "identities": [
            record("p1", "1"), record("p1", "1b"), record("p2", "2"), record("p3", "3"), record("p5", "5"),
            record("p4", "4", system="crm"), record("p0", "2", ended=ago(60)), record("p1", "m@x.example", "email"),
        ],
        "lifecycle": [visit("p1", 1, "lead", 50, 20), visit("p1", 2, "in_talks", 20), visit("p2", 1, "lead", 40)],
        "consents": [
            refusal("p3", "marketing", 5), refusal("p3", "profiling", 5), refusal("p5", "profiling", 5),
            refusal("p2", "marketing", 30), refusal("p2", "marketing", 10, granted=True),
        ],
        **deal("p1", "D1", ("open", 20)),
    }  # fmt: skip
    return tables | changes


@pytest.fixture
def told(
    people: Callable[..., Workspace], make_settings: Callable[..., Settings], database_url: str | None
) -> Callable[..., Any]:
    """Publishes tables and gives what there is to tell; `confirm` says that it was told."""

    def step(tables: dict[str, list[Row]], *, full: bool = False, confirm: bool = False, **lifecycle: Any) -> Any:
        workspace = people(**tables)
        settings = make_settings(database_url=database_url, lifecycle=lifecycle)
        engine = open_database(settings, workspace)
        delta = lifecycle_delta(settings, workspace, engine, "ma", full=full)
        rows = delta.rows.to_pylist()
        if confirm:
            assert confirm_told(workspace, engine, "ma", rows) == Confirmation(len(rows), 0)
        engine.dispose()
        step.records = delta.records
        return {row["id"]: tuple(row[name] for name in ("stage", "deal_state", "opted_out")) for row in rows}

    return step


FIRST = {
    "1": ("in_talks", "in_talks", "false"),
    "1b": ("in_talks", "in_talks", "false"),
    "2": ("lead", "", "false"),
    "3": ("", "", "true"),
}


def test_everything_is_told_once_and_then_what_changes(told: Any) -> None:
    assert told(company()) == FIRST
    assert told.records == 5
    # Without a confirmation the same is told again; with one nothing twice.
    assert told(company(), confirm=True) == FIRST
    assert told(company()) == {}
    assert told(company(), full=True) == FIRST
    moved = company(lifecycle=[visit("p1", 1, "lead", 50, 20), visit("p1", 2, "in_talks", 20, 1),
                               visit("p1", 3, "won", 1), visit("p2", 1, "lead", 40)],
                    **deal("p1", "D1", ("open", 20), ("won", 1)))  # fmt: skip
    assert told(moved) == {"1": ("won", "won", "false"), "1b": ("won", "won", "false")}


def test_what_was_never_confirmed_is_told_in_its_newest_form(told: Any) -> None:
    told(company(), confirm=True)
    won = deal("p1", "D1", ("open", 20), ("won", 3))
    lost = deal("p2", "D2", ("open", 9), ("lost", 2))
    first = company(**won)
    second = company(**{name: won[name] + lost[name] for name in won})
    assert set(told(first)) == {"1", "1b"}
    assert set(told(second)) == {"1", "1b", "2"}


def test_whoever_refuses_profiling_is_cleared_and_opt_outs_flow_still(told: Any) -> None:
    told(company(), confirm=True)
    people = [customer("p1", consent_profiling=False), customer("p2"), customer("p3", consent_profiling=False)]
    later = company(
        customers=people,
        consents=[refusal("p1", "profiling", 1), refusal("p2", "marketing", 1), refusal("p3", "marketing", 5)],
    )
    assert told(later) == {"1": ("", "", "false"), "1b": ("", "", "false"), "2": ("lead", "", "true")}


def test_a_deal_that_goes_on_counts_more_than_one_that_was_won(told: Any) -> None:
    several = [deal("p1", "D1", ("open", 20), ("won", 9)), deal("p1", "D2", ("open", 8))]
    tables = {name: several[0][name] + several[1][name] for name in several[0]}
    assert told(company(**tables))["1"][1] == "in_talks"
    assert told(company(**several[0]))["1"][1] == "won"
    # Not visible yet at the moment of the data.
    assert told(company(**deal("p1", "D1", ("open", 20), ("lost", -1))))["1"][1] == "in_talks"


def test_the_system_s_own_words(told: Any) -> None:
    words = {"in_talks": "商談中", "lead": "見込み"}
    assert told(company(), exports={"ma": {"words": words}})["1"] == ("商談中", "商談中", "false")
    assert told(company(), exports={"ma": {"words": words}}, confirm=True)["2"][0] == "見込み"
    cleared = company(customers=[customer("p1", consent_profiling=False)])
    assert told(cleared, exports={"ma": {"words": {"none": "なし"}}})["1"] == ("なし", "なし", "false")
    # Other words are told anew.
    assert set(told(company())) == {"1", "1b", "2"}


def test_times_and_address_of_a_row(people: Callable[..., Workspace], make_settings: Callable[..., Settings]) -> None:
    mail = {
        "customer_id": "p1", "system": "ma", "source_id": "1", "field": "email", "recorded_assumed": False,
        "occurred_at": ago(50), "recorded_at": ago(50),
    }  # fmt: skip
    addresses = [mail | {"value": "old@x.example"}, mail | {"value": "new@x.example", "occurred_at": ago(9)}]
    workspace = people(**company(attributes=addresses, lifecycle=[visit("p1", 1, "lead", 30.5, delay=3)]))
    settings = make_settings()
    engine = open_database(settings, workspace)
    (row, *_) = lifecycle_delta(settings, workspace, engine, "ma").rows.to_pylist()
    engine.dispose()
    assert (row["id"], row["email"], row["stage_since"]) == ("1", "new@x.example", "2026-01-30T13:00:00Z")
    # The newest of what the row says: the deal became known twenty days ago, the stage before that.
    assert row["changed_at"] == "2026-02-10T01:00:00Z"


def test_records_that_are_gone_are_neither_noted_nor_kept(
    people: Callable[..., Workspace], make_settings: Callable[..., Settings], database_url: str | None
) -> None:
    workspace, settings = people(**company()), make_settings(database_url=database_url)
    engine = open_database(settings, workspace)
    rows = lifecycle_delta(settings, workspace, engine, "ma").rows.to_pylist()
    confirm_told(workspace, engine, "ma", rows)
    keys = [("ma", row["id"]) for row in rows]
    assert count_told(engine, keys) == 4
    left = [row for row in company()["identities"] if row["source_id"] != "3"]
    people(**company(identities=left))
    assert confirm_told(workspace, engine, "ma", rows[:1]) == Confirmation(1, 0)
    assert count_told(engine, [("ma", "3")]) == 0
    assert confirm_told(workspace, engine, "ma", rows) == Confirmation(3, 1)
    assert count_told(engine, keys) == 3
    forget_told(engine, [("ma", "1"), ("crm", "2")])
    assert count_told(engine, keys) == 2
    engine.dispose()


@pytest.mark.parametrize("system", ["email", "nowhere"])
def test_a_system_without_records(
    people: Callable[..., Workspace], make_settings: Callable[..., Settings], system: str
) -> None:
    workspace, settings = people(**company()), make_settings()
    engine = open_database(settings, workspace)
    with pytest.raises(ConfigurationError, match="one of crm, ma"):
        lifecycle_delta(settings, workspace, engine, system)
    engine.dispose()
