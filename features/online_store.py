"""An online store on SQLite that keeps one row per person and view.

Feast's own SQLite store keeps one row per feature, which makes some 150 inserts and index entries of each person. This
one packs a view's values into a single message, so that bringing everybody online takes seconds. It plugs into Feast's
official extension point (`online_store.type`); everything above it is plain Feast.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from feast import Entity, FeatureView, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import RepeatedValue, Value
from feast.repo_config import FeastConfigBaseModel

from core.erasure import scrub_sqlite

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CREATE = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS layouts (layout INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS online_rows (
    project TEXT NOT NULL, view TEXT NOT NULL, entity_key BLOB NOT NULL,
    layout INTEGER NOT NULL REFERENCES layouts, packed BLOB NOT NULL, event_us INTEGER NOT NULL,
    PRIMARY KEY (project, view, entity_key)
) WITHOUT ROWID;
"""
# SQLite takes some thousands of parameters in one statement; fewer keep the statements cached.
_KEYS_AT_ONCE = 500


class PackedOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc] # Feast ships no types
    """The `online_store` section of `feature_store.yaml`."""

    type: Literal["features.online_store.PackedOnlineStore"] = "features.online_store.PackedOnlineStore"
    path: str


class PackedOnlineStore(OnlineStore):  # type: ignore[misc] # Feast ships no types
    """One row per person and view; the last write wins as a whole, and a row of blanks removes it.

    A layout is the list of feature names that a row was packed with, so that rows written before a feature was added
    can still be read.
    """

    def __init__(self) -> None:
        super().__init__()
        self._connections = threading.local()

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[tuple[EntityKey, dict[str, Value], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Replace the rows of these entities in one transaction."""
        with self._connect(config) as connection:
            layouts: dict[tuple[str, ...], int] = {}
            kept, gone = [], []
            for key, values, event_at, _ in data:
                address = (config.project, table.name, _key_bytes(config, key))
                # Only filled values carry anything: a person of whom a view knows nothing has no row.
                if all(value.WhichOneof("val") is None for value in values.values()):
                    gone.append(address)
                    continue
                names = tuple(values)
                if names not in layouts:
                    layouts[names] = _layout(connection, names)
                packed = RepeatedValue(val=values.values()).SerializeToString()
                kept.append((*address, layouts[names], packed, _microseconds(event_at)))
            connection.executemany("INSERT OR REPLACE INTO online_rows VALUES (?, ?, ?, ?, ?, ?)", kept)
            connection.executemany("DELETE FROM online_rows WHERE project = ? AND view = ? AND entity_key = ?", gone)
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        """The event time and values of each entity, in the order asked for; (None, None) for those not online."""
        connection = self._connect(config)
        wanted = set(requested_features) if requested_features is not None else None
        keys = [_key_bytes(config, key) for key in entity_keys]
        found: dict[bytes, tuple[datetime, dict[str, Value]]] = {}
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            chosen = keys[first : first + _KEYS_AT_ONCE]
            marks = ", ".join("?" * len(chosen))
            rows = connection.execute(
                "SELECT entity_key, names, packed, event_us FROM online_rows JOIN layouts USING (layout) "
                f"WHERE project = ? AND view = ? AND entity_key IN ({marks})",
                (config.project, table.name, *chosen),
            )
            for key, names, packed, event_us in rows:
                values = zip(json.loads(names), RepeatedValue.FromString(packed).val, strict=True)
                chosen_values = {name: value for name, value in values if wanted is None or name in wanted}
                found[key] = (_EPOCH + timedelta(microseconds=event_us), chosen_values)
        return [found.get(key, (None, None)) for key in keys]

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Drop the rows of views that are no longer defined."""
        del tables_to_keep, entities_to_delete, entities_to_keep, partial
        with self._connect(config) as connection:
            for view in tables_to_delete:
                connection.execute(
                    "DELETE FROM online_rows WHERE project = ? AND view = ?", (config.project, view.name)
                )

    def delete(self, config: RepoConfig, entity_keys: Sequence[EntityKey]) -> None:
        """Remove these entities' rows of all views, and every trace of them in the file.

        Raises:
            BusyError: another process keeps on reading or writing.
        """
        addresses = [(config.project, _key_bytes(config, key)) for key in entity_keys]
        with self._connect(config) as connection:
            connection.executemany("DELETE FROM online_rows WHERE project = ? AND entity_key = ?", addresses)
        scrub_sqlite(Path(config.online_store.path))

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Drop all rows of these views."""
        self.update(config, tables, [], entities, [], partial=False)

    def _connect(self, config: RepoConfig) -> sqlite3.Connection:
        """This thread's connection: SQLite's may not be shared between threads."""
        connection: sqlite3.Connection | None = getattr(self._connections, "value", None)
        if connection is None:
            path = Path(config.online_store.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=30)
            connection.executescript(_CREATE)
            self._connections.value = connection
        return connection


def _layout(connection: sqlite3.Connection, names: tuple[str, ...]) -> int:
    text = json.dumps(names)
    connection.execute("INSERT OR IGNORE INTO layouts (names) VALUES (?)", (text,))
    return int(connection.execute("SELECT layout FROM layouts WHERE names = ?", (text,)).fetchone()[0])


def _key_bytes(config: RepoConfig, key: EntityKey) -> bytes:
    return bytes(serialize_entity_key(key, entity_key_serialization_version=config.entity_key_serialization_version))


def _microseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)
