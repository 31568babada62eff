"""Unified tables as frames: what is asked for, and nothing else, is read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from core.errors import ConfigurationError, MissingStageError
from core.storage import Workspace, connect_duckdb
from kizashi.frames import read_frame, run_query, table_query

START = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def workspace(publish_tables: Callable[..., Workspace]) -> Workspace:
    """Four events a day apart, of two people."""
    events = [
        {
            "event_id": f"e{n}",
            "customer_id": f"c_{n % 2}",
            "system": "web",
            "source_id": f"s{n % 2}",
            "channel": "web",
            "type": "web_visit" if n < 3 else "form_fill",
            "occurred_at": START + timedelta(days=n),
            "recorded_at": START + timedelta(days=n),
            "recorded_assumed": False,
            "amount": None if n else 5.0,
            "is_bot": n == 2,
        }
        for n in range(4)
    ]
    return publish_tables(events=events)


def ids(frame: pd.DataFrame) -> list[str]:
    return list(frame["event_id"])


def test_conditions_choose_rows_and_columns(workspace: Workspace) -> None:
    assert ids(read_frame(workspace, "events")) == ["e0", "e1", "e2", "e3"]
    assert ids(read_frame(workspace, "events", where={"type": "web_visit", "is_bot": False})) == ["e0", "e1"]
    assert ids(read_frame(workspace, "events", where={"event_id": ["e3", "e1", "e9"]})) == ["e1", "e3"]
    assert ids(read_frame(workspace, "events", where={"amount": None})) == ["e1", "e2", "e3"]
    assert ids(read_frame(workspace, "events", where={"event_id": []})) == []
    assert ids(read_frame(workspace, "events", limit=1)) == ["e0"]
    narrow = read_frame(workspace, "events", columns=["type", "customer_id"])
    assert list(narrow.columns) == ["type", "customer_id"]


def test_spans_are_half_open_and_read_in_the_business_time_zone(workspace: Workspace) -> None:
    assert ids(read_frame(workspace, "events", since=START + timedelta(days=1), until="2025-01-03")) == ["e1"]
    # Nine in the morning in Tokyo is midnight in UTC, when e1 happened.
    assert ids(read_frame(workspace, "events", since="2025-01-02T09:00", timezone="Asia/Tokyo")) == ["e1", "e2", "e3"]
    assert ids(read_frame(workspace, "events", until="2025-01-01T09:00:00", timezone="Asia/Tokyo")) == []
    assert read_frame(workspace, "events")["occurred_at"].dtype == "datetime64[us, UTC]"


def test_conditions_are_pushed_into_the_file(workspace: Workspace) -> None:
    query, given = table_query(
        workspace, "events", ["event_id"], {"customer_id": "c_1"}, "2025-01-02", None, None, "UTC"
    )
    with connect_duckdb() as connection:
        plan = str(connection.execute(f"EXPLAIN {query}", given).fetchall())
    scan = plan[plan.index("READ_PARQUET") :]
    assert "customer_id = 'c_1'" in scan
    assert "occurred_at >=" in scan
    assert "url" not in scan, "a column that nobody asked for is read"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"name": "event"}, "there is no table 'event', did you mean 'events'?"),
        ({"name": "events", "columns": ["typ"]}, "typ: is no column, did you mean 'type'?"),
        ({"name": "events", "where": {"chanel": "web"}}, "chanel: is no column, did you mean 'channel'?"),
        ({"name": "events", "columns": []}, "columns: names none"),
        ({"name": "staff", "since": "2025-01-01"}, "the table has no time of its own"),
        ({"name": "events", "since": "soon"}, "'soon' is no moment"),
        ({"name": "events", "where": {"is_bot": "perhaps"}}, "the query cannot run"),
    ],
)
def test_a_wrong_question_is_one_sentence(workspace: Workspace, asked: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_frame(workspace, **asked)  # type: ignore[arg-type]  # wrong on purpose
    assert told in refused.value.sentence


def test_sql_reads_tables_frames_and_parameters(workspace: Workspace) -> None:
    mine = pd.DataFrame({"customer_id": ["c_1"], "name": ["one"]})
    found = run_query(
        workspace,
        ["lead"],
        "SELECT name, count(*) AS n FROM events JOIN mine USING (customer_id) WHERE type = $kind GROUP BY name",
        {"mine": mine, "kind": "web_visit"},
    )
    assert found.to_dict("records") == [{"name": "one", "n": 1}]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("COPY events TO 'stolen.csv'", "does more than read"),
        ("CREATE TABLE t AS SELECT 1", "does more than read"),
        ("SELECT 1; DROP VIEW events", "does more than read"),
        ("SELECT * FROM event", "events"),
        ("SELEC 1", "the query cannot run"),
    ],
)
def test_sql_that_does_not_read_is_refused(workspace: Workspace, query: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        run_query(workspace, ["lead"], query, {})
    assert told in refused.value.sentence


def test_nothing_was_unified_yet(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(MissingStageError):
        read_frame(Workspace(tmp_path_factory.mktemp("empty")), "events")
