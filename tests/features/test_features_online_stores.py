"""What holds in every online store, seen through Feast as it is and through our own reading."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
import redis
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig
from feast.types import Array, Bool, Float64, Int64, String
from feast.value_type import ValueType

from core.clock import FixedClock
from core.errors import ConfigurationError, ContractError
from core.settings import Settings
from core.storage import Workspace
from features.online_reader import OnlineReader
from features.online_server import check_online_store
from features.online_store import text_keys
from features.online_writer import OnlineWriter
from features.store import online_store, repository_settings
from tests.databases import POSTGRES, REDIS

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
COLUMNS = {"visits": pa.int64(), "heat": pa.float64(), "plan": pa.string(), "deals": pa.int64()}


@pytest.fixture
def configuration(online_server, tmp_path):
    """Settings with each kind of online store in turn."""
    return Settings.model_validate(
        {
            "name": "stores",
            "home": tmp_path / "home",
            "sources": [{"name": "ma", "system": "ma", "path": "x.csv", "people": {"id": "id"}}],
            "online_store": online_server.settings.model_dump(),
        }
    )


@pytest.fixture
def define(tmp_path):
    """Two views, one with a short time to live, and the service that reads both."""
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)

    def view(name, days, **fields):
        rows = FileSource(name=f"{name}_rows", path=str(tmp_path / f"{name}.parquet"), timestamp_field="as_of")
        return FeatureView(
            name=name,
            entities=[customer],
            ttl=timedelta(days=days),
            schema=[Field(name="customer_id", dtype=String), *(Field(name=n, dtype=t) for n, t in fields.items())],
            source=PushSource(name=f"{name}_push", batch_source=rows),
        )

    def go(**habits_fields):
        habits, talks = view("habits", 2, **habits_fields), view("talks", 30, deals=Int64)
        return [customer, habits, talks, FeatureService(name="both", features=[habits, talks])]

    return go


@pytest.fixture
def definitions(define):
    return define(visits=Int64, heat=Float64, plan=String)


@pytest.fixture
def open_feast(configuration, tmp_path):
    """Plain Feast, given our `online_store.type` and nothing else of ours; its clock stands still."""
    raw = repository_settings(configuration, Workspace(tmp_path / "home"))
    (tmp_path / "home" / "feast").mkdir(parents=True)

    def go(now=AT):
        store = FeatureStore(config=RepoConfig(repo_path=tmp_path, **raw))
        online_store(store).clock = FixedClock(now)
        return store

    return go


@pytest.fixture
def store(open_feast, definitions):
    store = open_feast()
    store.apply(definitions)
    return store


def run(store, rows, at=AT, note=None):
    """Write rows as a run does: by customer visits, heat, plan and deals."""
    writer = OnlineWriter(store, [store.get_feature_view(view) for view in ("habits", "talks")])
    values = list(zip(*rows.values(), strict=True))
    columns = {name: pa.array(column, kind) for (name, kind), column in zip(COLUMNS.items(), values, strict=True)}
    table = pa.table({"customer_id": list(rows), **columns})
    writer.write(dict.fromkeys(writer.columns, table), pa.array([at] * len(rows), pa.timestamp("us", "UTC")), note)
    return writer


def push(store, customer, at, **values):
    frame = pd.DataFrame({"customer_id": [customer], "as_of": [at], **{name: [v] for name, v in values.items()}})
    store.push("talks_push" if "deals" in values else "habits_push", frame)


def told(store, *customers):
    """By customer what our own reading and Feast's both say; they must agree."""
    own = OnlineReader(store).read("both", customers).to_pylist()
    service = store.get_feature_service("both")
    feast = store.get_online_features(
        features=service, entity_rows=[{"customer_id": customer} for customer in customers]
    ).to_dict()
    for place, row in enumerate(own):
        assert row["as_of"] is None or all(feast[name][place] == row[name] for name in COLUMNS)
    return [None if row["as_of"] is None else tuple(row[name] for name in COLUMNS) for row in own]


