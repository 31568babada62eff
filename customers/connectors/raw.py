"""What every connector hands over: one DuckDB table of text columns for each source, with file and line."""

import re
from dataclasses import dataclass, field

import duckdb

_COLUMN_AND_KEY = re.compile(r"^(.+)\[(.+)\]$")
LINE_COLUMNS = "file VARCHAR, line BIGINT"


@dataclass
class RawFile:
    """One file (or SQL query) that was read: `rows` counts the rejected rows too."""

    name: str
    rows: int
    fingerprint: str


@dataclass(frozen=True)
class Reject:
    """A row that could not even be split into columns."""

    file: str
    line: int
    reason: str
    raw: str


@dataclass
class RawSource:
    """All rows of a source as text.

    `table` has the columns `file`, `line` and one text column for each name in `columns`, whose value is the
    column's name inside DuckDB (DuckDB does not tell `Email` from `email`, so columns are numbered).
    """

    name: str
    table: str
    columns: dict[str, str] = field(default_factory=dict)
    files: list[RawFile] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def literal(value: object) -> str:
    """A value as an SQL string literal.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + str(value).replace("'", "''") + "'"


def where_target(name: str) -> tuple[str, str | None]:
    """The column and the JSON key that a `where` condition looks at.

    >>> where_target("Status"), where_target("attributes[New Status]")
    (('Status', None), ('attributes', 'New Status'))
    """
    if match := _COLUMN_AND_KEY.match(name):
        return match.group(1), match.group(2)
    return name, None


def create_raw_table(connection: duckdb.DuckDBPyConnection, source: RawSource, names: list[str]) -> None:
    """Make the empty table of a source for the given column names."""
    source.columns = {name: f"c{position}" for position, name in enumerate(names)}
    listed = "".join(f", {column} VARCHAR" for column in source.columns.values())
    connection.execute(f"CREATE OR REPLACE TABLE {source.table} ({LINE_COLUMNS}{listed})")
