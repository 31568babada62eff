"""An online store of packed rows: what SQLite, Redis and PostgreSQL have in common.

It plugs into Feast's official extension point (`online_store.type`), so that everything above it is plain Feast.
Feast's own stores keep one entry a feature; here a view's values of one entity are one row of bytes, see
`features.online_rows`, and all views of an entity lie together, so that a whole service is one question.

What holds in every one of them: of two rows the one with the later event time stays, and of two with the same the one
written last; a run's rows replace those of earlier runs whatever their time, but never a fresher value that was pushed
meanwhile; blanks are written like any other value; a row past its view's time to live is not given out.
"""

import struct
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from feast import Entity, FeatureView, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value, ValueType

from core.clock import Clock, SystemClock
from core.errors import ContractError
from features.online_rows import DOUBLES, INTEGERS, MESSAGE, Layout, RowReader, pack_rows, row_layout, row_moment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The field of Feast's `Value` that each of its types lies in; lists, maps and the like lie there as messages.
_KINDS = {
    ValueType.INT64: "int64_val",
    ValueType.INT32: "int32_val",
    ValueType.BOOL: "bool_val",
    ValueType.UNIX_TIMESTAMP: "unix_timestamp_val",
    ValueType.DOUBLE: "double_val",
    ValueType.FLOAT: "float_val",
    ValueType.STRING: "string_val",
    ValueType.BYTES: "bytes_val",
}
_KEY_VERSION = 3
_STRING = struct.pack("<I", ValueType.STRING)
# The generated types know no field by a name that is chosen at run time.
_make_value: Callable[..., Value] = Value
_BLANK = Value()


