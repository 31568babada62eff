"""What every connector hands over: the rows of one file as text columns in DuckDB, with file and line."""

import re
from dataclasses import dataclass, field

_COLUMN_AND_KEY = re.compile(r"^(.+)\[(.+)\]$")


@dataclass(frozen=True)
class Reject:
    """A row that could not even be split into columns."""

    file: str
    line: int
    reason: str
    raw: str


@dataclass
class RawRows:
    """All rows of one file (or of an SQL query's answer) as text.

    The DuckDB view `table` has the columns `file`, `line` and one text column for each name in `columns`, whose value
    is the column's name inside DuckDB (DuckDB does not tell `Email` from `email`, so columns are numbered). `count`
    includes the rejected rows.
    """

    source: str
    file: str
    table: str
    columns: dict[str, str] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    count: int = 0


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
