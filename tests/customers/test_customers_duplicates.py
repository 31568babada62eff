"""A happening that two systems tell of counts once, whatever arrives when and whoever is whom since when."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.erasure import ForgottenPerson
from core.event_settings import DuplicateSettings
from core.settings import Settings
from core.source_settings import SourceSettings
from core.storage import Workspace, connect_duckdb
from customers.duplicates import mark_duplicates
from customers.erasure import erase_from_tables
from customers.events import keep_first_copies
from customers.mapping.sections import STAGING
from tests.customers.conftest import Company, at

SYSTEMS = ("ma", "cep", "web")
START = datetime(2025, 1, 1, tzinfo=UTC)


def told_by(system: str) -> dict[str, Any]:
    """A system's events and its own records, which an address joins."""
    return {
        "name": f"{system}_events",
        "system": system,
        "path": "{home}/exports/" + system + ".csv",
        "people": {
            "id": "who",
            "created_at": "joined",
            "known_at": "created",
            "keys": [{"kind": "email", "column": "mail"}],
        },
        "events": {
            "id": "id",
            "type": "kind",
            "occurred_at": "at",
            "recorded_at": "recorded",
            "amount": "amount",
            "properties": {"url": "link", "asset": "asset"},
        },
    }


def event(name: str, second: float, **told: Any) -> dict[str, Any]:
    occurred = at("2025-03-01T10:00:00") + timedelta(seconds=second)
    row = {"id": name, "who": "1", "mail": "taro@alpha.example.jp", "joined": "2025-01-01T00:00:00Z"}
    row |= {"kind": "email_click", "link": "", "asset": "", "amount": ""}
    return row | {"at": occurred, "recorded": occurred} | told


def duplicates(
    company: Company, *, rules: dict[str, Any] | None = None, **systems: list[dict[str, Any]]
) -> dict[str, str]:
    """The events marked, each with the one that it repeats."""
    for system, rows in systems.items():
        lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
        company.write(f"{system}.csv", "\n".join(lines) + "\n")
    company.sources = [told_by(system) for system in systems]
    company.extra = {"events": {"duplicates": rules or {}}}
    company.unify()
    marks = [(row["event_id"], row["duplicate_of"]) for row in company.rows("events") if row["duplicate_of"]]
    return {event_id.partition(":")[2]: kept.partition(":")[2] for event_id, kept in marks}


def test_a_click_that_two_systems_tell_of_counts_once(company: Company) -> None:
    found = duplicates(company, ma=[event("a", 0)], cep=[event("b", 1)])
    assert found == {"b": "a"}
    assert len(company.rows("events")) == 2, "what another system told is kept, and marked"


def test_the_one_recorded_first_is_kept_whenever_it_occurred(company: Company) -> None:
    late = at("2025-03-02T00:00:00")
    assert duplicates(company, ma=[event("a", 0, recorded=late)], cep=[event("b", 1)]) == {"a": "b"}


def test_what_one_system_tells_twice_happened_twice(company: Company) -> None:
    found = duplicates(company, ma=[event("a1", 0), event("a2", 1)], cep=[event("b1", 0.5)])
    assert found == {"b1": "a1"}
    found = duplicates(company, ma=[event("a1", 0), event("a2", 1)], cep=[event("b1", 0.2), event("b2", 1.2)])
    assert found == {"b1": "a1", "b2": "a2"}


def test_three_systems_tell_of_one_click(company: Company) -> None:
    found = duplicates(company, ma=[event("a", 0)], cep=[event("b", 1)], web=[event("c", 1.5)])
    assert found == {"b": "a", "c": "a"}


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ({}, {"who": "2", "mail": "other@alpha.example.jp"}, False),
        ({}, {"kind": "email_open"}, False),
        ({"link": "https://a.example.jp/pricing?x=1"}, {"link": "/Pricing/"}, True),
        ({"link": "/pricing"}, {"link": "/help"}, False),
        ({"link": "/pricing"}, {}, True),
        ({"asset": "spring"}, {"asset": "summer"}, False),
        ({"amount": 100}, {"amount": 200}, False),
        ({"amount": 100}, {"amount": 100.0}, True),
    ],
)
def test_what_both_tell_must_be_the_same(
    company: Company, left: dict[str, Any], right: dict[str, Any], same: bool
) -> None:
    found = duplicates(company, ma=[event("a", 0, **left)], cep=[event("b", 1, **right)])
    assert found == ({"b": "a"} if same else {})


