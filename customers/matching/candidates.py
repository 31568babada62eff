"""Which pairs of records are compared at all: those that share something not too common (blocking)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from core.storage import connect_duckdb
from customers.matching.fields import NAMES, WORDED, Codes, Kind, Prepared

# A value that more records share says too little alone: shared mailboxes, switchboards, placeholders, common names.
# Such values are joined two and two, then three and three, until what they have in common is rare enough.
LARGEST_BLOCK = 50
# Only a record's rarest common values are joined with each other: their combinations are the most telling, and the work
# for each record stays the same however many records there are.
MOST_JOINED = 12
_VALUES_AT_ONCE = 100_000
_RECORDS_AT_ONCE = 250_000
_VOWELS = re.compile(r"[aeiouyhw]")
_LETTERS = re.compile(r"[^a-z]")


@dataclass(frozen=True)
class Candidates:
    """Pairs of record numbers, left < right, in order."""

    left: Codes
    right: Codes


def find_candidates(fields: Sequence[Prepared], records: int, largest_block: int = LARGEST_BLOCK) -> Candidates:
    """All pairs that share a rare enough key, or a rare enough combination of two or three keys."""
    with connect_duckdb() as connection:
        add_blocks(connection, fields, records, largest_block)
        pairs = connection.sql(
            """SELECT DISTINCT a.record AS l, b.record AS r
            FROM blocks a JOIN blocks b ON a.block = b.block AND a.record < b.record ORDER BY l, r"""
        ).fetchnumpy()
    return Candidates(pairs["l"].astype(np.int32), pairs["r"].astype(np.int32))


def add_blocks(
    connection: duckdb.DuckDBPyConnection,
    fields: Sequence[Prepared],
    records: int,
    largest_block: int = LARGEST_BLOCK,
) -> None:
    """Make the table `blocks` (record, block): records of one block are compared with each other."""
    _add_keys(connection, fields)
    connection.execute("CREATE TABLE sizes AS SELECT key, count(*) AS size FROM keys GROUP BY key HAVING size > 1")
    connection.execute("CREATE TABLE blocks (record INTEGER, block UBIGINT)")
    connection.execute(
        f"INSERT INTO blocks SELECT record, key FROM keys JOIN sizes USING (key) WHERE size <= {largest_block}"
    )
    _join_common_keys(connection, fields, records, largest_block)


def _add_keys(connection: duckdb.DuckDBPyConnection, fields: Sequence[Prepared]) -> None:
    """Make `keys`: each record's keys as numbers that depend on the key's text alone, with the field they come from."""
    connection.execute("CREATE TABLE keys (record INTEGER, key UBIGINT, field UTINYINT)")
    for place, field in enumerate(fields):
        # Names share their keys: they may have been entered the wrong way round.
        owner = "name" if field.kind in NAMES else field.name
        connection.execute("CREATE TABLE found (record INTEGER, key UBIGINT)")
        for form in field.forms:
            holders = np.flatnonzero(form.codes >= 0).astype(np.int32)
            connection.register("holders", pa.table({"record": holders, "code": form.codes[holders]}))
            for start in range(0, len(form.values), _VALUES_AT_ONCE):
                codes, texts = [], []
                for code, value in enumerate(form.values[start : start + _VALUES_AT_ONCE], start):
                    for key in _keys(field.kind, value):
                        codes.append(code)
                        texts.append(key)
                connection.register("value_keys", pa.table({"code": pa.array(codes, pa.int32()), "key": texts}))
                connection.execute(
                    """INSERT INTO found
                    SELECT record, md5_number_lower(? || key) FROM value_keys JOIN holders USING (code)""",
                    [f"{owner}:"],
                )
                connection.unregister("value_keys")
            connection.unregister("holders")
        connection.execute(f"INSERT INTO keys SELECT DISTINCT record, key, {place} FROM found")
        connection.execute("DROP TABLE found")


def _join_common_keys(
    connection: duckdb.DuckDBPyConnection, fields: Sequence[Prepared], records: int, largest_block: int
) -> None:
    """Add to `blocks` the combinations of two or three keys that are common each and rare together."""
    worded = ", ".join(str(place) for place, field in enumerate(fields) if field.kind in WORDED) or "255"
    connection.execute("CREATE TABLE common (record INTEGER, key UBIGINT, field UTINYINT, rank UTINYINT)")
    connection.execute("CREATE TABLE twos (record INTEGER, block UBIGINT, first UTINYINT, second UTINYINT)")
    connection.execute("CREATE TABLE threes (record INTEGER, block UBIGINT)")
    parts = [(start, start + _RECORDS_AT_ONCE - 1) for start in range(0, records, _RECORDS_AT_ONCE)]
    for part in parts:
        connection.execute(
            f"""INSERT INTO common
            SELECT record, key, field, row_number() OVER (PARTITION BY record ORDER BY size, key, field) AS rank
            FROM keys JOIN sizes USING (key) WHERE size > {largest_block} AND record BETWEEN ? AND ?
            QUALIFY rank <= {MOST_JOINED}""",
            part,
        )
        connection.execute(
            f"""INSERT INTO twos
            SELECT a.record, hash(a.key, b.key), a.rank, b.rank
            FROM common a JOIN common b ON a.record = b.record AND a.rank < b.rank AND a.key <> b.key
                AND (a.field <> b.field OR a.field IN ({worded}))
            WHERE a.record BETWEEN ? AND ?""",
            part,
        )
    connection.execute(
        "CREATE TABLE two_sizes AS SELECT block, count(*) AS size FROM twos GROUP BY block HAVING size > 1"
    )
    connection.execute(
        f"INSERT INTO blocks SELECT record, block FROM twos JOIN two_sizes USING (block) WHERE size <= {largest_block}"
    )
    for part in parts:
        connection.execute(
            f"""INSERT INTO threes
            SELECT t.record, hash(t.block, c.key)
            FROM twos t JOIN two_sizes s ON s.block = t.block AND s.size > {largest_block}
            JOIN common a ON a.record = t.record AND a.rank = t.first
            JOIN common b ON b.record = t.record AND b.rank = t.second
            JOIN common c ON c.record = t.record AND c.rank > t.second AND c.field NOT IN (a.field, b.field)
            WHERE t.record BETWEEN ? AND ?""",
            part,
        )
    connection.execute(
        f"""INSERT INTO blocks SELECT record, block FROM threes
        JOIN (SELECT block FROM threes GROUP BY block HAVING count(*) BETWEEN 2 AND {largest_block}) USING (block)"""
    )


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
