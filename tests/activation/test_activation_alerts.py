from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from activation import alerts as alerts_module
from activation.alerts import AlertsRaised, alert_id_of, raise_alerts, release_held
from activation.forgetting import forget_alerts
from core.alert_tables import Alert, AlertState, OutboxMessage
from core.database import open_database
from core.errors import MissingStageError
from core.settings import Settings
from core.storage import Workspace

COLD, WARM, HOT = 0.1, 0.2, 0.6


def stored(settings: Settings, workspace: Workspace, table: Any) -> list[Any]:
    engine = open_database(settings, workspace)
    with Session(engine, expire_on_commit=False) as session:
        rows = list(session.scalars(select(table)))
    engine.dispose()
    return rows


def people_alerted(settings: Settings, workspace: Workspace, *states: str) -> list[str]:
    wanted = states or ("open",)
    return sorted(a.customer_id for a in stored(settings, workspace, Alert) if a.state in wanted)


@pytest.fixture
def world(
    people: Callable[..., Workspace],
    make_settings: Callable[..., Settings],
    publish_scores: Callable[..., None],
    clock: Any,
) -> Callable[..., Callable[..., AlertsRaised]]:
    """Returns a step: put scores in force and look at them; each step lies an hour after the one before."""

    def build(tables: dict[str, Any] | None = None, alerts: dict[str, Any] | None = None, **others: Any) -> Any:
        workspace = people(**(tables or {}))
        settings = make_settings(alerts=alerts, **others)

        def step(probabilities: dict[str, float], *, hours: float = 1, **scores: Any) -> AlertsRaised:
            clock.step(hours=hours)
            publish_scores(workspace, probabilities, **{"as_of": clock.now(), **scores})
            return raise_alerts(step.settings, workspace, "lead", clock=clock)

        step.settings, step.workspace = settings, workspace
        return step

    return build


def test_the_first_list_raises_nothing_and_a_crossing_raises_one_alert_once(world: Any, clock: Any) -> None:
    step = world()
    assert step({"p1": HOT, "p2": COLD}) == AlertsRaised()
    assert step({"p1": HOT, "p2": HOT}) == AlertsRaised(raised=1)
    assert raise_alerts(step.settings, step.workspace, "lead", clock=clock) == AlertsRaised()
    assert step({"p1": HOT, "p2": HOT}) == AlertsRaised()
    (alert,) = stored(step.settings, step.workspace, Alert)
    assert (alert.customer_id, alert.state, alert.probability, alert.grade) == ("p2", "open", HOT, "A")
    assert alert.reasons == ["料金ページを7日間に3回閲覧", "セミナーに参加"]
    assert alert.alert_id == alert_id_of("lead", "p2", alert.as_of)


def test_somebody_new_who_is_hot_at_once_is_news(world: Any) -> None:
    step = world()
    step({"p1": COLD})
    assert step({"p1": COLD, "p2": HOT}).raised == 1
    assert people_alerted(step.settings, step.workspace) == ["p2"]


def test_a_promotion_and_other_cuts_move_the_state_without_an_alert(world: Any, make_settings: Any) -> None:
    step = world()
    step({"p1": COLD, "p2": COLD, "p3": COLD})
    assert step({"p1": HOT, "p2": COLD, "p3": COLD}, version="2") == AlertsRaised()
    step.settings = make_settings(hot={"enter": 0.2, "leave": 0.1})
    assert step({"p1": HOT, "p2": HOT, "p3": COLD}, version="2") == AlertsRaised()
    assert step({"p1": HOT, "p2": HOT, "p3": HOT}, version="2").raised == 1
    assert people_alerted(step.settings, step.workspace) == ["p3"]


def test_an_older_list_changes_nothing_but_corrected_data_of_the_same_moment_count(
    world: Any, make_settings: Any, clock: Any
) -> None:
    step = world()
    step({"p1": COLD})
    now = clock.now()
    assert step({"p1": HOT}, as_of=now - timedelta(hours=2)) == AlertsRaised()
    assert step({"p1": HOT}, as_of=now).raised == 1
    assert step({"p1": COLD}, as_of=now) == AlertsRaised()
    step.settings = make_settings(alerts={"cool_down_days": 0})
    step({"p1": HOT}, as_of=now)
    assert len(stored(step.settings, step.workspace, Alert)) == 1, "one moment, one crossing"


