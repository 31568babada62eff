"""What sales does with an alert, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from core.alert_tables import Alert
from core.clock import FixedClock
from core.database import open_database
from core.errors import NotFoundError
from core.settings import Settings
from core.storage import Workspace
from scoring.flat_answer import iso
from serving.alerts import acknowledge, give_feedback, newest_alerts


@pytest.fixture
def engine(tmp_path: Path, database_url: str | None, now: FixedClock) -> Iterator[Engine]:
    """A database with one open alert, `a`."""
    source = {"name": "s", "system": "crm", "path": "none.csv", "people": {"id": "id"}}
    settings = Settings.model_validate(
        {"name": "test", "home": tmp_path, "sources": [source], "database_url": database_url}
    )
    opened = open_database(settings, Workspace(tmp_path))
    figures = {"probability": 0.5, "score": 90, "grade": "A", "evidence": "high", "reasons": [], "model_version": "1"}
    moments = {"as_of": now.now(), "created_at": now.now(), "released_at": now.now()}
    with Session(opened) as session, session.begin():
        session.add(Alert(alert_id="a", model="lead", customer_id="c", state="open", **figures, **moments))
    yield opened
    opened.dispose()


def test_whoever_acknowledges_first_stays_on_record(engine: Engine, now: FixedClock) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda name: acknowledge(engine, "a", name, clock=now), ["佐藤", "鈴木", "田中", "林"]))
    assert {answer.state for answer in answers} == {"acknowledged"}
    assert len({answer.acknowledged_by for answer in answers}) == 1
    assert answers[0].acknowledged_at == iso(now.now())
    assert newest_alerts(engine, "lead") == {"c": answers[0]}


def test_feedback_is_kept_and_may_be_corrected(engine: Engine, now: FixedClock) -> None:
    give_feedback(engine, "a", "useful", "すぐ商談になった", clock=now)
    answer = give_feedback(engine, "a", "already_known", "", clock=now)
    assert (answer.feedback, answer.state) == ("already_known", "open")
    with Session(engine) as session:
        assert session.get_one(Alert, "a").feedback_note is None


def test_an_alert_that_does_not_exist_is_not_found(engine: Engine, now: FixedClock) -> None:
    with pytest.raises(NotFoundError):
        acknowledge(engine, "nothing", "佐藤", clock=now)
    with pytest.raises(NotFoundError):
        give_feedback(engine, "nothing", "useful", "", clock=now)
