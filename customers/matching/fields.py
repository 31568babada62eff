"""The fields that records are compared on: their kinds, and each value in one comparable form."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import jaconv
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import ConfigurationError

Kind = Literal[
    "given_name", "family_name", "full_name", "email", "phone", "date", "identifier", "company", "address", "code",
    "place", "text",
]  # fmt: skip
Codes = npt.NDArray[np.int32]

# Households, colleagues and offices have these in common; whoever shares nothing else is related, not the same.
SHAREABLE: frozenset[Kind] = frozenset({"family_name", "email", "phone", "company", "address", "code", "place", "text"})
NAMES: frozenset[Kind] = frozenset({"given_name", "family_name"})
WORDED: frozenset[Kind] = frozenset({"company", "address", "text"})
# What people write where they know nothing: no evidence of anything.
_BLANKS = frozenset(
    [
        "-",
        "--",
        "---",
        ".",
        "..",
        "?",
        "??",
        "n/a",
        "na",
        "nan",
        "nil",
        "none",
        "null",
        "unknown",
        "undefined",
        "test",
        "tbd",
        "xxx",
        "不明",
        "なし",
        "無し",
        "未入力",
        "非公開",
    ]
)
_DIGITS = re.compile(r"\d")
_NOT_DIGITS = re.compile(r"\D+")
_NOT_WORDS = re.compile(r"[^\w]+|_")
_COUNTRY_DATE = re.compile(r"^(\d{1,2})\D(\d{1,2})\D(\d{4})$")


@dataclass(frozen=True)
class Field:
    """One thing that is compared, read from one column or several that say the same in other scripts.

    With several columns the one that agrees best counts: a name in ideographs and in kana is one name.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """One column in comparable form: for each record the number of its value (-1: blank), and the values."""

    codes: Codes
    values: tuple[str, ...]

    def take(self, records: npt.NDArray[np.int64]) -> "Form":
        """The column of some of the records, with no values but theirs."""
        held, places = np.unique(self.codes[records], return_inverse=True)
        blanks = int(len(held) > 0 and held[0] < 0)
        return Form((places - blanks).astype(np.int32), tuple(self.values[code] for code in held[blanks:].tolist()))


@dataclass(frozen=True)
class Prepared:
    """A field whose values can be compared; `shareable` fields can agree between different people."""

    name: str
    kind: Kind
    forms: tuple[Form, ...]
    shareable: bool

    def take(self, records: npt.NDArray[np.int64]) -> "Prepared":
        """The field of some of the records, with no values but theirs."""
        return replace(self, forms=tuple(form.take(records) for form in self.forms))


def prepare_fields(table: pa.Table, fields: Sequence[Field]) -> list[Prepared]:
    """Bring the compared columns into comparable form; full names become given and family names.

    Raises:
        ConfigurationError: a field names a column that the table does not have.
    """
    missing = sorted(
        {column for field in fields for column in field.columns or (field.name,)} - set(table.column_names)
    )
    if missing:
        raise ConfigurationError(
            f"the table has no column {', '.join(missing)}",
            f"one of {', '.join(table.column_names)}",
            "name the columns of the table in `fields`",
        )
    texts = {
        field.name: [table[column].cast(pa.string()).to_pylist() for column in field.columns or (field.name,)]
        for field in fields
    }
    prepared: list[Prepared] = []
    split = any(field.kind in NAMES for field in fields)
    named = any(field.kind in {"given_name", "full_name"} for field in fields)
    for field in fields:
        if field.kind == "full_name":
            if not split:
                halves = [[_halves(text) for text in column] for column in texts[field.name]]
                kinds: tuple[Kind, Kind] = ("given_name", "family_name")
                for place, kind in enumerate(kinds):
                    columns = [[half[place] for half in column] for column in halves]
                    prepared.append(_prepared(f"{field.name}.{kind}", kind, columns, shareable=kind in SHAREABLE))
            continue
        # An office's own name is what tells it from its neighbours; a person's company does not.
        shareable = field.kind in SHAREABLE and not (field.kind == "company" and not named)
        prepared.append(_prepared(field.name, field.kind, texts[field.name], shareable=shareable))
        if field.kind == "address":
            numbers = [[_numbers(text) for text in column] for column in texts[field.name]]
            prepared.append(_prepared(f"{field.name}.numbers", "code", numbers, shareable=True))
    return prepared


