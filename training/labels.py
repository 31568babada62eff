"""What came of a customer after a moment: a deal won within the horizon, by today's knowledge."""

from datetime import timedelta

import duckdb
import pyarrow as pa

from core.model_settings import LabelSettings
from core.tables import MOMENT, TEXT

LABELLED_SCHEMA = pa.schema(
    [
        pa.field("customer_id", TEXT),
        pa.field("as_of", MOMENT),
        pa.field("person", TEXT),
        pa.field("label", pa.bool_()),
        pa.field("deal_id", TEXT),
        pa.field("won_at", MOMENT),
        pa.field("won_before", pa.bool_()),
    ]
)

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
_LABELLED = """
SELECT m.customer_id, m.as_of, m.person,
       count(w.deal_id) FILTER (w.closed_at >= m.as_of) > 0 AS label,
       arg_min(w.deal_id, (w.closed_at, w.deal_id)) FILTER (w.closed_at >= m.as_of) AS deal_id,
       min(w.closed_at) FILTER (w.closed_at >= m.as_of) AS won_at,
       count(w.deal_id) FILTER (w.closed_at < m.as_of) > 0 AS won_before
FROM moments m
LEFT JOIN won w ON w.person = m.person AND w.closed_at < m.as_of + $horizon
GROUP BY ALL
ORDER BY m.as_of, m.customer_id
"""


def label_moments(connection: duckdb.DuckDBPyConnection, moments: pa.Table, rules: LabelSettings) -> pa.Table:
    """Say for each moment whether a deal of the person was won in [as_of, as_of + horizon).

    Unlike features, labels use today's truth: who turned out to be whom, and when the deal was really won.

    Args:
        connection: a DuckDB that sees the unified tables.
        moments: customer_id, as_of, person (today's id of the customer).
        rules: horizon, and whether a deal counts for its contacts or for everybody of its account.

    Returns:
        `moments` with label, the counted deal (the earliest), when it was won, and whether another one had in truth
        been won before the moment; sorted by as_of and customer_id.
    """
    connection.register("moments", moments)
    won = _WON_BY_ACCOUNT if rules.attribution == "account" else _WON_BY_CONTACTS
    connection.execute(f"CREATE OR REPLACE TEMP TABLE won AS {won}")
    labelled: pa.Table = connection.sql(
        _LABELLED, params={"horizon": timedelta(days=rules.horizon_days)}
    ).to_arrow_table()
    connection.unregister("moments")
    return labelled.cast(LABELLED_SCHEMA)