def test_without_a_model_that_answers_nothing_moves(world: Any) -> None:
    step = world()
    step({"p1": COLD})
    assert step({"p1": HOT}, status="insufficient", version="-") == AlertsRaised()
    assert step({"p1": HOT}).raised == 1


def test_the_cool_down_counts_from_the_last_alert(world: Any) -> None:
    step = world(alerts={"cool_down_days": 2})
    step({"p1": COLD})
    assert step({"p1": HOT}).raised == 1
    step({"p1": COLD})
    assert step({"p1": HOT}, hours=24) == AlertsRaised(suppressed={"cool_down": 1})
    step({"p1": COLD})
    assert step({"p1": HOT}, hours=48).raised == 1


def test_who_left_the_list_and_comes_back_hot_has_crossed(world: Any) -> None:
    step = world(alerts={"cool_down_days": 0})
    step({"p1": COLD, "p2": COLD})
    assert step({"p1": HOT, "p2": COLD}).raised == 1
    step({"p2": COLD})
    assert step({"p1": HOT, "p2": COLD}).raised == 1


def deal(outcome: str, clock: Any, *, hours_ago: float = 48, person: str = "p1", account: str = "a1") -> dict[str, Any]:
    at = clock.now() - timedelta(hours=hours_ago)
    opened = clock.now() - timedelta(days=30)
    return {
        "deals": [
            {
                "deal_id": "d1",
                "system": "crm",
                "account_id": account,
                "owner_id": "s1",
                "outcome": outcome,
                "opened_at": opened,
                "recorded_at": opened,
            }
        ],
        "deal_stages": [
            {"deal_id": "d1", "stage": "opened", "outcome": "open", "entered_at": opened, "recorded_at": opened},
            {"deal_id": "d1", "stage": outcome, "outcome": outcome, "entered_at": at, "recorded_at": at},
        ],
        "deal_people": [
            {"deal_id": "d1", "customer_id": person, "system": "crm", "source_id": person, "recorded_at": opened}
        ],
    }


def refusal(clock: Any, purpose: str) -> dict[str, Any]:
    at = clock.now() - timedelta(days=1)
    row = {"customer_id": "p1", "system": "crm", "source_id": "p1", "purpose": purpose, "granted": False}
    return {"consents": [{**row, "decided_at": at, "recorded_at": at}]}


@pytest.mark.parametrize(
    ("case", "rules", "reason"),
    [
        ("no_profiling", {"marketing": "ignore"}, "no_profiling"),
        ("refused_marketing", {}, "opted_out"),
        ("refused_marketing", {"marketing": "ignore"}, None),
        ("granted_again", {}, None),
        ("said_nothing", {}, None),
        ("said_nothing", {"marketing": "granted"}, "opted_out"),
        ("said_nothing", {"excluded_mail_domains": ["@Sakura.example"]}, "excluded"),
        ("open_deal", {}, "in_talks"),
        ("open_deal", {"in_talks": "ignore"}, None),
        ("lost_deal", {}, None),
        ("deal_lost_later", {}, "in_talks"),
        ("colleagues_deal", {}, None),
        ("colleagues_deal", {"in_talks": "account"}, "in_talks"),
        ("not_unified", {}, "forgotten"),
    ],
)
def test_suppression(
    world: Any, make_customer: Any, clock: Any, case: str, rules: dict[str, Any], reason: str | None
) -> None:
    person = make_customer("p1", account_id="a1")
    tables: dict[str, Any] = {
        "no_profiling": lambda: {"customers": [{**person, "consent_profiling": False}]},
        "refused_marketing": lambda: refusal(clock, "marketing"),
        "granted_again": lambda: {**refusal(clock, "marketing"), "customers": [{**person, "consent_marketing": True}]},
        "said_nothing": dict,
        "open_deal": lambda: deal("open", clock),
        "lost_deal": lambda: deal("lost", clock),
        "deal_lost_later": lambda: deal("lost", clock, hours_ago=-48),
        "colleagues_deal": lambda: deal("open", clock, person="p2"),
        "not_unified": lambda: {"customers": [make_customer("somebody")]},
    }[case]()
    step = world(tables={"customers": [person], **tables}, alerts=rules)
    step({"p1": COLD})
    result = step({"p1": HOT})
    assert result == (AlertsRaised(raised=1) if reason is None else AlertsRaised(suppressed={reason: 1}))
    assert step({"p1": HOT}) == AlertsRaised(), "a crossing that was passed over is over"


