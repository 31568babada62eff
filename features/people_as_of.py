"""Who a person was at a moment: the nodes that belonged to them then, and the events visible then."""

import duckdb
import pyarrow as pa

from core.errors import TableError
from core.settings import Settings
from core.tables import MOMENT
from features.catalog import HEAT_HALF_LIFE_DAYS
from features.facts import counted_events_sql, signal_columns

DAY = 86_400_000_000
# Recency is counted over two years at most: older events only cost time, and a store that forgets stays consistent.
RECENCY_DAYS = 730
# A batch's visible events, and its rows of features, take about 1 GB at most.
BATCH_EVENTS = 5_000_000
BATCH_MOMENTS = 40_000
MOMENTS_SCHEMA = pa.schema([pa.field("customer_id", pa.string()), pa.field("as_of", MOMENT)])


def checked_moments(moments: pa.Table) -> pa.Table:
    """The two columns of a table of moments, in their agreed types.

    Raises:
        TableError: a column is missing, has blanks, or its times carry no time zone.
    """
    missing = [name for name in MOMENTS_SCHEMA.names if name not in moments.column_names]
    if missing:
        raise TableError(f"the moments lack {missing}", "customer_id and as_of", "correct the spine")
    zone = moments.schema.field("as_of").type
    if not pa.types.is_timestamp(zone) or zone.tz is None:
        raise TableError(f"the moments' as_of is {zone}", "a timestamp with its time zone", "correct the spine")
    chosen = moments.select(MOMENTS_SCHEMA.names)
    if any(column.null_count for column in chosen.columns):
        raise TableError("the moments have blanks", "a customer_id and an as_of in each row", "correct the spine")
    return chosen.cast(MOMENTS_SCHEMA)


def longest_days(settings: Settings) -> int:
    """How far back events are read."""
    return max(RECENCY_DAYS, settings.features.windows_days[-1])


def number_moments(connection: duckdb.DuckDBPyConnection, moments: pa.Table) -> int:
    """Create `moments`: each requested (customer_id, as_of) once, numbered in that order; return how many there are."""
    connection.register("requested_moments", checked_moments(moments))
    connection.execute("""
CREATE TABLE moments AS
SELECT row_number() OVER (ORDER BY customer_id, as_of) - 1 AS moment, customer_id, as_of, epoch_us(as_of) AS at_us
FROM (SELECT DISTINCT customer_id, as_of FROM requested_moments)
ORDER BY moment
""")
    connection.unregister("requested_moments")
    row = connection.execute("SELECT count(*) FROM moments").fetchone()
    return int(row[0]) if row else 0


def batches(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
    """Ranges [first, behind) of moments whose visible events fit into memory together; one moment at least.

    All events that a customer's records ever had are counted: never fewer than those visible at the moment.
    """
    events = connection.execute("""
SELECT coalesce(e.events, 0) AS events
FROM moments m
LEFT JOIN (
    SELECT l.customer_id, sum(n.events) AS events
    FROM (SELECT DISTINCT customer_id, node FROM links) l
    JOIN (SELECT node, count(*) AS events FROM event_facts GROUP BY node) n USING (node)
    GROUP BY l.customer_id
) e USING (customer_id)
ORDER BY m.moment
""").fetchnumpy()["events"]
    bounds, first, held = [], 0, 0.0
    for moment, more in enumerate(events.tolist()):
        if moment > first and (held + more > BATCH_EVENTS or moment - first == BATCH_MOMENTS):
            bounds.append((first, moment))
            first, held = moment, 0.0
        held += more
    return [*bounds, (first, len(events))]


def select_batch(connection: duckdb.DuckDBPyConnection, settings: Settings, first: int, behind: int) -> None:
    """Create `batch_moments`, `batch_nodes` and `visible_events` for the moments numbered [first, behind).

    A node belongs to a customer at t if it was linked before t and the link had not ended before t. Of its events those
    are visible that counted at t; `age` is t minus the time an event occurred.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE batch_moments AS SELECT * FROM moments WHERE moment >= $1 AND moment < $2",
        [first, behind],
    )
    connection.execute("""
CREATE OR REPLACE TEMP TABLE batch_nodes AS
SELECT m.moment, m.at_us, l.node
FROM batch_moments m
JOIN links l ON l.customer_id = m.customer_id AND l.linked < m.at_us AND (l.ended IS NULL OR l.ended >= m.at_us)
""")
    signals = "".join(f", e.{column}" for column in signal_columns(settings).values())
    connection.execute(f"""
CREATE OR REPLACE TEMP TABLE visible_events AS
SELECT own.moment, own.at_us - e.occurred AS age, e.active, e.type, e.topic, e.amount_hundredths, e.local_day,
       e.weekend, e.working_hours,
       -- Billionths as whole numbers: their sum does not depend on the order of addition.
       CAST(round(pow(0.5, (own.at_us - e.occurred) / {HEAT_HALF_LIFE_DAYS * DAY}.0) * 1000000000) AS BIGINT) AS warmth
       {signals}
{counted_events_sql("batch_nodes", longest_days(settings) * DAY, "twin.moment = own.moment")}
""")
