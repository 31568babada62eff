"""Sales: the list of hot leads, alerts, and the page with its login."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.alert_tables import Alert
from core.clock import FixedClock
from core.database import open_database
from serving.keys import revoke_key

Serve = Callable[..., Any]


@pytest.fixture
def alerted(own_served: Any, now: FixedClock) -> Any:
    """Sales was told about the best hot lead, not yet about the second."""
    hot = [row for row in own_served.scores if row["hot"]]
    engine = open_database(own_served.settings, own_served.workspace)
    with Session(engine) as session, session.begin():
        for row, alert_id, state in ((hot[0], "a-open", "open"), (hot[1], "a-held", "held")):
            figures = {key: row[key] for key in ("customer_id", "probability", "score", "grade", "evidence")}
            moments = {"as_of": row["as_of"], "created_at": now.moment, "released_at": now.moment}
            session.add(
                Alert(alert_id=alert_id, model="lead", reasons=[], model_version="1", state=state, **figures, **moments)
            )
    engine.dispose()
    return own_served


def log_in(client: Any, key: str) -> Any:
    return client.post("/login", data={"key": key})


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


def test_the_hot_leads_are_those_of_the_list(alerted: Any, serve: Serve) -> None:
    client = serve(alerted, scope="sales")
    leads = client.get("/v1/leads/hot").json()["items"]
    hot = [row for row in alerted.scores if row["hot"]]
    assert 2 <= len(hot) < len(alerted.scores) / 2
    assert [lead["customer_id"] for lead in leads] == [row["customer_id"] for row in hot]
    assert [lead["probability"] for lead in leads] == [row["probability"] for row in hot]
    first, second = leads[:2]
    assert first["name"].split()[0] in {"佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺"}
    assert first["hot_since"] == "2025-03-26T00:00:00Z"
    assert (first["alert_id"], first["acknowledged"]) == ("a-open", False)
    assert (second["alert_id"], second["acknowledged_by"]) == ("", "")  # held back: sales does not see it yet
    assert all(value is not None for lead in leads for value in lead.values())
    assert len(client.get("/v1/leads/hot?limit=1").json()["items"]) == 1
    for wrong in ("limit=0", "limit=501", "limit=x", "lang=fr"):
        assert client.get(f"/v1/leads/hot?{wrong}").status_code == 422


def test_whoever_refuses_profiling_leaves_the_list_at_once(own_served: Any, serve: Serve) -> None:
    client = serve(own_served, scope="sales")
    best = client.get("/v1/leads/hot").json()["items"][0]["customer_id"]
    engine = open_database(own_served.settings, own_served.workspace)
    with engine.begin() as connection:
        changed = "UPDATE person_records SET state = 'excluded' WHERE customer_id = :customer"
        connection.execute(text(changed), {"customer": best})
    engine.dispose()
    assert best not in client.get("/v1/leads/hot").text


def test_who_acknowledges_first_stays_on_record(alerted: Any, serve: Serve) -> None:
    client = serve(alerted, scope="sales")
    first = client.post("/v1/alerts/a-open/ack", json={"by": "佐藤"})
    assert first.status_code == 200
    assert (first.json()["state"], first.json()["acknowledged_by"]) == ("acknowledged", "佐藤")
    assert client.post("/v1/alerts/a-open/ack").json() == first.json()
    lead = client.get("/v1/leads/hot").json()["items"][0]
    assert (lead["acknowledged"], lead["acknowledged_by"]) == (True, "佐藤")
    assert client.post("/v1/alerts/none/ack").status_code == 404
    assert client.post("/v1/alerts/a-open/ack", json={"by": 1}).status_code == 422


def test_feedback_is_kept(alerted: Any, serve: Serve) -> None:
    client = serve(alerted, scope="sales")
    path = "/v1/alerts/a-open/feedback"
    assert client.post(path, json={"feedback": "useful", "note": "電話済み"}).json()["feedback"] == "useful"
    assert client.post(path, json={"feedback": "not_useful"}).json()["feedback"] == "not_useful"
    assert client.post(path, json={"feedback": "great"}).status_code == 422
    assert client.post("/v1/alerts/none/feedback", json={"feedback": "useful"}).status_code == 404


def test_nobody_sees_the_page_without_a_login(alerted: Any, serve: Serve) -> None:
    client = serve(alerted, scope=None)
    page = client.get("/")
    assert page.status_code == 200
    assert 'name="key"' in page.text
    assert "株式会社" not in page.text
    for key in ("", "kz_wrong", alerted.keys["score"]):
        assert log_in(client, key).status_code == 401
        assert "set-cookie" not in log_in(client, key).headers
    client.cookies.set("kizashi_session", "guessed")
    assert "株式会社" not in client.get("/").text


def test_a_login_shows_the_leads_in_both_languages(alerted: Any, serve: Serve) -> None:
    client = serve(alerted, scope=None)
    answer = log_in(client, alerted.keys["sales"])
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "ホットリード" in page.text
    assert "料金ページ" in page.text
    assert "&lt;b&gt;株式会社" in page.text  # what sources hold is text, never markup
    assert "<b>株式会社" not in page.text
    client.get("/language/en")
    assert "Hot leads" in client.get("/").text
    assert "pricing-page visits" in client.get("/").text
    assert client.get("/language/fr").status_code == 422
    assert client.get("/static/sales.css").headers["content-type"].startswith("text/css")


def test_the_button_takes_the_lead_and_forged_forms_do_not(alerted: Any, serve: Serve) -> None:
    client = serve(alerted, scope=None)
    assert client.post("/acknowledge", data={"alert_id": "a-open"}).status_code == 401
    log_in(client, alerted.keys["sales"])
    page = client.get("/").text
    assert page.count('action="/acknowledge"') == 1
    token = form_token(page)
    assert client.post("/acknowledge", data={"alert_id": "a-open"}).status_code == 403
    assert client.post("/acknowledge", data={"alert_id": "a-open", "form_token": "0" * 64}).status_code == 403
    foreign = {"Sec-Fetch-Site": "cross-site"}
    data = {"alert_id": "a-open", "form_token": token}
    assert client.post("/acknowledge", data=data, headers=foreign).status_code == 403
    assert 'action="/acknowledge"' in client.get("/").text
    assert client.post("/acknowledge", data=data).status_code == 303
    taken = client.get("/").text
    assert 'action="/acknowledge"' not in taken
    assert "対応中 sales key" in taken


def test_a_session_ends(alerted: Any, serve: Serve, now: FixedClock) -> None:
    client = serve(alerted, scope=None)
    log_in(client, alerted.keys["sales"])
    token = form_token(client.get("/").text)
    session = client.cookies["kizashi_session"]
    assert client.post("/logout", data={"form_token": token}).status_code == 303
    client.cookies.set("kizashi_session", session, domain="kizashi.test")
    assert "株式会社" not in client.get("/").text

    log_in(client, alerted.keys["sales"])
    assert "株式会社" in client.get("/").text
    sessions = client.runtime.sessions
    sessions._clock = FixedClock(now.moment + timedelta(hours=12, seconds=1))
    assert "株式会社" not in client.get("/").text
    sessions._clock = now
    assert "株式会社" in client.get("/").text
    engine = open_database(alerted.settings, alerted.workspace)
    revoke_key(engine, "sales key", clock=now)
    engine.dispose()
    assert "株式会社" not in client.get("/").text
