"""Support: how often somebody asked for help, and what is still unsettled."""

from core.settings import Settings
from features.catalog import wide_windows
from features.detail_facts import SOLVED, TICKET
from features.people_as_of import DAY


def support_query(settings: Settings) -> str:
    """One row per moment of the batch; only requests of the two years before it are read.

    A request is open at t unless an event told before t that it was settled; the event may hang on another record of
    the same person.
    """
    windows = dict.fromkeys((wide_windows(settings)[0], settings.features.windows_days[-1]))
    counts = "".join(
        f"\n        count(*) FILTER (WHERE t.age <= {days * DAY}) AS support_tickets_{days}d," for days in windows
    )
    names = "".join(f"\n    coalesce(t.support_tickets_{days}d, 0) AS support_tickets_{days}d," for days in windows)
    return f"""
WITH tickets AS (
    SELECT moment, ticket, max(age) AS age FROM visible_details WHERE deed = '{TICKET}' GROUP BY moment, ticket
),
solved AS (
    SELECT moment, ticket, min(age) AS age FROM visible_details WHERE deed = '{SOLVED}' GROUP BY moment, ticket
),
counted AS (
    SELECT t.moment,{counts}
        min(t.age) AS age,
        count(*) FILTER (WHERE s.age IS NULL) AS open,
        max(t.age) FILTER (WHERE s.age IS NULL) AS open_age,
        sum(greatest(t.age - s.age, 0)) AS solving,
        count(s.age) AS solved
    FROM tickets t LEFT JOIN solved s USING (moment, ticket) GROUP BY t.moment
)
SELECT b.moment,{names}
    t.age / {DAY}.0 AS support_days_since,
    coalesce(t.open, 0) AS support_open,
    t.open_age / {DAY}.0 AS support_open_days,
    t.solving::DOUBLE / nullif(t.solved, 0)::DOUBLE / {DAY}.0 AS support_solving_days
FROM batch_moments b LEFT JOIN counted t USING (moment)
"""
