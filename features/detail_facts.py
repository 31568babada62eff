"""What is read more closely of some events: where something was bought, what of the product was used, who answered.

Most events are page views and mails that only count. The few whose details tell more lie in a table of their own, so
that the views that read them pass over the others, and cost little where a company has none of them.
"""

from collections.abc import Collection

import duckdb

from core.patterns import like_pattern
from core.settings import Settings
from features.event_facts import counted_events_sql
from features.people_as_of import DAY, longest_days

# What is bought, sent back, asked, settled and used; the unified types of events.
PURCHASE, RETURN = "purchase", "purchase_return"
TICKET, SOLVED = "support_ticket", "support_solved"
USE = "product_use"
DETAILED_VIEWS = frozenset({"usage", "purchase", "support", "warmth", "value"})
# The hours of a day as people speak of them, each from its first hour on; before the first it is night.
HOUR_BANDS = {"early_morning": 5, "morning": 9, "midday": 12, "afternoon": 14, "evening": 18, "night": 22}


def prepare_details(connection: duckdb.DuckDBPyConnection, settings: Settings, views: Collection[str]) -> None:
    """Create `detail_facts` beside the other facts; `deed` says what an event is, blank where it only is an answer.

    Where none of the views reads details the table stays empty.
    """
    rules = settings.features
    local = f"(e.occurred_at AT TIME ZONE '{settings.timezone}')"
    online = " OR ".join(
        [f"e.channel LIKE {like_pattern(pattern)}" for pattern in rules.purchases.online_channels]
        + [f"store ILIKE {like_pattern(pattern)}" for pattern in rules.purchases.online_stores]
    )
    bands = " ".join(f"WHEN hour({local}) >= {first} THEN '{band}'" for band, first in reversed(HOUR_BANDS.items()))
    sent = _channel_sql("e.type", {name: channel.sent for name, channel in rules.channels.items()})
    answered = _channel_sql("e.type", {name: channel.answered for name, channel in rules.channels.items()})
    connection.execute(f"""
CREATE TABLE detail_facts AS
WITH told AS (
    SELECT e.*,
           CASE WHEN e.type = '{PURCHASE}' AND e.amount < 0 THEN '{RETURN}'
                WHEN e.type IN ('{PURCHASE}', '{RETURN}', '{TICKET}', '{SOLVED}', '{USE}') THEN e.type
                WHEN e.channel = 'product' THEN '{USE}' END AS deed,
           {sent} AS sent_by, {answered} AS answered_by
    FROM countable_events e
)
SELECT e.customer, e.known, e.until, e.occurred,
       deed, sent_by, answered_by,
       -- Hundredths as whole numbers: their sum does not depend on the order of addition.
       TRY_CAST(round(abs(e.amount) * 100) AS BIGINT) AS amount_hundredths,
       CAST({local} AS DATE) - DATE '1970-01-01' AS local_day,
       CASE {bands} ELSE 'night' END AS hours,
       CASE WHEN deed = '{PURCHASE}' THEN json_extract_string(e.properties, '$.store') END AS store,
       CASE WHEN deed = '{PURCHASE}' THEN coalesce({online or "false"}, false) END AS online,
       -- Which part of the product: what the source calls it, else the kind of event.
       CASE WHEN deed = '{USE}' THEN coalesce(json_extract_string(e.properties, '$.feature'), e.type) END AS part,
       CASE WHEN deed IN ('{TICKET}', '{SOLVED}')
           THEN coalesce(json_extract_string(e.properties, '$.ticket'), regexp_replace(e.event_id, '^[^:]*:', '')) END
           AS ticket
FROM told e
WHERE {"false" if DETAILED_VIEWS.isdisjoint(views) else "coalesce(deed, sent_by, answered_by) IS NOT NULL"}
ORDER BY e.customer
""")


def select_details(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Create `visible_details`: the details that counted at each moment of the batch, `age` microseconds before it."""
    connection.execute(f"""
CREATE OR REPLACE TEMP TABLE visible_details AS
SELECT own.moment, own.at_us - e.occurred AS age, e.deed, e.sent_by, e.answered_by, e.amount_hundredths, e.local_day,
       e.hours, e.store, e.online, e.part, e.ticket
{counted_events_sql("batch_moments", longest_days(settings) * DAY, "detail_facts")}
""")


def _channel_sql(kind: str, channels: dict[str, tuple[str, ...]]) -> str:
    """The name of the first channel one of whose patterns a type of event matches; blank without one."""
    cases = "".join(
        f" WHEN {kind} LIKE {like_pattern(pattern)} THEN '{name}'"
        for name, patterns in channels.items()
        for pattern in patterns
    )
    return f"CASE{cases} END" if cases else "NULL::VARCHAR"