def test_values_come_back_in_order_and_unknown_people_are_blank(store):
    run(store, {"a": (3, -0.5, "S", 1), "b": (-(2**40), 1e-300, "大口", None), "c": (None, None, None, 0)})
    assert told(store, "b", "nobody", "a", "b", "c") == [
        (-(2**40), 1e-300, "大口", None),
        None,
        (3, -0.5, "S", 1),
        (-(2**40), 1e-300, "大口", None),
        (None, None, None, 0),
    ]
    assert OnlineReader(store).read("both", []).num_rows == 0


def test_a_correction_of_the_same_moment_replaces(store):
    run(store, {"a": (3, 1.5, "S", 1)})
    run(store, {"a": (4, 2.5, "L", 1)})
    assert told(store, "a") == [(4, 2.5, "L", 1)]
    push(store, "a", AT, visits=5, heat=0.0, plan="M")
    assert told(store, "a") == [(5, 0.0, "M", 1)]


def test_what_became_blank_is_blank(store):
    run(store, {"a": (3, 1.5, "S", 1), "b": (3, 1.5, "S", 1)})
    run(store, {"a": (None, 1.5, None, 1), "b": (None, None, None, None)})
    # A row of nothing but blanks, too; the person is still there, with nothing known.
    assert told(store, "a", "b") == [(None, 1.5, None, 1), (None, None, None, None)]


def test_an_older_value_that_is_pushed_does_not_win(store):
    run(store, {"a": (3, 1.5, "S", 1)})
    push(store, "a", AT - HOUR, visits=2, heat=9.0, plan="old")
    assert told(store, "a") == [(3, 1.5, "S", 1)]
    push(store, "a", AT + HOUR, visits=4, heat=9.0, plan="new")
    push(store, "a", AT, visits=3, heat=9.0, plan="late")
    assert told(store, "a") == [(4, 9.0, "new", 1)]


def test_a_run_replaces_earlier_runs_but_nothing_fresher(store):
    run(store, {"a": (3, 1.5, "S", 1), "b": (3, 1.5, "S", 1)})
    push(store, "a", AT + HOUR, visits=9, heat=9.0, plan="fresh")
    # Taken back to an earlier moment: nobody keeps what was withdrawn, but what a person did since stays.
    run(store, {"a": (2, 0.5, "S", 0), "b": (2, 0.5, "S", 0)}, AT - HOUR)
    assert told(store, "a", "b") == [(9, 9.0, "fresh", 0), (2, 0.5, "S", 0)]
    answers = OnlineReader(store).read("both", ["a", "b"])["as_of"].to_pylist()
    assert answers == [AT - HOUR, AT - HOUR]
    # A later run knows it all.
    run(store, {"a": (10, 1.0, "S", 1)}, AT + 2 * HOUR)
    assert told(store, "a") == [(10, 1.0, "S", 1)]


def test_the_newest_of_doubles_in_one_batch_wins(store):
    frame = pd.DataFrame(
        {"customer_id": ["a", "a", "a", "b"], "as_of": [AT, AT + HOUR, AT - HOUR, AT], "deals": [1, 2, 3, 4]}
    )
    run(store, {"a": (0, 0.0, "", 0), "b": (0, 0.0, "", 0)}, AT - 2 * HOUR)
    store.push("talks_push", frame)
    assert [row[3] for row in told(store, "a", "b")] == [2, 4]


def test_what_is_past_its_time_to_live_is_not_used(store, open_feast):
    run(store, {"a": (3, 1.5, "S", 1)})
    in_time = open_feast(AT + timedelta(days=2) - timedelta(seconds=1))
    assert told(in_time, "a") == [(3, 1.5, "S", 1)]
    late = open_feast(AT + timedelta(days=2))
    assert told(late, "a") == [None]
    answer = late.get_online_features(
        features=late.get_feature_service("both"), entity_rows=[{"customer_id": "a"}]
    ).to_dict()
    # Feast still gives the view that lives longer.
    assert (answer["visits"], answer["deals"]) == ([None], [1])
    push(late, "a", AT + timedelta(days=2), visits=1, heat=0.0, plan="S")
    assert told(late, "a") == [(1, 0.0, "S", 1)]


