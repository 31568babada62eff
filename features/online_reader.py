"""Read whole feature services from the online store, in one round trip however many views they have."""

import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from feast import FeatureStore, FeatureView

from core.errors import ContractError
from core.tables import MOMENT
from features.online_rows import DOUBLES, INTEGERS, RowReader, row_layout, row_moment
from features.online_store import oldest_moment, text_keys, view_layout
from features.store import online_store

# A changed registry is seen after so many seconds, as Feast's own cache is.
_PLAN_SECONDS = 1.0


# Of each field the kind of its value, whether it is a text, and which of the unpacked words or texts it is.
_Columns = list[tuple[str, bool, int]]


@dataclass(frozen=True)
class _Plan:
    """What is read for a service: its views as registered, and the columns of the answer."""

    join_key: str
    views: tuple[FeatureView, ...]
    registered: frozenset[str]
    # Place of the view, name of the feature, kind of its value.
    fields: tuple[tuple[int, str, str], ...]
    # Of the answer's rows: the key, the moment, then the fields.
    struct: pa.StructType
    made_at: float
    readers: dict[tuple[bytes, ...], tuple[RowReader, _Columns | None]]


class OnlineReader:
    """Reads services whose views have one entity that one text identifies. Threads may share it.

    Feast's own way costs about a millisecond of Python around each question; here the definitions are resolved once a
    second, and values go from packed rows to columns without an object for each.
    """

    def __init__(self, store: FeatureStore) -> None:
        self._store = store
        self._online = online_store(store)
        self._plans: dict[tuple[str, tuple[str, ...] | None], _Plan] = {}

    def registered(self, service: str, names: tuple[str, ...] | None = None) -> frozenset[str]:
        """The features that are registered for a service, markers included."""
        return self._plan(service, names).registered

    def read(self, service: str, ids: Sequence[str], names: tuple[str, ...] | None = None) -> pa.Table:
        """The newest features of entities.

        Args:
            service: as it is registered with Feast.
            ids: of the entities; unknown ones and doubles are allowed.
            names: which features, in which order; None for all as registered.

        Returns:
            The entity's key, `as_of`, then the features; one row per given id, in the order given. `as_of` is the
            oldest event time among the views. It and all features are blank for whoever has no row in some view, has
            one that is past the view's time to live, or one from before a feature was defined.

        Raises:
            ContractError: the service's views have different keys, or values that no column holds.
            ConfigurationError: the online store does not answer.
        """
        plan = self._plan(service, names)
        rows = self._online.read_rows(
            self._store.config, text_keys(plan.join_key, ids), [view.name for view in plan.views]
        )
        moments, places = self._usable(plan, rows)
        parts: list[list[pa.Array]] = []
        order: list[int] = []
        for marks, chosen in places.items():
            reader, columns = self._reader(plan, marks)
            if columns is not None:
                parts.append(_features(plan, columns, reader, [rows[place] for place in chosen]))
                order += chosen
            else:
                for place in chosen:
                    moments[place] = None
        head = [pa.array(ids, pa.string()), _moment_column(moments)]
        # As a struct: a table of sixty columns is put together in C++, not column by column.
        children = [*head, *_in_places(plan, parts, order, len(rows))]
        whole = pa.StructArray.from_buffers(plan.struct, len(rows), [None], children=children)
        return pa.Table.from_struct_array(whole)

    def _usable(
        self, plan: _Plan, rows: Sequence[Sequence[bytes | None]]
    ) -> tuple[list[int | None], dict[tuple[bytes, ...], list[int]]]:
        """The moment of each entity that has all its views in time, and their places by the layouts of their rows."""
        oldest = [oldest_moment(view, self._online.clock) for view in plan.views]
        moments: list[int | None] = [None] * len(rows)
        places: dict[tuple[bytes, ...], list[int]] = {}
        for place, row in enumerate(rows):
            packed = [part for part in row if part is not None]
            if len(packed) < len(row):
                continue
            own = [row_moment(part) for part in packed]
            if all(moment > limit for moment, limit in zip(own, oldest, strict=True)):
                moments[place] = min(own)
                places.setdefault(tuple([row_layout(part) for part in packed]), []).append(place)
        return moments, places

    def _reader(self, plan: _Plan, marks: tuple[bytes, ...]) -> tuple[RowReader, _Columns | None]:
        """What unpacks rows of these layouts, and where each field then lies; None where one of them is not there."""
        known = plan.readers.get(marks)
        if known is None:
            reader = RowReader([self._online.layout(self._store.config, mark) for mark in marks])
            places = [(kind, reader.column(view, name)) for view, name, kind in plan.fields]
            columns = [(kind, *place) for kind, place in places if place is not None]
            known = plan.readers[marks] = reader, columns if len(columns) == len(places) else None
        return known

    def _plan(self, service: str, names: tuple[str, ...] | None) -> _Plan:
        plan = self._plans.get((service, names))
        if plan is None or time.monotonic() - plan.made_at > _PLAN_SECONDS:
            plan = self._plans[service, names] = self._resolved(service, names)
        return plan

    def _resolved(self, service: str, names: tuple[str, ...] | None) -> _Plan:
        projections = self._store.get_feature_service(service).feature_view_projections
        views = [self._store.get_feature_view(projection.name) for projection in projections]
        keys = {tuple(view.join_keys) for view in views}
        if len(keys) != 1 or len(join_key := next(iter(keys))) != 1:
            raise ContractError(
                f"the service {service} has the keys {sorted(keys)}", "one key", "read it through Feast"
            )
        known: dict[str, tuple[int, str, str]] = {}
        for place, (projection, view) in enumerate(zip(projections, views, strict=True)):
            layout = view_layout(view)
            kinds = dict(zip(layout.names, layout.kinds, strict=True))
            names_here = [feature.name for feature in projection.features if feature.name in kinds]
            known |= {name: (place, name, kinds[name]) for name in names_here}
        fields = tuple(known[name] for name in (known if names is None else names) if name in known)
        strange = [name for _, name, kind in fields if kind not in _TYPES]
        if strange:
            raise ContractError(f"no column holds {', '.join(strange)}", "numbers and texts", "read it through Feast")
        struct = pa.struct(
            [(join_key[0], pa.string()), ("as_of", MOMENT), *((name, _TYPES[kind]) for _, name, kind in fields)]
        )
        return _Plan(join_key[0], tuple(views), frozenset(known), fields, struct, time.monotonic(), {})