def test_windows_are_those_of_the_type(company: Company) -> None:
    ma = [event("a", 0), event("c", 0, kind="call"), event("v", 0, kind="web_visit")]
    cep = [event("b", 3), event("d", 36000, kind="call"), event("w", 1, kind="web_visit")]
    rules = {"window_seconds": 1, "types": {"call": 86400, "web_visit": None}}
    assert duplicates(company, ma=ma, cep=cep, rules=rules) == {"d": "c"}
    assert duplicates(company, ma=ma, cep=cep, rules={"window_seconds": 3}) == {"b": "a", "w": "v"}
    assert duplicates(company, ma=ma, cep=cep, rules={"enabled": False}) == {}


def test_two_sources_of_one_system_tell_different_things(company: Company) -> None:
    company.write("ma.csv", ",".join(event("a", 0)) + "\n" + ",".join(map(str, event("a", 0).values())) + "\n")
    company.sources = [told_by("ma"), {**told_by("ma"), "name": "ma_again"}]
    company.unify()
    assert [row["duplicate_of"] for row in company.rows("events")] == [None, None]


# Event: system, node of it, second of happening, hours until it is recorded. Link: two nodes, since which hour.
EVENTS = st.lists(
    st.tuples(st.sampled_from(SYSTEMS), st.integers(0, 1), st.integers(0, 6), st.integers(0, 5)), max_size=9
)
LINKED = st.dictionaries(st.tuples(st.sampled_from(SYSTEMS), st.integers(0, 1)), st.integers(0, 5))


def marked(
    events: Sequence[tuple[str, str, int, int, int]], joined: dict[tuple[str, int], int]
) -> dict[str, tuple[str, datetime]]:
    """What is marked of (name, system, node, second, hour of record); nodes join person p at their hour, or never."""
    with connect_duckdb(threads=1) as connection:
        connection.execute("CREATE SCHEMA staged")
        connection.execute(f"CREATE TABLE staged.events ({STAGING['events']})")
        connection.execute(
            "CREATE TABLE identities (system VARCHAR, source_id VARCHAR, customer_id VARCHAR, linked_at TIMESTAMPTZ, "
            "ended_at TIMESTAMPTZ)"
        )
        for system in SYSTEMS:
            for node in range(2):
                since = joined.get((system, node))
                own = f"{system}{node}"
                ends = None if since is None else START + timedelta(hours=since)
                rows: list[list[object]] = [[system, str(node), own, START - timedelta(days=9), ends]]
                if since is not None:
                    rows.append([system, str(node), "p", ends, None])
                connection.executemany("INSERT INTO identities VALUES (?, ?, ?, ?, ?)", rows)
        for line, (name, system, node, second, hour) in enumerate(events):
            occurred = START + timedelta(seconds=second)
            connection.execute(
                "INSERT INTO staged.events (file, line, event_id, system, source_id, type, occurred_at, recorded_at) "
                "VALUES ('f', ?, ?, ?, ?, 'email_click', ?, ?)",
                [line, f"{system}_events:{name}", system, str(node), occurred, occurred + timedelta(hours=hour)],
            )
        keep_first_copies(connection)
        connection.execute("CREATE VIEW kept_events AS FROM first_copies")
        sources = [SourceSettings.model_validate(told_by(system)) for system in SYSTEMS]
        mark_duplicates(connection, sources, DuplicateSettings(window_seconds=2))
        found = connection.execute("SELECT event_id, duplicate_of, since FROM duplicate_events").fetchall()
    return {event_id: (kept, since) for event_id, kept, since in found}


