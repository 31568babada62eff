"""Which pairs of records are compared at all: those that share something not too common (blocking)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core.storage import connect_duckdb
from customers.matching.fields import NAMES, WORDED, Codes, Kind, Prepared

# A value that more records share says too little alone: shared mailboxes, switchboards, placeholders, common names.
# Such values are joined two and two, then three and three, until what they have in common is rare enough.
LARGEST_BLOCK = 50
_VOWELS = re.compile(r"[aeiouyhw]")
_LETTERS = re.compile(r"[^a-z]")


@dataclass(frozen=True)
class Candidates:
    """Pairs of record numbers, left < right, in order."""

    left: Codes
    right: Codes


def find_candidates(fields: Sequence[Prepared], records: int, largest_block: int = LARGEST_BLOCK) -> Candidates:
    """All pairs that share a rare enough key, or a rare enough combination of two or three keys."""
    rows, keys, kinds = _keys_of_records(fields, records)
    worded = ", ".join(str(place) for place, field in enumerate(fields) if field.kind in WORDED) or "-1"
    with connect_duckdb() as connection:
        connection.register("given", pa.table({"record": rows, "key": keys, "field": kinds}))
        connection.execute("CREATE TABLE keys AS SELECT record, key, field FROM given ORDER BY ALL")
        connection.execute("CREATE TABLE sizes AS SELECT key, count(*) AS size FROM keys GROUP BY key HAVING size > 1")
        connection.execute("CREATE TABLE level_1 AS SELECT record, key, field, size FROM keys JOIN sizes USING (key)")
        connection.execute(
            f"CREATE TABLE common AS SELECT record, key, field FROM level_1 WHERE size > {largest_block}"
        )
        connection.execute(
            f"""CREATE TABLE level_2 AS
            SELECT *, count(*) OVER (PARTITION BY first, second) AS size FROM (
                SELECT a.record, a.key AS first, b.key AS second, a.field AS field_1, b.field AS field_2
                FROM common a JOIN common b ON a.record = b.record AND a.key < b.key
                    AND (a.field <> b.field OR a.field IN ({worded})))
            QUALIFY size > 1"""
        )
        connection.execute(
            f"""CREATE TABLE level_3 AS
            SELECT *, count(*) OVER (PARTITION BY first, second, third) AS size FROM (
                SELECT a.record, a.first, a.second, b.key AS third
                FROM (FROM level_2 WHERE size > {largest_block}) a JOIN common b
                    ON a.record = b.record AND a.second < b.key AND b.field NOT IN (a.field_1, a.field_2))
            QUALIFY size BETWEEN 2 AND {largest_block}"""
        )
        pairs = connection.sql(
            f"""WITH found AS (
                SELECT a.record AS l, b.record AS r FROM level_1 a JOIN level_1 b
                    ON a.key = b.key AND a.record < b.record
                WHERE a.size <= {largest_block}
                UNION
                SELECT a.record, b.record FROM level_2 a JOIN level_2 b
                    ON a.first = b.first AND a.second = b.second AND a.record < b.record
                WHERE a.size <= {largest_block}
                UNION
                SELECT a.record, b.record FROM level_3 a JOIN level_3 b
                    ON a.first = b.first AND a.second = b.second AND a.third = b.third AND a.record < b.record
            ) SELECT l, r FROM found ORDER BY l, r"""
        ).fetchnumpy()
    return Candidates(pairs["l"].astype(np.int32), pairs["r"].astype(np.int32))


def _keys_of_records(fields: Sequence[Prepared], records: int) -> tuple[Codes, Codes, Codes]:
    """Each record's keys as numbers, with the field that they come from."""
    number: dict[str, int] = {}
    rows, keys, kinds = [], [], []
    for place, field in enumerate(fields):
        for form in field.forms:
            holders = np.argsort(form.codes, kind="stable").astype(np.int32)
            ends = np.searchsorted(form.codes[holders], np.arange(-1, len(form.values)), side="right")
            for code, value in enumerate(form.values):
                held = holders[ends[code] : ends[code + 1]]
                # Names share their keys: they may have been entered the wrong way round.
                owner = "name" if field.kind in NAMES else field.name
                found = sorted({f"{owner}:{key}" for key in _keys(field.kind, value)})
                marks = np.array([number.setdefault(key, len(number)) for key in found], np.int32)
                rows.append(np.repeat(held, len(marks)))
                keys.append(np.tile(marks, len(held)))
                kinds.append(np.full(len(held) * len(marks), place, np.int32))
    if not rows:
        return (np.empty(0, np.int32),) * 3
    return np.concatenate(rows), np.concatenate(keys), np.concatenate(kinds)


def _keys(kind: Kind, value: str) -> Iterator[str]:
    """What a mistyped form of the value still has in common with it."""
    yield f"={value}"
    if kind in WORDED:
        for word in value.split():
            if word.isascii():
                yield f"w{word}"
            else:
                yield from (f"g{word[at : at + 2]}" for at in range(max(len(word) - 1, 1)))
    elif kind == "email":
        local, _, domain = value.rpartition("@")
        yield f"l{local}"
        yield f"p{local[:5]}"
        yield f"a{_LETTERS.sub('', local)}"
        yield f"d{domain}"
    elif kind == "date":
        yield from (f"ym{value[:6]}", f"md{value[4:]}", f"yd{value[:4]}{value[6:]}")
    elif kind in ("phone", "identifier", "code"):
        if len(value) >= 6:
            yield from (f"<{value[: len(value) // 2]}", f">{value[len(value) // 2 :]}")
    else:
        yield f"<{value[:3]}"
        yield f">{value[-3:]}"
        if bones := _VOWELS.sub("", value[1:]):
            yield f"b{value[0]}{bones[:4]}"
