"""Churn: a running agreement ends and is not renewed, or an active buyer stops buying, within the horizon."""

import duckdb

from core.model_settings import ChurnLabel, ChurnSettings
from training.outcomes.outcome import Outcome

_RUNNING = """
CREATE OR REPLACE TEMP TABLE suited_at AS
SELECT DISTINCT n.customer_id, n.as_of
FROM nodes_at n
JOIN contracts c ON c.system = n.system AND c.source_id = n.source_id
WHERE c.started_at < n.as_of AND c.recorded_at < n.as_of
  AND (c.cancelled_at IS NULL OR c.cancelled_at >= n.as_of)
  -- Whose end nobody knew yet was taken to be running; the label leaves such rows out.
  AND (c.ends_at IS NULL OR c.ends_at >= n.as_of OR c.terms_recorded_at >= n.as_of)
"""
_ACTIVE_BUYER = """
CREATE OR REPLACE TEMP TABLE suited_at AS
SELECT DISTINCT n.customer_id, n.as_of
FROM nodes_at n
JOIN events e ON e.system = n.system AND e.source_id = n.source_id
WHERE e.type = 'purchase' AND e.occurred_at < n.as_of AND e.recorded_at < n.as_of
  AND e.occurred_at >= n.as_of - to_days($days)
"""
# A person's agreements that follow each other within the grace are one span of being a customer.
_SPANS = """
CREATE OR REPLACE TEMP TABLE spans AS
WITH agreement AS (
    SELECT customer_id AS person, contract_id, started_at,
           coalesce(least(cancelled_at, ends_at), 'infinity'::TIMESTAMPTZ) AS ended_at
    FROM contracts WHERE customer_id IS NOT NULL
),
followed AS (
    SELECT *, max(ended_at) OVER (
        PARTITION BY person ORDER BY started_at, contract_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_until
    FROM agreement
),
numbered AS (
    SELECT *, count(*) FILTER (covered_until IS NULL OR started_at > covered_until + to_days($grace)) OVER (
        PARTITION BY person ORDER BY started_at, contract_id
    ) AS span
    FROM followed
)
SELECT person, span, min(started_at) AS started_at, max(ended_at) AS ended_at,
       arg_max(contract_id, (ended_at, contract_id)) AS contract_id
FROM numbered GROUP BY person, span
"""


def _suited(connection: duckdb.DuckDBPyConnection, rules: ChurnSettings) -> None:
    if rules.label.basis == "contract":
        connection.execute(_RUNNING)
    else:
        connection.execute(_ACTIVE_BUYER, {"days": rules.label.active_days})


def _labelled(connection: duckdb.DuckDBPyConnection, rules: ChurnSettings) -> str:
    if rules.label.basis == "purchase":
        return _stops_buying(rules.label)
    connection.execute(_SPANS, {"grace": rules.label.grace_days})
    return f"""
SELECT m.customer_id, m.as_of, m.person,
       coalesce(s.ended_at < m.as_of + INTERVAL {rules.label.horizon_days} DAY, false) AS label,
       CASE WHEN s.ended_at < m.as_of + INTERVAL {rules.label.horizon_days} DAY THEN s.contract_id END AS outcome_id,
       CASE WHEN s.ended_at < m.as_of + INTERVAL {rules.label.horizon_days} DAY THEN s.ended_at END AS outcome_at,
       s.person IS NULL AS settled
FROM moments m
LEFT JOIN spans s ON s.person = m.person AND s.started_at < m.as_of AND s.ended_at >= m.as_of
ORDER BY m.as_of, m.customer_id
"""


def _stops_buying(label: ChurnLabel) -> str:
    return f"""
SELECT m.customer_id, m.as_of, m.person, count(e.event_id) = 0 AS label,
       NULL::VARCHAR AS outcome_id, NULL::TIMESTAMPTZ AS outcome_at, false AS settled
FROM moments m
LEFT JOIN events e ON e.customer_id = m.person AND e.type = 'purchase'
    AND e.occurred_at >= m.as_of AND e.occurred_at < m.as_of + INTERVAL {label.horizon_days} DAY
GROUP BY ALL
ORDER BY m.as_of, m.customer_id
"""


CHURN = Outcome(anonymous=False, suited=_suited, labelled=_labelled)
