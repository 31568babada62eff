"""Nothing that is recorded later changes which stages people were believed to be in before."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from core.lifecycle_settings import StageSettings, default_stages
from core.storage import connect_duckdb
from core.tables import TABLES
from customers.identity import Link, intervals_of, resolve_identities
from customers.lifecycle.build import build_lifecycle
from customers.lifecycle.lives import EVER
from customers.lifecycle.moves import Signals, follow, ways_between

START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 60
NODES = [("crm", "1"), ("crm", "2"), ("ma", "1"), ("ma", "2"), ("cookie", "k1"), ("cookie", "k2")]
TYPES = ("form_fill", "web_visit", "meeting", "call", "email_open")
day = st.integers(0, DAYS - 1)
node = st.integers(0, len(NODES) - 1)
late = st.sampled_from([0, 0, 0, 1, 7, 30])
company = st.fixed_dictionaries(
    {
        "known": st.lists(day, min_size=len(NODES), max_size=len(NODES)),
        "links": st.lists(st.tuples(day, node, node), max_size=6),
        "taken": st.lists(st.tuples(day, node), max_size=2, unique_by=lambda taken: taken[1]),
        "events": st.lists(st.tuples(day, late, node, st.sampled_from(TYPES), st.booleans()), max_size=14),
        "fields": st.lists(st.tuples(day, late, node, st.sampled_from(["MQL", "SQL", "Unqualified", "x"])), max_size=4),
        "stages": st.lists(
            st.tuples(day, late, st.integers(0, 2), st.sampled_from(["open", "won", "lost"])), max_size=8
        ),
        "parts": st.lists(st.tuples(day, node, st.integers(0, 2)), max_size=6),
    }
)


def at(number):
    return START + timedelta(days=number)


def identities(world, until):
    """Who each record belonged to, by the links known before `until`; whoever was told apart is alone from then on."""
    links = [Link(time, *sorted((one, other)), rule="email") for time, one, other in world["links"] if one != other]
    merges = resolve_identities(world["known"], [link for link in links if link.time < until], []).merges
    taken = {place: time for time, place in world["taken"] if time < until}
    rows = []
    for interval in intervals_of(world["known"], merges):
        apart = taken.get(interval.node, DAYS * 2)
        ended = interval.ended_at if interval.ended_at is not None else DAYS * 2
        if interval.linked_at < min(apart, ended):
            rows.append((interval.node, f"c{interval.founder}", interval.linked_at, min(apart, ended)))
    rows += [
        (place, f"s{place}", max(time, world["known"][place]), DAYS * 2) for place, time in taken.items()
    ]  # fmt: skip
    return [
        {"system": NODES[place][0], "source_id": NODES[place][1], "customer_id": who, "rule": "r", "probability": 1.0,
         "linked_at": at(linked), "ended_at": at(ended) if ended < until else None, "run": "r"}
        for place, who, linked, ended in rows
        if linked < until
    ]  # fmt: skip


def lifecycle(world, until=DAYS * 2):
    """The table as it is made from what was recorded before `until`."""

    def record(place):
        return {"customer_id": "-", "system": NODES[place][0], "source_id": NODES[place][1]}

    def times(occurred, delay, name="occurred_at"):
        return {name: at(occurred), "recorded_at": at(occurred + delay)}

    tables = {
        "identities": identities(world, until),
        "events": [
            record(place) | times(occurred, delay)
            | {"event_id": f"e{number}", "type": kind, "is_bot": bot, "channel": "c", "recorded_assumed": False}
            for number, (occurred, delay, place, kind, bot) in enumerate(world["events"])
            if occurred + delay < until
        ],
        "attributes": [
            record(place) | times(occurred, delay)
            | {"field": "lead_status", "value": value, "recorded_assumed": delay == 30}
            for occurred, delay, place, value in world["fields"]
            if occurred + delay < until
        ],
        "deal_stages": [
            {"deal_id": f"d{deal}", "stage": outcome, "outcome": outcome} | times(occurred, delay, "entered_at")
            for occurred, delay, deal, outcome in world["stages"]
            if occurred + delay < until
        ],
        "deal_people": [
            record(place) | {"deal_id": f"d{deal}", "recorded_at": at(recorded)}
            for recorded, place, deal in world["parts"]
            if recorded < until
        ],
    }  # fmt: skip
    with connect_duckdb() as connection:
        for name, rows in tables.items():
            columns = {
                column: pa.array([row.get(column) for row in rows], kind.type)
                for column, kind in TABLES[name].columns.items()
            }
            connection.register(f"given_{name}", pa.table(columns))
            connection.execute(f"CREATE TABLE {name} AS SELECT DISTINCT * FROM given_{name}")
        connection.execute("CREATE VIEW renewed_events AS FROM events")
        connection.execute("CREATE VIEW new_group_nodes AS SELECT system, source_id FROM identities")
        connection.execute(
            "CREATE TABLE node_now AS SELECT system, source_id, customer_id FROM identities WHERE ended_at IS NULL"
        )
        connection.execute(
            "CREATE TABLE consent_now AS SELECT DISTINCT customer_id, true AS consent_profiling FROM node_now"
        )
        build_lifecycle(connection, default_stages(), None)
        return TABLES["lifecycle"].check(connection.sql("FROM lifecycle").to_arrow_table()).to_pylist()


def believed(rows, moment):
    """What was known before a moment."""
    known = [row for row in rows if row["recorded_at"] < moment]
    for row in known:
        if row["left_recorded_at"] is not None and row["left_recorded_at"] >= moment:
            row["left_at"] = row["left_recorded_at"] = None
    return sorted(known, key=str)


@settings(max_examples=60)
@given(company, st.integers(1, DAYS))
def test_what_was_believed_stays_as_it_was(world, until):
    assert believed(lifecycle(world), at(until)) == sorted(lifecycle(world, until), key=str)


@settings(max_examples=25)
@given(company)
def test_visits_follow_one_another(world):
    rows = lifecycle(world)
    for person in {row["customer_id"] for row in rows}:
        visits = [row for row in rows if row["customer_id"] == person]
        for row in visits:
            assert row["entered_at"] <= row["recorded_at"]
            assert (row["left_at"] is None) == (row["left_recorded_at"] is None)
            assert row["left_at"] is None or row["entered_at"] <= row["left_at"] <= row["left_recorded_at"]
        for begins, ends in (("entered_at", "left_at"), ("recorded_at", "left_recorded_at")):
            spans = sorted((row[begins], row[ends] or at(DAYS * 2)) for row in visits)
            joints = [(left, entered) for (_, left), (entered, _) in pairwise(spans)]
            assert all(left <= entered for left, entered in joints)
            # A gap is where a person had lost every record for some time.
            assert all(left == entered for left, entered in joints) or world["taken"]


signal = st.tuples(st.integers(0, 2), st.integers(0, 6), st.booleans(), st.integers(0, 30), st.integers(0, 5))


def follow_one(signals, ways):
    """The same, for one person, step by step."""
    stage, entered, fresh_from, moved = len(ways.back) - 1, EVER, EVER, []
    for place, (_, target, deal, at_, before) in signals:
        back = ways.back[stage, target]
        allowed = (ways.by_deal if deal else ways.otherwise)[stage, target]
        since = at_ - before
        if not allowed or (not deal and (since < fresh_from or (back and since <= entered))):
            continue
        stage, entered = target, max(entered, at_)
        fresh_from = entered if back else fresh_from
        moved.append((place, entered))
    return moved


@given(st.lists(signal, max_size=40).map(lambda given: sorted(given, key=lambda one: one[0])))
def test_all_lives_at_once_as_one_by_one(given_signals):
    ways = ways_between(default_stages())
    column = [np.array([one[place] for one in given_signals], dtype=np.int64) for place in range(5)]
    moves = follow(Signals(column[0], column[1], column[2].astype(bool), column[3], column[3] - column[4]), ways)
    expected = [
        move
        for life in range(3)
        for move in follow_one([(n, one) for n, one in enumerate(given_signals) if one[0] == life], ways)
    ]
    assert list(zip(moves.places.tolist(), moves.entered.tolist(), strict=True)) == expected


def test_ways_of_a_configuration():
    def stage(name, **more):
        return StageSettings.model_validate(
            {"name": name, "label": {"ja": name, "en": name}, "enter": [{"kind": "known"}], **more}
        )

    stages = [stage("a"), stage("b"), stage("goal"), stage("out", side=True), stage("again", after=["out"], side=True)]
    ways = ways_between(stages)
    names = [*(one.name for one in stages), "new"]

    def origins(flags, target):
        return [names[place] for place in np.flatnonzero(flags[:, target])]

    assert origins(ways.otherwise, 1) == ["a", "out", "again", "new"]
    # Only a deal leads away from the goal.
    assert origins(ways.otherwise, 3) == ["a", "b", "again", "new"]
    assert origins(ways.by_deal, 3) == ["a", "b", "goal", "again", "new"]
    assert origins(ways.otherwise, 4) == origins(ways.by_deal, 4) == ["out"]
    assert origins(ways.back, 0) == ["b", "goal", "out", "again"]


def test_a_record_that_is_taken_away_takes_its_deals_along():
    nothing = {"events": [], "fields": []}
    world = nothing | {
        "known": [0, 1, 50, 50, 50, 50],
        "links": [(5, 0, 1)],
        "taken": [(30, 1)],
        "events": [(3, 0, 0, "meeting", False)],
        "stages": [(10, 0, 0, "open"), (20, 0, 0, "won")],
        "parts": [(10, 1, 0)],
    }

    def told(who):
        rows = [row for row in lifecycle(world) if row["customer_id"] == who]
        return [
            (row["stage"], (row["entered_at"] - START).days, (row["recorded_at"] - START).days, row["left_at"] is None)
            for row in sorted(rows, key=lambda row: row["recorded_at"])
        ]

    assert told("c0") == [
        ("lead", 0, 0, False), ("sql", 3, 3, False), ("in_talks", 10, 10, False), ("won", 20, 20, False),
        # Known on day 30: without that record they had met with sales, no more. No stage begins before the last one.
        ("sql", 20, 30, True),
    ]  # fmt: skip
    assert told("s1") == [("lead", 1, 30, False), ("in_talks", 10, 30, False), ("won", 20, 30, True)]
