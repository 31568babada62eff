"""Events that confirm or refute a value: who clicks is reached at that address, a mail that bounces is not."""

import duckdb
import pyarrow as pa

from core.settings import Settings
from customers.connectors.raw import literal
from customers.linking import KEY_SYSTEMS

# A click believed for ten minutes to be a person's is taken for one: bursts are found within seconds of their record.
_SETTLED = "INTERVAL 10 MINUTES"


def build_proofs(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `proofs` of the events, values and `horizon`: since when a value is known to be verified or refuted.

    An event of a record speaks of the value that the record held when it occurred, as far as that was known when the
    event was; where no value was, of the first that became known. An event of an address or login speaks of that. What
    was proved of a value holds for every record that has it, and the event that occurred last decides. A row is written
    for each change of that, dated so that neither a later event nor a later value changes what was believed before.
    """
    given = [
        (kind, field, verified)
        for field, rule in settings.survivorship.proofs.items()
        for verified, kinds in ((True, rule.verified_by), (False, rule.refuted_by))
        for kind in kinds
    ]
    types = (pa.string(), pa.string(), pa.bool_())
    columns = list(zip(*given, strict=True)) if given else [(), (), ()]
    kinds = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    connection.register("proof_kinds", pa.table(kinds, names=["type", "field", "verified"]))
    keys = ", ".join(f"'{system}'" for system in KEY_SYSTEMS)
    # Told to the scan: a join with the kinds alone would first give each event its person.
    listed = ", ".join(sorted({literal(kind) for kind, _, _ in given})) or "NULL"
    connection.execute(
        f"""CREATE TABLE proofs AS
        WITH told AS (
            SELECT e.event_id, e.customer_id, e.system, e.source_id, k.field, k.verified, e.occurred_at,
                   e.recorded_at + CASE WHEN k.verified THEN {_SETTLED} ELSE INTERVAL 0 SECONDS END AS known_at
            FROM published_events e JOIN proof_kinds k USING (type)
            WHERE e.type IN ({listed})
                AND NOT (k.verified AND e.is_bot AND e.bot_since <= e.recorded_at + {_SETTLED})
        ), dated AS (
            SELECT * EXCLUDE (event_id), source_id AS value FROM told WHERE system = field AND system IN ({keys})
            UNION ALL
            SELECT t.* EXCLUDE (event_id) REPLACE (greatest(t.known_at, a.recorded_at) AS known_at), a.value
            FROM told t JOIN published_attributes a USING (system, source_id, field)
            WHERE a.occurred_at <= t.occurred_at AND a.value IS NOT NULL
            QUALIFY row_number() OVER (
                PARTITION BY t.event_id, t.field, t.verified
                ORDER BY greatest(t.known_at, a.recorded_at), a.occurred_at DESC, a.recorded_at DESC, a.value) = 1
        ), newest AS (
            FROM dated WHERE known_at <= (SELECT data_until FROM horizon)
            QUALIFY occurred_at >= max(occurred_at) OVER (
                PARTITION BY field, value ORDER BY known_at RANGE UNBOUNDED PRECEDING)
        ), settled AS (
            FROM newest QUALIFY row_number() OVER (
                PARTITION BY field, value, known_at ORDER BY occurred_at DESC, verified, system, source_id) = 1
        )
        SELECT customer_id, system, source_id, field, value, verified, occurred_at, known_at AS recorded_at
        FROM settled
        QUALIFY lag(verified) OVER (PARTITION BY field, value ORDER BY known_at) IS DISTINCT FROM verified"""
    )
    connection.unregister("proof_kinds")
