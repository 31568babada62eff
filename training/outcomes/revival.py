"""Revival: a deal is opened within the horizon, anew or again, asked of people whose last deal was lost.

Only those are asked about who were in no open deal: whoever lost one deal and talks about another needs no revival.
"""

import duckdb

from core.model_settings import RevivalSettings
from training.outcomes.deals import create_states
from training.outcomes.outcome import Outcome

# A deal of which no stage was known yet, though it had been recorded, was open.
_LAST_LOST = """
CREATE OR REPLACE TEMP TABLE suited_at AS
WITH stage_seen AS (
    SELECT k.customer_id, k.as_of, k.deal_id, max(s.entered_at) AS since,
           coalesce(arg_max(s.outcome, (s.entered_at, s.outcome <> 'open', s.recorded_at)), 'open') AS state
    FROM (SELECT DISTINCT * FROM deals_at) k
    JOIN deals d ON d.deal_id = k.deal_id
    LEFT JOIN deal_stages s ON s.deal_id = k.deal_id AND s.entered_at < k.as_of AND s.recorded_at < k.as_of
    WHERE s.deal_id IS NOT NULL OR (d.opened_at < k.as_of AND d.recorded_at < k.as_of)
    GROUP BY ALL
)
SELECT customer_id, as_of FROM stage_seen
GROUP BY customer_id, as_of
HAVING NOT bool_or(state = 'open') AND arg_max(state, (since, state, deal_id)) = 'lost'
"""
# Each time that a deal was opened, the first and every other, and when it was closed after that.
_TALKS = """
CREATE OR REPLACE TEMP TABLE talks AS
WITH entered AS (
    SELECT deal_id, outcome, entered_at, lag(outcome) OVER (
        PARTITION BY deal_id ORDER BY entered_at, outcome <> 'open', recorded_at, stage
    ) AS former
    FROM deal_stages
),
opened AS (
    SELECT deal_id, opened_at FROM deals
    UNION
    SELECT deal_id, entered_at FROM entered WHERE outcome = 'open' AND former = 'lost'
),
closed AS (
    SELECT deal_id, entered_at AS closed_at FROM entered WHERE outcome <> 'open'
    UNION
    SELECT deal_id, closed_at FROM deals WHERE closed_at IS NOT NULL AND outcome <> 'open'
)
SELECT DISTINCT p.customer_id AS person, o.deal_id, o.opened_at, coalesce(
    (SELECT min(c.closed_at) FROM closed c WHERE c.deal_id = o.deal_id AND c.closed_at >= o.opened_at),
    'infinity'::TIMESTAMPTZ
) AS closed_at
FROM opened o JOIN deal_people p USING (deal_id)
"""


def _suited(connection: duckdb.DuckDBPyConnection, rules: RevivalSettings) -> None:
    del rules
    create_states(connection, by_account=False)
    connection.execute(_LAST_LOST)


def _labelled(connection: duckdb.DuckDBPyConnection, rules: RevivalSettings) -> str:
    connection.execute(_TALKS)
    # Who in truth was in talks at the moment, though no system said so yet, has nothing to be revived.
    return f"""
SELECT m.customer_id, m.as_of, m.person,
       count(t.deal_id) FILTER (t.opened_at >= m.as_of) > 0 AS label,
       arg_min(t.deal_id, (t.opened_at, t.deal_id)) FILTER (t.opened_at >= m.as_of) AS outcome_id,
       min(t.opened_at) FILTER (t.opened_at >= m.as_of) AS outcome_at,
       count(t.deal_id) FILTER (t.opened_at < m.as_of AND t.closed_at >= m.as_of) > 0 AS settled
FROM moments m
LEFT JOIN talks t ON t.person = m.person AND t.opened_at < m.as_of + INTERVAL {rules.label.horizon_days} DAY
GROUP BY ALL
ORDER BY m.as_of, m.customer_id
"""


REVIVAL = Outcome(anonymous=False, suited=_suited, labelled=_labelled)
