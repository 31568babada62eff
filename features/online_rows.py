"""How a view's row of one entity lies in an online store: the same bytes in each of them.

A row is a header (event time, whether it was pushed, mark of its layout), two bits for each field, then the values that
need bytes. A number is a 64-bit word: where it is 0 the two bits say all, below 256 it takes one byte, else eight. A
text is its length and its bytes. The layout, the names and kinds of the fields, is kept once under its mark.

Rows are packed by whole columns, and unpacked by all views of all entities that were asked for at once; neither costs
more for more views than for as many fields in one.
"""

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Words = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Feast's own names of the kinds of a value. Numbers become words; all else becomes bytes.
INTEGERS = ("int64_val", "int32_val", "bool_val", "unix_timestamp_val")
DOUBLES = ("double_val", "float_val")
# A value of any other type lies there as Feast would serialise it.
MESSAGE = "message"

_HEADER = struct.Struct(">QB4s")
_LENGTH = struct.Struct("<I")
# Moments before 1970 sort below later ones when their bytes are compared.
_MOMENT_OFFSET = 1 << 63
_ABSENT, _ZERO, _SMALL, _WIDE = range(4)
_CODES = np.array([[(byte >> shift) & 3 for shift in (0, 2, 4, 6)] for byte in range(256)], np.uint8)
# By four fields' codes the bytes that their small words take, and above them those that their wide ones do.
_SMALL_BITS = 20
_SMALL_MASK = (1 << _SMALL_BITS) - 1
_TAKEN = (_CODES == _SMALL).sum(axis=1) + ((_CODES == _WIDE).sum(axis=1) << (_SMALL_BITS + 3))


