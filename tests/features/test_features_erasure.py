"""People are deleted from the online store, whichever it is, and nothing of them stays in its file."""

import sqlite3
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from core.clock import FixedClock
from core.erasure import ForgottenPerson, scrub_sqlite
from core.errors import BusyError
from features.build import build_features
from features.erasure import count_in_features, erase_from_features, erase_online
from features.materialise import materialise_online
from features.record_lookup import find_records, publish_records
from features.retrieval import online_features
from features.store import apply_definitions, open_store

AT = datetime(2025, 2, 20, tzinfo=UTC)
PEOPLE = [f"c_{n:03d}" for n in range(25)]
GONE = ForgottenPerson(("c_007", "c_007_once"), (("crm", "record-7"),))


@pytest.fixture
def feature_settings(feature_settings, online_server):
    return feature_settings.model_copy(update={"online_store": online_server.settings})


@pytest.fixture
def bytes_online(online_server, tmp_path):
    """Everything that lies in the online store, as bytes."""
    return lambda: online_server.content(tmp_path / "home")


@pytest.fixture
def workspace(bytes_online, feature_settings, publish_tables, random_world, moments_table):
    workspace = publish_tables(data_until=AT, **random_world(31))
    build_features(feature_settings, workspace, moments_table([(customer, AT) for customer in PEOPLE]))
    apply_definitions(feature_settings, workspace)
    materialise_online(feature_settings, workspace, AT)
    named = [("crm:record-7", "c_007"), ("kizashi:c_007", "c_007"), ("crm:record-8", "c_008")]
    records = {"record": [record for record, _ in named], "person": [f'["{person}","known",""]' for _, person in named]}
    publish_records(feature_settings, workspace, pa.table(records), AT)
    return workspace


def test_deleted_and_not_blanked(bytes_online, workspace, feature_settings):
    counts = count_in_features(feature_settings, workspace, GONE)
    assert (counts["profile"], counts["online people"], counts["online records"]) == (1, 1, 2)
    before = bytes_online()
    assert b"c_007" in before
    assert b"record-7" in before
    others = [customer for customer in PEOPLE if customer != "c_007"]

    def served():
        return online_features(feature_settings, workspace, "lead_v1", others, FixedClock(AT))

    answers = served()
    for _ in range(2):  # again, as after having been killed
        erase_online(feature_settings, workspace, GONE)
        erase_from_features(feature_settings, workspace, GONE)
        after = bytes_online()
        assert b"c_007" not in after
        assert b"record-7" not in after
        assert served().equals(answers)
    found = find_records(open_store(feature_settings, workspace), ["crm:record-7", "crm:record-8"])
    assert found == {"crm:record-8": '["c_008","known",""]'}
    assert all(b"c_007" not in path.read_bytes() for path in workspace.path("features").rglob("*.parquet"))
    # The next run finds nobody who has left and would have to be blanked.
    assert materialise_online(feature_settings, workspace, AT).cleared == 0


def test_a_file_that_stays_busy_is_named(tmp_path):
    path = tmp_path / "app.db"
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("PRAGMA journal_mode = WAL")
    reader.execute("CREATE TABLE people (name)")
    reader.execute("INSERT INTO people VALUES ('taro')")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM people").fetchall()
    with pytest.raises(BusyError, match=r"app.db is in use.*it goes on where it stopped"):
        scrub_sqlite(path, patience=0.1)
    reader.execute("COMMIT")
    reader.execute("DELETE FROM people")
    scrub_sqlite(path)
    assert all(b"taro" not in file.read_bytes() for file in tmp_path.glob("app.db*"))
    reader.close()
