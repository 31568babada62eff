"""People of whom nothing is new: their golden records are taken from what a former run published."""

from pathlib import Path

import duckdb

from core.marks import mark_sql
from core.settings import Settings
from core.storage import PARQUET, Workspace
from core.tables import PURPOSES
from customers.connectors.raw import literal

_MARKS = "people_marks.parquet"


class KeptPeople:
    """Golden records of a former run, by a mark of all that is known of each person.

    Args:
        workspace: whose table `customers` holds what was published.
        folder: where the run that published it kept its marks; None for none.
    """

    def __init__(self, workspace: Workspace, folder: Path | None) -> None:
        self._known: str | None = None
        if folder is not None:
            self._known = f"read_parquet({literal(folder / _MARKS)})"
            self._customers = workspace.table_path("customers")

    def find_changed(self, connection: duckdb.DuckDBPyConnection, meaning: str) -> None:
        """Make `people_marks`, and `changed_people`: those whose values are not those that a former run found.

        A mark stands for the records and keys of a person, since when they are known, all that the records said, and
        their accounts.

        Args:
            connection: holds `node_now`, `nodes`, `record_marks` and `account_rows`.
            meaning: what decides, beside a record's mark, what is made of the record.
        """
        self._told = meaning
        connection.execute(
            f"""CREATE TABLE people_marks AS
            WITH said AS (
                SELECT n.customer_id, hash('node', n.system, n.source_id, d.known_at) AS fact
                FROM node_now n JOIN nodes d USING (node)
                UNION ALL
                SELECT n.customer_id, hash('record', system, source_id, m.mark, m.facts)
                FROM record_marks m JOIN node_now n USING (system, source_id)
                UNION ALL
                SELECT n.customer_id, hash('account', system, source_id, value, occurred_at, recorded_at,
                                           recorded_assumed)
                FROM account_rows JOIN node_now n USING (system, source_id)
            )
            SELECT customer_id, {mark_sql("fact")} AS mark, count(*) AS facts FROM said GROUP BY customer_id"""
        )
        self._make(connection, "changed_people", f"told = {literal(meaning)}")

    def find_new(self, connection: duckdb.DuckDBPyConnection, settings: Settings) -> str:
        """Make `new_people`: those whose golden records are not those that a former run found.

        Args:
            connection: holds `proofs`, beside what `find_changed` made.
            settings: which values win.

        Returns:
            Which table holds all values of these people.
        """
        # What was proved of a value holds for whoever has it.
        ((proved,),) = connection.execute(
            f"SELECT {mark_sql('hash(field, value, verified, recorded_at)')}::VARCHAR FROM proofs"
        ).fetchall()
        self._meaning = f"{settings.survivorship.model_dump_json()} {proved}"
        wins = f"meaning = {literal(self._meaning)}"
        self._make(connection, "new_people", f"told = {literal(self._told)} AND {wins}")
        changed = connection.execute("SELECT 1 FROM new_people ANTI JOIN changed_people USING (customer_id) LIMIT 1")
        return "published_attributes" if changed.fetchall() else "attributes"

    def _make(self, connection: duckdb.DuckDBPyConnection, table: str, known: str) -> None:
        """Make a table of the people who are not as those rows of a former run tell them that fulfil a condition."""
        former = f"{self._known} WHERE {known}" if self._known else "people_marks LIMIT 0"
        connection.execute(
            f"""CREATE TABLE {table} AS
            SELECT customer_id FROM people_marks ANTI JOIN (FROM {former}) USING (customer_id, mark, facts)"""
        )

    def add_known(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Add to `customers` what a former run found for all other people, with the permissions of today."""
        if self._known is None:
            return
        flags = ", ".join(f"c.consent_{purpose} AS consent_{purpose}" for purpose in PURPOSES)
        connection.execute(
            f"""INSERT INTO customers BY NAME
            SELECT k.* REPLACE ({flags})
            FROM (FROM read_parquet({literal(self._customers)})
                  SEMI JOIN (FROM people_marks ANTI JOIN new_people USING (customer_id)) USING (customer_id)) k
            JOIN consent_now c USING (customer_id)"""
        )

    def kept(self, connection: duckdb.DuckDBPyConnection) -> "KeepingPeople":
        """What the next run can use."""
        return KeepingPeople(connection, self._told, self._meaning)


class KeepingPeople:
    """Marks of all people, for the next run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, told: str, meaning: str) -> None:
        self._connection = connection
        self._told = f"{literal(told)} AS told, {literal(meaning)} AS meaning"

    def save(self, folder: Path) -> None:
        """Write them; the golden records themselves are in the published table `customers`."""
        self._connection.execute(
            f"COPY (SELECT *, {self._told} FROM people_marks) TO {literal(folder / _MARKS)} ({PARQUET})"
        )
