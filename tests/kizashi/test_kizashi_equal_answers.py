"""One person, one answer: over HTTP, as an explanation, in the published list and in a notebook, to the last digit."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import httpx
import pyarrow.parquet as pq
import pytest

import kizashi as kz
from core.settings import Settings
from core.storage import Workspace
from scoring.explain import Explanation, explain_customer
from scoring.flat_answer import empty_answer
from tests.kizashi.conftest import Ran

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("kizashi"))
PEOPLE = 200
LANGUAGES: tuple[Literal["ja", "en"], ...] = ("ja", "en")
# What an answer over HTTP shares with the list; the moment of answering is each one's own.
LISTED = ("status", "customer_id", "model", "score", "probability", "grade", "fit", "engagement", "trend", "delta_7d")
LISTED += ("hot", "evidence", "reason_1", "reason_2", "reason_3", "reason_4", "reason_5", "model_version")
TELLING = ("status", "customer_id", "model", "probability", "score", "grade", "model_version")


@dataclass(frozen=True)
class Company:
    """A finished run: its configuration, its list of scores and the 200 people asked about, from all over the list."""

    config: Path
    settings: Settings
    workspace: Workspace
    rows: list[dict[str, Any]]

    @property
    def ids(self) -> list[str]:
        """Whom the tests ask about."""
        return [row["customer_id"] for row in self.rows]

    def kizashi(self, *arguments: str) -> str:
        """What a command prints."""
        command = [COMMAND, *arguments, "--config", str(self.config)]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def company(copy_of: Callable[..., Ran], tmp_path_factory: pytest.TempPathFactory) -> Company:
    ran = copy_of(tmp_path_factory.mktemp("equal"))
    company = Company(ran.config, ran.settings, ran.workspace, [])
    listed = pq.read_table(ran.workspace.current("scores/lead") / "scores.parquet").to_pylist()
    company.rows.extend(listed[n * len(listed) // PEOPLE] for n in range(PEOPLE))
    assert len(set(company.ids)) == PEOPLE
    assert len({row["probability"] for row in company.rows}) > 20, "people who are all alike would show nothing"
    return company


@pytest.fixture(scope="module")
def service(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """`kizashi serve` over the finished run, and a caller with a key."""
    key = json.loads(company.kizashi("keys", "create", "--name", "equal", "--scope", "score", "--json"))["key"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    log = tmp_path_factory.mktemp("service") / "serve.log"
    command = [COMMAND, "serve", "--port", str(port), "--config", str(company.config)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=out, stderr=out)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key}, timeout=60) as client:
                wait_until_ready(client, process, log)
                yield client
        finally:
            process.terminate()
            process.wait(60)


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "BENTOML_DO_NOT_TRACK": "true"}


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError(log.read_text(encoding="utf-8"))


def over_http(service: httpx.Client, ids: Sequence[str], language: str) -> list[dict[str, Any]]:
    items = [{"system": "kizashi", "id": customer_id} for customer_id in ids]
    reply = service.post("/v1/score/batch", json={"model": "lead", "items": items, "lang": language})
    assert reply.status_code == 200, reply.text
    answers: list[dict[str, Any]] = reply.json()["items"]
    return answers


def reasons_of(answer: dict[str, Any]) -> tuple[str, ...]:
    return tuple(answer[f"reason_{n}"] for n in range(1, 6) if answer[f"reason_{n}"])


def told_by(explanation: Explanation) -> dict[str, Any]:
    return {name: getattr(explanation, name) for name in TELLING}


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_over_http_is_the_explanation(
    company: Company, service: httpx.Client, language: Literal["ja", "en"]
) -> None:
    answers = over_http(service, company.ids, language)
    assert len(answers) == PEOPLE
    spoken = 0
    for customer_id, answer in zip(company.ids, answers, strict=True):
        told = explain_customer(company.settings, company.workspace, "lead", customer_id, language)
        assert {name: answer[name] for name in TELLING} == told_by(told)
        assert reasons_of(answer) == told.reasons
        assert datetime.fromisoformat(answer["features_as_of"]) == told.features_as_of
        spoken += len(told.reasons)
    assert spoken > PEOPLE


def test_an_answer_over_http_is_the_published_one(company: Company, service: httpx.Client) -> None:
    for row, answer in zip(company.rows, over_http(service, company.ids, company.settings.locale), strict=True):
        assert {name: answer[name] for name in LISTED} == {name: row[name] for name in LISTED}
        assert datetime.fromisoformat(answer["features_as_of"]) == row["as_of"]


def test_one_person_is_answered_as_in_a_batch_by_any_record(company: Company, service: httpx.Client) -> None:
    identities = company.workspace.read_table("identities").to_pylist()
    records = {row["customer_id"]: row for row in identities if row["ended_at"] is None and row["system"] != "cookie"}
    # Each answer is dated when it is given.
    own = {"system", "id", "scored_at"}
    for customer_id, answer in list(zip(company.ids, over_http(service, company.ids, "en"), strict=True))[::20]:
        record = records[customer_id]
        for system, source_id in (("kizashi", customer_id), (record["system"], record["source_id"])):
            alone = service.get(f"/v1/score/lead/{system}/{source_id}?lang=en").json()
            assert {k: v for k, v in alone.items() if k not in own} == {k: v for k, v in answer.items() if k not in own}


def test_the_command_line_explains_the_same(company: Company) -> None:
    for row, language in zip(company.rows[::150], LANGUAGES, strict=True):
        said = json.loads(company.kizashi("explain", "lead", row["customer_id"], "--lang", language, "--json"))
        told = explain_customer(company.settings, company.workspace, "lead", row["customer_id"], language)
        assert {name: said[name] for name in TELLING} == told_by(told)
        assert said["probability"] == row["probability"]
        assert tuple(said["reasons"]) == told.reasons
        assert datetime.fromisoformat(said["features_as_of"]) == told.features_as_of


def test_a_notebook_scores_as_published(company: Company) -> None:
    frame = kz.open(company.config).score("lead", ids=company.ids)
    assert list(frame["customer_id"]) == company.ids
    columns = set(empty_answer("ok", "lead", "", company.rows[0]["as_of"], "-"))
    assert set(frame.columns) >= columns
    for name in columns - {"system", "id", "scored_at", "features_as_of"}:
        assert list(frame[name]) == [row[name] for row in company.rows], name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notebook_explains_the_same(company: Company, language: Literal["ja", "en"]) -> None:
    opened = kz.open(company.config)
    for row in company.rows[::20]:
        told = explain_customer(company.settings, company.workspace, "lead", row["customer_id"], language)
        assert opened.explain("lead", row["customer_id"], language) == told
        assert told.probability == row["probability"]
