"""Whom a person at the terminal means."""

from core.errors import NotFoundError
from core.storage import Workspace, connect_duckdb
from customers.cleansing.email import normalise_email
from customers.linking import HASH_OF_RECORD
from customers.suppression import Key


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


def find_record(workspace: Workspace, given: str) -> Key:
    """The record that is meant by `system/source_id` or `system:source_id`, or that a customer id was made from.

    Where the record that founded a person is no longer exported, the first that is known of the person stands for it.

    Raises:
        NotFoundError: nobody is known under it.
        MissingStageError: nothing was unified yet.
    """
    system, mark, source_id = _parted(given)
    if mark and system == "email":
        source_id = normalise_email(source_id) or source_id
    customer_id = find_customer(workspace, f"{system}:{source_id}" if mark else given)
    if mark:
        return Key(system, source_id)
    connection = connect_duckdb()
    workspace.tables(connection)
    row = connection.execute(
        f"""SELECT system, source_id FROM identities WHERE ended_at IS NULL
            AND ('c_' || {HASH_OF_RECORD} = $given OR customer_id = $customer_id)
        ORDER BY 'c_' || {HASH_OF_RECORD} = $given DESC, linked_at, system, source_id LIMIT 1""",
        {"given": given, "customer_id": customer_id},
    ).fetchone()
    connection.close()
    if row is None:
        raise NotFoundError(f"no record of {given!r} is left", "a person with records", "name a record: system/id")
    return Key(*row)


def _parted(given: str) -> tuple[str, str, str]:
    """The system, the mark that ends it, and the id; without a mark all of it is a customer id.

    >>> _parted("crm/a:1"), _parted("c_12")
    (('crm', '/', 'a:1'), ('c_12', '', ''))
    """
    places = [place for place in (given.find("/"), given.find(":")) if place >= 0]
    if not places:
        return given, "", ""
    first = min(places)
    return given[:first], given[first], given[first + 1 :]
