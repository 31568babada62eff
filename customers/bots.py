"""Clicks that no person made: security gateways follow every link of an e-mail at once."""

import duckdb

BURST_SECONDS = 10
DISTINCT_LINKS = 3
RECORDED_TOGETHER_SECONDS = 600


def mark_bots(connection: duckdb.DuckDBPyConnection) -> None:
    """Set `is_bot` in `staged.events` on bursts of clicks, and on the opens inside such a burst.

    A burst is three or more different links clicked by one record within ten seconds around an event. Only clicks that
    were recorded about when the event was count, so that no row recorded later changes what was believed before.
    """
    connection.execute(
        f"""CREATE TABLE burst_clicks AS
        WITH clicks AS (
            SELECT event_id, system, source_id, coalesce(url, properties, event_id) AS link, occurred_at, recorded_at
            FROM staged.events WHERE type = 'email_click'
        ), marked AS (
            SELECT event_id, system, source_id, link, occurred_at, recorded_at,
                   lead(occurred_at) OVER near - occurred_at < INTERVAL {BURST_SECONDS} SECONDS
                   OR occurred_at - lag(occurred_at) OVER near < INTERVAL {BURST_SECONDS} SECONDS AS has_neighbour
            FROM clicks WINDOW near AS (PARTITION BY system, source_id ORDER BY occurred_at, event_id)
        ), crowded AS (FROM marked WHERE has_neighbour)
        SELECT a.event_id, a.system, a.source_id, a.occurred_at, a.recorded_at
        FROM crowded a JOIN crowded b ON a.system = b.system AND a.source_id = b.source_id
            AND b.occurred_at BETWEEN a.occurred_at - INTERVAL {BURST_SECONDS} SECONDS
                                  AND a.occurred_at + INTERVAL {BURST_SECONDS} SECONDS
            AND b.recorded_at <= a.recorded_at + INTERVAL {RECORDED_TOGETHER_SECONDS} SECONDS
        GROUP BY ALL HAVING count(DISTINCT b.link) >= {DISTINCT_LINKS}"""
    )
    connection.execute(
        f"""CREATE TABLE bot_events AS
        SELECT event_id FROM burst_clicks
        UNION
        SELECT e.event_id FROM staged.events e JOIN burst_clicks b USING (system, source_id)
        WHERE e.type = 'email_open'
          AND b.occurred_at BETWEEN e.occurred_at - INTERVAL {BURST_SECONDS} SECONDS
                                AND e.occurred_at + INTERVAL {BURST_SECONDS} SECONDS
          AND b.recorded_at <= e.recorded_at + INTERVAL {RECORDED_TOGETHER_SECONDS} SECONDS"""
    )
