"""A person leaves the unified tables: who it is, which keys must not come back, and which rows go."""

from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from core.database import open_database
from core.erasure import (
    THEIR_ID,
    THEIR_ROW,
    ForgottenPerson,
    erasure_connection,
    matching_rows,
    rewrite_generation,
    scrub_sqlite,
)
from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from core.tables import TABLES
from customers.cache import erase_cache
from customers.cleansing.email import is_role_mailbox
from customers.connectors.raw import literal
from customers.decisions import forget_decisions
from customers.forgotten import id_columns, keys_in
from customers.linking import KEY_SYSTEMS
from customers.similar import erase_compared
from customers.suppression import ANY_APART, Key, apart_key

# The system of the product's own ids.
OWN_SYSTEM = "kizashi"
_NAMED_IN_PAIR = " OR ".join(
    f"({side}_system, {side}_id) IN (SELECT (system, id) FROM forgotten_keys)" for side in ("left", "right")
)
_CONDITIONS = {
    **dict.fromkeys(("customers", "lifecycle"), THEIR_ID),
    **dict.fromkeys(("identities", "attributes", "proofs", "events", "deal_people", "consents"), THEIR_ROW),
    **dict.fromkeys(("identity_links", "identity_pairs"), _NAMED_IN_PAIR),
    "identity_changes": "old_id IN (FROM forgotten_ids) OR new_id IN (FROM forgotten_ids)",
    "deals": "deal_id IN (FROM forgotten_deals)",
    "deal_stages": "deal_id IN (FROM forgotten_deals)",
    "contracts": f"account_id IS NULL AND {THEIR_ROW}",
    "accounts": "account_id IN (FROM forgotten_accounts)",
    "quarantine": "(source, file, line) IN (SELECT (source, file, line) FROM forgotten_lines)",
}
_COMPANY_CONTRACT = f"account_id IS NOT NULL AND {THEIR_ROW}"
_DETACHED_CONTRACTS = f"""
SELECT * EXCLUDE (theirs)
    REPLACE (CASE WHEN NOT theirs THEN customer_id END AS customer_id, CASE WHEN NOT theirs THEN system END AS system,
             CASE WHEN NOT theirs THEN source_id END AS source_id)
FROM (SELECT *, coalesce({THEIR_ROW}, false) AS theirs FROM contracts) WHERE NOT theirs OR account_id IS NOT NULL
"""
# What was one happening for a time, while two people were taken for one, is the other's own.
_DANGLING = f"duplicate_of IN (SELECT event_id FROM events WHERE {THEIR_ROW}) AND NOT {THEIR_ROW}"
_LONE_EVENTS = f"""
SELECT * REPLACE (CASE WHEN duplicate_of NOT IN (SELECT event_id FROM events WHERE {THEIR_ROW})
                  THEN duplicate_of END AS duplicate_of)
FROM events WHERE NOT {THEIR_ROW}
"""
# What leaves the quarantine counts as forgotten; what was published of the file is counted anew by the next run.
_SETTLED_SOURCES = """
SELECT s.* REPLACE (quarantined - coalesce(lines, 0) AS quarantined, forgotten + coalesce(lines, 0) AS forgotten)
FROM sources s
LEFT JOIN (SELECT source, file, count(DISTINCT line) AS lines FROM forgotten_lines GROUP BY ALL) USING (source, file)
"""


