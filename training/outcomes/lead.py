"""Lead: a deal is won within the horizon, asked of people who are known by name and not won yet."""

import duckdb

from core.model_settings import LeadSettings
from training.outcomes.deals import create_states
from training.outcomes.outcome import Outcome

_WON_BY_CONTACTS = """
SELECT DISTINCT p.customer_id AS person, d.deal_id, d.closed_at
FROM deals d JOIN deal_people p USING (deal_id)
WHERE d.outcome = 'won' AND d.closed_at IS NOT NULL
"""
_WON_BY_ACCOUNT = f"""
{_WON_BY_CONTACTS}
UNION
SELECT c.customer_id, d.deal_id, d.closed_at
FROM deals d JOIN customers c USING (account_id)
WHERE d.outcome = 'won' AND d.closed_at IS NOT NULL
"""


def _suited(connection: duckdb.DuckDBPyConnection, rules: LeadSettings) -> None:
    create_states(connection, by_account=rules.label.attribution == "account")
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE suited_at AS
        SELECT k.customer_id, k.as_of
        FROM (SELECT DISTINCT customer_id, as_of FROM nodes_at) k
        LEFT JOIN states_at s USING (customer_id, as_of)
        WHERE NOT coalesce(s.won, false)
          AND ($open_deal = 'any' OR coalesce(s.open_deal, false) = ($open_deal = 'required'))
        """,
        {"open_deal": rules.eligible.open_deal},
    )


def _labelled(connection: duckdb.DuckDBPyConnection, rules: LeadSettings) -> str:
    won = _WON_BY_ACCOUNT if rules.label.attribution == "account" else _WON_BY_CONTACTS
    connection.execute(f"CREATE OR REPLACE TEMP TABLE won AS {won}")
    return joined_after("won", rules.label.horizon_days)


def joined_after(entries: str, horizon_days: int) -> str:
    """The label query for an outcome that is an entry (person, deal_id, closed_at) of the table `entries`."""
    return f"""
SELECT m.customer_id, m.as_of, m.person,
       count(w.deal_id) FILTER (w.closed_at >= m.as_of) > 0 AS label,
       arg_min(w.deal_id, (w.closed_at, w.deal_id)) FILTER (w.closed_at >= m.as_of) AS outcome_id,
       min(w.closed_at) FILTER (w.closed_at >= m.as_of) AS outcome_at,
       count(w.deal_id) FILTER (w.closed_at < m.as_of) > 0 AS settled
FROM moments m
LEFT JOIN {entries} w ON w.person = m.person AND w.closed_at < m.as_of + INTERVAL {horizon_days} DAY
GROUP BY ALL
ORDER BY m.as_of, m.customer_id
"""


LEAD = Outcome(anonymous=False, suited=_suited, labelled=_labelled)
