"""The online store on a PostgreSQL server: one table, with all views of an entity side by side."""

import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel

from features.connection_pool import ConnectionPool
from features.online_server import connect_postgres, postgres_faults
from features.online_store import PackedOnlineStore

_CREATE = """
CREATE TABLE IF NOT EXISTS kizashi_packed_rows (
    scope TEXT NOT NULL, entity_key BYTEA NOT NULL, view TEXT NOT NULL, packed BYTEA NOT NULL,
    PRIMARY KEY (scope, entity_key, view)
);
CREATE TABLE IF NOT EXISTS kizashi_online_notes (
    scope TEXT NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (scope, name)
);
"""
_STAGE = "CREATE TEMPORARY TABLE arriving (view TEXT, entity_key BYTEA, packed BYTEA) ON COMMIT DROP"
_COPY = "COPY arriving FROM STDIN (FORMAT BINARY)"
# In the order of the keys: two writers of the same people wait for each other instead of locking each other out.
_WRITE = """
INSERT INTO kizashi_packed_rows AS stored (scope, entity_key, view, packed)
SELECT %s, entity_key, view, packed FROM arriving ORDER BY entity_key, view
ON CONFLICT (scope, entity_key, view) DO UPDATE SET packed = excluded.packed
WHERE substr(excluded.packed, 1, 8) >= substr(stored.packed, 1, 8)
"""
# The ninth byte says whether a row was pushed.
_WRITE_RUN = _WRITE + " OR get_byte(stored.packed, 8) = 0"
_READ = """
SELECT entity_key, view, packed FROM kizashi_packed_rows
WHERE scope = %s AND entity_key = ANY(%s) AND view = ANY(%s)
"""
# Makes the tables once, however many processes start at the same time.
_CREATION_LOCK = 7_211_031


class PostgresOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc] # Feast ships no types
    """The `online_store` section of `feature_store.yaml`."""

    type: Literal["features.online_postgres.PostgresOnlineStore"] = "features.online_postgres.PostgresOnlineStore"
    url_env: str = "KIZASHI_ONLINE_STORE_URL"
    namespace: str


class PostgresOnlineStore(PackedOnlineStore):
    """Packed rows in the first schema of the URL's search path."""

    def __init__(self) -> None:
        super().__init__()
        self._pool: ConnectionPool | None = None

    def read_rows(self, config: RepoConfig, keys: Sequence[bytes], views: Sequence[str]) -> list[list[bytes | None]]:
        """See `PackedOnlineStore`: one query."""
        places = {view: place for place, view in enumerate(views)}
        rows: dict[bytes, list[bytes | None]] = {key: [None] * len(views) for key in keys}
        with self._connection(config) as connection:
            arguments = (_scope(config), list(rows), list(views))
            for key, view, packed in connection.execute(_READ, arguments, binary=True, prepare=True):
                rows[key][places[view]] = packed
        return [rows[key] for key in keys]

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
        with self._connection(config) as connection, connection.transaction(), connection.cursor() as cursor:
            if keys:
                cursor.execute(_STAGE)
                with cursor.copy(_COPY) as copy:
                    copy.set_types(["text", "bytea", "bytea"])
                    for view, packed in rows.items():
                        for key, value in zip(keys, packed, strict=True):
                            copy.write_row((view, key, value))
                cursor.execute(_WRITE_RUN if run else _WRITE, (_scope(config),))
            if notes:
                cursor.executemany(
                    "INSERT INTO kizashi_online_notes VALUES (%s, %s, %s) "
                    "ON CONFLICT (scope, name) DO UPDATE SET note = excluded.note",
                    [(_scope(config), name, note) for name, note in notes.items()],
                )

    def read_note(self, config: RepoConfig, name: str) -> str | None:
        """See `PackedOnlineStore`."""
        query = "SELECT note FROM kizashi_online_notes WHERE scope = %s AND name = %s"
        with self._connection(config) as connection:
            found = connection.execute(query, (_scope(config), name)).fetchone()
        return None if found is None else str(found[0])

    def remove_rows(self, config: RepoConfig, keys: Sequence[bytes]) -> None:
        """See `PackedOnlineStore`."""
        with self._connection(config) as connection:
            connection.execute(
                "DELETE FROM kizashi_packed_rows WHERE scope = %s AND entity_key = ANY(%s)",
                (_scope(config), list(keys)),
            )

    def remove_view(self, config: RepoConfig, view: str) -> None:
        """See `PackedOnlineStore`."""
        with self._connection(config) as connection:
            connection.execute("DELETE FROM kizashi_packed_rows WHERE scope = %s AND view = %s", (_scope(config), view))

    def erase(self, config: RepoConfig, keys: Sequence[bytes]) -> None:
        """Remove entities, and have the server clear their places; its log and backups are the server's own."""
        self.remove_rows(config, keys)
        with self._connection(config) as connection:
            connection.execute("VACUUM kizashi_packed_rows")

    @contextmanager
    def _connection(self, config: RepoConfig) -> Iterator[Any]:
        if self._pool is None:
            url_env = config.online_store.url_env
            self._pool = ConnectionPool(lambda: _connect(url_env), _is_quiet)
        with postgres_faults(), self._pool.connection() as connection:
            yield connection


def _connect(url_env: str) -> Any:
    connection = connect_postgres(url_env)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATION_LOCK,))
        connection.execute(_CREATE)
    return connection


def _is_quiet(connection: Any) -> bool:
    """Whether an idle connection is one: the server says nothing unasked, unless it was restarted or ended it."""
    asked = select.poll()
    asked.register(connection.fileno(), select.POLLIN)
    return not connection.closed and not asked.poll(0)


def _scope(config: RepoConfig) -> str:
    return f"{config.online_store.namespace}:{config.project}"