def known_by(workspace: Workspace, customer_id: str) -> ForgottenPerson:
    """All by which a person of today is known, former ids included."""
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        keys = connection.execute(
            """SELECT DISTINCT system, source_id FROM identities
            WHERE customer_id = $1 AND ended_at IS NULL ORDER BY ALL""",
            [customer_id],
        ).fetchall()
        ids = connection.execute(
            """WITH RECURSIVE last_merge AS (
                SELECT old_id, arg_max(new_id, (changed_at, new_id)) AS new_id FROM identity_changes
                WHERE kind = 'merge' AND old_id NOT IN (SELECT customer_id FROM customers) GROUP BY old_id
            ), former(id) AS (
                SELECT $1
                UNION SELECT old_id FROM last_merge JOIN former ON new_id = id
            ), own AS (
                SELECT system, source_id FROM identities WHERE customer_id = $1 AND ended_at IS NULL
            )
            SELECT id FROM (FROM former UNION SELECT customer_id FROM identities JOIN own USING (system, source_id))
            WHERE id = $1 OR id NOT IN (SELECT customer_id FROM customers) ORDER BY id""",
            [customer_id],
        ).fetchall()
    finally:
        connection.close()
    return ForgottenPerson(tuple(row[0] for row in ids), tuple((system, source_id) for system, source_id in keys))


def keys_to_suppress(workspace: Workspace, person: ForgottenPerson, together: ForgottenPerson) -> list[Key]:
    """Everything that would let somebody see that a row of tomorrow is about the person, but for what others share.

    A mailbox, login or telephone that another person's record bears too, and the mailbox of a role, would keep away
    people who never asked for it.

    Args:
        workspace: holds the unified tables.
        person: whose keys they are.
        together: all who are forgotten at once; what they share among themselves is nobody else's.
    """
    theirs, others = _borne(workspace, person)[0], _borne(workspace, together)[1]
    keys = {Key(*key) for key in (*person.keys, *theirs)} - others
    own = {Key(OWN_SYSTEM, customer_id) for customer_id in person.customer_ids}
    own |= _apart(workspace, person, together)
    return sorted(own | {key for key in keys if not (key.system == "email" and is_role_mailbox(key.id))})


def _apart(workspace: Workspace, person: ForgottenPerson, together: ForgottenPerson) -> set[Key]:
    """Links of systems between the person's records and those of people who stay: somebody told them apart."""
    connection = erasure_connection(together)
    keys = ", ".join(literal(system) for system in KEY_SYSTEMS)
    try:
        workspace.tables(connection)
        rows = connection.execute(
            f"""SELECT left_system, left_id, right_system, right_id FROM identity_links
            WHERE rule NOT IN ('similar', 'decision') AND left_system NOT IN ({keys}) AND right_system NOT IN ({keys})
              AND ((left_system, left_id) IN (SELECT (system, id) FROM forgotten_keys))
                  <> ((right_system, right_id) IN (SELECT (system, id) FROM forgotten_keys))"""
        ).fetchall()
    finally:
        connection.close()
    theirs = set(person.keys)
    found = {apart_key(Key(*row[:2]), Key(*row[2:])) for row in rows if {row[:2], row[2:]} & theirs}
    return found | {ANY_APART} if found else found


def _borne(workspace: Workspace, person: ForgottenPerson) -> tuple[set[Key], set[Key]]:
    """The addresses, logins and telephones that the person's records ever bore, and those that others bore."""
    connection = erasure_connection(person)
    try:
        workspace.tables(connection)
        rows = connection.execute(
            f"""SELECT DISTINCT field, value, {THEIR_ROW} AS theirs FROM attributes
            WHERE field IN ('email', 'login', 'phone') AND value IS NOT NULL"""
        ).fetchall()
    finally:
        connection.close()
    return {Key(*row[:2]) for row in rows if row[2]}, {Key(*row[:2]) for row in rows if not row[2]}


