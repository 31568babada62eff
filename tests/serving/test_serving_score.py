"""Lookups: the flat answer, every status, and equality with the list of scores and with the explanation."""

import re
import shutil
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import ScoreState, open_database
from scoring.explain import explain_customer
from scoring.registry import CHAMPION, Registry, registered_name

TYPES = {
    "status": str,
    "system": str,
    "id": str,
    "customer_id": str,
    "model": str,
    "score": int,
    "probability": float,
    "grade": str,
    "fit": str,
    "engagement": int,
    "trend": str,
    "delta_7d": int,
    "hot": bool,
    "evidence": str,
    **{f"reason_{n}": str for n in range(1, 6)},
    "scored_at": str,
    "features_as_of": str,
    "model_version": str,
}
Serve = Callable[..., Any]


def check_shape(answer: dict[str, Any]) -> None:
    assert list(answer) == list(TYPES)
    assert all(re.fullmatch(r"[a-z0-9_]+", key) for key in answer)
    assert {key: type(value) for key, value in answer.items()} == TYPES


def test_everybody_on_the_list_gets_the_same_answer_over_http(served: Any, serve: Serve) -> None:
    client = serve(served)
    listed = served.scores[:200]
    items = [{"system": "marketo", "id": served.record_of(row["customer_id"])} for row in listed]
    batch = client.post("/v1/score/batch", json={"model": "lead", "items": items}).json()["items"]
    assert len(batch) == len(listed) == 200
    for row, item, answer in zip(listed, items, batch, strict=True):
        check_shape(answer)
        assert (answer["system"], answer["id"]) == (item["system"], item["id"])
        same = set(TYPES) - {"system", "id", "scored_at", "features_as_of"}
        assert {key: answer[key] for key in same} == {key: row[key] for key in same}
    for answer in batch[::10]:
        alone = client.get(f"/v1/score/lead/kizashi/{answer['customer_id']}").json()
        posted = client.post("/v1/score", json={"model": "lead", "system": "kizashi", "id": answer["customer_id"]})
        assert alone == posted.json() == {**answer, "system": "kizashi", "id": answer["customer_id"]}


def test_the_answer_is_the_explanation_to_the_last_digit(served: Any, serve: Serve) -> None:
    client = serve(served)
    for row in served.scores[::80]:
        told = explain_customer(served.settings, served.workspace, "lead", row["customer_id"], "en")
        answer = client.get(f"/v1/score/lead/kizashi/{row['customer_id']}?lang=en").json()
        reasons = tuple(answer[f"reason_{n}"] for n in range(1, 6) if answer[f"reason_{n}"])
        figures = (answer["probability"], answer["score"], answer["grade"], answer["model_version"])
        assert figures == (told.probability, told.score, told.grade, told.model_version)
        assert reasons == told.reasons


def test_the_list_in_force_is_explained_whatever_became_of_the_features(served: Any, own_served: Any) -> None:
    row = served.scores[0]
    before = explain_customer(served.settings, served.workspace, "lead", row["customer_id"], "en")
    # A newer run was killed after it had built its own.
    shutil.rmtree(own_served.workspace.path("features"))
    assert explain_customer(own_served.settings, own_served.workspace, "lead", row["customer_id"], "en") == before
    assert before.probability == row["probability"]


def test_the_language_of_the_reasons_is_chosen(served: Any, serve: Serve) -> None:
    client, row = serve(served), served.scores[0]
    path = f"/v1/score/lead/kizashi/{row['customer_id']}"
    assert client.get(path).json()["reason_1"] == client.get(f"{path}?lang=ja").json()["reason_1"] == row["reason_1"]
    assert client.get(f"{path}?lang=en").json()["reason_1"].isascii() is False  # the arrow
    assert "pricing" in client.get(f"{path}?lang=en").text
    assert client.get(f"{path}?lang=fr").status_code == 422


def test_unknown_people_are_answered(served: Any, serve: Serve) -> None:
    client = serve(served)
    for system, record in (("marketo", "nobody"), ("sap", "m1"), ("kizashi", "c_of_forgotten"), ("email", "x@y.jp")):
        response = client.get(f"/v1/score/lead/{system}/{record}")
        assert response.status_code == 200
        answer = response.json()
        check_shape(answer)
        empty = {"status": "unknown", "score": 0, "probability": 0.0, "grade": "-", "reason_1": "", "customer_id": ""}
        assert {key: answer[key] for key in empty} == empty


