"""What is answered while a store is away, and how a mismatch is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from core.database import open_database
from core.errors import ContractError
from core.settings import load_settings
from serving.availability import AwayError, Breaker
from serving.champions import Champions
from tests.databases import POSTGRES, postgres_schema

Serve = Callable[..., Any]
# Nothing listens on port 1: refused at once, like a server that is down.
NO_DATABASE = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def lose_online_store(served: Any) -> None:
    folder = served.workspace.path("feast")
    folder.rename(folder.with_name("feast_lost"))


def test_without_the_online_store_the_stored_answer_is_given_as_stale(own_served: Any, serve: Serve) -> None:
    rows = own_served.scores[:20]
    fresh = {row["customer_id"]: row for row in rows}
    lose_online_store(own_served)
    client = serve(own_served)
    for row in rows:
        answer = client.get(f"/v1/score/lead/kizashi/{row['customer_id']}?lang=ja").json()
        told = fresh[row["customer_id"]]
        same = ("score", "probability", "grade", "hot", "evidence", "fit", "engagement", "model_version")
        assert answer["status"] == "stale"
        assert {key: answer[key] for key in same} == {key: told[key] for key in same}
        assert [answer[f"reason_{n}"] for n in range(1, 6)] == [told[f"reason_{n}"] for n in range(1, 6)]
    assert client.get("/v1/score/lead/marketo/nobody").json()["status"] == "unknown"
    assert client.get("/readyz").status_code == 200


def test_without_the_database_answers_are_computed_all_the_same(own_served: Any, serve: Serve) -> None:
    with_database = serve(own_served)  # remembers the keys
    away = serve(own_served, database_url=NO_DATABASE)
    for row in own_served.scores[:5]:
        path = f"/v1/score/lead/marketo/{own_served.record_of(row['customer_id'])}"
        assert away.get(path).json() == with_database.get(path).json()
    for record, status in (("m3", "excluded"), ("nobody", "unknown")):
        assert away.get(f"/v1/score/lead/marketo/{record}").json()["status"] == status
    assert away.get("/v1/score/lead/marketo/m1", headers={"X-API-Key": "kz_wrong"}).status_code == 401
    assert away.get("/v1/leads/hot", headers={"X-API-Key": own_served.keys["sales"]}).status_code == 503


@pytest.mark.postgres
def test_a_database_server_that_was_restarted_is_asked_on_another_connection(own_served: Any) -> None:
    with postgres_schema() as url:
        settings = own_served.settings.model_copy(update={"database_url": url})
        engine = open_database(settings, own_served.workspace)
        with engine.connect() as connection:
            process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        other = create_engine(POSTGRES)
        with other.connect() as connection:
            assert connection.execute(text(f"SELECT pg_terminate_backend({process}, 5000)")).scalar_one()
        other.dispose()
        with engine.connect() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != process
        engine.dispose()


def test_without_either_store_it_is_said_that_nothing_can_be_answered(own_served: Any, serve: Serve) -> None:
    serve(own_served)
    lose_online_store(own_served)
    client = serve(own_served, database_url=NO_DATABASE)
    response = client.get("/v1/score/lead/marketo/m1")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"]
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200


def test_a_registry_that_is_away_does_not_stop_a_restart(own_served: Any, serve: Serve) -> None:
    path = f"/v1/score/lead/kizashi/{own_served.scores[0]['customer_id']}"
    before = serve(own_served).get(path).json()
    (own_served.workspace.path("mlflow") / "mlflow.db").unlink()
    away = replace(own_served, settings=own_served.settings.model_copy(update={"tracking_uri": "http://127.0.0.1:1"}))
    assert serve(away).get(path).json() == before


def test_a_champion_of_other_features_is_refused(own_served: Any) -> None:
    config = own_served.config
    config.write_text(config.read_text(encoding="utf-8").replace("- 7\n", "- 14\n"), encoding="utf-8")
    with pytest.raises(ContractError, match="trained on lead_v1"):
        Champions(load_settings(config), own_served.workspace).load()


def test_an_altered_copy_of_the_champion_is_refused(own_served: Any, serve: Serve) -> None:
    serve(own_served)
    kept = own_served.workspace.current("champions/lead") / "model.json"
    altered = json.loads(kept.read_text(encoding="utf-8")) | {"base_rate": 0.9}
    kept.write_text(json.dumps(altered), encoding="utf-8")
    settings = own_served.settings.model_copy(update={"tracking_uri": "http://127.0.0.1:1"})
    with pytest.raises(ContractError, match="changed after it was saved"):
        Champions(settings, own_served.workspace).load()


def test_a_breaker_lets_nobody_wait_for_a_store_that_just_failed() -> None:
    now = [0.0]
    breaker = Breaker("store", (OSError,), pause_seconds=2, monotonic=lambda: now[0])
    tries = 0

    def attempt() -> None:
        nonlocal tries
        with breaker.guard():
            tries += 1
            raise OSError

    for at in (0.0, 1.9, 2.0):
        now[0] = at
        with pytest.raises(AwayError):
            attempt()
    assert tries == 2