def owned_by(staff: str, clock: Any, people: int) -> list[dict[str, Any]]:
    at = clock.now() - timedelta(days=9)
    record = {"system": "crm", "field": "owner", "value": staff, "recorded_assumed": False}
    return [
        {"customer_id": f"p{n}", "source_id": f"p{n}", "occurred_at": at, "recorded_at": at, **record}
        for n in range(1, people + 1)
    ]


def test_a_rep_gets_no_more_than_the_budget_and_the_best_of_the_rest_the_next_day(world: Any, clock: Any) -> None:
    tables = {
        "attributes": owned_by("s1", clock, 5),
        "staff": [{"staff_id": "s1", "name": "佐藤", "daily_capacity": 2.0}],
    }
    step = world(tables=tables, alerts={"owner_field": "owner", "daily_budget": 99})
    chances = {"p1": 0.5, "p2": 0.9, "p3": 0.7, "p4": 0.8, "p5": 0.6}
    step(dict.fromkeys(chances, COLD))
    assert step(chances) == AlertsRaised(raised=2, held=3)
    assert people_alerted(step.settings, step.workspace) == ["p2", "p4"]
    assert step(chances) == AlertsRaised(held=3), "the day's budget is spent"
    assert people_alerted(step.settings, step.workspace, "held") == ["p1", "p3", "p5"]
    clock.step(days=1)
    assert release_held(step.settings, step.workspace, "lead", clock=clock) == AlertsRaised(released=2, held=1)
    assert people_alerted(step.settings, step.workspace) == ["p2", "p3", "p4", "p5"]
    # p1 cools before its turn comes: nobody is sent after a lead that is not hot any more.
    assert step({**chances, "p1": WARM}) == AlertsRaised(withdrawn=1)
    assert step(chances, hours=24) == AlertsRaised(raised=1), "it was never told, so nothing cools down"


def test_held_alerts_go_before_new_ones_and_the_pool_has_a_budget_of_its_own(world: Any, clock: Any) -> None:
    step = world(alerts={"unassigned_daily_budget": 1})
    step({"p1": COLD, "p2": COLD, "p3": COLD})
    assert step({"p1": 0.5, "p2": 0.4, "p3": COLD}) == AlertsRaised(raised=1, held=1)
    assert step({"p1": 0.5, "p2": 0.4, "p3": 0.9}, hours=24) == AlertsRaised(released=1, held=1)
    assert people_alerted(step.settings, step.workspace) == ["p1", "p2"]


def test_a_held_alert_is_withdrawn_when_the_person_is_in_talks_by_then(world: Any, people: Any, clock: Any) -> None:
    step = world(alerts={"unassigned_daily_budget": 0})
    step({"p1": COLD})
    assert step({"p1": HOT}) == AlertsRaised(held=1)
    people(**deal("open", clock))
    assert step({"p1": HOT}, hours=24) == AlertsRaised(withdrawn=1)


@pytest.mark.parametrize("seen_as", ["open", "acknowledged"])
def test_what_sales_was_told_about_whoever_refuses_profiling_is_taken_back(
    world: Any, people: Any, make_customer: Any, webhook: Any, seen_as: str
) -> None:
    step = world(channels=[webhook(SimpleNamespace(url="http://127.0.0.1:1/"))])
    step({"p1": COLD, "p2": COLD})
    assert step({"p1": HOT, "p2": HOT}) == AlertsRaised(raised=2)
    engine = open_database(step.settings, step.workspace)
    with Session(engine) as session, session.begin():
        session.execute(update(Alert).values(state=seen_as))
    engine.dispose()
    people(customers=[make_customer("p1", consent_profiling=False), make_customer("p2")])
    assert step({"p2": HOT}) == AlertsRaised(withdrawn=1)
    alerts = {alert.customer_id: alert for alert in stored(step.settings, step.workspace, Alert)}
    assert (alerts["p1"].state, alerts["p1"].reasons) == ("withdrawn", [])
    assert alerts["p2"].state == seen_as
    assert alerts["p2"].reasons
    unsent = {message.alert_id for message in stored(step.settings, step.workspace, OutboxMessage)}
    assert unsent == {alerts["p2"].alert_id}
    assert step({"p2": HOT}) == AlertsRaised()


