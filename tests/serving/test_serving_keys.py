"""Keys: shown once, kept as hashes, revoked at once."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from core.clock import FixedClock
from core.database import open_database
from core.errors import ConfigurationError, NotFoundError
from core.settings import Settings
from core.storage import Workspace
from serving.availability import Database
from serving.keys import KeyRing, create_key, list_keys, revoke_key


@pytest.fixture
def database(own_database: tuple[Settings, Workspace]) -> Database:
    return Database(*own_database)


@pytest.fixture
def own_database(tmp_path: Path) -> tuple[Settings, Workspace]:
    source = {"name": "s", "system": "marketo", "path": "none.csv", "people": {"id": "id"}}
    settings = Settings.model_validate({"name": "keys", "home": tmp_path, "sources": [source]})
    return settings, Workspace(tmp_path)


@pytest.fixture
def engine(own_database: tuple[Settings, Workspace]) -> Any:
    engine = open_database(*own_database)
    yield engine
    engine.dispose()


def test_the_secret_is_stored_nowhere(engine: Engine, tmp_path: Path, now: FixedClock) -> None:
    made = create_key(engine, "marketo", ["score", "events"], clock=now)
    assert made.key.startswith("kz_")
    assert len(made.key) >= 46
    engine.dispose()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"marketo" in written
    assert made.key.encode() not in written
    assert made.key not in str([asdict(record) for record in list_keys(engine)])


def test_a_key_works_until_it_is_revoked(engine: Engine, database: Database, tmp_path: Path, now: FixedClock) -> None:
    made = create_key(engine, "marketo", ["score"], clock=now)
    ring = KeyRing(database, tmp_path / "keys.json", now)
    caller = ring.identify(made.key)
    assert caller is not None
    assert (caller.name, caller.scopes) == ("marketo", {"score"})
    assert ring.identify(made.key[:-1]) is None
    assert ring.identify("") is None
    assert revoke_key(engine, "marketo", clock=now).revoked_at
    assert ring.identify(made.key) is None
    with pytest.raises(NotFoundError):
        revoke_key(engine, "marketo", clock=now)
    assert create_key(engine, "marketo", ["score"], clock=now).key != made.key


def test_the_last_use_is_noted_coarsely(engine: Engine, database: Database, tmp_path: Path, now: FixedClock) -> None:
    made = create_key(engine, "marketo", ["score"], clock=now)
    noted = []
    for minutes in (0, 5, 11):
        clock = FixedClock(now.moment + timedelta(minutes=minutes))
        KeyRing(database, tmp_path / "keys.json", clock).identify(made.key)
        noted.append(list_keys(engine)[0].last_used_at)
    assert noted[0] == noted[1] == now.moment.isoformat()
    assert noted[2] == (now.moment + timedelta(minutes=11)).isoformat()


@pytest.mark.parametrize("scopes", [[], ["scores"], ["score", "everything"]])
def test_unknown_scopes_are_refused(engine: Engine, now: FixedClock, scopes: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="score, events, sales, admin"):
        create_key(engine, "marketo", scopes, clock=now)


def test_a_name_is_given_once(engine: Engine, now: FixedClock) -> None:
    create_key(engine, "marketo", ["score"], clock=now)
    with pytest.raises(ConfigurationError, match="marketo"):
        create_key(engine, "marketo", ["score"], clock=now)
    with pytest.raises(ConfigurationError, match="blank"):
        create_key(engine, " ", ["score"], clock=now)


def test_remembered_keys_hold_while_the_database_is_away(
    own_database: tuple[Settings, Workspace], engine: Engine, database: Database, tmp_path: Path, now: FixedClock
) -> None:
    kept, gone = (create_key(engine, name, ["score"], clock=now).key for name in ("kept", "gone"))
    revoke_key(engine, "gone", clock=now)
    snapshot = tmp_path / "keys.json"
    KeyRing(database, snapshot, now).remember()
    assert snapshot.stat().st_mode & 0o077 == 0
    settings, workspace = own_database
    away = Database(
        settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/n"}), workspace
    )
    ring = KeyRing(away, snapshot, now)
    assert ring.identify(kept) is not None
    assert ring.identify(gone) is None


def test_using_a_key_twice_at_once_harms_nobody(engine: Engine, database: Database, tmp_path: Path, now: Any) -> None:
    made = create_key(engine, "marketo", ["score"], clock=now)
    ring: Callable[[str], Any] = KeyRing(database, tmp_path / "keys.json", now).identify
    with engine.connect() as other:
        other.execute(text("SELECT * FROM api_keys")).all()
        assert ring(made.key) is not None
