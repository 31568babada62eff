"""The alert story: what a lead does overnight turns it hot, and sales hears of it exactly once.

A made-up company of 2,000 people (with fewer, the model hardly tells behaviour from chance), the command line, real
receivers, the real server and a real browser.
"""

import base64
import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook

from activation.deliver import deliver_pending
from activation.outbox import LEASE
from core.alert_tables import OutboxMessage
from core.clock import FixedClock
from core.database import open_database
from core.settings import load_settings
from core.storage import Workspace, connect_duckdb
from features.catalog import service_schema
from kizashi.history import change_between
from scoring.answers import answers_about, stored_scores
from scoring.registry import Registry
from scoring.replay import replay_answer
from scoring.score_change import ScoreChange, split_change
from simulator import simulate_company
from tests.browser import Page, free_port, keep, log_in, needs_browser, wait_for
from tests.receiver import Received, Receiver, serve

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("kizashi"))
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
# People whom marketing knows and sales does not, quiet for a week; the warmest of those who are not hot.
WARM_LEADS = """
SELECT s.customer_id, s.probability, arg_max(i.source_id, i.system = 'marketo') AS lead,
    arg_max(i.source_id, i.system = 'cookie') AS cookie, arg_max(i.source_id, i.system = 'email') AS email
FROM read_parquet($scores) s JOIN customers c USING (customer_id) JOIN identities i USING (customer_id)
WHERE NOT s.hot AND s.probability < $leave AND c.consent_marketing AND i.ended_at IS NULL
    AND s.customer_id NOT IN (SELECT customer_id FROM deal_people)
    AND s.customer_id NOT IN (SELECT customer_id FROM events WHERE occurred_at > s.as_of - INTERVAL 7 DAY)
GROUP BY ALL
HAVING bool_and(i.system IN ('marketo', 'cookie', 'email')) AND count(DISTINCT i.system) = 3
ORDER BY s.probability DESC, s.customer_id
LIMIT $count
"""


@dataclass(frozen=True)
class Lead:
    """The lead of the story: who it is, and by what the systems know it."""

    customer_id: str
    probability: float
    marketo: str
    cookie: str
    email: str


@dataclass
class Company:
    """The company's files, and the receivers of its alerts."""

    config: Path
    home: Path
    crm: Receiver
    chat: Receiver

    def kizashi(self, *arguments: str) -> Any:
        """What a command answers."""
        finished = self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, told = finished.communicate()
        assert finished.returncode == 0, told
        return json.loads(out)

    def start(self, *arguments: str, **how: Any) -> "subprocess.Popen[Any]":
        """A command that runs beside the test."""
        command = [COMMAND, *arguments, *(["--json"] if "serve" not in arguments else []), "--config", str(self.config)]
        return subprocess.Popen(command, env={**os.environ, "STORY_SECRET": SECRET}, cwd=ROOT, **how)

    def scores(self) -> str:
        return str(Workspace(self.home).current("scores/lead") / "scores.parquet")

    def alerts(self) -> list[dict[str, Any]]:
        """All that were ever raised."""
        states = ("open", "acknowledged", "held", "withdrawn")
        return [alert for state in states for alert in self.kizashi("alerts", "list", "--state", state)["alerts"]]

    def messages(self) -> dict[str, OutboxMessage]:
        """The outbox by channel."""
        settings = load_settings(self.config)
        engine = open_database(settings, Workspace(self.home))
        with Session(engine, expire_on_commit=False) as session:
            found = list(session.scalars(select(OutboxMessage)))
        engine.dispose()
        assert len({message.channel for message in found}) == len(found)
        return {message.channel: message for message in found}


@dataclass(frozen=True)
class Story:
    """The company after its second night, and what the nights said."""

    company: Company
    lead: Lead
    first_night: dict[str, Any]
    alerts_of_first_night: list[dict[str, Any]]
    second_night: dict[str, Any]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    crm, chat = Receiver([(500, {}), (503, {}), (204, {})]), Receiver([(204, {})])
    servers = [serve(crm), serve(chat)]
    company = Company(write_config(folder, crm, chat), folder / "home", crm, chat)
    simulate_company(company.home / "exports", customers=2000, months=24, seed=5)
    first = company.kizashi("run")
    quiet = company.alerts()
    (lead,) = warm_leads(company, 1)
    add_new_interest(company.home / "exports", lead, Workspace(company.home).as_of())
    yield Story(company, lead, first, quiet, company.kizashi("run"))
    for server in servers:
        server.shutdown()
        server.server_close()


