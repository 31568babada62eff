"""Values as they are published: what records said, and the accounts that they tell, with today's person beside them."""

import duckdb

from customers.kept_records import KeptRecords


def attach_values(connection: duckdb.DuckDBPyConnection, records: KeptRecords, known: str | None) -> None:
    """Make `attributes`, today's person beside each value of `renewed_nodes`, and `published_attributes`, all values.

    Args:
        connection: holds `account_rows`, `node_now` and, where anything is known, `renewed_nodes`.
        records: what records said.
        known: SQL of the values of all other nodes, as they were published; None for none.
    """
    among = "renewed_nodes" if known else None
    accounts = "account_rows" + (" SEMI JOIN renewed_nodes USING (system, source_id)" if known else "")
    connection.execute(
        f"""CREATE TABLE attributes AS
        SELECT n.customer_id, v.* FROM (FROM {records.told_rows(among)} UNION ALL BY NAME FROM {accounts}) v
        JOIN node_now n USING (system, source_id)"""
    )
    others = f" UNION ALL BY NAME FROM {known}" if known else ""
    connection.execute(f"CREATE VIEW published_attributes AS FROM attributes{others}")
