"""Opens and clicks that no person made, and since when that is known."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.customers.conftest import Company, at

START = at("2025-01-01T09:00:07")


def event(name: str, kind: str, second: float, **told: Any) -> dict[str, Any]:
    """Something of record 1, so many seconds after the start, recorded at once unless told otherwise."""
    occurred = START + timedelta(seconds=second)
    row = {"id": name, "who": "1", "kind": kind, "link": "", "mail": "", "agent": "", "bot": ""}
    return row | {"at": occurred, "recorded": occurred} | told


def click(name: str, link: str, second: float, **told: Any) -> dict[str, Any]:
    return event(name, "email_click", second, link=link, **told)


def bots(company: Company, *rows: dict[str, Any], **rules: Any) -> dict[str, tuple[str, datetime]]:
    """The events marked: by which rule, and since when."""
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    company.write("mails.csv", "\n".join(lines) + "\n")
    company.sources = [
        {
            "name": "mails",
            "system": "ma",
            "path": "{home}/exports/mails.csv",
            "events": {
                "id": "id",
                "person": "who",
                "type": "kind",
                "occurred_at": "at",
                "recorded_at": "recorded",
                "is_bot": "bot",
                "user_agent": "agent",
                "properties": {"url": "link", "asset": "mail"},
            },
        }
    ]
    company.extra = {"events": {"bots": rules}}
    company.unify()
    found = {row["event_id"].removeprefix("mails:"): row for row in company.rows("events")}
    assert all(
        row["is_bot"] == (row["bot_since"] is not None) == (row["bot_rule"] is not None) for row in found.values()
    )
    return {name: (row["bot_rule"], row["bot_since"]) for name, row in found.items() if row["is_bot"]}


def test_many_links_at_once_is_no_person(company: Company) -> None:
    found = bots(
        company,
        event("o", "email_open", 1),
        click("a", "/1", 2),
        click("b", "/2", 3),
        click("c", "/3", 4),
        click("late", "/1", 45),
        click("d", "/1", 1, who="2"),
        click("e", "/1", 2, who="2"),
        click("f", "/1", 3, who="2"),
        click("g", "/2", 4, who="2"),
    )
    # Nobody knew before the third link.
    assert found == dict.fromkeys("oabc", ("burst", START + timedelta(seconds=4)))


def test_a_burst_is_known_from_the_record_of_its_third_link_on(company: Company) -> None:
    later = at("2025-02-01T00:00:00")
    found = bots(company, click("a", "/1", 2), click("b", "/2", 3), click("c", "/3", 4, recorded=later))
    assert found == dict.fromkeys("abc", ("burst", later))
    # A fourth link that is recorded later still changes nothing.
    again = bots(
        company,
        click("a", "/1", 2),
        click("b", "/2", 3),
        click("c", "/3", 4, recorded=later),
        click("d", "/4", 4, recorded=later + timedelta(days=1)),
    )
    assert {name: again[name] for name in "abc"} == found


def test_two_links_of_a_mail_that_nobody_opened(company: Company) -> None:
    read = [event("read", "email_open", -9000, who="9")]
    pair = [click("a", "/1", 2, mail="m"), click("b", "/2", 3, mail="m")]
    assert bots(company, *read, *pair) == dict.fromkeys("ab", ("unopened", START + timedelta(seconds=3)))
    assert bots(company, *read, *pair, event("o", "email_open", -600, mail="m")) == {}
    assert set(bots(company, *read, *pair, event("o", "email_open", -600, mail="other"))) == {"a", "b"}
    # Told too late: until then it was a machine's.
    late = event("o", "email_open", 1, mail="m", recorded=START + timedelta(days=1))
    assert set(bots(company, *read, *pair, late)) == {"a", "b"}
    # Two links of two mails, the same link twice, a source that tells of no opens, the rule switched off.
    assert bots(company, *read, click("a", "/1", 2, mail="m"), click("b", "/2", 3, mail="n")) == {}
    assert bots(company, *read, click("a", "/1", 2, mail="m"), click("b", "/1", 3, mail="m")) == {}
    assert bots(company, *pair) == {}
    assert bots(company, *read, *pair, unopened_links=None) == {}


@pytest.mark.parametrize("kind", ["email_click", "email_open"])
def test_nobody_reads_a_mail_before_it_is_there(company: Company, kind: str) -> None:
    sent = event("sent", "email_delivered", 0, mail="m", recorded=START + timedelta(minutes=5))
    found = bots(company, sent, event("a", kind, 1, mail="m"), event("b", kind, 30, mail="m"))
    assert found == {"a": ("undelayed", START + timedelta(minutes=5))}
    assert bots(company, sent, event("a", kind, 1, mail="other"), event("c", kind, 1)) == {}
    assert bots(company, sent, event("a", kind, 1, mail="m", who="2")) == {}
    assert bots(company, sent, event("a", kind, 1, mail="m"), delivery_seconds=None) == {}
    assert set(bots(company, sent, event("b", kind, 30, mail="m"), delivery_seconds=60)) == {"b"}


def test_times_to_the_minute_say_nothing_about_seconds(company: Company) -> None:
    rows = [event("sent", "email_delivered", 53, mail="m"), event("a", "email_open", 53, mail="m")]
    assert bots(company, *rows) == {}


def test_programs_traps_and_what_the_system_says(company: Company) -> None:
    rows = [
        event("agent", "email_open", 0, agent="Mozilla/5.0 (compatible; Googlebot/2.1)"),
        event("reader", "email_open", 100, agent="Mozilla/5.0 (iPhone)"),
        event("told", "email_open", 200, bot="yes"),
        click("trap", "https://a.example.jp/TRAP/1", 300),
        click("beside", "/1", 305),
        click("after", "/1", 400),
    ]
    found = bots(company, *rows, honeypots=["*/trap/*"])
    assert {name: rule for name, (rule, _) in found.items()} == {
        "agent": "agent",
        "told": "told",
        "trap": "honeypot",
        "beside": "honeypot",
    }
    assert found["beside"][1] == START + timedelta(seconds=305)
    assert set(bots(company, *rows, user_agents=["*iphone*"])) == {"reader", "told"}
