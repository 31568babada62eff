"""Whom a person at the terminal means."""

from core.errors import NotFoundError
from core.storage import Workspace, connect_duckdb


def find_customer(workspace: Workspace, given: str) -> str:
    """Today's customer id for any id that was ever given, or for a record written as `system:id`.

    Raises:
        NotFoundError: nobody is known under it.
        MissingStageError: nothing was unified yet.
    """
    connection = connect_duckdb()
    workspace.tables(connection)
    if ":" in given:
        system, source_id = given.split(":", 1)
        found = connection.execute(
            "SELECT customer_id FROM identities WHERE system = ? AND source_id = ? AND ended_at IS NULL",
            [system, source_id],
        ).fetchone()
    else:
        found = connection.execute(
            """
            WITH RECURSIVE last_merge AS (
                -- Of several merges of one id the last holds; who is a person of their own again is not followed.
                SELECT old_id, arg_max(new_id, (changed_at, new_id)) AS new_id FROM identity_changes
                WHERE kind = 'merge' AND old_id NOT IN (SELECT customer_id FROM customers) GROUP BY old_id
            ), chain(id) AS (
                SELECT ?
                UNION
                SELECT new_id FROM last_merge JOIN chain ON old_id = id
            )
            SELECT customer_id FROM customers WHERE customer_id IN (SELECT id FROM chain)
            """,
            [given],
        ).fetchone()
    if found is None:
        raise NotFoundError(
            f"nobody is known as {given!r}",
            "a customer id, or system:id such as marketo:1001",
            "look one up in the list of scores (`kizashi score lead --out scores.csv`)",
        )
    return str(found[0])