def column_names(fields: Sequence[Prepared]) -> list[str]:
    """The names under which `as_columns` keeps the forms of fields."""
    return [f"form_{place}_{number}" for place, field in enumerate(fields) for number, _ in enumerate(field.forms)]


def as_columns(fields: Sequence[Prepared]) -> pa.Table:
    """The forms of all fields as text, one column a form and one row a record, for `from_columns`."""
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(form.codes, mask=form.codes < 0), pa.array(form.values, pa.string()))
        for field in fields
        for form in field.forms
    ]
    return pa.table([column.cast(pa.string()) for column in columns], names=column_names(fields))


def from_columns(table: pa.Table, fields: Sequence[Field]) -> list[Prepared]:
    """Fields as `prepare_fields` makes them of the compared columns, read from what `as_columns` kept of them."""
    shape = shape_of(fields)
    columns = iter(column_names(shape))
    return [replace(field, forms=tuple(_kept_form(table[next(columns)]) for _ in field.forms)) for field in shape]


def shape_of(fields: Sequence[Field]) -> list[Prepared]:
    """The compared fields of no record."""
    columns = [column for field in fields for column in field.columns or (field.name,)]
    return prepare_fields(pa.table({name: pa.array([], pa.string()) for name in columns}), fields)


def _kept_form(column: pa.ChunkedArray) -> Form:
    told = pc.dictionary_encode(column.combine_chunks())
    return Form(told.indices.fill_null(-1).to_numpy(), tuple(told.dictionary.to_pylist()))


def _prepared(name: str, kind: Kind, columns: list[list[str | None]], *, shareable: bool) -> Prepared:
    return Prepared(name, kind, tuple(_form(column, _NORMAL[kind]) for column in columns), shareable)


def _form(column: list[str | None], normalise: Callable[[str], str]) -> Form:
    cleaned: dict[str | None, str | None] = {text: _plain(text, normalise) for text in set(column)}
    values = tuple(sorted({value for value in cleaned.values() if value is not None}))
    number = {value: place for place, value in enumerate(values)}
    codes = {text: -1 if value is None else number[value] for text, value in cleaned.items()}
    return Form(np.fromiter((codes[text] for text in column), np.int32, len(column)), values)


def comparable_form(kind: Kind, text: str) -> str | None:
    """A value in the form in which it is compared; None for a placeholder, which is evidence of nothing.

    >>> comparable_form("phone", "+81 3-1234-5678"), comparable_form("phone", "0000000000")
    ('312345678', None)
    """
    return _plain(text, _NORMAL[kind])


def _plain(text: str | None, normalise: Callable[[str], str]) -> str | None:
    if text is None:
        return None
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return None if plain in _BLANKS else normalise(plain) or None


def _name(plain: str) -> str:
    return jaconv.hira2kata(_NOT_WORDS.sub("", plain))


def _words(plain: str) -> str:
    return " ".join(jaconv.hira2kata(_NOT_WORDS.sub(" ", plain)).split())


def _phone(plain: str) -> str:
    digits = _NOT_DIGITS.sub("", plain)
    # One digit repeated is what people type to get past a required field; country codes differ in front.
    return "" if len(digits) < 5 or len(set(digits)) == 1 else digits[-9:]


def _date(plain: str) -> str:
    if turned := _COUNTRY_DATE.match(plain):
        return f"{turned[3]}{turned[2]:0>2}{turned[1]:0>2}"
    return "".join(f"{part:0>2}" for part in _NOT_DIGITS.sub(" ", plain[:10]).split())


def _identifier(plain: str) -> str:
    return _NOT_WORDS.sub("", plain)


def _email(plain: str) -> str:
    return plain if "@" in plain.strip("@") else ""


def _numbers(text: str | None) -> str | None:
    digits = _NOT_DIGITS.sub(" ", unicodedata.normalize("NFKC", text or "")).split()
    return digits[0] if digits else None


def _halves(text: str | None) -> tuple[str | None, str | None]:
    """What stands before the last space and after it; a name without a space is a family name."""
    parts = (text or "").replace("　", " ").split()
    if len(parts) < 2:
        return None, parts[0] if parts else None
    return " ".join(parts[:-1]), parts[-1]


_NORMAL: dict[Kind, Callable[[str], str]] = {
    "given_name": _name, "family_name": _name, "email": _email, "phone": _phone, "date": _date,
    "identifier": _identifier, "code": _identifier, "place": _words, "company": _words, "address": _words,
    "text": _words,
}  # fmt: skip
