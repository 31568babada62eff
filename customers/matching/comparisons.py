"""How well two records agree in a field: a level from 0 (equal) to the field's last one (different)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist
from scipy.sparse import csr_matrix

from customers.matching.fields import NAMES, WORDED, Codes, Form, Kind, Prepared

Levels = npt.NDArray[np.int8]
_Floats = npt.NDArray[np.float32]
_Strings = npt.NDArray[np.object_]
BLANK = -1
ALIKE_MAILBOX = 3
LEVELS: dict[Kind, int] = {
    "given_name": 4, "family_name": 4, "place": 4, "email": 5, "phone": 4, "date": 5, "identifier": 4, "code": 3,
    "company": 6, "address": 6, "text": 6,
}  # fmt: skip
_PAIRS_AT_ONCE = 500_000
_SPREAD = 0x9E3779B97F4A7C15
_Numbers = npt.NDArray[np.int64]
_ValueLevels = Callable[[_Numbers, _Numbers], Levels]


@dataclass(frozen=True)
class GramCounts:
    """In how many of `values` texts each trigram stands: the rarer, the more it says."""

    counts: dict[str, int]
    values: int


def count_grams(fields: Sequence[Prepared]) -> dict[tuple[int, int], GramCounts]:
    """The trigrams of all worded fields, by the places of the field and of its form."""
    return {
        (place, number): GramCounts(
            Counter(gram for value in form.values for gram in _grams(value)), max(len(form.values), 1)
        )
        for place, field in enumerate(fields)
        if field.kind in WORDED
        for number, form in enumerate(field.forms)
    }


class Comparer:
    """Compares pairs of the records whose fields it was given; what a field's values need is prepared once.

    Args:
        fields: the compared fields of the records.
        grams: what `count_grams` said of these records, or of those that the model was learned from.
    """

    def __init__(self, fields: Sequence[Prepared], grams: dict[tuple[int, int], GramCounts]) -> None:
        self._fields = fields
        self._values: list[list[_ValueLevels]] = [
            [
                partial(_worded, _weighted_grams(form.values, grams[place, number]))
                if field.kind in WORDED
                else _comparison(field.kind, form, form)
                for number, form in enumerate(field.forms)
            ]
            for place, field in enumerate(fields)
        ]

    def levels(self, left: Codes, right: Codes) -> Levels:
        """Levels of all fields for pairs of records, one row a pair; `BLANK` where either says nothing."""
        levels = np.empty((len(left), len(self._fields)), np.int8)
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            self._compare(left[part], right[part], levels[part])
        return levels

    def _compare(self, left: Codes, right: Codes, levels: Levels) -> None:
        for place, (field, compared) in enumerate(zip(self._fields, self._values, strict=True)):
            best = np.full(len(left), BLANK, np.int8)
            for form, compare in zip(field.forms, compared, strict=True):
                found = _form_levels(compare, form, form, left, right)
                best = np.where((best == BLANK) | ((found != BLANK) & (found < best)), found, best)
            levels[:, place] = best
        _straighten_names(self._fields, left, right, levels)
        _discount_named_mailboxes(self._fields, levels)


class Glance:
    """Tells how well fields of pairs can agree at best, by what is prepared once for each value: no texts are compared.

    Args:
        fields: the fields of the records.
    """

    def __init__(self, fields: Sequence[Prepared]) -> None:
        self._fields = fields
        self._looks: list[list[_ValueLevels | None]] = [
            [_look(field.kind, form) for form in field.forms] for field in fields
        ]

    def levels(self, left: Codes, right: Codes) -> Levels:
        """For pairs of records the best level that each field can have: 0 where it is equal; `BLANK`."""
        levels = np.full((len(left), len(self._fields)), BLANK, np.int8)
        for place, (field, looks) in enumerate(zip(self._fields, self._looks, strict=True)):
            for form, look in zip(field.forms, looks, strict=True):
                a, b = form.codes[left].astype(np.int64), form.codes[right].astype(np.int64)
                told = np.flatnonzero((a >= 0) & (b >= 0))
                a, b = a[told], b[told]
                found = (a != b).astype(np.int8)
                if look is not None:
                    apart = np.flatnonzero(found)
                    found[apart] = look(a[apart], b[apart])
                # Read without its sign a blank is worse than any level.
                levels[told, place] = np.minimum(levels[told, place].view(np.uint8), found.view(np.uint8)).view(np.int8)
        return levels


def _look(kind: Kind, form: Form) -> _ValueLevels | None:
    """What tells the best level of two different values, given by their numbers; None where that is always 1."""
    if kind == "email":
        return _look_at_mailboxes(form.values)
    if kind in WORDED:
        signs, last = _signs([f" {value} " for value in form.values], 3), LEVELS[kind] - 1

        def worded(left: _Numbers, right: _Numbers) -> Levels:
            shared = np.zeros(len(left), np.bool_)
            for column in signs.T:
                shared |= (column[left] & column[right]) != 0
            return np.where(shared, 1, last).astype(np.int8)

        return worded
    return None


def _look_at_mailboxes(addresses: Sequence[str]) -> _ValueLevels:
    """More than alike are only those of one name, and those a slip or two apart that share initial and digits."""
    texts = pa.array(addresses, pa.string())
    local = pc.replace_substring_regex(texts, "@[^@]*$", "")
    kin = pc.binary_join_element_wise(
        pc.utf8_slice_codeunits(local, 0, 1), pc.replace_substring_regex(local, "[^0-9]", ""), "|"
    )
    names, kins = (np.asarray(pc.dictionary_encode(column).indices) for column in (local, kin))
    signs = _signs(addresses, 2)

    def look(left: _Numbers, right: _Numbers) -> Levels:
        near = np.flatnonzero(kins[left] == kins[right])
        a, b = left[near], right[near]
        # A slip changes up to six pairs of neighbours (two letters that are swapped), and there may be two.
        changed = sum(np.bitwise_count(column[a] ^ column[b]) for column in signs.T)
        levels = np.full(len(left), ALIKE_MAILBOX, np.int8)
        levels[near[(changed <= 12) | (names[a] == names[b])]] = 1
        return levels

    return look


def _signs(texts: Sequence[str], width: int) -> npt.NDArray[np.uint64]:
    """A row for each text: 256 bits in four numbers, one bit set for each run of `width` letters in it, or for several.

    Texts without a common bit have no run of letters in common.
    """
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    letters = np.frombuffer("".join(texts).encode("utf-32-le"), "<u4").astype(np.uint64)
    runs = np.zeros(len(letters), np.uint64)
    for at in range(width):
        runs[: len(letters) - at] += letters[at:] * np.uint64(_SPREAD ** (at + 1) % 2**64)
    # Where a text ends the next one begins.
    whole = np.ones(len(letters), np.bool_)
    for at in range(1, width):
        whole[ends - at] = False
    bits = runs >> np.uint64(56)
    flags = np.where(whole, np.uint64(1) << (bits & np.uint64(63)), np.uint64(0))
    starts = np.concatenate([[0], ends[:-1]]) if len(texts) else ends
    columns = [
        np.bitwise_or.reduceat(np.where(bits >> np.uint64(6) == word, flags, np.uint64(0)), starts)
        if len(texts)
        else np.zeros(0, np.uint64)
        for word in range(4)
    ]
    return np.stack(columns, axis=1)


def _comparison(kind: Kind, left: Form, right: Form) -> _ValueLevels:
    """How two values of these forms, given by their numbers, agree."""
    texts, others = (np.array(form.values, dtype=object) for form in (left, right))
    if kind == "email":
        mailboxes = _Mailboxes.of(left.values)
        return lambda first, second: _emails(texts[first], texts[second], mailboxes.at(first), mailboxes.at(second))

    def compare(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> Levels:
        return _COMPARED[kind](texts[first], others[second])

    return compare


def _form_levels(compare: _ValueLevels, left_form: Form, right_form: Form, left: Codes, right: Codes) -> Levels:
    levels = np.full(len(left), BLANK, np.int8)
    a, b = left_form.codes[left], right_form.codes[right]
    told = np.flatnonzero((a >= 0) & (b >= 0))
    if not len(told):
        return levels
    # The same two values meet often: each is compared once.
    keys = a[told].astype(np.int64) * len(right_form.values) + b[told]
    if (every := len(left_form.values) * len(right_form.values)) <= len(told):
        unique, inverse = np.arange(every), keys
    else:
        unique, inverse = np.unique(keys, return_inverse=True)
    levels[told] = compare(*np.divmod(unique, len(right_form.values)))[inverse]
    return levels


def _straighten_names(fields: Sequence[Prepared], left: Codes, right: Codes, levels: Levels) -> None:
    """Given and family name entered the wrong way round agree as well as if they had not been."""
    places = [place for place, field in enumerate(fields) if field.kind in NAMES]
    if len(places) != 2:
        return
    one, two = places
    for a, b in zip(fields[one].forms, fields[two].forms, strict=False):
        straight = levels[:, places].astype(np.int16)
        doubt = np.flatnonzero((straight > 0).any(axis=1))
        crossed = np.stack(
            [
                _form_levels(_comparison("given_name", a, b), a, b, left[doubt], right[doubt]),
                _form_levels(_comparison("given_name", b, a), b, a, left[doubt], right[doubt]),
            ],
            axis=1,
        )
        known = (crossed != BLANK).all(axis=1)
        alike = known & (crossed.max(axis=1) <= 1) & (crossed.sum(axis=1) < straight[doubt].clip(0).sum(axis=1))
        levels[np.ix_(doubt[alike], places)] = crossed[alike].max(axis=1, keepdims=True).clip(1)


def _discount_named_mailboxes(fields: Sequence[Prepared], levels: Levels) -> None:
    """Namesakes have mailboxes that look alike: beside two names that agree a likeness is no further evidence."""
    names = [place for place, field in enumerate(fields) if field.kind in NAMES]
    mailboxes = [place for place, field in enumerate(fields) if field.kind == "email"]
    agree = ((levels[:, names] != BLANK) & (levels[:, names] <= 1)).sum(axis=1) >= 2
    for place in mailboxes:
        levels[agree & (levels[:, place] == ALIKE_MAILBOX), place] = BLANK


def _edits(left: _Strings, right: _Strings, most: int = 2) -> _Floats:
    """How many slips turn one text into the other; one more than `most` stands for any larger number."""
    return cpdist(left, right, scorer=OSA.distance, score_cutoff=most, dtype=np.float32, workers=-1)


def _likeness(left: _Strings, right: _Strings, least: float) -> _Floats:
    """From 0 to 1; 0 stands for anything below `least`."""
    return cpdist(left, right, scorer=JaroWinkler.similarity, score_cutoff=least, dtype=np.float32, workers=-1)


def _lengths(left: _Strings, right: _Strings) -> tuple[_Floats, _Floats]:
    first, second = (np.fromiter(map(len, side), np.float32, len(side)) for side in (left, right))
    return np.minimum(first, second), np.maximum(first, second)


def _names(left: _Strings, right: _Strings) -> Levels:
    """0 equal, 1 a slip of the pen, 2 alike (an initial, a short form, several slips), 3 different."""
    edits, likeness = _edits(left, right), _likeness(left, right, 0.86)
    short, _ = _lengths(left, right)
    starts = np.array([a.startswith(b) or b.startswith(a) for a, b in zip(left, right, strict=True)])
    slip = ((edits == 1) & (short >= 4)) | ((edits == 2) & (short >= 8)) | (likeness >= 0.95)
    alike = starts | (likeness >= 0.86) | ((edits == 1) & (short >= 3))
    return np.select([edits == 0, slip, alike], [0, 1, 2], 3).astype(np.int8)


@dataclass(frozen=True)
class _Mailboxes:
    """What stands before the @ of addresses, its digits and its first letter: prepared once for each address."""

    local: _Strings
    digits: _Strings
    initial: _Strings

    @classmethod
    def of(cls, addresses: Sequence[str]) -> "_Mailboxes":
        local = [address.rpartition("@")[0] for address in addresses]
        digits = ["".join(filter(str.isdigit, text)) for text in local]
        columns = (local, digits, [text[:1] for text in local])
        return cls(*(np.array(column, dtype=object) for column in columns))

    def at(self, places: npt.NDArray[np.int64]) -> "_Mailboxes":
        return _Mailboxes(self.local[places], self.digits[places], self.initial[places])


def _emails(left: _Strings, right: _Strings, one: _Mailboxes, other: _Mailboxes) -> Levels:
    """0 equal, 1 a slip, 2 a numbered name at another domain, 3 alike names, 4 different (but for the domain)."""
    edits = _edits(left, right)
    # In double precision, in which what is 0.9 in single precision lies below it.
    alike = _likeness(one.local, other.local, 0.9).astype(np.float64) >= 0.9
    short, _ = _lengths(one.local, other.local)
    # Mailboxes of one name are told apart by their numbers, those of one family by their initial.
    kin = (one.digits == other.digits) & (one.initial == other.initial)
    slip = kin & (((edits == 1) & (short >= 4)) | ((edits == 2) & (short >= 8)))
    numbered = (one.local == other.local) & (short >= 4) & (one.digits != "")
    return np.select([edits == 0, slip, numbered, alike], [0, 1, 2, ALIKE_MAILBOX], 4).astype(np.int8)


def _digits(left: _Strings, right: _Strings) -> Levels:
    """0 equal, 1 one digit mistyped or two swapped, 2 two mistyped, 3 different."""
    return np.minimum(_edits(left, right), 3).astype(np.int8)


def _codes(left: _Strings, right: _Strings) -> Levels:
    """0 equal, 1 one sign mistyped, 2 different."""
    short, _ = _lengths(left, right)
    edits = _edits(left, right)
    return np.select([edits == 0, (edits == 1) & (short >= 3)], [0, 1], 2).astype(np.int8)


def _dates(left: _Strings, right: _Strings) -> Levels:
    """0 equal, 1 one digit mistyped or two swapped, 2 two of its three parts agree, 3 the year agrees, 4 different."""
    edits = _edits(left, right)
    parts = [
        [a[:4] == b[:4], a[4:6] == b[4:6], a[6:] == b[6:], a[4:6] == b[6:] and a[6:] == b[4:6]]
        for a, b in zip(left, right, strict=True)
    ]
    same = np.array(parts).reshape(-1, 4)
    two = (same[:, :3].sum(axis=1) >= 2) | (same[:, 0] & same[:, 3])
    return np.select([edits == 0, edits == 1, two, same[:, 0] | (edits == 2)], [0, 1, 2, 3], 4).astype(np.int8)


def _grams(value: str) -> list[str]:
    return sorted({f" {word} "[at : at + 3] for word in value.split() for at in range(max(len(word), 1))})


def _weighted_grams(values: Sequence[str], known: GramCounts) -> csr_matrix:
    """Rows of unit length: the trigrams of each value's words, the rarer the heavier."""
    number: dict[str, int] = {}
    columns: list[int] = []
    bounds = [0]
    for value in values:
        columns += [number.setdefault(gram, len(number)) for gram in _grams(value)]
        bounds.append(len(columns))
    matrix = csr_matrix((np.ones(len(columns), np.float32), columns, bounds), shape=(len(values), max(len(number), 1)))
    counts = np.array([known.counts.get(gram, 1) for gram in number] or [1])
    rarity = np.log(1 + known.values / counts).astype(np.float32)
    matrix.data = rarity[matrix.indices]
    length = np.sqrt(np.maximum(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel(), 1e-9))
    matrix.data /= np.repeat(length, np.diff(matrix.indptr)).astype(np.float32)
    return matrix


def _worded(grams: csr_matrix, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> Levels:
    """Cosine of the weighted trigrams in steps; one value inside the other counts almost as much as being equal."""
    a, b = grams[left], grams[right]
    both = a.multiply(b)
    cosine = np.asarray(both.sum(axis=1)).ravel()
    inside_left = np.asarray(a.multiply(b > 0).multiply(a).sum(axis=1)).ravel()
    inside_right = np.asarray(b.multiply(a > 0).multiply(b).sum(axis=1)).ravel()
    # Rounded: the order in which small numbers are added must not decide between two steps.
    best = np.maximum(cosine, 0.85 * np.maximum(inside_left, inside_right)).astype(np.float64).round(4)
    return np.select([left == right, best >= 0.85, best >= 0.7, best >= 0.5, best >= 0.3], [0, 1, 2, 3, 4], 5).astype(
        np.int8
    )


_COMPARED: dict[Kind, Callable[[_Strings, _Strings], Levels]] = {
    "given_name": _names, "family_name": _names, "place": _names, "phone": _digits, "identifier": _digits,
    "code": _codes, "date": _dates,
}  # fmt: skip
