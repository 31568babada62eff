import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies

from activation.people import Person
from activation.slack_message import HEADER_LIMIT, SECTION_LIMIT, escaped, slack_body
from activation.webhook_message import BODY_LIMIT, HotLead, webhook_body

LEAD = HotLead(
    alert_id="a-1",
    model="lead",
    customer_id="c_1",
    owner_id=None,
    probability=0.42,
    score=97,
    grade="A",
    evidence="high",
    reasons=("料金ページを7日間に3回閲覧", "セミナーに参加"),
    as_of=datetime(2026, 3, 2, tzinfo=UTC),
    model_version="3",
    timestamp=datetime(2026, 3, 2, 1, tzinfo=UTC),
)
PERSON = Person(
    customer_id="c_1",
    full_name="山田 花子",
    western_name="花子 山田",
    company="さくら商事",
    email="hanako@sakura.example",
    mail_domain="sakura.example",
    profiling=True,
    marketing=True,
    opted_out=False,
    talks=False,
    account_talks=False,
    owner_id=None,
    owner_name="",
    daily_capacity=None,
    records=(("marketo", "12"), ("salesforce", "00Q1")),
)


def replaced(thing: Any, **fields: Any) -> Any:
    return type(thing)(**{**vars(thing), **fields})


def test_the_webhook_body_is_the_one_that_integrations_read() -> None:
    assert json.loads(webhook_body(LEAD, PERSON, "https://kz.example/", "ja")) == {
        "type": "lead.hot",
        "timestamp": "2026-03-02T01:00:00Z",
        "data": {
            "alert_id": "a-1",
            "model": "lead",
            "customer_id": "c_1",
            "hot": True,
            "probability": 0.42,
            "score": 97,
            "grade": "A",
            "evidence": "high",
            "reasons": ["料金ページを7日間に3回閲覧", "セミナーに参加"],
            "owner_id": "",
            "as_of": "2026-03-02T00:00:00Z",
            "model_version": "3",
            "page_url": "https://kz.example/",
            "records": [{"system": "marketo", "id": "12"}, {"system": "salesforce", "id": "00Q1"}],
            "name": "山田 花子",
            "company": "さくら商事",
            "email": "hanako@sakura.example",
            "owner_name": "",
        },
    }


def test_the_salesperson_is_named_unless_the_lead_has_changed_hands() -> None:
    owned = replaced(LEAD, owner_id="s1")
    assert "担当: 佐藤" in slack_body(owned, replaced(PERSON, owner_id="s1", owner_name="佐藤"), None, "ja")
    assert "担当: s1" in slack_body(owned, replaced(PERSON, owner_id="s2", owner_name="鈴木"), None, "ja")


def test_a_channel_that_must_not_name_people_does_not() -> None:
    for write in (webhook_body, slack_body):
        body = write(LEAD, None, None, "ja")
        assert "c_1" in body
        assert not any(word in body for word in ("山田", "花子", "さくら", "sakura", "00Q1"))


texts = strategies.text(max_size=6000) | strategies.sampled_from(["<" * 5000, "漢" * 5000, '"\\' * 3000, "&\n" * 3000])
records = strategies.lists(strategies.tuples(strategies.just("crm"), texts), max_size=20).map(tuple)


@given(texts, texts, texts, strategies.lists(texts, max_size=5).map(tuple), records)
def test_bodies_stay_within_the_limits(name: str, company: str, email: str, reasons: Any, ids: Any) -> None:
    person = replaced(PERSON, full_name=name, western_name=name, company=company, email=email, records=ids)
    lead = replaced(LEAD, reasons=reasons, owner_id=name or None)
    body = webhook_body(lead, person, "https://kz.example/", "ja")
    assert len(body.encode()) < BODY_LIMIT
    json.loads(body)
    for locale in ("ja", "en"):
        text = slack_body(lead, person, "https://kz.example/", locale)
        assert len(text) < 13_200
        message = json.loads(text)
        assert 0 < len(message["text"]) <= SECTION_LIMIT
        assert len(message["blocks"]) <= 50
        header, *sections = message["blocks"]
        assert 0 < len(header["text"]["text"]) <= HEADER_LIMIT
        assert all(0 < len(section["text"]["text"]) <= SECTION_LIMIT for section in sections)


@given(texts, strategies.integers(20, 200))
def test_nothing_in_a_text_can_call_a_channel_or_make_a_link(text: str, limit: int) -> None:
    result = escaped(text, limit)
    assert len(result) <= limit
    assert "<" not in result
    assert ">" not in result
    assert "&" not in result.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


@pytest.mark.parametrize(
    ("locale", "title", "figures"),
    [
        (
            "ja",
            "ホットリード: 山田 花子 · さくら商事",
            "*成約確率 42%・スコア 97・ランク A*\n根拠の強さ: 強 · 担当: 未割り当て",
        ),
        (
            "en",
            "Hot lead: 花子 山田 · さくら商事",
            "*42% chance to win · score 97 · grade A*\nevidence: high · owner: nobody yet",
        ),
    ],
)
def test_slack_speaks_the_channels_language(locale: str, title: str, figures: str) -> None:
    header, first, reasons, link = json.loads(slack_body(LEAD, PERSON, "https://kz.example/", locale))["blocks"]
    assert header["text"]["text"] == title
    assert first["text"] == {"type": "mrkdwn", "text": figures, "verbatim": True}
    assert "• 料金ページを7日間に3回閲覧\n• セミナーに参加" in reasons["text"]["text"]
    assert link["text"]["text"].startswith("<https://kz.example/|")
