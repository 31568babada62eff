"""What several of a record's common keys say together: any two of them, and three where two are still common."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customers.matching.fields import Codes

# Only a record's rarest common keys are joined with each other: their combinations are the most telling, and the work
# for each record stays the same however many records there are.
MOST_JOINED = 12
_SIEVE_BITS = 24
# So few hashes are looked up faster than the sieve is made.
_FEW = 10_000
_NO_FIELD = 255
Marks = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class MarkSet:
    """A set of hashes that is asked about millions of others; nearly all of which it tells from its own at a glance.

    Args:
        marks: the set, sorted.

    >>> MarkSet(np.array([5, 9], np.uint64)).holds(np.array([9, 7], np.uint64))
    array([ True, False])
    """

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    @cached_property
    def _sieve(self) -> Flags:
        sieve = np.zeros(1 << _SIEVE_BITS, np.bool_)
        sieve[_lowest(self._marks)] = True
        return sieve

    def may_hold(self, asked: Marks) -> Flags:
        """For each hash whether it is in the set; some others are told to be in it, too."""
        return np.asarray(self._sieve[_lowest(asked)])

    def holds(self, asked: Marks) -> Flags:
        """For each hash whether it is in the set."""
        if len(asked) < _FEW:
            return self._looked_up(asked)
        found = self.may_hold(asked)
        maybe = np.flatnonzero(found)
        found[maybe] = self._looked_up(asked[maybe])
        return found

    def _looked_up(self, asked: Marks) -> Flags:
        if not len(self._marks):
            return np.zeros(len(asked), np.bool_)
        return np.asarray(self._marks[np.searchsorted(self._marks, asked).clip(max=len(self._marks) - 1)] == asked)


def _lowest(marks: Marks) -> Places:
    return (marks & np.uint64((1 << _SIEVE_BITS) - 1)).astype(np.int64)


@dataclass(frozen=True)
class JoinedKeys:
    """The common keys of records, one row a record and one column a rank; where there is none the field is 255.

    `worded` are the fields of which several words may be joined; of the others only one key is taken.
    """

    records: Codes
    keys: Marks
    fields: npt.NDArray[np.uint8]
    worded: tuple[int, ...]

    @classmethod
    def of(cls, ranked: duckdb.DuckDBPyRelation, worded: tuple[int, ...]) -> "JoinedKeys":
        """Those of a relation (record, key, field, rank) with a rank above 0; ranks are in one order everywhere."""
        told = ranked.filter("rank > 0").fetchnumpy()
        holders = np.asarray(told["record"], np.int32)
        held = np.zeros(int(holders.max(initial=-1)) + 1, np.bool_)
        held[holders] = True
        records, rows = np.flatnonzero(held).astype(np.int32), (np.cumsum(held) - 1)[holders]
        columns = np.asarray(told["rank"], np.int64) - 1
        keys = np.zeros((len(records), MOST_JOINED), np.uint64)
        fields = np.full((len(records), MOST_JOINED), _NO_FIELD, np.uint8)
        keys[rows, columns], fields[rows, columns] = told["key"], told["field"]
        # By column: each is read as a whole.
        return cls(records, np.asfortranarray(keys), np.asfortranarray(fields), worded)

    def part(self, rows: slice) -> "JoinedKeys":
        """Those of some of the records."""
        return JoinedKeys(self.records[rows], self.keys[rows], self.fields[rows], self.worded)

    def twos(self) -> Iterator[tuple[int, int, Places, Marks]]:
        """For any two ranks: the rows that have both, and what these keys say together."""
        for first in range(MOST_JOINED):
            one, one_field = self.keys[:, first], self.fields[:, first]
            several = np.isin(one_field, self.worded)
            for second in range(first + 1, MOST_JOINED):
                other, other_field = self.keys[:, second], self.fields[:, second]
                told = (one_field != _NO_FIELD) & (other_field != _NO_FIELD) & (one != other)
                rows = np.flatnonzero(told & (several | (one_field != other_field)))
                # Shifted, so that the keys of a combination know their places: their order is the same everywhere.
                yield first, second, rows, one[rows] ^ (other[rows] >> np.uint64(1))

    def threes(self, common_twos: MarkSet) -> Iterator[tuple[Places, Marks]]:
        """For two keys that are common together and any third one of another field: the rows, and what they say."""
        for first, second, rows, marks in self.twos():
            common = common_twos.holds(marks)
            rows, marks = rows[common], marks[common]
            if not len(rows):
                continue
            taken = self.fields[rows, first], self.fields[rows, second]
            for third in range(second + 1, MOST_JOINED):
                field = self.fields[rows, third]
                fits = (field != _NO_FIELD) & (field != taken[0]) & (field != taken[1])
                yield rows[fits], marks[fits] ^ (self.keys[rows[fits], third] >> np.uint64(2))

    def table(self, found: Iterator[tuple[Places, Marks]]) -> pa.Table:
        """What was found, as a table (record, block)."""
        rows, marks = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
        for places, told in found:
            rows.append(places)
            marks.append(told)
        return pa.table({"record": self.records[np.concatenate(rows)], "block": np.concatenate(marks)})