_TYPES = {
    **dict.fromkeys(INTEGERS, pa.int64()),
    **dict.fromkeys(DOUBLES, pa.float64()),
    "string_val": pa.string(),
    "bytes_val": pa.binary(),
}


def _features(
    plan: _Plan, columns: _Columns, reader: RowReader, rows: Sequence[Sequence[bytes | None]]
) -> list[pa.Array]:
    """The features of entities whose rows have the same layouts."""
    unpacked = reader.unpack([[part for part in row if part is not None] for row in rows])
    count = len(rows)
    # All words of a column are neighbours: a column is a slice of one array over all of them.
    words = pa.py_buffer(np.ascontiguousarray(unpacked.words.T))
    bits = pa.py_buffer(np.packbits(unpacked.present.T, bitorder="little"))
    integers = pa.Array.from_buffers(pa.int64(), unpacked.words.size, [bits, words])
    doubles = pa.Array.from_buffers(pa.float64(), unpacked.words.size, [bits, words])
    blocks = {**dict.fromkeys(INTEGERS, integers), **dict.fromkeys(DOUBLES, doubles)}
    return [
        pa.array(unpacked.texts[column], _TYPES[kind]) if is_text else blocks[kind].slice(column * count, count)
        for kind, is_text, column in columns
    ]


def _moment_column(moments: list[int | None]) -> pa.Array:
    """Microseconds since 1970 as a column; where none is missing as bytes, which takes a third of the time."""
    known = [moment for moment in moments if moment is not None]
    if len(known) < len(moments):
        return pa.array(moments, MOMENT)
    return pa.Array.from_buffers(MOMENT, len(known), [None, pa.py_buffer(array("q", known))])


def _in_places(plan: _Plan, parts: list[list[pa.Array]], order: list[int], count: int) -> list[pa.Array]:
    """The columns of all parts, each row in its place; blank where nobody was found."""
    if not parts:
        return [pa.nulls(count, field.type) for field in list(plan.struct)[2:]]
    if len(parts) == 1 and len(order) == count:
        return parts[0]
    found = dict(zip(order, range(len(order)), strict=True))
    places = pa.array([found.get(place) for place in range(count)], pa.int64())
    return [pa.concat_arrays(column).take(places) for column in zip(*parts, strict=True)]
