"""How many facts each source told of each day: the pace of a source, and the events that it sent twice."""

import duckdb

from customers.connectors.raw import literal
from customers.mapping.staging import SectionRows


def note_days(
    connection: duckdb.DuckDBPyConnection, source: str, rows: SectionRows, column: str, timezone: str
) -> None:
    """Count a section's good rows by the day, in the business time zone, of their `column`."""
    early = "count(*) FILTER (early)" if rows.name == "events" else "0"
    connection.execute(
        f"""INSERT INTO fresh.facts_read
        SELECT {rows.file_no}, {literal(source)}, {literal(rows.name)},
               timezone({literal(timezone)}, {column})::DATE AS day, count(*), {early}
        FROM {rows.table} WHERE {column} IS NOT NULL GROUP BY day"""
    )


def build_source_days(connection: duckdb.DuckDBPyConnection, timezone: str) -> None:
    """Make `source_days` once `repeated_events` are known; only counts are kept, nothing that leads to a person.

    An event's id begins with its source, so that events of two sources never repeat each other.
    """
    connection.execute(
        f"""CREATE TABLE source_days AS
        WITH copies AS (
            SELECT event_id, occurred_at
            FROM staged.events SEMI JOIN repeated_events USING (event_id)
            QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY recorded_at, occurred_at, file, line) > 1
        ), repeats AS (
            SELECT split_part(event_id, ':', 1) AS source, 'events' AS section,
                   timezone({literal(timezone)}, occurred_at)::DATE AS day, count(*) AS repeated
            FROM copies GROUP BY ALL
        )
        SELECT source, section, day, sum(facts)::BIGINT AS facts, coalesce(any_value(repeated), 0) AS repeated,
               sum(early)::BIGINT AS early
        FROM staged.facts_read LEFT JOIN repeats USING (source, section, day) GROUP BY source, section, day"""
    )
