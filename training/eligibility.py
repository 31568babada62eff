"""Who may be asked about at a moment, as it was known at that moment."""

import pyarrow as pa

from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from core.tables import MOMENT, TEXT
from training.outcomes import OUTCOMES

MOMENTS_SCHEMA = pa.schema([pa.field("customer_id", TEXT), pa.field("as_of", MOMENT)])

# A record belongs to a customer at t by the links known before t; facts count when both of their times lie before t.
_NODES = """
CREATE OR REPLACE TEMP TABLE nodes_at AS
SELECT m.customer_id, m.as_of, i.system, i.source_id
FROM moments m
JOIN identities i
  ON i.customer_id = m.customer_id AND i.linked_at < m.as_of AND (i.ended_at IS NULL OR i.ended_at >= m.as_of)
"""
# Whoever has nothing but cookies at the moment is not known by name then.
_ONLY_KNOWN = """
DELETE FROM nodes_at WHERE (customer_id, as_of) NOT IN (
    SELECT (customer_id, as_of) FROM nodes_at WHERE system <> 'cookie'
)
"""
_CONSENT = """
CREATE OR REPLACE TEMP TABLE consent_at AS
SELECT n.customer_id, n.as_of, arg_max(c.granted, (c.decided_at, NOT c.granted)) AS granted
FROM nodes_at n
JOIN consents c ON c.system = n.system AND c.source_id = n.source_id AND c.purpose = 'profiling'
  AND c.decided_at < n.as_of AND c.recorded_at < n.as_of
GROUP BY ALL
"""
# Own people, competitors and tests by any value that a record of theirs had; and who opted out, if that is wanted.
_EXCLUDED = """
CREATE OR REPLACE TEMP TABLE excluded_at AS
SELECT DISTINCT n.customer_id, n.as_of
FROM nodes_at n
JOIN attributes a ON a.system = n.system AND a.source_id = n.source_id
  AND a.occurred_at < n.as_of AND a.recorded_at < n.as_of
JOIN (SELECT unnest($fields) AS field, unnest($patterns) AS pattern) p
  ON p.field = a.field AND lower(a.value) GLOB lower(p.pattern)
UNION
SELECT n.customer_id, n.as_of
FROM nodes_at n
JOIN consents c ON c.system = n.system AND c.source_id = n.source_id AND c.purpose = 'marketing'
  AND c.decided_at < n.as_of AND c.recorded_at < n.as_of
WHERE $opted_out
GROUP BY ALL
HAVING NOT arg_max(c.granted, (c.decided_at, NOT c.granted))
"""
_ELIGIBLE = """
SELECT s.customer_id, s.as_of
FROM suited_at s
LEFT JOIN consent_at c USING (customer_id, as_of)
ANTI JOIN excluded_at x USING (customer_id, as_of)
WHERE coalesce(c.granted, $default_consent)
ORDER BY s.as_of, s.customer_id
"""


def eligible_customers(settings: Settings, workspace: Workspace, model: ModelName, moments: pa.Table) -> pa.Table:
    """The moments at which the customer could be asked about, had not refused profiling, and was not excluded.

    All of it as it was visible at the moment, in both times, through the identity links of that moment.

    Args:
        settings: the configuration; `models.<model>` decides who is suited.
        workspace: where the unified tables lie.
        model: which model's rules apply.
        moments: customer_id and as_of (UTC); each pair once.

    Returns:
        The eligible rows of `moments`, sorted by as_of and customer_id.
    """
    outcome = OUTCOMES[model]
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        connection.register("moments", moments.select(["customer_id", "as_of"]).cast(MOMENTS_SCHEMA))
        connection.execute(_NODES)
        if not outcome.anonymous:
            connection.execute(_ONLY_KNOWN)
        outcome.suited(connection, settings.models[model])
        connection.execute(_CONSENT)
        exclude = settings.models[model].exclude
        listed = [(field, pattern) for field, patterns in exclude.values.items() for pattern in patterns]
        connection.execute(
            _EXCLUDED,
            {
                "fields": [field for field, _ in listed],
                "patterns": [pattern for _, pattern in listed],
                "opted_out": exclude.opted_out,
            },
        )
        eligible: pa.Table = connection.sql(
            _ELIGIBLE, params={"default_consent": settings.consent.profiling}
        ).to_arrow_table()
    finally:
        connection.close()
    return eligible.cast(MOMENTS_SCHEMA)