def write_config(folder: Path, crm: Receiver, chat: Receiver) -> Path:
    """The demo's configuration for the lead model alone, with cuts that suit a small company and two channels."""
    here = {"kind": "webhook", "secret_env": "STORY_SECRET", "allow_http": True, "allow_private_addresses": True}
    channels = [{**here, "name": "crm", "url": crm.url}, {**here, "name": "chat", "url": chat.url}]
    content = {
        **yaml.safe_load((ROOT / "conf" / "demo.yaml").read_text(encoding="utf-8")),
        "home": str(folder / "home"),
        "models": {"lead": {"estimator": {"trials": 1}}},
        "segments": {},
        "hot": {"enter": 0.09, "leave": 0.07},
        "activation": {"channels": channels},
    }
    path = folder / "story.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def warm_leads(company: Company, count: int) -> list[Lead]:
    connection = connect_duckdb()
    Workspace(company.home).tables(connection)
    found = connection.execute(WARM_LEADS, {"scores": company.scores(), "leave": 0.07, "count": count}).fetchall()
    assert len(found) == count
    return [Lead(*row) for row in found]


def add_new_interest(exports: Path, lead: Lead, since: datetime) -> None:
    """A day of interest, appended to the exports in the systems' own formats: all of it after `since`."""
    visits, activities, uses = [], [], []
    for hour in (since + timedelta(hours=number) for number in range(10)):
        for number, page in enumerate(("pricing/enterprise", "case-studies/it", "pricing")):
            seen = utc(hour + timedelta(minutes=5 + 3 * number))
            url = f"https://www.kumono.example/{page}"
            visits.append([f"w-{lead.marketo}-{seen}", lead.cookie, "", url, "", "", "", "", seen, seen])
        clicked = {"Link": "https://www.kumono.example/case-studies/it", "Is Mobile Device": False}
        activities.append(activity(lead, hour + timedelta(minutes=20), "11", "月刊クモノ通信", clicked))
        filled = {"Webpage URL": "/form", "Form Fields": "資料請求", "Munchkin Cookie": lead.cookie}
        activities.append(activity(lead, hour + timedelta(minutes=25), "2", "資料請求", filled))
        used = utc(hour + timedelta(minutes=30))
        uses.append([f"u-{lead.marketo}-{used}", lead.email, "", "export", "view", used, used])
    for file, rows in (("web/visits", visits), ("marketo/activities", activities), ("product/usage", uses)):
        with (exports / f"{file}.csv").open("a", encoding="utf-8", newline="") as export:
            csv.writer(export, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)


def activity(lead: Lead, at: datetime, kind: str, asset: str, attributes: dict[str, Any]) -> list[str]:
    guid = f"k-{lead.marketo}-{kind}-{utc(at)}"
    return [guid, lead.marketo, utc(at), kind, "1000", "1", asset, json.dumps(attributes, ensure_ascii=False)]


def utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def score_of(story: Story, customer_id: str) -> dict[str, Any]:
    """Somebody's line in the list of scores in force."""
    (row,) = pq.read_table(story.company.scores(), filters=[("customer_id", "=", customer_id)]).to_pylist()
    return dict(row)


def test_first_scores_raise_no_alert(story: Story) -> None:
    assert story.first_night["models"]["lead"]["promotion"] == "promoted"
    assert story.first_night["hot"] > 0
    assert story.alerts_of_first_night == []


def test_new_data_alone_change_no_champion(story: Story) -> None:
    assert story.second_night["as_of"] > story.first_night["as_of"]
    assert story.second_night["models"] == story.first_night["models"]


def test_the_lead_that_turned_hot_raised_exactly_one_alert(story: Story) -> None:
    now = score_of(story, story.lead.customer_id)
    assert now["hot"], f"{story.lead.probability:.3f} became {now['probability']:.3f} on {now['evidence']} evidence"
    (alert,) = story.company.alerts()
    assert (alert["customer_id"], alert["state"]) == (story.lead.customer_id, "open")
    assert (alert["probability"], alert["model_version"]) == (now["probability"], now["model_version"])
    assert {message.alert_id for message in story.company.messages().values()} == {alert["alert_id"]}
    assert set(story.company.messages()) == {"crm", "chat"}


