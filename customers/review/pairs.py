"""Pairs of records that a person should look at: as likely one person as not, the most doubtful first."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from customers.connectors.raw import literal
from customers.decisions import Decision, decisions_in_force
from customers.linking import HASH_OF_RECORD
from customers.record_states import READ_FIELDS

# How a record is called where a spreadsheet may turn its own id into a number or a date.
RECORD_MARK = "r_"
_ROWS = 1_000
# Near the bar in log-odds. A pair that names forbid is worth a look too; one whose link changes nothing is not.
_DOUBTFUL = """
CREATE TABLE doubtful AS
WITH owners AS (SELECT system, source_id, customer_id FROM identities WHERE ended_at IS NULL),
alike AS (
    SELECT p.left_system, p.left_id, p.right_system, p.right_id, p.probability, p.related, p.evidence,
           a.customer_id AS left_customer_id, b.customer_id AS right_customer_id,
           abs(logit(p.probability) - logit($bar)) AS distance
    FROM identity_pairs p
    JOIN owners a ON a.system = p.left_system AND a.source_id = p.left_id
    JOIN owners b ON b.system = p.right_system AND b.source_id = p.right_id
    WHERE (p.left_system, p.left_id, p.right_system, p.right_id) NOT IN (FROM decided)
),
uniting AS (
    SELECT least((left_system, left_id), (right_system, right_id)) AS one,
           greatest((left_system, left_id), (right_system, right_id)) AS other
    FROM identity_links WHERE rule = 'similar' AND state = 'joined'
),
asked AS (
    SELECT *, left_customer_id = right_customer_id AS together FROM alike
    WHERE left_customer_id <> right_customer_id
       OR ((left_system, left_id), (right_system, right_id)) IN (FROM uniting)
    -- One question is enough about the same two people.
    QUALIFY together OR row_number() OVER (
        PARTITION BY least(left_customer_id, right_customer_id), greatest(left_customer_id, right_customer_id)
        ORDER BY distance, left_system, left_id, right_system, right_id) = 1
)
SELECT row_number() OVER (ORDER BY distance, left_system, left_id, right_system, right_id) AS place, a.*,
       c.consent_profiling AND d.consent_profiling AS allowed
FROM asked a JOIN customers c ON c.customer_id = left_customer_id JOIN customers d ON d.customer_id = right_customer_id
"""
_SIDES = ("left", "right")


@dataclass(frozen=True)
class DoubtfulPairs:
    """Which pairs were chosen: `found` in all, of whom `left_out` are about somebody who refused profiling."""

    found: int
    left_out: int
    columns: tuple[str, ...]
    rows: Iterator[tuple[object, ...]]


def review_columns() -> tuple[str, ...]:
    """The columns of a list for review: the decision to fill in, likelihood, both records, and how they are called."""
    compared = [f"{field}_{side}" for field in READ_FIELDS for side in _SIDES]
    called = [f"{side}_{part}" for side in _SIDES for part in ("record", "system", "id", "customer_id")]
    return ("decision", "decided_by", "probability", "related", "now", "agreement", *compared, *called)


def doubtful_pairs(
    settings: Settings, workspace: Workspace, decisions: Sequence[Decision], limit: int
) -> DoubtfulPairs:
    """Pairs near the bar on either side of it that nobody has decided about yet, the most doubtful first.

    Whoever refused profiling is on no list, here neither.

    Args:
        settings: says how sure a likeness has to be.
        workspace: holds the unified tables.
        decisions: all that people decided, in the order of time.
        limit: so many pairs at most.

    Raises:
        MissingStageError: nothing was unified yet.
    """
    connection = connect_duckdb()
    workspace.tables(connection)
    bar = min(settings.identity.similar.least_probability, 1 - 1e-6)
    connection.execute("CREATE MACRO logit(p) AS ln(greatest(p, 1e-9) / greatest(1 - p, 1e-9))")
    pairs = [(*pair.left, *pair.right) for pair in decisions_in_force(decisions)]
    columns = [pa.array(column, pa.string()) for column in zip(*pairs, strict=True)] or [pa.array([], pa.string())] * 4
    connection.register("decided", pa.table(columns, names=["a", "b", "c", "d"]))
    connection.execute(_DOUBTFUL, {"bar": bar})
    ((found, left_out),) = connection.execute("SELECT count(*), count(*) FILTER (NOT allowed) FROM doubtful").fetchall()
    return DoubtfulPairs(found, left_out, review_columns(), _rows(connection, limit))


def _rows(connection: duckdb.DuckDBPyConnection, limit: int) -> Iterator[tuple[object, ...]]:
    """The chosen pairs with the newest values of both records, a part at a time."""
    connection.execute(f"CREATE TABLE chosen AS FROM doubtful WHERE allowed ORDER BY place LIMIT {int(limit)}")
    listed = ", ".join(literal(field) for field in READ_FIELDS)
    picked = ", ".join(f"max(value) FILTER (field = {literal(field)}) AS {field}" for field in READ_FIELDS)
    connection.execute(
        f"""CREATE TABLE values_now AS
        WITH wanted AS (
            SELECT left_system AS system, left_id AS source_id FROM chosen
            UNION SELECT right_system, right_id FROM chosen
        ), newest AS (
            SELECT system, source_id, field, arg_max(value, (occurred_at, recorded_at, value)) AS value
            FROM attributes SEMI JOIN wanted USING (system, source_id)
            WHERE field IN ({listed}) AND value IS NOT NULL GROUP BY ALL
        )
        SELECT system, source_id, '{RECORD_MARK}' || {HASH_OF_RECORD} AS record, {picked}
        FROM wanted LEFT JOIN newest USING (system, source_id) GROUP BY system, source_id"""
    )
    compared = ", ".join(f"{side}_values.{field}" for field in READ_FIELDS for side in _SIDES)
    called = ", ".join(f"{side}_values.record, {side}_system, {side}_id, {side}_customer_id" for side in _SIDES)
    result = connection.execute(
        f"""SELECT round(probability, 6), round(related, 6), CASE WHEN together THEN 'same' ELSE 'different' END,
                   evidence, {compared}, {called}
        FROM chosen
        JOIN values_now left_values ON left_values.system = left_system AND left_values.source_id = left_id
        JOIN values_now right_values ON right_values.system = right_system AND right_values.source_id = right_id
        ORDER BY place"""
    )
    while rows := result.fetchmany(_ROWS):
        for probability, related, now, evidence, *rest in rows:
            yield (None, None, probability, related, now, _in_words(evidence), *rest)
    connection.close()


def _in_words(evidence: str) -> str:
    """What each field says, the weightiest first.

    >>> _in_words('[{"field": "email", "agreement": "different", "bits": -0.5}]')
    'email: different (-0.5)'
    """
    said = sorted(json.loads(evidence), key=lambda field: (-abs(field["bits"]), field["field"]))
    return "; ".join(f"{field['field']}: {field['agreement']} ({field['bits']:+.1f})" for field in said)
