"""JSON lines: one object a line. Its keys are the columns; what lies deeper stays JSON text for `json_key`."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from core.errors import Fault
from core.source_settings import SourceSettings
from customers.connectors.encoding import utf8_copy
from customers.connectors.raw import Reject, literal

_BATCH = 20_000
_MOST_KEYS = 1_000
"""More are no columns but data: objects that are keyed by ids."""


def read_json_lines(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    source: SourceSettings,
    scratch: Path,
    rejects: list[Reject],
) -> tuple[list[str], str] | Fault:
    """Load a file into DuckDB; give the keys of all its objects and the query for (line, v0, v1, …)."""
    if path.stat().st_size == 0:
        return Fault(path.name, "is empty; export it again")
    decoded = utf8_copy(path, source.encoding, scratch, rejects)
    if isinstance(decoded, Fault):
        return decoded
    _load_lines(connection, decoded)
    first = connection.execute("SELECT text FROM json_lines ORDER BY line LIMIT 1").fetchall()
    if not first:
        return Fault(path.name, "is empty; export it again")
    if first[0][0].lstrip().startswith("["):
        return Fault(path.name, "is a JSON array; write one object a line, for example with jq -c '.[]'")
    bad = connection.execute("SELECT line, text FROM json_lines WHERE NOT is_object ORDER BY line").fetchall()
    rejects.extend(Reject(path.name, line, "no JSON object", text) for line, text in bad)
    # Most objects have the same keys: first the different sets of them, then their members in the order of appearance.
    sets = connection.execute(
        """SELECT keys FROM (SELECT line, json_keys(text) AS keys FROM json_lines WHERE is_object)
        GROUP BY keys ORDER BY min(line)"""
    ).fetchall()
    names = list(dict.fromkeys(str(key) for (keys,) in sets for key in keys))
    if not names:
        return Fault(path.name, "holds no JSON object with a key; expected one object a line")
    if len(names) > _MOST_KEYS:
        return Fault(path.name, f"has {len(names)} different keys, at most {_MOST_KEYS} are columns; nest them")
    # A JSON pointer, whose only special characters are these two.
    pointers = ", ".join(literal("/" + name.replace("~", "~0").replace("/", "~1")) for name in names)
    picked = ", ".join(f"found[{place}] AS v{place - 1}" for place in range(1, len(names) + 1))
    connection.execute(
        f"""CREATE OR REPLACE TABLE loaded AS SELECT line, {picked}
        FROM (SELECT line, json_extract_string(text, [{pointers}]) AS found FROM json_lines WHERE is_object)"""
    )
    connection.execute("DROP TABLE json_lines")
    return names, "SELECT * FROM loaded"


def _load_lines(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute("CREATE OR REPLACE TABLE json_lines (line BIGINT, text VARCHAR, is_object BOOLEAN)")
    lines = _lines(path)
    while batch := list(islice(lines, _BATCH)):
        numbers, texts = zip(*batch, strict=True)
        table = pa.table([pa.array(numbers, pa.int64()), pa.array(texts, pa.string())], names=["line", "text"])
        connection.register("batch", table)
        connection.execute(
            """INSERT INTO json_lines
            SELECT line, text, CASE WHEN json_valid(text) THEN json_type(text) = 'OBJECT' ELSE false END FROM batch"""
        )
        connection.unregister("batch")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if text := line.strip():
                yield number, text