def test_each_receiver_takes_it_under_one_id_whatever_goes_wrong(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    company, answered = story.company, threading.Event()
    # The first try: one receiver fails; the other has read the message when the delivery is killed.
    company.chat.on_request = lambda: answered.wait(60)
    delivery = company.start("alerts", "deliver", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (company.messages()["crm"].last_status == 500 and company.chat.received):
        assert delivery.poll() is None
        time.sleep(0.1)
    delivery.send_signal(signal.SIGKILL)
    delivery.wait()
    answered.set()
    company.chat.on_request = None
    first = [verified(company.crm.received[0]), verified(company.chat.received[0])]
    # A night with nothing new, while the messages are on their way.
    third_night = company.kizashi("run")
    assert {**third_night, "seconds": 0} == {**story.second_night, "seconds": 0}
    assert len(company.alerts()) == 1
    # The second try fails as well; then time passes: the pause after it, and with it the dead worker's lease.
    while company.messages()["crm"].attempts < 2:
        company.kizashi("alerts", "deliver")
    waiting = company.messages()
    assert (waiting["crm"].state, waiting["crm"].last_status) == ("pending", 503)
    assert waiting["chat"].next_attempt_at <= waiting["crm"].next_attempt_at - LEASE
    monkeypatch.setenv("STORY_SECRET", SECRET)
    clock = FixedClock(waiting["crm"].next_attempt_at)
    deliver_pending(load_settings(company.config), Workspace(company.home), clock=clock)
    assert {message.state for message in company.messages().values()} == {"delivered"}
    for receiver, tries, told in ((company.crm, 3, first[0]), (company.chat, 2, first[1])):
        assert len(receiver.received) == tries
        assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
        assert [verified(request) for request in receiver.received] == [told] * tries
        assert told["type"] == "lead.hot"
        assert told["data"]["customer_id"] == story.lead.customer_id
        assert told["data"]["email"] == story.lead.email
    assert company.kizashi("alerts", "deliver") == dict.fromkeys(
        ("delivered", "failed", "dead", "disabled", "waiting"), 0
    )


def verified(request: Received) -> dict[str, Any]:
    """What was told, once the receivers' own library has accepted the signature."""
    content: dict[str, Any] = Webhook(SECRET).verify(request.body, request.headers)
    return content


@needs_browser
def test_sales_sees_and_takes_the_lead_in_both_languages(story: Story, open_page: Callable[..., Page]) -> None:
    company, lead = story.company, story.lead
    key = company.kizashi("keys", "create", "--name", "佐藤", "--scope", "sales")["key"]
    told = {
        language: company.kizashi("explain", "lead", lead.customer_id, "--lang", language) for language in ("ja", "en")
    }
    port, card = free_port(), f".lead[data-customer='{lead.customer_id}']"
    server = company.start("serve", "--port", str(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz", server, 300)
        page = open_page(1100, 1000)
        log_in(page, f"http://127.0.0.1:{port}", key)
        assert "ホットリード" in page.text("h1")
        for shown in (*told["ja"]["reasons"], f"{100 * told['ja']['probability']:.0f}", str(told["ja"]["score"])):
            assert shown in page.text(card)
        show(page, card, "turned-hot-ja.png")
        page.call("POST", f"{page.find(f'{card} footer button')[0]}/click")
        page.call("POST", "/refresh")
        assert page.find(f"{card} footer button") == []
        assert "対応中 佐藤" in page.text(card)
        page.call("POST", f"{page.find('nav a')[0]}/click")
        assert "Hot leads" in page.text("h1")
        assert all(reason in page.text(card) for reason in told["en"]["reasons"])
        assert "Taken care of by 佐藤" in page.text(card)
        show(page, card, "turned-hot-en.png")
    finally:
        server.terminate()
        server.wait(60)
    (taken,) = company.kizashi("alerts", "list", "--state", "acknowledged")["alerts"]
    assert (taken["customer_id"], taken["acknowledged_by"]) == (lead.customer_id, "佐藤")


def show(page: Page, card: str, name: str) -> None:
    page.run(f'document.querySelector("{card}").scrollIntoView({{block: "center"}})')
    keep(page, name)


def test_whoever_turns_hot_on_the_night_of_a_new_champion_is_not_lost(story: Story) -> None:
    company, before = story.company, {alert["alert_id"] for alert in story.company.alerts()}
    hot_before = hot_people(company)
    # The next day: a champion is due again.
    leads, since = warm_leads(company, 4), Workspace(company.home).as_of() + timedelta(hours=18)
    for lead in leads:
        add_new_interest(company.home / "exports", lead, since)
    content = yaml.safe_load(company.config.read_text(encoding="utf-8"))
    content["models"] = {"lead": {"retrain_after_days": 1, "estimator": {"trials": 1}}}
    company.config.write_text(yaml.safe_dump(content), encoding="utf-8")
    champion = company.kizashi("run")["models"]["lead"]
    assert (champion["promotion"], champion["version"]) == ("promoted", "2")
    # No label has matured in a day, so the new champion thinks as the old one did: its list says who crossed.
    turned_hot = hot_people(company) - hot_before
    assert turned_hot & free_to_call(company) & {lead.customer_id for lead in leads}
    told = [alert for alert in company.alerts() if alert["alert_id"] not in before]
    # Told by the model that had seen the night before; what a new one thinks of everybody else would be no news.
    assert {alert["model_version"] for alert in told} == {"1"}
    names = [alert["customer_id"] for alert in told]
    assert len(names) == len(set(names))
    assert set(names) <= turned_hot
    # Whoever is left out is in talks or refuses.
    assert turned_hot & free_to_call(company) <= set(names)


def free_to_call(company: Company) -> set[str]:
    """People who agree to be told about products, and with whose company nobody ever made a deal."""
    connection = connect_duckdb()
    Workspace(company.home).tables(connection)
    found = connection.execute(
        """SELECT customer_id FROM customers
        WHERE consent_marketing AND customer_id NOT IN (SELECT customer_id FROM deal_people)
            AND (account_id IS NULL OR account_id NOT IN (SELECT account_id FROM deals WHERE account_id IS NOT NULL))"""
    ).fetchall()
    return {customer_id for (customer_id,) in found}


def hot_people(company: Company) -> set[str]:
    return set(pq.read_table(company.scores(), filters=[("hot", "=", True)])["customer_id"].to_pylist())


def test_the_change_of_a_score_is_split_into_time_facts_and_model(story: Story) -> None:
    """Over three answers: the night of the visits, and the morning after under the new champion."""
    settings = load_settings(story.company.config)
    workspace = Workspace(settings.home)
    nights = [datetime.fromisoformat(story.first_night["as_of"]), datetime.fromisoformat(story.second_night["as_of"])]
    lead = story.lead.customer_id

    turned = change_between(settings, workspace, "lead", lead, "en", *nights)
    assert (turned.earlier.model_version, turned.later.model_version) == ("1", "1")
    assert turned.model == 0
    assert turned.facts > abs(turned.time)
    assert next(iter(turned.new_facts.values())) > 0
    assert_telescopes(turned)

    replaced = change_between(settings, workspace, "lead", lead, "en")
    assert (replaced.earlier.model_version, replaced.later.model_version) == ("1", "2")
    assert (replaced.time, replaced.facts) == (0, 0)
    assert_telescopes(replaced)

    whole = change_between(settings, workspace, "lead", lead, "en", since=nights[0])
    assert (whole.earlier.model_version, whole.later.model_version) == ("1", "2")
    assert whole.facts > 0
    assert whole.time != 0
    assert_telescopes(whole)


def test_where_nothing_new_was_told_only_time_moves_a_score(story: Story) -> None:
    settings = load_settings(story.company.config)
    workspace = Workspace(settings.home)
    first, second = (datetime.fromisoformat(night["as_of"]) for night in (story.first_night, story.second_night))
    engine = open_database(settings, workspace)
    moved = []
    for person in sorted(stored_scores(engine, "lead")):
        held = {answer.features_as_of: answer for answer in answers_about(engine, "lead", [person])}
        if first in held and second in held and person != story.lead.customer_id and len(moved) < 5:
            moved.append(split_change(settings, workspace, held[first], held[second], "ja"))
    engine.dispose()
    assert moved
    for change in moved:
        assert (change.facts, change.model, dict(change.new_facts)) == (0, 0, {})
        assert change.time != 0
        assert_telescopes(change)


def test_every_answer_is_computed_again_to_the_last_bit(story: Story) -> None:
    settings = load_settings(story.company.config)
    workspace = Workspace(settings.home)
    schema, registry = service_schema(settings, "lead_v1"), Registry(settings, workspace)
    versions = {number: registry.load("lead", number) for number in ("1", "2")}
    listed = {row["customer_id"]: row for row in pq.read_table(story.company.scores()).to_pylist()[::20]}
    engine = open_database(settings, workspace)
    answers = [answer for person in listed for answer in answers_about(engine, "lead", [person])]
    engine.dispose()
    assert {answer.model_version for answer in answers} == {"1", "2"}
    newest = {}
    for answer in answers:
        again = replay_answer(answer, versions[answer.model_version], schema, "ja")
        assert again.exact, again.differences
        newest[answer.customer_id] = again
    for customer_id, row in listed.items():
        said = [row[f"reason_{n}"] for n in range(1, 6) if row[f"reason_{n}"]]
        assert list(newest[customer_id].reasons) == said


def assert_telescopes(change: ScoreChange) -> None:
    """The steps lead from the one answer to the other."""
    assert change.chances[0] == change.earlier.told["probability"]
    assert change.chances[-1] == change.later.told["probability"]
    steps = change.time + change.facts + change.model
    assert steps == pytest.approx(change.later.log_odds - change.earlier.log_odds, abs=1e-9)
    assert sum(change.new_facts.values()) + change.interplay == pytest.approx(change.facts, abs=1e-6)
