"""Who overwrote whom: for each person and field the value that stands in the golden record, and those that lost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from customers.survivorship import RANKING, ranked_values_sql, system_order

CONFLICT_COLUMNS = (
    "customer_id",
    "field",
    "reason",
    *(f"{side}_{part}" for side in ("kept", "lost") for part in ("system", "id", "value", "valid_from", "known_from")),
)
# The ranking by names, and what is told of a value beside it.
_RANKED = (
    "{"
    + ", ".join(
        f"'{name}': {part}"
        for name, part in (
            *zip(("standing", "age", "known_age", "system", "source_id", "value"), RANKING, strict=True),
            *((name, name) for name in ("refuted", "verified", "ahead", "place", "occurred_at", "recorded_at")),
        )
    )
    + "}"
)
_READ_AT_ONCE = 10_000


@dataclass(frozen=True)
class FieldConflicts:
    """The conflicts of some fields: `rows` in the order of `CONFLICT_COLUMNS`, times in ISO 8601 with their offset.

    `found` counts them, `people` those whom they are about; `left_out` ones are about people who refused profiling.
    """

    found: int
    people: int
    left_out: int
    rows: Iterator[tuple[Any, ...]]


def field_conflicts(settings: Settings, workspace: Workspace, fields: Sequence[str]) -> FieldConflicts:
    """The values that records hold today and that lost in the golden record, with the value that won.

    `reason` is the first thing that spoke for the winner: `refuted` (the other value was), `verified`, `system` (a
    better one), `newer`, or `order` where nothing tells them apart but their names.

    Args:
        settings: survivorship as the tables in force were made by, and the time zone of the times.
        workspace: where the tables are published.
        fields: of people, those of the golden record.
    """
    connection = connect_duckdb()
    workspace.tables(connection)
    connection.execute(f"SET TimeZone = '{settings.timezone}'")
    connection.register("system_order", system_order(settings))
    _find_conflicts(connection, settings, fields)
    counted = connection.execute(
        "SELECT count(*), count(DISTINCT customer_id) FILTER (allowed), count(*) FILTER (NOT allowed) FROM conflicts"
    ).fetchall()
    ((found, people, left_out),) = counted
    return FieldConflicts(found - left_out, people, left_out, _rows(connection))


def _find_conflicts(connection: duckdb.DuckDBPyConnection, settings: Settings, fields: Sequence[str]) -> None:
    connection.execute(
        f"""CREATE TABLE ranked AS
        SELECT customer_id, field, {_RANKED} AS rank
        FROM ({ranked_values_sql(settings)}) WHERE list_contains($fields, field)""",
        {"fields": list(fields)},
    )
    # A record's value of today, unless it was emptied; of one system's equal values the one that would win.
    connection.execute(
        """CREATE TABLE conflicts AS
        WITH held AS (
            SELECT system, source_id, field, occurred_at, recorded_at, value FROM attributes
            WHERE list_contains($fields, field)
            QUALIFY row_number() OVER (
                PARTITION BY system, source_id, field
                ORDER BY occurred_at DESC, recorded_at DESC, value NULLS FIRST) = 1
        ), winners AS (
            SELECT customer_id, field, min(rank) AS kept FROM ranked GROUP BY customer_id, field
        ), losers AS (
            SELECT r.customer_id, r.field, min(r.rank) AS lost
            FROM ranked r JOIN held h ON h.system = r.rank.system AND h.source_id = r.rank.source_id
                AND h.field = r.field AND h.value = r.rank.value AND h.occurred_at = r.rank.occurred_at
                AND h.recorded_at = r.rank.recorded_at
            JOIN winners w ON w.customer_id = r.customer_id AND w.field = r.field AND w.kept.value <> r.rank.value
            GROUP BY r.customer_id, r.field, r.rank.system, r.rank.value
        )
        SELECT customer_id, field, kept, lost,
               CASE WHEN lost.refuted AND NOT kept.refuted THEN 'refuted'
                    WHEN kept.ahead AND NOT lost.ahead THEN 'verified'
                    WHEN kept.place < lost.place THEN 'system'
                    WHEN kept.verified AND NOT lost.verified THEN 'verified'
                    WHEN (kept.occurred_at, kept.recorded_at) > (lost.occurred_at, lost.recorded_at) THEN 'newer'
                    ELSE 'order' END AS reason,
               c.consent_profiling AS allowed
        FROM losers JOIN winners USING (customer_id, field) JOIN customers c USING (customer_id)""",
        {"fields": list(fields)},
    )


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    parts = ", ".join(
        f"{side}.system, {side}.source_id, {side}.value, "
        + ", ".join(f"strftime({side}.{time}, '%Y-%m-%dT%H:%M:%S%z')" for time in ("occurred_at", "recorded_at"))
        for side in ("kept", "lost")
    )
    try:
        reader = connection.execute(
            f"""SELECT customer_id, field, reason, {parts} FROM conflicts WHERE allowed
            ORDER BY customer_id, field, lost"""
        )
        while rows := reader.fetchmany(_READ_AT_ONCE):
            yield from rows
    finally:
        connection.close()
