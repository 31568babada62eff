"""Unified tables as pandas frames: columns, conditions and time spans are pushed down into the Parquet files."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from core.errors import ConfigurationError, Fault, raise_faults
from core.storage import Workspace, connect_duckdb
from core.tables import TABLES, TableSpec
from scoring.score import SCORES_FILE

Moment = str | date | datetime
# The time that `since` and `until` speak of; a table that is not listed has no time of its own.
TIME_COLUMNS = {
    "customers": "first_seen_at",
    "identities": "linked_at",
    "identity_changes": "changed_at",
    "identity_links": "linked_at",
    "identity_pairs": "known_at",
    "attributes": "occurred_at",
    "proofs": "occurred_at",
    "events": "occurred_at",
    "deals": "opened_at",
    "deal_stages": "entered_at",
    "deal_people": "recorded_at",
    "contracts": "started_at",
    "campaigns": "started_at",
    "consents": "decided_at",
    "lifecycle": "entered_at",
}
_READ_ONLY = (duckdb.StatementType.SELECT,)


def read_frame(
    workspace: Workspace,
    name: str,
    *,
    columns: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    timezone: str = "UTC",
) -> pd.DataFrame:
    """Part of a unified table; only the columns and row groups that are needed are read.

    Args:
        workspace: where the tables lie.
        name: for example `events`.
        columns: which ones, in which order; default all.
        where: column to value; a list means any of its values, None means blank. All conditions hold.
        since: rows whose time (see `TIME_COLUMNS`) is at this moment or later.
        until: rows whose time is before this moment.
        limit: so many rows at most, the first in the table's order.
        timezone: of moments that have none; a date means its first moment.

    Returns:
        A frame with times in UTC.

    Raises:
        ConfigurationError: table, column or moment are not understood; all faults are listed.
        MissingStageError: nothing was unified yet.
    """
    query, given = table_query(workspace, name, columns, where, since, until, limit, timezone)
    with connect_duckdb() as connection:
        return _fetch(connection, query, given)


def table_query(
    workspace: Workspace,
    name: str,
    columns: Sequence[str] | None,
    where: Mapping[str, Any] | None,
    since: Moment | None,
    until: Moment | None,
    limit: int | None,
    timezone: str,
) -> tuple[str, dict[str, Any]]:
    """The query behind `read_frame`, and the values that are bound to it."""
    if name not in TABLES:
        raise ConfigurationError(f"there is no table {name!r}{_meant(name, TABLES)}", f"one of {', '.join(TABLES)}")
    spec = TABLES[name]
    chosen = list(spec.columns) if columns is None else _listed(columns)
    _check(spec, chosen, where or {}, since is not None or until is not None)
    conditions: list[str] = []
    given: dict[str, Any] = {"file": str(workspace.table_path(name))}
    for number, (column, value) in enumerate((where or {}).items()):
        if value is None:
            conditions.append(f"{column} IS NULL")
            continue
        conditions.append(f"list_contains($v{number}, {column})" if _is_list(value) else f"{column} = $v{number}")
        given[f"v{number}"] = list(value) if _is_list(value) else value
    for word, sign, moment in (("since", ">=", since), ("until", "<", until)):
        if moment is not None:
            conditions.append(f"{TIME_COLUMNS[name]} {sign} ${word}")
            given[word] = as_moment(moment, timezone)
    query = f"SELECT {', '.join(chosen)} FROM read_parquet($file)"
    if conditions:
        query += f" WHERE {' AND '.join(conditions)}"
    return query + (f" LIMIT {int(limit)}" if limit is not None else ""), given


def run_query(workspace: Workspace, models: Sequence[str], query: str, given: Mapping[str, Any]) -> pd.DataFrame:
    """One SELECT in DuckDB's SQL over all unified tables and the scores in force (`scores_<model>`).

    Args:
        workspace: where the tables lie.
        models: those whose scores are offered; one that was never scored is left out.
        query: a single statement that reads.
        given: data frames become tables of their name, everything else the parameter `$name`.

    Raises:
        ConfigurationError: the query cannot run, or does more than read.
    """
    with connect_duckdb() as connection:
        workspace.tables(connection)
        for model in models:
            if workspace.manifest(f"scores/{model}") is not None:
                file = str(workspace.current(f"scores/{model}") / SCORES_FILE).replace("'", "''")
                connection.execute(f"CREATE VIEW scores_{model} AS SELECT * FROM read_parquet('{file}')")
        for name, value in given.items():
            if isinstance(value, pd.DataFrame):
                connection.register(name, value)
        values = {name: value for name, value in given.items() if not isinstance(value, pd.DataFrame)}
        return _fetch(connection, query, values)


def as_moment(given: Moment, timezone: str) -> datetime:
    """A moment as people write it, in UTC; without an offset it is read in `timezone`.

    Raises:
        ConfigurationError: it is no moment.

    >>> as_moment("2026-10-01", "Asia/Tokyo").isoformat()
    '2026-09-30T15:00:00+00:00'
    >>> as_moment("soon", "UTC")
    Traceback (most recent call last):
    ...
    core.errors.ConfigurationError: 'soon' is no moment; expected a date or time such as 2026-10-01; correct it.
    """
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError as error:
        raise ConfigurationError(
            f"{given!r} is no moment", "a date or time such as 2026-10-01", "correct it"
        ) from error
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(timezone))
    return moment.astimezone(UTC)


def _fetch(connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a single statement that reads."""
    try:
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type not in _READ_ONLY:
            raise ConfigurationError("the query does more than read", "a single SELECT", "write results elsewhere")
        frame: pd.DataFrame = connection.sql(query, params=dict(values)).to_arrow_table().to_pandas()
    except duckdb.Error as error:
        raise ConfigurationError(
            f"the query cannot run ({str(error).strip()})", "DuckDB's SQL over the unified tables", "correct it"
        ) from error
    return frame


def _check(spec: TableSpec, columns: Sequence[str], where: Mapping[str, Any], timed: bool) -> None:
    asked = dict.fromkeys([*columns, *where])
    faults = [
        Fault(column, f"is no column{_meant(column, spec.columns)}") for column in asked if column not in spec.columns
    ]
    if not columns:
        faults.append(Fault("columns", "names none"))
    if timed and spec.name not in TIME_COLUMNS:
        faults.append(Fault("since, until", "the table has no time of its own"))
    raise_faults(ConfigurationError, f"the question to {spec.name}", faults, f"choose among {', '.join(spec.columns)}")


def _meant(given: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(given, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _listed(columns: Sequence[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def _is_list(value: Any) -> bool:
    return not isinstance(value, str) and isinstance(value, Sequence | set | frozenset | pd.Series | pd.Index)
