from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from activation.alerts import raise_alerts
from activation.listing import acknowledge, give_feedback, list_alerts
from core.database import open_database
from core.errors import NotFoundError


@pytest.fixture
def raised(people: Any, make_settings: Any, publish_scores: Any, clock: Any, database_url: str | None) -> Any:
    """Three alerts are open and one is held; returns engine and workspace."""
    workspace = people()
    settings = make_settings(database_url=database_url, alerts={"unassigned_daily_budget": 3})
    chances = {"p1": 0.5, "p2": 0.9, "p3": 0.7, "p4": 0.3}
    publish_scores(workspace, dict.fromkeys(chances, 0.1), as_of=clock.now())
    raise_alerts(settings, workspace, "lead", clock=clock)
    clock.step(hours=1)
    publish_scores(workspace, chances, as_of=clock.now())
    raise_alerts(settings, workspace, "lead", clock=clock)
    engine = open_database(settings, workspace)
    yield engine, workspace
    engine.dispose()


def test_the_list_shows_open_alerts_best_first_with_names(raised: Any) -> None:
    engine, workspace = raised
    shown = list_alerts(engine, workspace)
    assert [(alert.customer_id, alert.name, alert.company) for alert in shown] == [
        ("p2", "山田 花子", "さくら商事"),
        ("p3", "山田 花子", "さくら商事"),
        ("p1", "山田 花子", "さくら商事"),
    ]
    assert [alert.customer_id for alert in list_alerts(engine, workspace, states=("held",))] == ["p4"]
    assert [alert.customer_id for alert in list_alerts(engine, workspace, limit=1)] == ["p2"]
    assert list_alerts(engine, workspace, owner_id="s1") == ()
    assert list_alerts(engine, workspace, model="churn") == ()


def test_whoever_acknowledges_first_stays_on_record(raised: Any, clock: Any) -> None:
    engine, workspace = raised
    best = list_alerts(engine, workspace)[0].alert_id
    with ThreadPoolExecutor(4) as pool:
        views = list(
            pool.map(
                lambda name: acknowledge(engine, workspace, best, name, clock=clock), ["佐藤", "鈴木", "田中", "林"]
            )
        )
    assert {view.state for view in views} == {"acknowledged"}
    assert len({view.acknowledged_by for view in views}) == 1
    assert [alert.customer_id for alert in list_alerts(engine, workspace)] == ["p3", "p1"]
    (done,) = list_alerts(engine, workspace, states=("acknowledged",))
    assert done.acknowledged_at == clock.now()


def test_feedback_is_kept_and_may_be_corrected(raised: Any, clock: Any) -> None:
    engine, workspace = raised
    best = list_alerts(engine, workspace)[0].alert_id
    give_feedback(engine, workspace, best, "useful", "すぐ商談になった", clock=clock)
    view = give_feedback(engine, workspace, best, "already_known", clock=clock)
    assert (view.feedback, view.feedback_note, view.state) == ("already_known", None, "open")


def test_an_alert_that_does_not_exist_is_not_found(raised: Any, clock: Any) -> None:
    engine, workspace = raised
    with pytest.raises(NotFoundError):
        acknowledge(engine, workspace, "nothing", "佐藤", clock=clock)
    with pytest.raises(NotFoundError):
        give_feedback(engine, workspace, "nothing", "useful", clock=clock)
