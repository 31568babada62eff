"""People are deleted from the online store, whichever it is, and nothing of them stays in its file."""

import sqlite3
from datetime import UTC, datetime
from string import Template
from uuid import uuid4

import pyarrow as pa
import pytest
import yaml
from feast import FeatureStore
from feast.repo_config import RepoConfig

from core.erasure import ForgottenPerson, scrub_sqlite
from core.errors import BusyError
from features import erasure, store
from features.build import build_features
from features.erasure import count_in_features, erase_from_features, erase_online
from features.materialise import materialise_online
from features.record_lookup import find_records, publish_records
from features.retrieval import online_features
from features.store import apply_definitions

AT = datetime(2025, 2, 20, tzinfo=UTC)
PEOPLE = [f"c_{n:03d}" for n in range(25)]
GONE = ForgottenPerson(("c_007", "c_007_once"), (("crm", "record-7"),))
REDIS = "127.0.0.1:6379"


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def bytes_online(request, monkeypatch, tmp_path):
    """Everything that lies in the online store, as bytes."""
    if request.param == "sqlite":
        feast = tmp_path / "home" / "feast"
        yield lambda: b"".join(path.read_bytes() for path in feast.glob("online.db*"))
        return
    redis = pytest.importorskip("redis")
    client = redis.Redis.from_url(f"redis://{REDIS}")
    try:
        client.ping()
    except redis.exceptions.ConnectionError:
        pytest.skip(f"no Redis answers at {REDIS}")
    project = f"kizashi_{uuid4().hex}"

    def open_redis(settings, workspace):
        text = (store.REPOSITORY / "feature_store.yaml").read_text(encoding="utf-8")
        workspace.path("feast").mkdir(parents=True, exist_ok=True)
        raw = yaml.safe_load(Template(text).substitute(KIZASHI_HOME=str(workspace.home.resolve())))
        raw |= {"project": project, "online_store": {"type": "redis", "connection_string": REDIS}}
        return FeatureStore(config=RepoConfig(repo_path=store.REPOSITORY, **raw))

    monkeypatch.setattr(store, "open_store", open_redis)
    monkeypatch.setattr(erasure, "open_store", open_redis)
    keys = f"*{project}"
    yield lambda: b"".join(
        key + b"".join(value for pair in client.hgetall(key).items() for value in pair)
        for key in client.scan_iter(keys)
    )
    for key in client.scan_iter(keys):
        client.delete(key)
    client.close()


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
        return online_features(
            feature_settings, workspace, "lead_v1", others, store.open_store(feature_settings, workspace)
        )

    answers = served()
    for _ in range(2):  # again, as after having been killed
        erase_online(feature_settings, workspace, GONE)
        erase_from_features(feature_settings, workspace, GONE)
        after = bytes_online()
        assert b"c_007" not in after
        assert b"record-7" not in after
        assert served().equals(answers)
    found = find_records(store.open_store(feature_settings, workspace), ["crm:record-7", "crm:record-8"])
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