def test_people_are_removed_and_erased(store, online_server, tmp_path):
    writer = run(store, {f"person-{n}": (n, 0.0, f"plan-{n}", n) for n in range(5)})
    writer.remove(["person-1", "nobody"])
    online_store(store).erase(store.config, text_keys("customer_id", ["person-3", "nobody"]))
    assert [row is not None for row in told(store, *(f"person-{n}" for n in range(5)))] == [True, False] * 2 + [True]
    content = online_server.content(tmp_path / "home")
    assert b"person-3" not in content
    assert b"plan-3" not in content
    assert b"person-4" in content


def test_fields_come_and_go(store, define):
    run(store, {"a": (3, 1.5, "S", 1)})
    store.apply(define(plan=String, new=Int64, visits=Int64))
    reader = OnlineReader(store)
    # Rows from before answer for what they hold, and for nobody who is asked for more.
    assert reader.read("both", ["a"])["as_of"].to_pylist() == [None]
    asked = reader.read("both", ["a"], ("plan", "visits", "deals"))
    assert asked.drop_columns(["customer_id", "as_of"]).to_pylist() == [{"plan": "S", "visits": 3, "deals": 1}]
    push(store, "b", AT, plan="L", new=7, visits=1)
    push(store, "b", AT, deals=2)
    both = OnlineReader(store).read("both", ["a", "b", "c"], ("visits", "deals")).to_pylist()
    assert [(row["visits"], row["deals"]) for row in both] == [(3, 1), (1, 2), (None, None)]
    assert reader.read("both", ["b"])["new"].to_pylist() == [7]


def test_values_of_any_type_go_through_feast(store, definitions, tmp_path):
    customer = definitions[0]
    rows = FileSource(name="odd_rows", path=str(tmp_path / "odd.parquet"), timestamp_field="as_of")
    odd = FeatureView(
        name="odd",
        entities=[customer],
        schema=[Field(name="flag", dtype=Bool), Field(name="scores", dtype=Array(Float64))],
        source=PushSource(name="odd_push", batch_source=rows),
    )
    store.apply([customer, odd])
    store.push("odd_push", pd.DataFrame({"customer_id": ["a"], "as_of": [AT], "flag": [True], "scores": [[1.5, 2.5]]}))
    answer = store.get_online_features(["odd:flag", "odd:scores"], [{"customer_id": "a"}, {"customer_id": "b"}])
    assert answer.to_dict() == {"customer_id": ["a", "b"], "flag": [True, None], "scores": [[1.5, 2.5], None]}
    with pytest.raises(ContractError, match="scores cannot be written by whole columns"):
        OnlineWriter(store, [odd])


def test_a_view_that_is_no_longer_defined_leaves_no_rows(store):
    run(store, {"a": (3, 1.5, "S", 1)})
    store.apply(
        [], objects_to_delete=[store.get_feature_service("both"), store.get_feature_view("habits")], partial=False
    )
    rows = online_store(store).read_rows(store.config, text_keys("customer_id", ["a"]), ["habits", "talks"])
    assert [packed is None for packed in rows[0]] == [True, False]


def test_notes_hold_from_the_moment_the_rows_do(store, open_feast):
    writer = run(store, {"a": (3, 1.5, "S", 1)}, note={"reached": "1"})
    run(store, {"b": (3, 1.5, "S", 1)}, note={"reached": "2"})
    assert writer.note("reached") == "2"
    assert writer.note("elsewhere") is None
    # Who opens the store later reads rows and layouts that others have written.
    assert told(open_feast(), "b") == [(3, 1.5, "S", 1)]


def test_rows_of_different_people_are_refused(store):
    writer = OnlineWriter(store, [store.get_feature_view(view) for view in ("habits", "talks")])
    tables = {
        view: pa.table({"customer_id": [customer], **{name: pa.nulls(1, kind) for name, kind in COLUMNS.items()}})
        for view, customer in (("habits", "a"), ("talks", "b"))
    }
    with pytest.raises(ContractError, match="not those of the same people"):
        writer.write(tables, pa.array([AT], pa.timestamp("us", "UTC")))


