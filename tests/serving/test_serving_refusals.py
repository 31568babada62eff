"""What is refused, and how: keys, scopes, bodies, methods; always a problem document, never a fault of the server."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.app import create_app
from serving.gate import RequestGate
from serving.metrics import Metrics

Serve = Callable[..., Any]
PATH = "/v1/score/lead/marketo/m1"
ITEM = {"system": "marketo", "id": "m1"}


def check_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert body["status"] == status
    return body


def test_no_key_and_wrong_keys_are_refused_alike(served: Any, serve: Serve) -> None:
    client = serve(served, scope=None)
    refusals = [
        client.get(PATH),
        client.get(PATH, headers={"X-API-Key": "kz_wrong"}),
        client.get(PATH, headers={"Authorization": "Bearer kz_wrong"}),
        client.get(PATH, headers={"Authorization": "Bearer"}),
        client.get(PATH, headers={"Authorization": "Basic !!!"}),
        client.get(PATH, headers={"Authorization": "Basic dTp3cm9uZw=="}),
        client.post("/v1/score", content=b"{"),
        client.get("/v1/leads/hot"),
        client.get("/v1/score/no_such_model/marketo/1"),
    ]
    bodies = [check_problem(response, 401) for response in refusals]
    assert all(body == bodies[0] for body in bodies)
    assert all(response.headers["www-authenticate"].startswith("Bearer") for response in refusals)


def test_a_key_is_taken_in_each_of_the_three_ways(served: Any, serve: Serve) -> None:
    client, key = serve(served, scope=None), served.keys["score"]
    basic = base64.b64encode(f"anybody:{key}".encode()).decode()
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}, {"Authorization": f"Basic {basic}"}):
        assert client.get(PATH, headers=headers).status_code == 200


@pytest.mark.parametrize(("scope", "path"), [("events", PATH), ("sales", PATH), ("score", "/v1/leads/hot")])
def test_a_key_without_the_scope_is_forbidden(served: Any, serve: Serve, scope: str, path: str) -> None:
    check_problem(serve(served, scope=scope).get(path), 403)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"model": "lead", "system": "marketo", "id": 17}',
        b'{"model": "lead", "system": "marketo", "id": null}',
        b'{"model": "lead", "system": "marketo", "id": ""}',
        b'{"model": "lead", "system": "marketo", "id": ["m1"]}',
        b'{"model": "lead", "system": "marketo"}',
        b'{"model": "lead", "system": "marketo", "id": "m1", "lnag": "ja"}',
        b'{"model": "lead", "system": "marketo", "id": "m1", "lang": "fr"}',
        b'{"model": "lead", "system": "marketo", "id": "a\\u0000b"}',
        b'{"model": "lead", "system": "marketo", "id": "\\ud800"}',
        b'{"model": "lead", "system": "marketo", "id": "' + b"x" * 600 + b'"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_a_wrong_body_is_a_client_fault(served: Any, serve: Serve, content: bytes) -> None:
    response = serve(served).post("/v1/score", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    check_problem(response, response.status_code)
    assert "x" * 600 not in response.text


@pytest.mark.parametrize("items", [[], [ITEM] * 1001, [{"system": "marketo"}], "m1", [1]])
def test_a_wrong_batch_is_a_client_fault(served: Any, serve: Serve, items: Any) -> None:
    check_problem(serve(served).post("/v1/score/batch", json={"model": "lead", "items": items}), 422)


def test_a_thousand_people_in_one_call(served: Any, serve: Serve) -> None:
    items = [{"system": "marketo", "id": f"m{n % 500}"} for n in range(1000)]
    answers = serve(served).post("/v1/score/batch", json={"model": "lead", "items": items}).json()["items"]
    assert [answer["id"] for answer in answers] == [item["id"] for item in items]
    assert {answer["status"] for answer in answers} == {"ok", "excluded", "unknown"}


def test_ten_megabytes_are_too_much(served: Any, serve: Serve) -> None:
    client = serve(served)
    check_problem(client.post("/v1/score", content=b"x" * 10_000_000), 413)

    async def chunks() -> Any:
        for _ in range(100):
            yield b"x" * 100_000

    check_problem(client.post("/v1/score", content=chunks()), 413)


@pytest.mark.parametrize(("method", "path"), [("DELETE", PATH), ("GET", "/v1/score"), ("PUT", "/v1/score/batch")])
def test_a_wrong_method_is_said_to_be_one(served: Any, serve: Serve, method: str, path: str) -> None:
    response = serve(served).request(method, path)
    check_problem(response, 405)
    assert response.headers["allow"]


def test_unknown_models_and_paths_are_not_found(served: Any, serve: Serve) -> None:
    client = serve(served)
    check_problem(client.get("/v1/score/nonsense/marketo/m1"), 404)
    check_problem(client.post("/v1/score", json={"model": "nonsense", **ITEM}), 404)
    check_problem(client.get("/v1/nothing"), 404)
    check_problem(client.get("/docs"), 404)


@pytest.mark.parametrize("record", ["%ED%A0%80", "%F0%28%8C%28", "'%20OR%201=1", "..%2f..%2fetc", "😀", "a/b//c", "*"])
def test_odd_ids_are_ids_of_nobody(served: Any, serve: Serve, record: str) -> None:
    response = serve(served).get(f"/v1/score/lead/marketo/{record}")
    assert (response.status_code, response.json()["status"]) == (200, "unknown")


# What no system uses and some databases refuse: PostgreSQL takes no NUL in a text.
@pytest.mark.parametrize("record", ["%00", "a%00b", "%7f", "%09", "", "x" * 10_000, "%F0%9F%98%80" * 600])
def test_ids_that_cannot_be_are_refused(served: Any, serve: Serve, record: str) -> None:
    client = serve(served)
    check_problem(client.get(f"/v1/score/lead/marketo/{record}"), 422)
    if record:
        check_problem(client.get(f"/v1/score/lead/{record}/m1"), 422)


@pytest.mark.parametrize(
    "path", ["/v1/score/", "/v1/score/lead/marketo/%0d%0aX:1", "/v1/leads/hot/", "/static/..%2fapp"]
)
def test_odd_paths_are_not_found_and_lead_nowhere_else(served: Any, serve: Serve, path: str) -> None:
    response = serve(served).get(path)
    check_problem(response, 404)
    assert "location" not in response.headers


def test_texts_that_a_database_refuses_are_a_client_fault(served: Any, serve: Serve) -> None:
    client = serve(served, scope="sales")
    check_problem(client.post("/v1/alerts/a/feedback", json={"feedback": "useful", "note": "a\u0000"}), 422)
    check_problem(client.post("/v1/alerts/a/ack", json={"by": "a\u0000"}), 422)
    check_problem(client.post("/v1/alerts/%00/ack"), 422)
    check_problem(client.post("/acknowledge", data={"alert_id": "\x00"}), 422)


def test_whoever_stops_sending_is_told_so() -> None:
    told = asyncio.run(half_a_request(RequestGate(create_app(), Metrics(), seconds=0.05)))
    assert told["status"] == 408
    assert (b"content-type", b"application/problem+json") in told["headers"]


async def half_a_request(app: RequestGate) -> Any:
    """The start of the answer to a request whose body never ends."""
    told: list[Any] = []
    parts = [{"type": "http.request", "body": b'{"model": ', "more_body": True}]

    async def receive() -> Any:
        return parts.pop() if parts else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        told.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/score", "headers": []}
    await app(scope, receive, send)
    return told[0]


def test_no_body_is_a_fault_of_the_server(served: Any, serve: Serve) -> None:
    client = serve(served, scope=None)
    paths = {
        "/v1/score": "score",
        "/v1/score/batch": "score",
        "/v1/alerts/a/feedback": "sales",
        "/acknowledge": "sales",
    }

    @given(content=st.binary(max_size=60), kind=st.sampled_from(["json", "x-www-form-urlencoded", "x;=", ""]))
    @settings(max_examples=40, deadline=None)
    def attack(content: bytes, kind: str) -> None:
        for path, scope in paths.items():
            headers = {"Content-Type": f"application/{kind}", "X-API-Key": served.keys[scope]}
            response = client.post(path, content=content, headers=headers)
            check_problem(response, response.status_code)
            assert 400 <= response.status_code < 500

    attack()


def test_metrics_count_without_naming_anybody(served: Any, serve: Serve) -> None:
    client = serve(served)

    def counts() -> dict[str, float]:
        lines = client.get("/metrics", headers={"X-API-Key": ""}).text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    before = counts()
    scored = int(served.scores[0]["customer_id"][2:])
    client.get(f"/v1/score/lead/email/person{scored}@example.jp")
    client.get("/v1/score/lead/email/stranger@example.jp")
    after = counts()
    rose = {name for name, value in after.items() if value == before.get(name, 0.0) + 1}
    assert {f'kizashi_answers_total{{model="lead",status="{status}"}}' for status in ("ok", "unknown")} <= rose
    route = "/v1/score/{model}/{system}/{id:path}"
    counted = f'kizashi_http_requests_total{{method="GET",route="{route}",status="200"}}'
    assert after[counted] == before.get(counted, 0.0) + 2
    assert "example.jp" not in str(after)
    assert all(name.startswith("kizashi_") for name in after)


def test_the_description_names_every_call_and_uses_no_blanks(served: Any, serve: Serve) -> None:
    description = serve(served, scope=None).get("/openapi.json").json()
    assert set(description["paths"]) == {
        "/v1/score",
        "/v1/score/batch",
        "/v1/score/{model}/{system}/{id}",
        "/v1/leads/hot",
        "/v1/alerts/{alert_id}/ack",
        "/v1/alerts/{alert_id}/feedback",
    }
    flat = description["components"]["schemas"]["ScoreAnswer"]
    assert flat["required"] == list(flat["properties"])
    assert all(field["type"] in ("string", "integer", "number", "boolean") for field in flat["properties"].values())
    assert set(description["components"]["securitySchemes"]) == {"bearer", "header", "basic"}


def test_liveness_and_readiness_need_no_key(served: Any, serve: Serve) -> None:
    client = serve(served, scope=None)
    assert client.get("/livez").status_code == client.get("/readyz").status_code == 200
