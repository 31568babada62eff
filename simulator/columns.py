"""Text columns for the export files, built column-wise: stamps in each vendor's form, identifiers, chosen words."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

JST_SECONDS = 9 * 3600
_EPOCH = date(1970, 1, 1)
_FIRST_DAY = (date(2000, 1, 1) - _EPOCH).days


@cache
def _day_texts() -> pa.Array:
    return pa.array([(_EPOCH + timedelta(days=_FIRST_DAY + day)).isoformat() for day in range(60 * 366)])


@cache
def _second_texts() -> pa.Array:
    clock = np.arange(86_400)
    return pa.array([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in clock.tolist()])


def constant(text: str, length: int) -> pa.Array:
    """The same text on every row."""
    return pa.repeat(pa.scalar(text, pa.string()), length)


def words(vocabulary: Sequence[str], chosen: NDArray[np.integer]) -> pa.Array:
    """Words looked up by position; a negative position is an empty cell."""
    safe = np.where(chosen < 0, len(vocabulary), chosen)
    return pc.take(pa.array([*vocabulary, ""], pa.string()), pa.array(safe))


def joined(*parts: pa.Array | str) -> pa.Array:
    """Parts put together row by row."""
    length = next(len(part) for part in parts if not isinstance(part, str))
    arrays = [constant(part, length) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*arrays, "")


def numbered(prefix: str, numbers: NDArray[np.integer], width: int, suffix: str = "") -> pa.Array:
    """Identifiers with a zero-padded number."""
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    return joined(prefix, digits, suffix)


def salesforce_id(prefix: str, numbers: NDArray[np.integer]) -> pa.Array:
    """18-character record ids: 15 characters and the checksum that makes them safe for case-blind tools."""
    head = f"{prefix}5g"
    value = sum(1 << position for position, letter in enumerate(head) if letter.isupper())
    return numbered(head, numbers, 10, "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[value] + "AA")


def blank_where(column: pa.Array, empty: NDArray[np.bool_]) -> pa.Array:
    """The column with empty cells where asked."""
    return pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), column)


def _stamp(seconds: NDArray[np.int64], between: str, end: str) -> pa.Array:
    day = pa.array(seconds // 86_400 - _FIRST_DAY)
    second = pa.array(seconds % 86_400)
    return joined(pc.take(_day_texts(), day), between, pc.take(_second_texts(), second), end)


def stamp_z(seconds: NDArray[np.int64]) -> pa.Array:
    """`2025-03-04T05:06:07Z` from seconds since the epoch."""
    return _stamp(seconds, "T", "Z")


def stamp_salesforce(seconds: NDArray[np.int64]) -> pa.Array:
    """`2025-03-04T05:06:07.000+0000`."""
    return _stamp(seconds, "T", ".000+0000")


def stamp_japan(seconds: NDArray[np.int64]) -> pa.Array:
    """`2025-03-04T14:06:07+09:00`."""
    return _stamp(seconds + JST_SECONDS, "T", "+09:00")


def stamp_naive_japan(seconds: NDArray[np.int64]) -> pa.Array:
    """`2025/03/04 14:06:07`, the clock on the wall in Tokyo without a zone."""
    return pc.replace_substring(_stamp(seconds + JST_SECONDS, " ", ""), "-", "/")


def date_japan(seconds: NDArray[np.int64]) -> pa.Array:
    """`2025-03-04`, the date in Tokyo."""
    return pc.take(_day_texts(), pa.array((seconds + JST_SECONDS) // 86_400 - _FIRST_DAY))
