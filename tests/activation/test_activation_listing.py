from typing import Any

import pytest

from activation.alerts import raise_alerts
from activation.listing import list_alerts
from core.database import open_database


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
