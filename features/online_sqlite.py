"""The embedded online store: one SQLite file in the workspace."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Literal

from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel

from core.erasure import scrub_sqlite
from features.connection_pool import ConnectionPool
from features.online_store import PackedOnlineStore

_VERSION = 2
_CREATE = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS packed_rows (
    project TEXT NOT NULL, entity_key BLOB NOT NULL, view TEXT NOT NULL, packed BLOB NOT NULL,
    PRIMARY KEY (project, entity_key, view)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (
    project TEXT NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (project, name)
) WITHOUT ROWID;
"""
# Rows of the first release, which this one cannot read.
_DROP_FORMER = "DROP TABLE IF EXISTS online_rows; DROP TABLE IF EXISTS layouts;"
_WRITE = """
INSERT INTO packed_rows (project, view, entity_key, packed) VALUES (?, ?, ?, ?)
ON CONFLICT (project, entity_key, view) DO UPDATE SET packed = excluded.packed
WHERE substr(excluded.packed, 1, 8) >= substr(packed, 1, 8)
"""
# The ninth byte says whether a row was pushed.
_WRITE_RUN = _WRITE + " OR substr(packed, 9, 1) = x'00'"
# SQLite takes some thousands of parameters in one statement; fewer keep the statements cached.
_KEYS_AT_ONCE = 500


class SqliteOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc] # Feast ships no types
    """The `online_store` section of `feature_store.yaml`."""

    type: Literal["features.online_sqlite.SqliteOnlineStore"] = "features.online_sqlite.SqliteOnlineStore"
    path: str


class SqliteOnlineStore(PackedOnlineStore):
    """Packed rows in SQLite; all views of an entity are neighbours in the file."""

    def __init__(self) -> None:
        super().__init__()
        self._pool: ConnectionPool | None = None

    def read_rows(self, config: RepoConfig, keys: Sequence[bytes], views: Sequence[str]) -> list[list[bytes | None]]:
        """See `PackedOnlineStore`."""
        places = {view: place for place, view in enumerate(views)}
        view_marks = ", ".join("?" * len(views))
        rows: dict[bytes, list[bytes | None]] = {}
        with self._connection(config) as connection:
            for first in range(0, len(keys), _KEYS_AT_ONCE):
                chosen = keys[first : first + _KEYS_AT_ONCE]
                key_marks = ", ".join("?" * len(chosen))
                for key, view, packed in connection.execute(
                    "SELECT entity_key, view, packed FROM packed_rows "
                    f"WHERE project = ? AND entity_key IN ({key_marks}) AND view IN ({view_marks})",
                    (config.project, *chosen, *views),
                ):
                    row = rows.get(key)
                    if row is None:
                        row = rows[key] = [None] * len(views)
                    row[places[view]] = packed
        return [rows.get(key) or [None] * len(views) for key in keys]

    def write_rows(
        self,
        config: RepoConfig,
        keys: Sequence[bytes],
        rows: Mapping[str, Sequence[bytes]],
        *,
        run: bool,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """See `PackedOnlineStore`: one transaction."""
        statement = _WRITE_RUN if run else _WRITE
        with self._connection(config) as connection, connection:
            for view, packed in rows.items():
                connection.executemany(statement, zip(repeat(config.project), repeat(view), keys, packed, strict=False))
            connection.executemany(
                "INSERT OR REPLACE INTO notes VALUES (?, ?, ?)",
                [(config.project, name, note) for name, note in (notes or {}).items()],
            )

    def read_note(self, config: RepoConfig, name: str) -> str | None:
        """See `PackedOnlineStore`."""
        query = "SELECT note FROM notes WHERE project = ? AND name = ?"
        with self._connection(config) as connection:
            found = connection.execute(query, (config.project, name)).fetchone()
        return None if found is None else str(found[0])

    def remove_rows(self, config: RepoConfig, keys: Sequence[bytes]) -> None:
        """See `PackedOnlineStore`."""
        with self._connection(config) as connection, connection:
            connection.executemany(
                "DELETE FROM packed_rows WHERE project = ? AND entity_key = ?", zip(repeat(config.project), keys)
            )

    def remove_view(self, config: RepoConfig, view: str) -> None:
        """See `PackedOnlineStore`."""
        with self._connection(config) as connection, connection:
            connection.execute("DELETE FROM packed_rows WHERE project = ? AND view = ?", (config.project, view))

    def erase(self, config: RepoConfig, keys: Sequence[bytes]) -> None:
        """Remove entities, and every trace of them in the file.

        Raises:
            BusyError: another process keeps on reading or writing.
        """
        self.remove_rows(config, keys)
        scrub_sqlite(Path(config.online_store.path))

    @contextmanager
    def _connection(self, config: RepoConfig) -> Iterator[sqlite3.Connection]:
        if self._pool is None:
            path = Path(config.online_store.path)
            self._pool = ConnectionPool(lambda: _connect(path))
        with self._pool.connection() as connection:
            yield connection


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # One thread at a time has it, though not always the same.
    connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
    if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        connection.executescript(f"{_CREATE} {_DROP_FORMER} PRAGMA user_version = {_VERSION};")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
