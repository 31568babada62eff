"""What each column of a training frame is: a number, a date, a category, or words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import ContractError
from scoring.encoding import OTHER, FeatureColumn, Matrix, days_of, encode, evidence_of_text
from scoring.text_values import date_of, distinct_texts, fold, is_text, number_of, words_of

Labels = NDArray[np.bool_]
Places = NDArray[np.int64]
Floats = NDArray[np.float64]
# A value seen in fewer rows than this says nothing that holds elsewhere; small tables must make do with fewer.
_MIN_CATEGORY_ROWS, _FEWEST_CATEGORY_ROWS = 20, 4
_MAX_CATEGORY_VALUES = 50
# Share of the filled rows whose text must be a number (or date) before the column is read as one.
_PARSED_SHARE = 0.98
# Share of the filled rows that the frequent values must cover before the rest may go without a voice.
_COVERED_SHARE = 0.8
# A word counts as if it had been seen in so many more rows with the usual share of wins.
_USUAL_ROWS = 20.0
_MIN_WORD_ROWS = 3
# Distinct texts that words are learned from; more of them say the same again.
_MAX_TEXTS = 50_000


def as_table(frame: Any) -> pa.Table:
    """A frame or array as an Arrow table of numbers and texts; dates become days since 1970, truth values 0 and 1.

    Raises:
        ContractError: it has no two dimensions, or two columns of one name.
    """
    if not isinstance(frame, pd.DataFrame | pa.Table):
        array = np.asarray(frame)
        if array.ndim != 2:
            raise ContractError(f"the input has {array.ndim} dimensions", "rows and columns", "pass a data frame")
        frame = pd.DataFrame(array, columns=[f"x{n}" for n in range(array.shape[1])])
    names = [str(name) for name in (frame.column_names if isinstance(frame, pa.Table) else frame.columns)]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ContractError(f"the columns {', '.join(twice[:5])} come twice", "a name a column", "rename them")
    if isinstance(frame, pa.Table):
        return pa.table([_plain(frame.column(n)) for n in range(len(names))], names=names)
    return pa.table([_of_series(frame.iloc[:, n]) for n in range(len(names))], names=names)


def _of_series(values: "pd.Series[Any]") -> pa.ChunkedArray:
    kind = values.dtype
    if pd.api.types.is_bool_dtype(kind) or pd.api.types.is_numeric_dtype(kind):
        return pa.chunked_array([pa.array(values.to_numpy(dtype=np.float64, na_value=np.nan), from_pandas=True)])
    if pd.api.types.is_datetime64_any_dtype(kind):
        since = pd.to_datetime(values, utc=True) - pd.Timestamp(0, tz="UTC")
        return pa.chunked_array([pa.array(_days(since), from_pandas=True)])
    if pd.api.types.is_timedelta64_dtype(kind):
        return pa.chunked_array([pa.array(_days(values), from_pandas=True)])
    if isinstance(kind, pd.CategoricalDtype):
        code = pa.array(values.cat.codes.to_numpy(), mask=(values.cat.codes == -1).to_numpy())
        return pa.chunked_array([pa.DictionaryArray.from_arrays(code, [str(value) for value in kind.categories])])
    blank = pd.isna(values).to_numpy()
    texts = [None if absent else str(value) for value, absent in zip(values.tolist(), blank, strict=True)]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _days(spans: "pd.Series[Any]") -> Floats:
    return np.asarray(spans.to_numpy() / np.timedelta64(1, "D"), dtype=np.float64)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if is_text(values.type):
        return values
    if pa.types.is_temporal(values.type):
        return pa.chunked_array([pa.array(days_of(values), from_pandas=True)])
    if pa.types.is_null(values.type):
        return values.cast(pa.float64())
    return values


@dataclass(frozen=True)
class _Texts:
    """A column of folded texts: the distinct ones, and for each row the position of its own (-1: missing)."""

    distinct: list[str]
    place: Places

    @staticmethod
    def of(values: pa.ChunkedArray) -> "_Texts":
        raw, place = distinct_texts(values)
        folded = [fold(text) for text in raw]
        distinct = sorted({text for text in folded if text})
        number = {text: n for n, text in enumerate(distinct)}
        new = np.array([*(number.get(text, -1) for text in folded), -1], dtype=np.int64)
        return _Texts(distinct, new[place])

    def counts(self, rows: Labels) -> Places:
        return np.bincount(self.place[rows & (self.place >= 0)], minlength=len(self.distinct))


def learn_columns(table: pa.Table, label: Labels) -> tuple[FeatureColumn, ...]:
    """Each column as the model will read it."""
    return tuple(_learn(field.name, table[field.name], label) for field in table.schema)


def _learn(name: str, values: pa.ChunkedArray, label: Labels) -> FeatureColumn:
    if not is_text(values.type):
        return FeatureColumn(name)
    texts = _Texts.of(values)
    count = texts.counts(np.ones(len(label), dtype=np.bool_))
    filled = int(count.sum())
    if not filled:
        return FeatureColumn(name, vocabulary=())
    for parsed, parse in (("number", number_of), ("date", date_of)):
        readable = np.array([not np.isnan(parse(text)) for text in texts.distinct])
        if count[readable].sum() >= _PARSED_SHARE * filled:
            return FeatureColumn(name, parsed=parsed)  # type: ignore[arg-type]  # the two literals above
    fewest = int(np.clip(len(label) // 200, _FEWEST_CATEGORY_ROWS, _MIN_CATEGORY_ROWS))
    order = sorted(np.flatnonzero(count >= fewest), key=lambda n: (-count[n], texts.distinct[n]))
    kept = order[:_MAX_CATEGORY_VALUES]
    covered = int(count[kept].sum())
    if covered >= _COVERED_SHARE * filled:
        other = (OTHER,) if filled - covered >= fewest else ()
        return FeatureColumn(name, vocabulary=(*(texts.distinct[n] for n in kept), *other))
    return FeatureColumn(name, weights=_weigh(texts, label, np.ones(len(label), dtype=np.bool_)))


def _weigh(texts: _Texts, label: Labels, rows: Labels) -> dict[str, float]:
    """For each word of the rows its log-odds over the usual ones, drawn towards none where it is rare."""
    seen, won = texts.counts(rows), texts.counts(rows & label)
    rate = float(np.clip(label[rows].mean() if rows.any() else 0.5, 1e-3, 1 - 1e-3))
    tally: dict[str, list[int]] = {}
    for n in np.flatnonzero(seen)[:_MAX_TEXTS]:
        for word in words_of(texts.distinct[n]):
            entry = tally.setdefault(word, [0, 0])
            entry[0] += int(seen[n])
            entry[1] += int(won[n])
    usual = np.log(rate / (1 - rate))
    return {
        word: round(float(np.log((k + _USUAL_ROWS * rate) / (n - k + _USUAL_ROWS * (1 - rate))) - usual), 6)
        for word, (n, k) in sorted(tally.items())
        if n >= _MIN_WORD_ROWS
    }


class Encoded:
    """Training rows as numbers; what words say is always learned from other rows than those that are encoded.

    Attributes:
        columns: learned from all rows.
        matrix: the rows, where no words need to be learned apart.
    """

    def __init__(self, table: pa.Table, label: Labels, part: Places) -> None:
        """`part` numbers the rows 0 to 4; rows that share an outcome share their number."""
        self._part = part
        self.columns = learn_columns(table, label)
        self.matrix: Matrix = encode(table, self.columns)
        self._label = label
        self._words = {
            n: _Texts.of(table[column.name]) for n, column in enumerate(self.columns) if column.weights is not None
        }

    def rows(self, fit: Places) -> Matrix:
        """Rows to learn from: each is encoded with what the words say in four fifths of the others."""
        if not self._words and np.array_equal(fit, np.arange(len(self.matrix))):
            # A copy of a million rows takes as long as fifty trees.
            return self.matrix
        matrix = np.asfortranarray(self.matrix[fit])
        part = self._part[fit]
        for column, texts in self._words.items():
            for held in np.unique(part):
                weights = _weigh(texts, self._label, self._mask(fit[part != held]))
                matrix[part == held, column] = _read(texts, fit[part == held], weights)
        return matrix

    def others(self, fit: Places, held: Places) -> Matrix:
        """Other rows, encoded with what the words say in the rows to learn from."""
        matrix = np.asfortranarray(self.matrix[held])
        for column, texts in self._words.items():
            matrix[:, column] = _read(texts, held, _weigh(texts, self._label, self._mask(fit)))
        return matrix

    def _mask(self, rows: Places) -> Labels:
        mask = np.zeros(len(self._label), dtype=np.bool_)
        mask[rows] = True
        return mask


def _read(texts: _Texts, rows: Places, weights: dict[str, float]) -> Floats:
    said = np.array([*(evidence_of_text(text, weights) for text in texts.distinct), np.nan])
    return np.asarray(said[texts.place[rows]], dtype=np.float64)


def directions(columns: Sequence[FeatureColumn], monotone: dict[str, int]) -> tuple[int, ...]:
    """For each column 1 where more must not lower the score, -1 where it must not raise it, 0 where it may do both.

    Raises:
        ContractError: a name is no column, or one that holds no number.
    """
    numbers = {column.name for column in columns if column.vocabulary is None and column.weights is None}
    wrong = sorted(set(monotone) - numbers)
    if wrong:
        raise ContractError(
            f"monotone names {', '.join(wrong)}", "columns that hold numbers or dates", "correct estimator.monotone"
        )
    return tuple(int(np.sign(monotone.get(column.name, 0))) for column in columns)


def row_hash(table: pa.Table, label: Labels | None = None) -> NDArray[np.uint64]:
    """A number for each row's content: rows can be put into an order that does not depend on the one they came in."""
    total = np.zeros(table.num_rows, dtype=np.uint64)
    for n, name in enumerate(table.column_names):
        values = table[name]
        if is_text(values.type):
            distinct, place = distinct_texts(values)
            hashed = pd.util.hash_array(np.array([*distinct, ""], dtype=object), categorize=False)[place]
        else:
            numbers = values.cast(pa.float64()).to_numpy() + 0.0
            hashed = pd.util.hash_array(np.where(np.isnan(numbers), np.nan, numbers))
        total = total * np.uint64(6364136223846793005) + hashed + np.uint64(n)
    if label is not None:
        total = total * np.uint64(6364136223846793005) + label.astype(np.uint64)
    # Mixed once more, since the last column would else decide the order.
    return np.asarray(pd.util.hash_array(total))
