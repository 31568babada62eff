"""Which pairs of records are compared at all: those that share something not too common (blocking)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import duckdb
import numpy as np
import pyarrow as pa

from customers.matching.combinations import MOST_JOINED, JoinedKeys, Marks, MarkSet, Places
from customers.matching.fields import NAMES, WORDED, Codes, Kind, Prepared
from customers.matching.parts import by_parts

# A value that more records share says too little alone: shared mailboxes, switchboards, placeholders, common names.
# Such values are joined two and two, then three and three, until what they have in common is rare enough.
LARGEST_BLOCK = 50
# What was rare when it was counted may since have become common: beyond this many records it joins nobody any more.
_GROWN_BLOCK = 4 * LARGEST_BLOCK
_VALUES_AT_ONCE = 100_000
_LISTED_KEYS = 200
_RECORDS_AT_ONCE = 250_000
_VOWELS = re.compile(r"[aeiouyhw]")
_LETTERS = re.compile(r"[^a-z]")


@dataclass(frozen=True)
class Candidates:
    """Pairs of record numbers, left < right."""

    left: Codes
    right: Codes


@dataclass(frozen=True)
class Commonness:
    """Which keys, and which combinations of two and three, too many records have in common.

    `keys` has the columns key and size, `twos` and `threes` the column block.
    """

    keys: pa.Table
    twos: pa.Table
    threes: pa.Table


def add_keys(connection: duckdb.DuckDBPyConnection, fields: Sequence[Prepared], first_record: int = 0) -> None:
    """Make `keys` (record, key, field): each record's keys as numbers that depend on the key's text alone.

    Args:
        connection: where the table is made.
        fields: the compared fields; their records are numbered from `first_record` on.
        first_record: the number of the first record.
    """
    connection.execute("CREATE TABLE keys (record INTEGER, key UBIGINT, field UTINYINT)")
    for place, field in enumerate(fields):
        # Names share their keys: they may have been entered the wrong way round.
        owner = "name" if field.kind in NAMES else field.name
        connection.execute("CREATE TABLE found (record INTEGER, key UBIGINT)")
        for form in field.forms:
            holders = np.flatnonzero(form.codes >= 0).astype(np.int32)
            numbered = pa.table({"record": holders + np.int32(first_record), "code": form.codes[holders]})
            connection.register("holders", numbered)
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


def add_blocks(
    connection: duckdb.DuckDBPyConnection,
    fields: Sequence[Prepared],
    records: int,
    largest_block: int = LARGEST_BLOCK,
) -> Commonness:
    """Make `ranked_keys`, and `blocks` (record, block): records of one block are compared with each other.

    `ranked_keys` (record, key, field, rank) holds the rare keys of each record with the rank 0, and its rarest common
    ones ranked from 1 on.
    """
    add_keys(connection, fields)
    connection.execute("CREATE TABLE sizes AS SELECT key, count(*) AS size FROM keys GROUP BY key HAVING size > 1")
    connection.execute(f"CREATE TABLE common_keys AS FROM sizes WHERE size > {largest_block}")
    connection.execute("CREATE TABLE ranked_keys (record INTEGER, key UBIGINT, field UTINYINT, rank UTINYINT)")
    connection.execute("CREATE TABLE twos (record INTEGER, block UBIGINT)")
    connection.execute("CREATE TABLE threes (record INTEGER, block UBIGINT)")
    parts = [
        f"record BETWEEN {start} AND {start + _RECORDS_AT_ONCE - 1}" for start in range(0, records, _RECORDS_AT_ONCE)
    ]
    for part in parts:
        connection.execute(f"INSERT INTO ranked_keys {_ranked_sql('keys', part)}")
        joined = _joined(connection, f"ranked_keys WHERE {part}", fields)
        _insert(connection, "twos", joined.table((rows, marks) for _, _, rows, marks in joined.twos()))
    connection.execute("DROP TABLE keys")
    _count_blocks(connection, "two", largest_block)
    common_twos = connection.sql("FROM common_twos ORDER BY block").to_arrow_table()
    together = _mark_set(common_twos)
    for part in parts:
        joined = _joined(connection, f"ranked_keys WHERE {part}", fields)
        _insert(connection, "threes", joined.table(joined.threes(together)))
    _count_blocks(connection, "three", largest_block)
    connection.execute(
        f"""CREATE TABLE blocks AS
        SELECT record, key AS block FROM ranked_keys SEMI JOIN (FROM sizes WHERE size <= {largest_block}) USING (key)
        UNION ALL SELECT record, block FROM twos SEMI JOIN rare_twos USING (block)
        UNION ALL SELECT record, block FROM threes SEMI JOIN rare_threes USING (block)"""
    )
    commonness = Commonness(
        connection.sql("FROM common_keys ORDER BY key").to_arrow_table(),
        common_twos,
        connection.sql("FROM common_threes ORDER BY block").to_arrow_table(),
    )
    for table in ("sizes", "twos", "threes", "rare_twos", "rare_threes"):
        connection.execute(f"DROP TABLE {table}")
    return commonness


def _count_blocks(connection: duckdb.DuckDBPyConnection, several: str, largest_block: int) -> None:
    """Make `rare_…` and `common_…` of the combinations that more than one record has."""
    connection.execute(
        f"CREATE TABLE counted AS SELECT block, count(*) AS n FROM {several}s GROUP BY block HAVING n > 1"
    )
    connection.execute(f"CREATE TABLE common_{several}s AS SELECT block FROM counted WHERE n > {largest_block}")
    connection.execute(f"CREATE TABLE rare_{several}s AS SELECT block FROM counted WHERE n <= {largest_block}")
    connection.execute("DROP TABLE counted")


def pairs_of_blocks(connection: duckdb.DuckDBPyConnection, records: int) -> Candidates:
    """All pairs of records that share a block of the table `blocks`, in order."""
    left, right = [], []
    # By parts: sorting all pairs at once would take many times the space of the answer.
    for start in range(0, max(records, 1), _RECORDS_AT_ONCE):
        pairs = connection.sql(
            f"""SELECT DISTINCT a.record AS l, b.record AS r
            FROM blocks a JOIN blocks b ON a.block = b.block AND a.record < b.record
            WHERE a.record BETWEEN {start} AND {start + _RECORDS_AT_ONCE - 1} ORDER BY l, r"""
        ).fetchnumpy()
        left.append(np.asarray(pairs["l"], np.int32))
        right.append(np.asarray(pairs["r"], np.int32))
    return Candidates(np.concatenate(left), np.concatenate(right))


def rank_keys(connection: duckdb.DuckDBPyConnection, known: Commonness) -> None:
    """Make `ranked_keys` of `keys`, by what was common when it was counted; whatever was not there then is rare."""
    connection.register("common_keys", known.keys)
    connection.execute(f"CREATE TABLE ranked_keys AS {_ranked_sql('keys', 'true')}")
    connection.unregister("common_keys")


def pairs_with_new(
    connection: duckdb.DuckDBPyConnection, fields: Sequence[Prepared], known: Commonness, former_keys: str
) -> Candidates:
    """All pairs of new records, whose `ranked_keys` were made, with each other and with records that came before.

    In any order.

    Args:
        connection: holds `ranked_keys` of the new records, whose numbers are above former ones.
        fields: the compared fields.
        known: what was common when it was counted.
        former_keys: SQL of a table of the former records' ranked keys.
    """
    # What two records have in common is made of keys that both of them hold. A few keys are listed: DuckDB then skips
    # the parts of sorted files that hold none of them.
    keys = [key for (key,) in connection.execute("SELECT DISTINCT key FROM ranked_keys").fetchall()]
    listed = f"WHERE key IN ({', '.join(map(str, keys))})" if 0 < len(keys) <= _LISTED_KEYS else ""
    connection.execute(
        f"""CREATE TABLE former_near AS FROM (FROM {former_keys} {listed})
        SEMI JOIN (SELECT DISTINCT key FROM ranked_keys) USING (key)"""
    )
    common = (_mark_set(known.twos), _mark_set(known.threes))
    _add_rare_blocks(connection, fields, common, "ranked_keys", "new_blocks")
    _add_rare_blocks(connection, fields, common, "former_near", "former_blocks", among="new_blocks")
    pairs = connection.sql(
        f"""WITH every_block AS (FROM new_blocks UNION ALL FROM former_blocks),
        fitting AS (SELECT block FROM every_block GROUP BY block HAVING count(*) BETWEEN 2 AND {_GROWN_BLOCK})
        SELECT DISTINCT a.record AS l, b.record AS r
        FROM every_block a JOIN new_blocks b ON a.block = b.block AND a.record < b.record
        SEMI JOIN fitting ON a.block = fitting.block"""
    ).fetchnumpy()
    return Candidates(np.asarray(pairs["l"], np.int32), np.asarray(pairs["r"], np.int32))


def _add_rare_blocks(
    connection: duckdb.DuckDBPyConnection,
    fields: Sequence[Prepared],
    common: tuple[MarkSet, MarkSet],
    ranked: str,
    target: str,
    among: str = "",
) -> None:
    """Make `target` (record, block): rare keys, and rare combinations of common ones; only those of a table `among`.

    `common` are the combinations of two and of three that too many records have.
    """
    only = f"SEMI JOIN {among} USING (block)" if among else ""
    connection.execute(
        f"CREATE TABLE {target} AS FROM (SELECT record, key AS block FROM {ranked} WHERE rank = 0) {only}"
    )
    joined = _joined(connection, ranked, fields)
    listed = f"SELECT DISTINCT block FROM {among} ORDER BY block"
    wanted = _mark_set(connection.sql(listed).to_arrow_table()) if among else None

    def found(rows: slice) -> pa.Table:
        part = joined.part(rows)
        twos = ((rows, marks) for _, _, rows, marks in part.twos())
        several = zip((twos, part.threes(common[0])), common, strict=True)
        return part.table(chain.from_iterable(_rare(those, too_common, wanted) for those, too_common in several))

    for blocks in by_parts(len(joined.records), _RECORDS_AT_ONCE, found):
        _insert(connection, target, blocks)


def _rare(
    found: Iterator[tuple[Places, Marks]], common: MarkSet, wanted: MarkSet | None
) -> Iterator[tuple[Places, Marks]]:
    """Of combinations those that are not common, and wanted (or so it seems: there is nobody else to meet them)."""
    for rows, marks in found:
        kept = np.flatnonzero(~common.holds(marks) if wanted is None else wanted.may_hold(marks))
        if wanted is not None:
            kept = kept[~common.holds(marks[kept])]
        yield rows[kept], marks[kept]


def _ranked_sql(keys: str, part: str) -> str:
    return f"""
    SELECT record, key, field, 0 AS rank FROM {keys} ANTI JOIN common_keys USING (key) WHERE {part}
    UNION ALL
    (SELECT record, key, field, row_number() OVER (PARTITION BY record ORDER BY size, key, field) AS rank
     FROM {keys} JOIN common_keys USING (key) WHERE {part} QUALIFY rank <= {MOST_JOINED})"""


def _joined(connection: duckdb.DuckDBPyConnection, ranked: str, fields: Sequence[Prepared]) -> JoinedKeys:
    """The common keys of `ranked`, SQL of ranked keys."""
    worded = tuple(place for place, field in enumerate(fields) if field.kind in WORDED)
    return JoinedKeys.of(connection.sql(f"FROM {ranked}"), worded)


def _mark_set(blocks: pa.Table) -> MarkSet:
    """The sorted blocks of a table as a set."""
    return MarkSet(blocks["block"].to_numpy().astype(np.uint64))


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    connection.register("given_blocks", rows)
    connection.execute(f"INSERT INTO {table} BY NAME FROM given_blocks")
    connection.unregister("given_blocks")


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