@given(EVENTS, LINKED, st.randoms(use_true_random=False), st.integers(0, 6))
def test_order_of_arrival_and_later_knowledge_change_nothing(
    events: list[tuple[str, int, int, int]], joined: dict[tuple[str, int], int], random: Random, hour: int
) -> None:
    named = [(f"e{number}", *event) for number, event in enumerate(events)]
    found = marked(named, joined)
    shuffled = list(named)
    random.shuffle(shuffled)
    assert marked(shuffled, joined) == found
    # A run over what was known at that hour, its events and its links, marked what counts as marked before it today.
    cut = START + timedelta(hours=hour)
    then = [event for event in named if START + timedelta(seconds=event[3], hours=event[4]) < cut]
    links = {node: since for node, since in joined.items() if START + timedelta(hours=since) < cut}
    assert marked(then, links) == {name: mark for name, mark in found.items() if mark[1] < cut}


@given(EVENTS, LINKED)
def test_no_system_loses_an_event_to_itself_and_each_mark_has_its_reasons(
    events: list[tuple[str, int, int, int]], joined: dict[tuple[str, int], int]
) -> None:
    named = [(f"e{number}", *event) for number, event in enumerate(events)]
    found = marked(named, joined)
    told = {f"{system}_events:{name}": (system, node, second, hour) for name, system, node, second, hour in named}
    groups: dict[str, list[str]] = {}
    for event_id in told:
        kept = event_id
        while kept in found:
            kept = found[kept][0]
        groups.setdefault(kept, []).append(told[event_id][0])
    assert all(len(systems) == len(set(systems)) for systems in groups.values())
    for event_id, (kept, since) in found.items():
        (system, node, second, hour), (other, there, then, before) = told[event_id], told[kept]
        assert abs(second - then) <= 2
        assert (hour * 3600 + second) >= (before * 3600 + then)
        known = [START + timedelta(hours=hour, seconds=second)]
        known += [START + timedelta(hours=joined[place]) for place in ((system, node), (other, there))]
        assert since == max(known)


def test_nothing_of_somebody_who_is_forgotten_stays_at_the_event_of_another(
    publish_tables: Callable[..., Workspace], tmp_path: Path
) -> None:
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    one, other = ({"customer_id": f"c_{n}", "system": "ma", "source_id": str(n)} for n in (1, 2))
    happened = {"channel": "web", "type": "t", "occurred_at": moment, "recorded_at": moment, "recorded_assumed": False}
    happened |= {"is_bot": False}
    value = {"field": "phone", "value": "+81312345678", "verified": True, "occurred_at": moment}
    link = {"rule": "record", "probability": 1.0, "linked_at": moment, "run": "r"}
    workspace = publish_tables(
        identities=[{**one, **link}, {**other, **link}],
        events=[
            {**one, **happened, "event_id": "ma:1"},
            # They were one person for a time.
            {**other, **happened, "event_id": "cep:1", "duplicate_of": "ma:1"},
            {**other, **happened, "event_id": "ma:2"},
            {**other, **happened, "event_id": "cep:2", "duplicate_of": "ma:2"},
        ],
        proofs=[
            {**one, **value, "recorded_at": moment},
            {**other, **value, "verified": False, "recorded_at": moment + timedelta(days=1)},
        ],
    )
    settings = Settings.model_validate({"name": "test", "home": tmp_path / "home", "sources": [told_by("ma")]})
    erase_from_tables(settings, workspace, ForgottenPerson(("c_1",), (("ma", "1"),)))
    events = workspace.read_table("events").to_pylist()
    assert {row["event_id"]: row["duplicate_of"] for row in events} == {"cep:1": None, "ma:2": None, "cep:2": "ma:2"}
    assert [row["customer_id"] for row in workspace.read_table("proofs").to_pylist()] == ["c_2"]
