"""Who a person was at a moment: the nodes that belonged to them then."""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from core.errors import TableError
from core.settings import Settings
from core.tables import MOMENT

DAY = 86_400_000_000
# Recency is counted over two years at most: older events only cost time, and a store that forgets stays consistent.
RECENCY_DAYS = 730
# A batch's events, and its rows of features, take about 1 GB at most.
BATCH_EVENTS = 5_000_000
BATCH_MOMENTS = 100_000
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


def number_moments(connection: duckdb.DuckDBPyConnection, settings: Settings, moments: pa.Table) -> int:
    """Create `moments`: each requested (customer_id, as_of) once, numbered in that order; return how many there are.

    `customer` is the person's number, blank for an id that was never linked to anything; `local_day` the day of as_of
    in the business time zone.
    """
    connection.register("requested_moments", checked_moments(moments))
    connection.execute(f"""
CREATE TABLE moments AS
SELECT (row_number() OVER (ORDER BY r.customer_id, r.as_of) - 1)::INTEGER AS moment, r.customer_id, r.as_of,
       epoch_us(r.as_of) AS at_us, p.customer,
       CAST(r.as_of AT TIME ZONE '{settings.timezone}' AS DATE) - DATE '1970-01-01' AS local_day
FROM (SELECT DISTINCT customer_id, as_of FROM requested_moments) r LEFT JOIN people p USING (customer_id)
ORDER BY moment
""")
    connection.unregister("requested_moments")
    row = connection.execute("SELECT count(*) FROM moments").fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True)
class Batch:
    """The moments numbered [first, behind), and the most events that any of their people ever had."""

    first: int
    behind: int
    most_events: int


def batches(connection: duckdb.DuckDBPyConnection) -> Iterator[Batch]:
    """Moments whose visible events fit into memory together; one moment at least.

    All events that a person ever had are counted: never fewer than those visible at the moment.
    """
    counts = connection.execute("""
SELECT coalesce(e.events, 0) AS events
FROM moments m LEFT JOIN (SELECT customer, count(*) AS events FROM event_facts GROUP BY customer) e USING (customer)
ORDER BY m.moment
""").fetchnumpy()
    events = np.asarray(counts["events"], dtype=np.int64)
    held = np.cumsum(events)
    first = 0
    while first < len(events):
        before = held[first - 1] if first else 0
        fitting = int(np.searchsorted(held, before + BATCH_EVENTS, side="right"))
        behind = min(max(fitting, first + 1), first + BATCH_MOMENTS)
        yield Batch(first, behind, int(events[first:behind].max()))
        first = behind


def select_batch(connection: duckdb.DuckDBPyConnection, batch: Batch, kept: str) -> int:
    """Create `batch_moments` and `batch_nodes` for the moments of a batch that must be counted; say how many these are.

    A node belongs to a customer at t if it was linked before t and the link had not ended before t.

    Args:
        connection: with the links and the moments.
        batch: which moments.
        kept: the column of `kept_moments` that says which of them are taken from a former build.
    """
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE batch_moments AS
        SELECT * FROM moments ANTI JOIN (FROM kept_moments WHERE {kept}) USING (moment)
        WHERE moment >= $1 AND moment < $2""",
        [batch.first, batch.behind],
    )
    connection.execute("""
CREATE OR REPLACE TEMP TABLE batch_nodes AS
SELECT m.moment, m.at_us, l.node
FROM batch_moments m
JOIN links l ON l.customer = m.customer AND l.linked < m.at_us AND (l.ended IS NULL OR l.ended >= m.at_us)
""")
    row = connection.execute("SELECT count(*) FROM batch_moments").fetchone()
    return int(row[0]) if row else 0
