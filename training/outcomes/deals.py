"""What was visible of people's deals at a moment; shared by the outcomes that ask whether somebody was won."""

import duckdb

# A record belongs to a customer at t by the links known before t; facts count when both of their times lie before t.
_DEALS = """
CREATE OR REPLACE TEMP TABLE deals_at AS
SELECT DISTINCT n.customer_id, n.as_of, p.deal_id
FROM nodes_at n
JOIN deal_people p ON p.system = n.system AND p.source_id = n.source_id AND p.recorded_at < n.as_of
"""
# With account attribution a colleague's deal counts too: a deal with any company that the person's records had stated.
_ACCOUNT_DEALS = """
INSERT INTO deals_at
SELECT DISTINCT n.customer_id, n.as_of, d.deal_id
FROM nodes_at n
JOIN attributes a ON a.field = 'account_id' AND a.system = n.system AND a.source_id = n.source_id
    AND a.occurred_at < n.as_of AND a.recorded_at < n.as_of
JOIN deals d ON d.account_id = a.value AND d.recorded_at < n.as_of
"""
# A deal's state at t is the last stage entered by then; of stages entered together the closing one is the last.
_STATES = """
CREATE OR REPLACE TEMP TABLE states_at AS
WITH stage_seen AS (
    SELECT d.customer_id, d.as_of, d.deal_id,
           bool_or(s.outcome = 'won') AS won,
           arg_max(s.outcome, (s.entered_at, s.outcome <> 'open', s.recorded_at)) AS state
    FROM (SELECT DISTINCT * FROM deals_at) d
    JOIN deal_stages s ON s.deal_id = d.deal_id AND s.entered_at < d.as_of AND s.recorded_at < d.as_of
    GROUP BY ALL
)
SELECT customer_id, as_of, bool_or(won) AS won, bool_or(state = 'open' AND NOT won) AS open_deal
FROM stage_seen GROUP BY ALL
"""


def create_states(connection: duckdb.DuckDBPyConnection, *, by_account: bool) -> None:
    """Create `states_at` (customer_id, as_of, won, open_deal) for those of `nodes_at` who were in a deal."""
    connection.execute(_DEALS)
    if by_account:
        connection.execute(_ACCOUNT_DEALS)
    connection.execute(_STATES)