@dataclass(frozen=True)
class Layout:
    """The fields of a packed row: their names, and of each the kind of its value as Feast calls it."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """What is kept in the store, so that rows can be read after the fields have changed."""
        return json.dumps([self.names, self.kinds], ensure_ascii=False)

    @cached_property
    def mark(self) -> bytes:
        """Four bytes that stand for the layout in each row."""
        return hashlib.sha256(self.text.encode()).digest()[:4]

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The places of fields that are words."""
        return tuple(place for place, kind in enumerate(self.kinds) if kind in INTEGERS or kind in DOUBLES)

    @cached_property
    def texts(self) -> tuple[int, ...]:
        """The places of fields that are bytes."""
        return tuple(place for place in range(len(self.kinds)) if place not in self.numbers)

    @cached_property
    def flag_bytes(self) -> int:
        """How many bytes the two bits of all fields take."""
        return -(-len(self.names) // 4)

    @staticmethod
    def parse(text: str) -> "Layout":
        """The layout that was kept.

        >>> layout = Layout(("visits", "plan"), ("int64_val", "string_val"))
        >>> Layout.parse(layout.text) == layout
        True
        """
        names, kinds = json.loads(text)
        return Layout(tuple(names), tuple(kinds))


def pack_rows(layout: Layout, columns: Sequence[pa.Array], moments_us: Words, *, pushed: bool) -> list[bytes]:
    """Pack one view's rows of many entities.

    Args:
        layout: the fields.
        columns: one array a field, in the layout's order; words as 64-bit integers or doubles, all else as binary.
        moments_us: the event time of each row, in microseconds since 1970 UTC.
        pushed: whether these are fresh values, which a later run with an earlier moment does not replace.
    """
    count = len(moments_us)
    words = np.zeros((count, len(layout.numbers)), np.int64)
    codes = np.zeros((count, layout.flag_bytes * 4), np.uint8)
    for place, field in enumerate(layout.numbers):
        column = columns[field]
        if column.null_count:
            codes[:, place] = column.is_valid().to_numpy(zero_copy_only=False)
            column = column.fill_null(0)
        else:
            codes[:, place] = 1
        words[:, place] = column.to_numpy(zero_copy_only=False).view(np.int64)
    unsigned = words.view(np.uint64)
    numbers = codes[:, : words.shape[1]]
    # Present ones: 1 where the word is zero, 2 where it is small, else 3.
    numbers += numbers * ((unsigned > 0).view(np.uint8) + (unsigned > 255).view(np.uint8))
    for place, field in enumerate(layout.texts, words.shape[1]):
        codes[:, place] = columns[field].is_valid().to_numpy(zero_copy_only=False)
    head = np.empty((count, _HEADER.size + layout.flag_bytes), np.uint8)
    head[:, :8] = (moments_us.view(np.uint64) + np.uint64(_MOMENT_OFFSET)).astype(">u8").view(np.uint8).reshape(-1, 8)
    head[:, 8] = pushed
    head[:, 9:13] = np.frombuffer(layout.mark, np.uint8)
    fours = codes.reshape(count, layout.flag_bytes, 4)
    head[:, 13:] = fours[..., 0] | fours[..., 1] << 2 | fours[..., 2] << 4 | fours[..., 3] << 6
    small, wide = numbers == _SMALL, numbers == _WIDE
    parts = [
        _pieces(head.tobytes(), np.full(count, head.shape[1])),
        _pieces(words[small].astype(np.uint8).tobytes(), small.sum(axis=1)),
        _pieces(words[wide].astype("<i8").tobytes(), wide.sum(axis=1) * 8),
    ]
    for field in layout.texts:
        text = columns[field]
        sizes = pc.binary_length(text.drop_null()).cast(pa.uint32()).to_numpy(zero_copy_only=False)
        present = text.is_valid().to_numpy(zero_copy_only=False)
        parts += [_pieces(sizes.astype("<u4").tobytes(), present * _LENGTH.size), text]
    packed: list[bytes] = pc.binary_join_element_wise(
        *parts, pa.scalar(b"", pa.binary()), null_handling="replace", null_replacement=b""
    ).to_pylist()
    return packed


def _pieces(content: bytes, sizes: npt.NDArray[Any]) -> pa.Array:
    """The content cut into one value a row."""
    ends = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    return pa.Array.from_buffers(pa.binary(), len(sizes), [None, pa.py_buffer(ends), pa.py_buffer(content)])


def row_moment(packed: bytes) -> int:
    """The event time of a packed row in microseconds since 1970 UTC."""
    return int.from_bytes(packed[:8], "big") - _MOMENT_OFFSET


def row_layout(packed: bytes) -> bytes:
    """The mark of the layout that a row was packed with."""
    return packed[9:13]


@dataclass(frozen=True)
class Unpacked:
    """Values of several rows side by side.

    Attributes:
        words: rows x places, one for each field of all layouts and more in between; zero where there is no number.
        present: at which places there is a value.
        texts: for each other field of all layouts, the bytes of each row; None where absent.
    """

    words: Words
    present: Flags
    texts: list[list[bytes | None]]


class RowReader:
    """Unpacks the rows of several views of the same entities, all at once."""

    def __init__(self, layouts: Sequence[Layout]) -> None:
        self._layouts = tuple(layouts)
        self._flag_bytes = [layout.flag_bytes for layout in layouts]
        self._first_flags = list(accumulate(self._flag_bytes, initial=0))[:-1]
        self._places = 4 * sum(self._flag_bytes)
        first_codes = [4 * first for first in self._first_flags]
        # By view the codes of its texts.
        self._texts = [
            range(first + len(layout.numbers), first + len(layout.names))
            for first, layout in zip(first_codes, layouts, strict=True)
        ]
        # In which column of the result each field of each view lies.
        self._number_columns: dict[tuple[int, str], int] = {}
        self._text_columns: dict[tuple[int, str], int] = {}
        for view, (first, layout) in enumerate(zip(first_codes, layouts, strict=True)):
            for place, field in enumerate(layout.numbers, first):
                self._number_columns[view, layout.names[field]] = place
            for field in layout.texts:
                self._text_columns[view, layout.names[field]] = len(self._text_columns)

    def column(self, view: int, name: str) -> tuple[bool, int] | None:
        """Whether a field of a view is a text, and its place among the unpacked texts or words; None: there is none."""
        if (view, name) in self._number_columns:
            return False, self._number_columns[view, name]
        place = self._text_columns.get((view, name))
        return None if place is None else (True, place)

    def unpack(self, rows: Sequence[Sequence[bytes]]) -> Unpacked:
        """The values of rows, each of which is one packed row for each of the layouts."""
        count, start = len(rows), _HEADER.size
        flags = b"".join(
            [packed[start : start + size] for row in rows for packed, size in zip(row, self._flag_bytes, strict=True)]
        )
        coded = np.frombuffer(flags, np.uint8)
        codes = _CODES[coded].reshape(count, self._places)
        taken = np.add.reduceat(_TAKEN[coded].reshape(count, -1), self._first_flags, axis=1).tolist()
        smalls, wides, tails = [], [], []
        for row, sizes in zip(rows, taken, strict=True):
            ends = []
            for packed, flag_bytes, size in zip(row, self._flag_bytes, sizes, strict=True):
                begin = start + flag_bytes
                middle = begin + (size & _SMALL_MASK)
                end = middle + (size >> _SMALL_BITS)
                smalls.append(packed[begin:middle])
                wides.append(packed[middle:end])
                ends.append(end)
            tails.append(ends)
        words = np.zeros((count, self._places), np.int64)
        words[codes == _SMALL] = np.frombuffer(b"".join(smalls), np.uint8)
        words[codes == _WIDE] = np.frombuffer(b"".join(wides), "<i8")
        texts: list[list[bytes | None]] = [[] for _ in self._text_columns]
        if texts:
            self._read_texts(rows, codes, tails, texts)
        return Unpacked(words, codes != _ABSENT, texts)

    def _read_texts(
        self,
        rows: Sequence[Sequence[bytes]],
        codes: npt.NDArray[np.uint8],
        tails: list[list[int]],
        texts: list[list[bytes | None]],
    ) -> None:
        for number, (row, starts) in enumerate(zip(rows, tails, strict=True)):
            column = 0
            for packed, at, places in zip(row, starts, self._texts, strict=True):
                for place in places:
                    text = None
                    if codes[number, place] != _ABSENT:
                        begin = at + _LENGTH.size
                        at = begin + _LENGTH.unpack_from(packed, at)[0]
                        text = packed[begin:at]
                    texts[column].append(text)
                    column += 1