def count_in_tables(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> dict[str, int]:
    """How many rows of each unified table speak of the person."""
    connection = _connection(settings, workspace, person)
    try:
        counts = {name: len(places) for name, places in _rows(connection, workspace).items()}
        counts["contracts"] += len(matching_rows(connection, workspace.table_path("contracts"), _COMPANY_CONTRACT))
    finally:
        connection.close()
    return counts


def erase_from_tables(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> None:
    """Publish the unified tables again without the person; a company's deals and contracts stay, without their name.

    What was kept for the next run goes first, as a whole: it is worked out anew.
    """
    erase_cache(workspace)
    erase_compared(workspace)
    connection = _connection(settings, workspace, person)
    try:
        rows = _rows(connection, workspace)
        changed = {}
        if matching_rows(connection, workspace.table_path("contracts"), _COMPANY_CONTRACT):
            changed["contracts"] = connection.sql(_DETACHED_CONTRACTS).to_arrow_table()
        if connection.execute(f"SELECT count(*) FROM events WHERE {_DANGLING}").fetchall()[0][0]:
            changed["events"] = connection.sql(_LONE_EVENTS).to_arrow_table()
        if rows["quarantine"]:
            changed["sources"] = connection.sql(_SETTLED_SOURCES).to_arrow_table()
        checked = {name: TABLES[name].check(table) for name, table in changed.items()}
    finally:
        connection.close()
    files = {f"{name}.parquet": places for name, places in rows.items()}
    counts = {name: pq.read_metadata(workspace.table_path(name)).num_rows - len(rows.get(name, ())) for name in TABLES}
    if "contracts" in checked:
        counts["contracts"] = checked["contracts"].num_rows
    rewrite_generation(
        workspace, "customers", files, {"counts": counts}, {f"{name}.parquet": table for name, table in checked.items()}
    )


def erase_decisions(settings: Settings, workspace: Workspace, keys: Collection[Key]) -> None:
    """Erase what people decided about some records, to the last byte where the database is a file of ours.

    Raises:
        BusyError: an SQLite file is in use, so that what was deleted cannot be overwritten.
    """
    engine = open_database(settings, workspace)
    try:
        forget_decisions(engine, keys)
    finally:
        engine.dispose()
    if engine.dialect.name == "sqlite" and engine.url.database:
        scrub_sqlite(Path(engine.url.database))


def _rows(connection: duckdb.DuckDBPyConnection, workspace: Workspace) -> dict[str, list[int]]:
    """The places of the rows that go, by table."""
    return {
        name: matching_rows(connection, workspace.table_path(name), condition)
        for name, condition in _CONDITIONS.items()
    }


def _connection(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> duckdb.DuckDBPyConnection:
    """The tables, and what hangs on nobody else: deals, accounts read from the person alone, rows in quarantine."""
    connection = erasure_connection(person)
    workspace.tables(connection)
    connection.execute(
        f"""CREATE TABLE forgotten_deals AS
        SELECT deal_id FROM deals WHERE account_id IS NULL
            AND deal_id IN (SELECT deal_id FROM deal_people WHERE {THEIR_ROW})
            AND deal_id NOT IN (SELECT deal_id FROM deal_people WHERE NOT {THEIR_ROW})"""
    )
    # A sole trader's company is called after the person.
    connection.execute(
        f"""CREATE TABLE forgotten_accounts AS
        WITH told AS (SELECT DISTINCT value AS account_id, {THEIR_ROW} AS theirs FROM attributes
                      WHERE field = 'account_id' AND value IS NOT NULL)
        SELECT account_id FROM told WHERE starts_with(account_id, 'domain:') OR starts_with(account_id, 'company:')
        GROUP BY account_id HAVING bool_and(theirs)"""
    )
    connection.execute("CREATE TABLE forgotten_lines (source VARCHAR, file VARCHAR, line BIGINT)")
    theirs = _quarantined(settings, connection, set(keys_to_suppress(workspace, person, person)))
    if theirs:
        connection.executemany("INSERT INTO forgotten_lines VALUES (?, ?, ?)", theirs)
    return connection


def _quarantined(
    settings: Settings, connection: duckdb.DuckDBPyConnection, keys: set[Key]
) -> Sequence[tuple[str, str, int]]:
    columns = {source.name: id_columns(source) for source in settings.sources}
    rows = connection.execute("SELECT source, file, line, section, raw FROM quarantine").fetchall()
    return [
        (source, file, line)
        for source, file, line, section, raw in rows
        if not keys.isdisjoint(keys_in(raw, columns.get(source, {}), section == "file"))
    ]
