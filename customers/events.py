"""Events as they are published: each id once, with what is known of machines and of other systems' reports."""

import duckdb


def keep_first_copies(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `repeated_events` and `first_copies`: of events of one id the one that was recorded first."""
    # Hardly any id comes twice: the texts are only looked at where their hashes do.
    connection.execute(
        """CREATE TABLE repeated_events AS
        SELECT event_id FROM staged.events
        SEMI JOIN (SELECT hash(event_id) AS mark FROM staged.events GROUP BY mark HAVING count(*) > 1) twice
            ON twice.mark = hash(event_id)
        GROUP BY event_id HAVING count(*) > 1"""
    )
    ((repeated,),) = connection.execute("SELECT count(*) FROM repeated_events").fetchall()
    first = "PARTITION BY event_id ORDER BY recorded_at, occurred_at, file, line"
    kept = """FROM staged.events ANTI JOIN repeated_events USING (event_id)
        UNION ALL
        (FROM staged.events SEMI JOIN repeated_events USING (event_id) QUALIFY row_number() OVER ({first}) = 1)"""
    # The view is read many times: without copies it should cost nothing.
    connection.execute(f"CREATE VIEW first_copies AS {kept.format(first=first) if repeated else 'FROM staged.events'}")


def attach_events(connection: duckdb.DuckDBPyConnection, known: str | None) -> None:
    """Make `renewed_events`: today's person beside each kept event, and what `bot_events`, `duplicate_events` say.

    Makes `published_events` too, all of them.

    Args:
        connection: where the tables lie.
        known: SQL of the other events, as they were published; None for none.
    """
    connection.execute(
        """CREATE VIEW renewed_events AS
        SELECT e.event_id, n.customer_id, e.system, e.source_id, e.channel, e.type, e.occurred_at, e.recorded_at,
               e.recorded_assumed, e.amount, e.url, e.properties, b.event_id IS NOT NULL AS is_bot,
               b.since AS bot_since, b.rule AS bot_rule, d.duplicate_of
        FROM kept_events e JOIN node_now n USING (system, source_id)
        LEFT JOIN bot_events b ON b.event_id = e.event_id
        LEFT JOIN duplicate_events d ON d.event_id = e.event_id"""
    )
    others = f"UNION ALL BY NAME FROM {known}" if known else ""
    connection.execute(f"CREATE VIEW published_events AS FROM renewed_events {others}")
