"""Texts as they are met in columns: folded, read as numbers or dates, or cut into words."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_RUN = re.compile(r"\w+")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[t ](\d{1,2}):(\d{2})(?::(\d{2}))?\S*)?")
_SECONDS_A_DAY = 86_400.0


def is_text(kind: pa.DataType) -> bool:
    """Whether a column's values are texts, be they stored plainly or by dictionary."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def distinct_texts(values: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct texts of a column, and for each row the position of its own; -1 where it is missing."""
    plain = values if is_text(values.type) else values.cast(pa.string())
    whole = plain.combine_chunks()
    encoded = whole if pa.types.is_dictionary(plain.type) else whole.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    place = pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return encoded.dictionary.to_pylist(), place


def read_texts(values: pa.ChunkedArray, reading: Callable[[Sequence[str]], Floats]) -> Floats:
    """What `reading` makes of each distinct folded text, by row; NaN where a text is missing."""
    distinct, place = distinct_texts(values)
    read = np.append(reading([fold(value) for value in distinct]), np.nan)
    return np.asarray(read[place], dtype=np.float64)


def fold(value: str) -> str:
    """One form for texts that differ in letter case, width or surrounding blanks only.

    >>> fold(" ＡＢＣ Ltd ")
    'abc ltd'
    """
    return unicodedata.normalize("NFKC", value).strip().casefold()


def number_of(text: str) -> float:
    """The number that a folded text holds, NaN where it is none.

    >>> number_of("1,234.5"), number_of("45%"), number_of("¥ 980"), number_of("n/a")
    (1234.5, 45.0, 980.0, nan)
    """
    try:
        number = float(text.strip("¥$€£% ").replace(",", "").replace("_", " "))
    except ValueError:
        return float("nan")
    return number if np.isfinite(number) else float("nan")


def date_of(text: str) -> float:
    """The days since 1970 of a date that begins with its year, NaN where the folded text is none.

    >>> date_of("1970-01-02 12:00"), date_of("1970年1月3日"), date_of("soon")
    (1.5, 2.0, nan)
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return float("nan")
    try:
        moment = datetime(*(int(part or 0) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return float("nan")
    return moment.timestamp() / _SECONDS_A_DAY


def words_of(text: str) -> list[str]:
    """What a folded text says: itself as a whole (after "="), and its words; where words are not spaced, letter pairs.

    >>> words_of("sales manager"), words_of("営業部長")
    (['=sales manager', 'sales', 'manager'], ['=営業部長', '営業', '業部', '部長'])
    """
    words = ["=" + text]
    for run in _RUN.findall(text):
        spaced = run.isascii() or len(run) < 3
        words += [run] if spaced else [run[n : n + 2] for n in range(len(run) - 1)]
    return list(dict.fromkeys(words))