def test_nobody_reads_half_of_a_person(store):
    """Both views of everybody change together while somebody reads all the time."""
    people = [f"c{n}" for n in range(40)]
    run(store, dict.fromkeys(people, (0, 0.0, "", 0)))
    torn, seen, stop = [], [], threading.Event()

    def read():
        reader = OnlineReader(store)
        while not stop.is_set():
            rows = reader.read("both", people).to_pylist()
            torn.extend(row for row in rows if row["visits"] != row["deals"])
            seen.append(rows[0]["visits"])

    with ThreadPoolExecutor(1) as readers:
        reading = readers.submit(read)
        number = 0
        # Until reading and writing surely overlapped.
        while len(set(seen)) < 10 and not reading.done():
            number += 1
            run(store, dict.fromkeys(people, (number, 0.0, "", number)), AT + timedelta(seconds=number))
        stop.set()
        reading.result()
    assert not torn
    assert {row[0] for row in told(store, *people)} == {number}


def test_two_companies_on_one_server_do_not_meet(store, configuration, definitions, tmp_path):
    """Two names on a server keep companies apart, and two files do."""
    run(store, {"a": (3, 1.5, "S", 1)})
    online = configuration.online_store
    if online.type != "sqlite":
        online = online.model_copy(update={"namespace": f"{online.namespace}-2"})
    other = configuration.model_copy(update={"online_store": online, "home": tmp_path / "other"})
    Workspace(other.home).path("feast").mkdir(parents=True)
    config = RepoConfig(repo_path=tmp_path, **repository_settings(other, Workspace(other.home)))
    second = FeatureStore(config=config)
    second.apply(definitions)
    assert OnlineReader(second).read("both", ["a"])["as_of"].to_pylist() == [None]
    online_store(second).remove_view(second.config, "habits")
    assert told(store, "a") == [(3, 1.5, "S", 1)]


def end_redis_reader(used):
    (idle,) = used._readers._idle
    with redis.Redis.from_url(REDIS) as other:
        other.client_kill_filter(_id=idle.client_id())


def end_postgres_reader(used):
    (idle,) = used._pool._idle
    with psycopg.connect(POSTGRES.replace("+psycopg", "")) as other:
        assert other.execute("SELECT pg_terminate_backend(%s, 5000)", (idle.info.backend_pid,)).fetchone() == (True,)


@pytest.mark.parametrize(
    ("online_server", "end_reader"),
    [
        pytest.param("redis", end_redis_reader, marks=pytest.mark.redis),
        pytest.param("postgres", end_postgres_reader, marks=pytest.mark.postgres),
    ],
    indirect=["online_server"],
)
def test_a_connection_that_the_server_closed_is_opened_again(store, end_reader):
    run(store, {"a": (3, -0.5, "S", 1), "b": (4, 0.5, None, 2)})
    reader = OnlineReader(store)
    for asked in (["a"], ["a", "b"], ["b"]):
        before = reader.read("both", asked)
        end_reader(online_store(store))
        assert reader.read("both", asked).equals(before)


def test_a_store_that_is_away_says_what_to_do(configuration, monkeypatch):
    check_online_store(configuration)
    online = configuration.online_store
    if online.type == "sqlite":
        return
    scheme = "redis" if online.type == "redis" else "postgresql"
    monkeypatch.setenv(online.url_env, f"{scheme}://:secret@127.0.0.1:1/0")
    with pytest.raises(ConfigurationError, match=r"does not answer.*start it, or correct its URL") as away:
        check_online_store(configuration)
    assert "secret" not in str(away.value)
    monkeypatch.setenv(online.url_env, "mysql://user:secret@host")
    with pytest.raises(ConfigurationError, match="KIZASHI_ONLINE_STORE_URL cannot be used") as misread:
        check_online_store(configuration)
    assert "secret" not in str(misread.value)
    monkeypatch.delenv(online.url_env)
    with pytest.raises(ConfigurationError, match="KIZASHI_ONLINE_STORE_URL is not set"):
        check_online_store(configuration)
