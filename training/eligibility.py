"""Who may be scored at a moment, as it was known at that moment."""

import duckdb
import pyarrow as pa

from core.settings import ModelName, Settings
from core.storage import Workspace, connect_duckdb
from core.tables import MOMENT, TEXT

MOMENTS_SCHEMA = pa.schema([pa.field("customer_id", TEXT), pa.field("as_of", MOMENT)])

# A record belongs to a customer at t by the links known before t; facts count when both of their times lie before t.
_NODES = """
CREATE OR REPLACE TEMP TABLE nodes_at AS
SELECT m.customer_id, m.as_of, i.system, i.source_id
FROM moments m
JOIN identities i
  ON i.customer_id = m.customer_id AND i.linked_at < m.as_of AND (i.ended_at IS NULL OR i.ended_at >= m.as_of)
"""
_KNOWN = """
CREATE OR REPLACE TEMP TABLE known_at AS
SELECT DISTINCT customer_id, as_of FROM nodes_at WHERE system <> 'cookie'
"""
_DEALS = """
CREATE OR REPLACE TEMP TABLE deals_at AS
SELECT DISTINCT n.customer_id, n.as_of, p.deal_id
FROM nodes_at n
JOIN deal_people p ON p.system = n.system AND p.source_id = n.source_id AND p.recorded_at < n.as_of
"""
# With account attribution a colleague's deal counts too. Which account a person belongs to is not kept in time: today's
# answer is used, which can only drop a person whose company has already bought.
_ACCOUNT_DEALS = """
INSERT INTO deals_at
SELECT DISTINCT k.customer_id, k.as_of, d.deal_id
FROM known_at k
JOIN today ON today.customer_id = k.customer_id
JOIN customers c ON c.customer_id = today.person
JOIN deals d ON d.account_id = c.account_id AND d.recorded_at < k.as_of
"""
# A deal's state at t is the last stage entered by then; of stages entered together the closing one is the last.
_STATES = """
CREATE OR REPLACE TEMP TABLE states_at AS
WITH stage_seen AS (
    SELECT d.customer_id, d.as_of, d.deal_id,
           bool_or(s.outcome = 'won') AS won,
           arg_max(s.outcome, (s.entered_at, s.outcome <> 'open', s.recorded_at)) AS state
    FROM deals_at d
    JOIN deal_stages s ON s.deal_id = d.deal_id AND s.entered_at < d.as_of AND s.recorded_at < d.as_of
    GROUP BY ALL
)
SELECT customer_id, as_of, bool_or(won) AS won, bool_or(state = 'open' AND NOT won) AS open_deal
FROM stage_seen GROUP BY ALL
"""
_CONSENT = """
CREATE OR REPLACE TEMP TABLE consent_at AS
SELECT n.customer_id, n.as_of, arg_max(c.granted, (c.decided_at, NOT c.granted)) AS granted
FROM nodes_at n
JOIN consents c
  ON c.system = n.system AND c.source_id = n.source_id AND c.purpose = 'profiling'
  AND c.decided_at < n.as_of AND c.recorded_at < n.as_of
GROUP BY ALL
"""
_ELIGIBLE = """
SELECT k.customer_id, k.as_of
FROM known_at k
LEFT JOIN states_at s USING (customer_id, as_of)
LEFT JOIN consent_at c USING (customer_id, as_of)
WHERE NOT coalesce(s.won, false)
  AND coalesce(c.granted, $default_consent)
  AND ($open_deal = 'any' OR coalesce(s.open_deal, false) = ($open_deal = 'required'))
ORDER BY k.as_of, k.customer_id
"""


def eligible_customers(
    settings: Settings, workspace: Workspace, model: ModelName, moments: pa.Table, today: pa.Table | None = None
) -> pa.Table:
    """The moments at which the customer could be scored: known by name, not won, profiling not refused.

    All of it as it was visible at the moment, in both times, through the identity links of that moment.

    Args:
        settings: the configuration; `models.<model>.eligible` decides about people in talks.
        workspace: where the unified tables lie.
        model: which model's rules apply.
        moments: customer_id and as_of (UTC); each pair once.
        today: customer_id and person, today's id of each customer; needed for account attribution alone.

    Returns:
        The eligible rows of `moments`, sorted by as_of and customer_id.
    """
    rules = settings.models[model]
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        connection.register("moments", moments.select(["customer_id", "as_of"]).cast(MOMENTS_SCHEMA))
        connection.execute(_NODES)
        connection.execute(_KNOWN)
        connection.execute(_DEALS)
        if rules.label.attribution == "account":
            _add_account_deals(connection, today)
        connection.execute(_STATES)
        connection.execute(_CONSENT)
        eligible: pa.Table = connection.sql(
            _ELIGIBLE, params={"default_consent": settings.consent.profiling, "open_deal": rules.eligible.open_deal}
        ).to_arrow_table()
    finally:
        connection.close()
    return eligible.cast(MOMENTS_SCHEMA)


def _add_account_deals(connection: duckdb.DuckDBPyConnection, today: pa.Table | None) -> None:
    if today is None:
        connection.execute("CREATE TEMP VIEW today AS SELECT customer_id, customer_id AS person FROM customers")
    else:
        connection.register("today", today)
    connection.execute(_ACCOUNT_DEALS)
