"""One person's features at a moment as they would be, had nothing been told after an earlier one."""

from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from core.tables import MOMENT, TABLES
from features.build import build_features
from features.catalog import service_schema

# The times that say since when a row counts.
_TIMES = {
    "events": ("occurred_at", "recorded_at"),
    "attributes": ("occurred_at", "recorded_at"),
    "consents": ("decided_at", "recorded_at"),
    "deal_people": ("recorded_at",),
    "deal_stages": ("entered_at", "recorded_at"),
    "contracts": ("started_at", "recorded_at"),
    "proofs": ("recorded_at",),
}
_UNTIL = "getvariable('until')"
_NEVER = "TIMESTAMPTZ '9999-12-31 00:00:00+00'"


def features_as_known(
    settings: Settings,
    workspace: Workspace,
    service: str,
    customer_id: str,
    as_of: datetime,
    known_until: datetime | None = None,
) -> pa.Table:
    """The features of a service for one person, built on the spot from today's unified tables.

    Args:
        settings: the configuration.
        workspace: holds the unified tables.
        service: for example `lead_v1`.
        customer_id: as it was valid at `as_of`.
        as_of: the moment that windows and ages are counted from (with time zone).
        known_until: facts that happened, were recorded, linked or ended from this moment on (with time zone) are left
            out. Default: what was known at `as_of`.

    Returns:
        One row: customer_id, as_of, then the features in schema order.

    Raises:
        MissingStageError: no unified tables were published.
    """
    moment = pa.table({"customer_id": [customer_id], "as_of": pa.array([as_of], MOMENT)})
    schema = service_schema(settings, service)
    with workspace.scratch() as folder:
        past = Workspace(folder)
        _publish_past(workspace, past, customer_id, known_until or as_of)
        build_features(settings, past, moment)
        columns = {name: moment[name] for name in moment.column_names}
        for feature in schema.features:
            path = past.current("features") / f"{feature.view}.parquet"
            columns[feature.name] = pq.read_table(path, columns=[feature.name])[feature.name]
    return pa.table(columns)


def _publish_past(workspace: Workspace, past: Workspace, customer_id: str, until: datetime) -> None:
    """Publish, as a workspace of its own, what was known before a moment of a person and of whoever counts for them."""
    manifest = dict(workspace.manifest("customers") or {})
    with connect_duckdb() as connection:
        workspace.tables(connection)
        connection.execute("SET VARIABLE until = ?::TIMESTAMPTZ", [until])
        _find_circle(connection, customer_id)
        with past.publish("customers", "past", manifest) as folder:
            for name in TABLES:
                query = f"COPY ({_known(name)}) TO '{folder / f'{name}.parquet'}' (FORMAT parquet)"
                connection.execute(query)


def _find_circle(connection: duckdb.DuckDBPyConnection, customer_id: str) -> None:
    """Make `circle`: the records of the person, of their company's people, and of everybody in any of their deals.

    Whoever ever owned such a record is in it with all records: which link holds is the question of each moment.
    """
    connection.execute(
        "CREATE TABLE circle AS SELECT DISTINCT system, source_id FROM identities WHERE customer_id = ?", [customer_id]
    )
    _add_other_records(connection)
    connection.execute(
        """INSERT INTO circle SELECT DISTINCT system, source_id FROM attributes
        WHERE field = 'account_id' AND value IN (
            SELECT value FROM attributes SEMI JOIN circle USING (system, source_id) WHERE field = 'account_id')"""
    )
    _add_other_records(connection)
    connection.execute(
        """INSERT INTO circle SELECT DISTINCT system, source_id FROM deal_people
        WHERE deal_id IN (SELECT deal_id FROM deal_people SEMI JOIN circle USING (system, source_id))"""
    )
    _add_other_records(connection)


def _add_other_records(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """CREATE OR REPLACE TABLE circle AS
        FROM circle UNION SELECT system, source_id FROM identities
        WHERE customer_id IN (SELECT customer_id FROM identities SEMI JOIN circle USING (system, source_id))"""
    )


def _known(name: str) -> str:
    """SQL of a table's rows of the circle as they were known before `until`."""
    rows = f"{name} SEMI JOIN circle USING (system, source_id)"
    match name:
        case "identities":
            return f"SELECT * REPLACE ({_before('ended_at')}) FROM {rows} WHERE linked_at < {_UNTIL}"
        case "events":
            # A machine that was found out later passed for a person until then.
            told = f"SELECT * REPLACE ({_later('bot_since', 'bot_since')}) FROM {rows}"
        case "contracts":
            changed = f"{_before('cancelled_at')}, {_later('terms_recorded_at', 'terms_recorded_at')}"
            told = f"SELECT * REPLACE ({changed}) FROM {rows}"
        case "deals":
            # A deal without its own times may still be known by a stage.
            recorded = _later("recorded_at", "greatest(opened_at, recorded_at)")
            told = f"SELECT * REPLACE ({recorded}) FROM {_of_deals(name)}"
        case "deal_stages":
            told = f"FROM {_of_deals(name)}"
        case "proofs":
            told = "FROM proofs"
        case "attributes" | "consents" | "deal_people":
            told = f"FROM {rows}"
        case "campaigns":
            return "FROM campaigns"
        case _:
            # Nothing else says anything of what was known of a person.
            return f"FROM {name} LIMIT 0"
    times = " AND ".join(f"{time} < {_UNTIL}" for time in _TIMES.get(name, ()))
    return f"FROM ({told}) WHERE {times or 'true'}"


def _of_deals(name: str) -> str:
    parts = "SELECT deal_id FROM deal_people SEMI JOIN circle USING (system, source_id)"
    return f"{name} WHERE deal_id IN ({parts})"


def _before(column: str) -> str:
    """An end that had come by then, else none."""
    return f"CASE WHEN {column} < {_UNTIL} THEN {column} END AS {column}"


def _later(column: str, told: str) -> str:
    """The time from which something is known; in the far future where it was not known by then."""
    return f"CASE WHEN {told} >= {_UNTIL} THEN {_NEVER} ELSE {column} END AS {column}"
