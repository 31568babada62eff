"""From records, keys, links and decisions to the tables `identities`, `identity_changes` and `identity_links`."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from core.settings import IdentitySettings
from core.storage import Workspace
from customers.cleansing.email import is_role_mailbox
from customers.connectors.raw import literal
from customers.decisions import Decision
from customers.kept_records import KeptRecords
from customers.resolving import Resolved
from customers.separation import DECISION
from customers.similar import propose_similar

KEY_SYSTEMS = ("cookie", "email", "login")
# Which of somebody's records founded a person is told by the person's id.
HASH_OF_RECORD = "substr(sha256(system || chr(31) || source_id), 1, 16)"
_ID = f"'c_' || {HASH_OF_RECORD}"


def link_people(
    connection: duckdb.DuckDBPyConnection,
    settings: IdentitySettings,
    workspace: Workspace,
    run: str,
    decisions: Sequence[Decision],
    records: KeptRecords,
    folder: Path | None,
    *,
    prune: bool = False,
) -> Resolved:
    """Make the tables `identities`, `identity_changes`, `identity_links` and `node_now` (each node's person of today).

    Decisions of people hold against every link, from their time on. What a former run worked out and kept in `folder`,
    and what `records` know, is used where nothing is new; with `prune` what nobody holds any more is kept no longer.
    """
    _collect_links(connection)
    propose_similar(connection, settings.similar, workspace, records, prune=prune)
    _collect_nodes(connection)
    _number_links(connection)
    _load_former(connection, workspace)
    resolved = Resolved(connection, _ID, decisions, folder)
    _write_links(connection)
    _write_identities(connection, run)
    _write_changes(connection, run)
    return resolved


def _collect_links(connection: duckdb.DuckDBPyConnection) -> None:
    """All pairs of nodes that are one person, each with the time since when that is known."""
    mailboxes = connection.execute(
        """SELECT key_value FROM key_rows WHERE kind = 'email'
        UNION SELECT left_id FROM staged.links WHERE left_system = 'email'
        UNION SELECT right_id FROM staged.links WHERE right_system = 'email' ORDER BY 1"""
    ).fetchall()
    roles = [mailbox for (mailbox,) in mailboxes if is_role_mailbox(mailbox)]
    # Several people read a role's mailbox: it joins nobody.
    connection.execute("CREATE TABLE role_mailboxes AS SELECT unnest(?::VARCHAR[]) AS mailbox", [roles])
    keys = ", ".join(literal(system) for system in KEY_SYSTEMS)
    connection.execute(
        f"""CREATE TABLE link_facts AS
        WITH both_kinds AS (
            SELECT system AS left_system, source_id AS left_id, kind AS right_system, key_value AS right_id,
                   known_at AS linked_at, kind AS rule FROM key_rows
            UNION ALL
            SELECT left_system, left_id, right_system, right_id, coalesce(linked_at, exported_at), rule
            FROM staged.links JOIN exports USING (source)
        )
        SELECT left_system, left_id, right_system, right_id, min(linked_at) AS linked_at, rule,
               left_system IN ({keys}) OR right_system IN ({keys}) AS guarded
        FROM both_kinds
        WHERE NOT (left_system = 'email' AND left_id IN (FROM role_mailboxes))
          AND NOT (right_system = 'email' AND right_id IN (FROM role_mailboxes))
        GROUP BY ALL"""
    )


def _collect_nodes(connection: duckdb.DuckDBPyConnection) -> None:
    """Every record and key that anything speaks of, and since when it is known; numbered in the order of its name."""
    connection.execute(
        """CREATE TABLE nodes AS
        WITH mentions AS (
            SELECT r.system, r.source_id, coalesce(r.recorded_at, e.exported_at) AS known_at
            FROM staged.records r JOIN exports e USING (source)
            UNION ALL SELECT system, source_id, recorded_at FROM staged.event_mentions
            UNION ALL SELECT system, source_id, recorded_at FROM staged.field_changes
            UNION ALL SELECT system, source_id, recorded_at FROM deal_people_known
            UNION ALL SELECT system, source_id, recorded_at FROM staged.contracts WHERE source_id IS NOT NULL
            UNION ALL SELECT system, source_id, recorded_at FROM staged.consents
            UNION ALL SELECT left_system, left_id, linked_at FROM link_facts
            UNION ALL SELECT right_system, right_id, linked_at FROM link_facts
        ), first_mentions AS (
            SELECT system, source_id, min(known_at) AS known_at FROM mentions GROUP BY ALL
        )
        SELECT (row_number() OVER (ORDER BY system, source_id) - 1)::INTEGER AS node, * FROM first_mentions"""
    )


def _load_former(connection: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """What an earlier generation said: ids that were given away keep precedence and still resolve."""
    if workspace.manifest("customers") is None:
        connection.execute(
            "CREATE TABLE former_identities (system VARCHAR, source_id VARCHAR, customer_id VARCHAR, "
            "linked_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, run VARCHAR)"
        )
        connection.execute(
            "CREATE TABLE former_changes (old_id VARCHAR, new_id VARCHAR, changed_at TIMESTAMPTZ, kind VARCHAR, "
            "reason VARCHAR, run VARCHAR)"
        )
    else:
        identities, changes = (literal(workspace.table_path(name)) for name in ("identities", "identity_changes"))
        connection.execute(
            f"CREATE TABLE former_identities AS SELECT * EXCLUDE (rule, probability) FROM read_parquet({identities})"
        )
        connection.execute(f"CREATE TABLE former_changes AS FROM read_parquet({changes})")
    connection.execute(
        "CREATE TABLE former_ids AS SELECT DISTINCT customer_id FROM former_identities WHERE ended_at IS NULL"
    )


def _number_links(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `numbered_links`: all links, by the numbers of their nodes."""
    connection.execute(
        """CREATE TABLE numbered_links AS
        WITH links AS (
            SELECT left_system, left_id, right_system, right_id, linked_at, rule, guarded, 1.0::DOUBLE AS probability
            FROM link_facts
            UNION ALL
            SELECT left_system, left_id, right_system, right_id, linked_at, 'similar', true, probability
            FROM similar_links
        )
        SELECT l.linked_at, a.node AS left_node, b.node AS right_node, l.rule, l.guarded, l.probability
        FROM links l
        JOIN nodes a ON a.system = l.left_system AND a.source_id = l.left_id
        JOIN nodes b ON b.system = l.right_system AND b.source_id = l.right_id"""
    )


def _write_links(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `identity_links` from `numbered_links` and the decisions for one person that are in force."""
    connection.execute(
        f"""CREATE TABLE identity_links AS
        WITH every_link AS (
            SELECT left_node, right_node, rule, probability, linked_at FROM numbered_links
            UNION ALL SELECT left_node, right_node, {literal(DECISION)}, 1.0, linked_at FROM decided_links
        )
        SELECT left_node, right_node, a.system AS left_system, a.source_id AS left_id, b.system AS right_system,
               b.source_id AS right_id, rule, l.probability, l.linked_at, coalesce(s.state, 'further') AS state
        FROM every_link l
        JOIN nodes a ON a.node = l.left_node JOIN nodes b ON b.node = l.right_node
        LEFT JOIN link_states s USING (left_node, right_node, rule)"""
    )


def _write_identities(connection: duckdb.DuckDBPyConnection, run: str) -> None:
    connection.execute(
        f"""CREATE TABLE founders AS
        SELECT node AS founder, {_ID} AS customer_id FROM nodes
        WHERE node IN (SELECT founder FROM intervals UNION SELECT younger FROM merges
                       UNION SELECT unnest([old, new]) FROM splits)"""
    )
    # A link that an earlier run found keeps that run's name.
    connection.execute(
        """CREATE TABLE identities AS
        SELECT n.node, n.system, n.source_id, f.customer_id, i.rule, i.probability, i.linked_at, i.ended_at,
               coalesce(former.run, ?) AS run
        FROM intervals i JOIN nodes n USING (node) JOIN founders f USING (founder)
        LEFT JOIN former_identities former
            ON former.system = n.system AND former.source_id = n.source_id
            AND former.customer_id = f.customer_id AND former.linked_at = i.linked_at""",
        [run],
    )
    connection.execute(
        "CREATE TABLE node_now AS SELECT node, system, source_id, customer_id FROM identities WHERE ended_at IS NULL"
    )


def _write_changes(connection: duckdb.DuckDBPyConnection, run: str) -> None:
    """Merges that were visible for some time, and whatever is needed for every id ever given to resolve."""
    connection.execute(
        """CREATE TABLE identity_changes AS
        WITH visible AS (SELECT DISTINCT customer_id FROM identities),
        now AS (SELECT DISTINCT customer_id FROM node_now),
        merged AS (
            SELECT old.customer_id AS old_id, new.customer_id AS new_id, m.changed_at, 'merge' AS kind, m.reason
            FROM merges m JOIN founders old ON old.founder = m.younger JOIN founders new ON new.founder = m.elder
            WHERE old.customer_id IN (FROM visible)
        ),
        -- Given by an earlier run, but no longer anybody's: its records say whose it is now.
        restated AS (
            SELECT f.customer_id AS old_id, min_by(n.customer_id, (f.linked_at, f.system, f.source_id)) AS new_id
            FROM former_identities f JOIN node_now n USING (system, source_id)
            WHERE f.ended_at IS NULL AND f.customer_id NOT IN (FROM now)
              AND f.customer_id NOT IN (SELECT old_id FROM merged)
            GROUP BY f.customer_id
        ),
        -- Divided by somebody's decision.
        divided AS (
            SELECT old.customer_id AS old_id, new.customer_id AS new_id, s.changed_at
            FROM splits s JOIN founders old ON old.founder = s.old JOIN founders new ON new.founder = s.new
        ),
        -- Merged by an earlier run, and a person of its own again.
        parted AS (
            SELECT DISTINCT f.new_id AS old_id, f.old_id AS new_id FROM former_changes f
            WHERE f.kind = 'merge' AND f.old_id IN (FROM now) AND f.new_id IN (FROM now)
              AND f.old_id NOT IN (SELECT new_id FROM divided)
              AND NOT EXISTS (FROM former_changes s WHERE s.kind = 'split' AND s.new_id = f.old_id)
        ),
        all_changes AS (
            FROM merged
            UNION ALL
            SELECT old_id, new_id, (SELECT data_until FROM horizon), 'merge', 'restated' FROM restated
            UNION ALL
            SELECT old_id, new_id, (SELECT data_until FROM horizon), 'split', 'link withdrawn' FROM parted
            UNION ALL
            SELECT old_id, new_id, changed_at, 'split', 'decision' FROM divided
            UNION ALL
            SELECT f.old_id, f.new_id, f.changed_at, f.kind, f.reason FROM former_changes f
            -- A decision that was younger than yesterday's exports is dated by its own time today.
            WHERE (f.kind = 'split' AND (f.reason <> 'decision'
                                         OR (f.old_id, f.new_id) NOT IN (SELECT (old_id, new_id) FROM divided)))
               OR (f.kind = 'merge' AND f.old_id NOT IN (SELECT old_id FROM merged)
                   AND f.old_id NOT IN (FROM now) AND f.old_id NOT IN (SELECT old_id FROM restated))
        )
        SELECT DISTINCT c.*, coalesce(former.run, ?) AS run
        FROM all_changes c LEFT JOIN former_changes former USING (old_id, new_id, changed_at, kind)""",
        [run],
    )