def test_whoever_refused_profiling_is_excluded(served: Any, serve: Serve) -> None:
    answer = serve(served).get("/v1/score/lead/marketo/m3").json()
    check_shape(answer)
    assert (answer["status"], answer["score"], answer["probability"]) == ("excluded", 0, 0.0)
    assert [answer[f"reason_{n}"] for n in range(1, 6)] == [""] * 5


def test_whoever_was_won_already_is_excluded_and_the_nameless_are_insufficient(served: Any, serve: Serve) -> None:
    listed = {row["customer_id"] for row in served.scores}
    deals = served.workspace.read_table("deal_people").to_pylist()
    won = next(row["customer_id"] for row in deals if row["customer_id"] not in listed)
    client = serve(served)
    assert client.get(f"/v1/score/lead/kizashi/{won}").json()["status"] == "excluded"
    nameless = client.get("/v1/score/lead/cookie/k/1").json()  # an id with a slash
    assert (nameless["status"], nameless["customer_id"], nameless["id"]) == ("insufficient", "c_anonymous", "k/1")


def test_any_id_ever_given_resolves(served: Any, serve: Serve) -> None:
    client = serve(served)
    today = client.get("/v1/score/lead/marketo/m5").json()
    former = client.get("/v1/score/lead/kizashi/c_former").json()
    assert former == {**today, "system": "kizashi", "id": "c_former"}
    assert client.get("/v1/score/lead/customer/c_former").json()["customer_id"] == "c_00005"


def test_an_email_is_found_however_it_is_written(served: Any, serve: Serve) -> None:
    client = serve(served)
    expected = client.get("/v1/score/lead/marketo/m7").json()
    for written in (
        "person7@example.jp",
        "Person7@Example.JP",
        "person7+news@example.jp",
        "%EF%BD%90erson7@example.jp ",
    ):
        answer = client.get(f"/v1/score/lead/email/{written}").json()
        assert {**answer, "system": "", "id": ""} == {**expected, "system": "", "id": ""}


def test_without_a_champion_the_answer_is_insufficient(own_served: Any, serve: Serve) -> None:
    Registry(own_served.settings, own_served.workspace).client.delete_registered_model_alias(
        registered_name("lead"), CHAMPION
    )
    answer = serve(own_served).get(f"/v1/score/lead/kizashi/{own_served.scores[0]['customer_id']}").json()
    check_shape(answer)
    assert (answer["status"], answer["model_version"], answer["probability"]) == ("insufficient", "-", 0.0)


def test_an_answer_that_differs_is_logged_once(own_served: Any, serve: Serve) -> None:
    row = own_served.scores[0]
    engine = open_database(own_served.settings, own_served.workspace)
    with Session(engine) as session, session.begin():
        session.delete(session.get(ScoreState, ("lead", row["customer_id"])))
    client = serve(own_served)
    first = client.get(f"/v1/score/lead/kizashi/{row['customer_id']}").json()
    assert client.get(f"/v1/score/lead/kizashi/{row['customer_id']}").json() == first
    with Session(engine) as session:
        state = session.scalars(select(ScoreState).where(ScoreState.customer_id == row["customer_id"])).one()
        assert (state.probability, state.hot) == (row["probability"], row["hot"])
    engine.dispose()


def test_a_newly_promoted_champion_is_taken_over(own_served: Any, serve: Serve) -> None:
    client = serve(own_served)
    registry = Registry(own_served.settings, own_served.workspace)
    name, path = registered_name("lead"), f"/v1/score/lead/kizashi/{own_served.scores[0]['customer_id']}"
    version = registry.client.get_model_version(name, "1")
    again = registry.client.create_model_version(name, version.source, version.run_id)
    registry.crown("lead", str(again.version))
    assert client.get(path).json()["model_version"] == "1"
    client.runtime.champions.refresh()
    answer = client.get(path).json()
    assert (answer["model_version"], answer["trend"], answer["delta_7d"]) == ("2", "new", 0)