class PackedOnlineStore(OnlineStore):  # type: ignore[misc] # Feast ships no types
    """Packed rows by entity key and view.

    Attributes:
        clock: says what is past its time to live.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock: Clock = SystemClock()
        self._layouts: dict[bytes, Layout] = {}

    @abstractmethod
    def read_rows(self, config: RepoConfig, keys: Sequence[bytes], views: Sequence[str]) -> list[list[bytes | None]]:
        """The packed rows of entities, for each in the order of the views; None where there is none."""

    @abstractmethod
    def write_rows(
        self,
        config: RepoConfig,
        keys: Sequence[bytes],
        rows: Mapping[str, Sequence[bytes]],
        *,
        run: bool,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Write packed rows of the same entities for several views, all of them or none, with notes.

        Args:
            config: Feast's.
            keys: the entities.
            rows: by view one row an entity.
            run: the rows of earlier runs give way even where they are of a later moment; see the module.
            notes: texts that are kept beside the rows; they hold from the moment the rows do.
        """

    @abstractmethod
    def read_note(self, config: RepoConfig, name: str) -> str | None:
        """A text that was kept beside the rows."""

    @abstractmethod
    def remove_rows(self, config: RepoConfig, keys: Sequence[bytes]) -> None:
        """Remove entities with all their views."""

    @abstractmethod
    def remove_view(self, config: RepoConfig, view: str) -> None:
        """Remove all rows of a view."""

    @abstractmethod
    def erase(self, config: RepoConfig, keys: Sequence[bytes]) -> None:
        """Remove entities for good: no byte of them stays that the store could overwrite."""

    def layout(self, config: RepoConfig, mark: bytes) -> Layout:
        """The layout behind a mark.

        Raises:
            ContractError: nobody has kept it; the row cannot be read.
        """
        found = self._layouts.get(mark)
        if found is None:
            text = self.read_note(config, _layout_note(mark))
            if text is None:
                raise ContractError(
                    "the online store holds rows of an unknown layout", "rows of this release", "run `kizashi features`"
                )
            found = self._layouts[mark] = Layout.parse(text)
        return found

    def keep_layouts(self, config: RepoConfig, layouts: Sequence[Layout]) -> None:
        """Keep layouts before rows of them are written."""
        new = {_layout_note(layout.mark): layout.text for layout in layouts if layout.mark not in self._layouts}
        if new:
            self.write_rows(config, [], {}, run=False, notes=new)
            self._layouts |= {layout.mark: layout for layout in layouts}

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[tuple[EntityKey, dict[str, Value], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write one view's rows as Feast hands them over, when it pushes or materialises."""
        layout = view_layout(table)
        self.keep_layouts(config, [layout])
        # Of doubles the newest stays, of equally new ones the last: one statement may not write a row twice.
        newest: dict[bytes, tuple[int, dict[str, Value]]] = {}
        for key, values, event_at, _ in data:
            address, moment = entity_key_bytes(config, key), microseconds(event_at)
            if address not in newest or moment >= newest[address][0]:
                newest[address] = moment, values
        rows = [values for _, values in newest.values()]
        columns = [
            _value_column(kind, [row.get(name, _BLANK) for row in rows])
            for name, kind in zip(layout.names, layout.kinds, strict=True)
        ]
        moments = np.array([moment for moment, _ in newest.values()], np.int64)
        packed = pack_rows(layout, columns, moments, pushed=True) if rows else []
        self.write_rows(config, list(newest), {table.name: packed}, run=False)
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
        keys = [entity_key_bytes(config, key) for key in entity_keys]
        oldest = oldest_moment(table, self.clock)
        rows = [packed for (packed,) in self.read_rows(config, keys, [table.name])]
        places: dict[bytes, list[tuple[int, bytes]]] = {}
        for place, packed in enumerate(rows):
            if packed is not None and row_moment(packed) > oldest:
                places.setdefault(row_layout(packed), []).append((place, packed))
        found: list[tuple[datetime | None, dict[str, Value] | None]] = [(None, None)] * len(rows)
        for mark, chosen in places.items():
            layout = self.layout(config, mark)
            wanted = list(layout.names) if requested_features is None else requested_features
            columns = _value_columns(layout, [packed for _, packed in chosen], wanted)
            for (place, packed), values in zip(chosen, zip(*columns, strict=True), strict=True):
                moment = EPOCH + timedelta(microseconds=row_moment(packed))
                found[place] = moment, dict(zip(wanted, values, strict=True))
        return found

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
        for view in tables_to_delete:
            self.remove_view(config, view.name)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Drop all rows of these views."""
        self.update(config, tables, [], entities, [], partial=False)


def view_layout(view: FeatureView) -> Layout:
    """How rows of a view are packed as it is defined now."""
    features = view.features
    return Layout(
        tuple(feature.name for feature in features),
        tuple(_KINDS.get(feature.dtype.to_value_type().value, MESSAGE) for feature in features),
    )


def oldest_moment(view: FeatureView, clock: Clock) -> int:
    """Rows of this moment (microseconds since 1970) or before are past the view's time to live."""
    return microseconds(clock.now() - view.ttl) if view.ttl else -(1 << 62)


def entity_key_bytes(config: RepoConfig, key: EntityKey) -> bytes:
    """An entity as Feast writes it."""
    return bytes(serialize_entity_key(key, entity_key_serialization_version=config.entity_key_serialization_version))


def text_keys(join_key: str, ids: Sequence[str]) -> list[bytes]:
    """Entities with one text as their key, as Feast writes them, without a message for each."""
    name = join_key.encode()
    before = struct.pack("<I", 1) + _STRING + struct.pack("<I", len(name)) + name + _STRING
    size = struct.Struct("<I").pack
    return [before + size(len(text)) + text for text in [entity.encode() for entity in ids]]


def microseconds(moment: datetime) -> int:
    """Since 1970 UTC; Feast's naive times are UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)


def _layout_note(mark: bytes) -> str:
    return f"layout {mark.hex()}"


def _value_column(kind: str, values: list[Value]) -> pa.Array:
    """Feast's values as what a layout packs; a value of another kind than declared is taken as what it says."""
    if kind == MESSAGE:
        found = [value.SerializeToString() if value.WhichOneof("val") else None for value in values]
        return pa.array(found, pa.binary())
    plain = [getattr(value, held) if (held := value.WhichOneof("val")) else None for value in values]
    if kind in INTEGERS:
        return pa.array([None if value is None else int(value) for value in plain], pa.int64())
    if kind in DOUBLES:
        return pa.array(plain, pa.float64())
    return pa.array([value.encode() if isinstance(value, str) else value for value in plain], pa.binary())


def _value_columns(layout: Layout, rows: list[bytes], names: Sequence[str]) -> list[list[Value]]:
    """The values of some fields as Feast's; blank where the rows are from before a field was defined."""
    reader = RowReader([layout])
    unpacked = reader.unpack([[packed] for packed in rows])
    columns: list[list[Value]] = []
    for name in names:
        where = reader.column(0, name)
        if where is None:
            columns.append([_BLANK] * len(rows))
            continue
        is_text, column = where
        kind = layout.kinds[layout.names.index(name)]
        plain: list[Any]
        if is_text:
            plain = unpacked.texts[column]
        else:
            words = unpacked.words[:, column].copy()
            numbers = words.view(np.float64) if kind in DOUBLES else words
            plain = [
                number if present else None
                for number, present in zip(numbers.tolist(), unpacked.present[:, column].tolist(), strict=True)
            ]
        columns.append([_BLANK if value is None else _value(kind, value) for value in plain])
    return columns


def _value(kind: str, plain: Any) -> Value:
    if kind == MESSAGE:
        value: Value = Value.FromString(plain)
        return value
    if kind == "string_val":
        return Value(string_val=plain.decode())
    return _make_value(**{kind: bool(plain) if kind == "bool_val" else plain})
