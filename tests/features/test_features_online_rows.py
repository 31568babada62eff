"""Packed rows give back every value exactly, whatever lies beside it."""

import struct

import numpy as np
import pyarrow as pa
import pytest
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from hypothesis import given
from hypothesis import strategies as st

from features.online_rows import Layout, RowReader, pack_rows, row_layout, row_moment
from features.online_store import text_keys

VALUES = {
    "int64_val": st.one_of(st.integers(0, 300), st.integers(-(2**63), 2**63 - 1)),
    "double_val": st.floats(),
    "string_val": st.text(max_size=9).map(str.encode),
}
TYPES = {"int64_val": pa.int64(), "double_val": pa.float64(), "string_val": pa.binary()}


@st.composite
def views(draw):
    """Some views of the same entities: by view its layout and columns with gaps."""
    count, found = draw(st.integers(1, 5)), []
    for view in range(draw(st.integers(1, 3))):
        kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=9))
        layout = Layout(tuple(f"v{view}_{number}" for number in range(len(kinds))), tuple(kinds))
        values = [draw(st.lists(st.one_of(st.none(), VALUES[kind]), min_size=count, max_size=count)) for kind in kinds]
        found.append((layout, values))
    moments = draw(st.lists(st.integers(-(10**15), 4 * 10**15), min_size=count, max_size=count))
    return found, moments


def exactly(value):
    """Floats by their bits: not-a-number and minus zero come back as they were."""
    return struct.pack("<d", value) if isinstance(value, float) else value


@given(views())
def test_every_value_comes_back(given_views):
    found, moments = given_views
    packed = [
        pack_rows(
            layout,
            [pa.array(column, TYPES[kind]) for column, kind in zip(values, layout.kinds, strict=True)],
            np.array(moments, np.int64),
            pushed=False,
        )
        for layout, values in found
    ]
    reader = RowReader([layout for layout, _ in found])
    unpacked = reader.unpack(list(zip(*packed, strict=True)))
    for view, ((layout, values), rows) in enumerate(zip(found, packed, strict=True)):
        assert [row_moment(row) for row in rows] == moments
        assert {row_layout(row) for row in rows} == {layout.mark}
        for name, kind, column in zip(layout.names, layout.kinds, values, strict=True):
            is_text, place = reader.column(view, name)
            if is_text:
                assert unpacked.texts[place] == column
                continue
            words = unpacked.words[:, place].copy()
            numbers = (words.view(np.float64) if kind == "double_val" else words).tolist()
            present = unpacked.present[:, place].tolist()
            back = [number if there else None for number, there in zip(numbers, present, strict=True)]
            assert [exactly(value) for value in back] == [exactly(value) for value in column]
    assert reader.column(0, "elsewhere") is None


def test_later_moments_sort_behind_earlier_ones_as_bytes():
    moments = [-(10**15), -1, 0, 1, 10**15, 2 * 10**15]
    layout = Layout(("n",), ("int64_val",))
    rows = pack_rows(layout, [pa.array([1] * len(moments))], np.array(moments), pushed=True)
    assert [row[:8] for row in rows] == sorted(row[:8] for row in rows)
    assert {row[8] for row in rows} == {1}


def test_small_numbers_take_little_room():
    layout = Layout(tuple(f"f{n}" for n in range(100)), ("int64_val",) * 100)
    columns = [pa.array([0 if n < 70 else n if n < 95 else None], pa.int64()) for n in range(100)]
    (row,) = pack_rows(layout, columns, np.array([0]), pushed=False)
    assert len(row) == 13 + 25 + 25


@pytest.mark.parametrize("name", ["c_1", "", "顧客", "x" * 300])
def test_keys_are_feasts(name):
    key = EntityKey(join_keys=["customer_id"], entity_values=[Value(string_val=name)])
    assert text_keys("customer_id", [name]) == [serialize_entity_key(key, entity_key_serialization_version=3)]
