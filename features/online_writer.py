"""Write rows of several views to the online store by whole columns, all views of an entity together."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from feast import FeatureStore, FeatureView

from core.errors import ContractError
from core.tables import MOMENT
from features.online_rows import DOUBLES, INTEGERS, Layout, pack_rows
from features.online_store import text_keys, view_layout
from features.store import online_store


class OnlineWriter:
    """Writes tables of views that have the same entity, which one text identifies.

    Values become the words and bytes of packed rows column by column; nothing is done for a single value.

    Args:
        store: Feast's, whose online store is one of ours.
        views: the views as they are registered.

    Raises:
        ContractError: the views have different keys, or values that no column of Arrow holds as they are.
    """

    def __init__(self, store: FeatureStore, views: Sequence[FeatureView]) -> None:
        self._config = store.config
        self._online = online_store(store)
        self._layouts = {view.name: view_layout(view) for view in views}
        keys = {tuple(view.join_keys) for view in views}
        if len(keys) != 1 or len(join_key := next(iter(keys))) != 1:
            raise ContractError(
                f"the views have the keys {sorted(keys)}", "one key for all of them", "write them apart"
            )
        self.join_key: str = join_key[0]
        for layout in self._layouts.values():
            strange = [name for name, kind in zip(layout.names, layout.kinds, strict=True) if kind not in _TYPES]
            if strange:
                raise ContractError(
                    f"{', '.join(strange)} cannot be written by whole columns",
                    "whole numbers, doubles or texts",
                    "write the view through Feast",
                )
        self._online.keep_layouts(self._config, list(self._layouts.values()))

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """By view the columns that a table of it needs beside the key."""
        return {view: layout.names for view, layout in self._layouts.items()}

    def write(
        self,
        tables: Mapping[str, pa.Table],
        moments: pa.Array | pa.ChunkedArray,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Write the rows of some entities as those of a run, each entity with all views or not at all.

        Args:
            tables: by view a row an entity, in the same order; each with the key and the view's features.
            moments: the event time of each entity.
            notes: kept in the online store once the rows are there.

        Raises:
            ContractError: the tables speak of different entities.
        """
        ids = [table.column(self.join_key) for table in tables.values()]
        if any(not own.equals(ids[0]) for own in ids[1:]):
            raise ContractError(
                f"the rows of {', '.join(tables)} are not those of the same people in the same order",
                "one row a person in every view",
                "build the features again",
            )
        moments_us = moments.cast(MOMENT).cast(pa.int64()).to_numpy()
        packed = {view: self._packed(self._layouts[view], table, moments_us) for view, table in tables.items()}
        keys = text_keys(self.join_key, ids[0].to_pylist())
        self._online.write_rows(self._config, keys, packed, run=True, notes=notes)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove entities with all their views."""
        self._online.remove_rows(self._config, text_keys(self.join_key, ids))

    def note(self, name: str) -> str | None:
        """What was kept under a name with the last rows that carried it."""
        return self._online.read_note(self._config, name)

    @staticmethod
    def _packed(
        layout: Layout, table: pa.Table, moments_us: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    ) -> list[bytes]:
        columns = []
        for name, kind in zip(layout.names, layout.kinds, strict=True):
            column = table.column(name).cast(_TYPES[kind])
            column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            columns.append(column.chunk(0) if isinstance(column, pa.ChunkedArray) else column)
        return pack_rows(layout, columns, moments_us, pushed=False)


_TYPES = {
    **dict.fromkeys((kind for kind in INTEGERS if kind != "unix_timestamp_val"), pa.int64()),
    **dict.fromkeys(DOUBLES, pa.float64()),
    "string_val": pa.binary(),
    "bytes_val": pa.binary(),
}