def test_the_owner_is_the_one_of_the_latest_deal_of_person_or_company(
    world: Any, make_customer: Any, clock: Any
) -> None:
    tables = deal("lost", clock, person="p1", account="a1")
    tables["customers"] = [
        make_customer("p1"),
        make_customer("p2", account_id="a1"),
        make_customer("p3", account_id="a2"),
    ]
    step = world(tables=tables, alerts={"default_owner": "desk"})
    step({"p1": COLD, "p2": COLD, "p3": COLD})
    step({"p1": HOT, "p2": HOT, "p3": HOT})
    owners = {alert.customer_id: alert.owner_id for alert in stored(step.settings, step.workspace, Alert)}
    assert owners == {"p1": "s1", "p2": "s1", "p3": "desk"}


def test_two_people_who_turn_out_to_be_one_are_announced_once(
    world: Any, people: Any, make_customer: Any, clock: Any
) -> None:
    step = world()
    step({"p1": COLD, "p2": COLD})
    assert step({"p1": COLD, "p2": HOT}).raised == 1
    merge = {"old_id": "p2", "new_id": "p1", "changed_at": clock.now(), "kind": "merge", "reason": "email", "run": "r"}
    people(customers=[make_customer("p1")], identity_changes=[merge])
    assert step({"p1": HOT}) == AlertsRaised()
    assert people_alerted(step.settings, step.workspace) == ["p1"]
    (state,) = stored(step.settings, step.workspace, AlertState)
    assert (state.customer_id, state.hot, state.last_alert_at is not None) == ("p1", True, True)


def test_alert_state_and_messages_are_one_transaction(
    world: Any, webhook: Any, make_receiver: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = world(channels=[webhook(make_receiver())])
    step({"p1": COLD})

    def fail(*_: object) -> None:
        raise RuntimeError("the process dies while it writes the message")

    with monkeypatch.context() as patched:
        patched.setattr(alerts_module, "enqueue", fail)
        with pytest.raises(RuntimeError):
            step({"p1": HOT})
    assert stored(step.settings, step.workspace, Alert) == []
    assert raise_alerts(step.settings, step.workspace, "lead", clock=clock).raised == 1
    (message,) = stored(step.settings, step.workspace, OutboxMessage)
    assert message.message_id.startswith("msg_")
    assert message.state == "pending"


def test_many_processes_looking_at_once_raise_one_alert(
    world: Any, database_url: str | None, publish_scores: Any, clock: Any
) -> None:
    step = world(database_url=database_url)
    step({f"p{n}": COLD for n in range(1, 7)})
    clock.step(hours=1)
    settings, workspace = step.settings, step.workspace
    publish_scores(workspace, {f"p{n}": HOT for n in range(1, 7)}, as_of=clock.now())
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: raise_alerts(settings, workspace, "lead", clock=clock), range(4)))
    assert sorted(result.raised for result in results) == [0, 0, 0, 6]
    assert people_alerted(settings, workspace) == [f"p{n}" for n in range(1, 7)]


def test_forgetting_deletes_alerts_messages_and_states(world: Any, webhook: Any, make_receiver: Any) -> None:
    step = world(channels=[webhook(make_receiver())])
    step({"p1": COLD, "p2": COLD})
    step({"p1": HOT, "p2": HOT})
    engine = open_database(step.settings, step.workspace)
    assert forget_alerts(engine, ["p1"]) == 1
    engine.dispose()
    assert people_alerted(step.settings, step.workspace) == ["p2"]
    assert [state.customer_id for state in stored(step.settings, step.workspace, AlertState)] == ["p2"]
    (message,) = stored(step.settings, step.workspace, OutboxMessage)
    assert "p2@sakura.example" in message.body


def test_without_scores_the_next_step_is_named(people: Any, make_settings: Any, clock: Any) -> None:
    with pytest.raises(MissingStageError, match=r"scores/lead.*kizashi run"):
        raise_alerts(make_settings(), people(), "lead", clock=clock)
