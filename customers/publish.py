"""Writing the unified tables as one generation, each checked against its schema."""

from pathlib import Path

import duckdb

from core.progress import Progress
from core.storage import write_parquet
from core.tables import TABLES

_QUERIES = {
    "attributes": "attributes",
    "accounts": "account_list",
    "campaigns": "staged.campaigns "
    "QUALIFY row_number() OVER (PARTITION BY campaign_id ORDER BY name, started_at, cost) = 1",
    "staff": "staged.staff QUALIFY row_number() OVER (PARTITION BY staff_id ORDER BY name, email, team) = 1",
    "events": "published_events",
    "quarantine": "staged.quarantine",
}


def write_tables(connection: duckdb.DuckDBPyConnection, folder: Path, progress: Progress) -> dict[str, int]:
    """Write every table of `core.tables` into `folder`; give the number of rows of each."""
    counts = {}
    with progress.task("publish", len(TABLES)) as advance:
        for name, spec in TABLES.items():
            columns = ", ".join(spec.columns)
            table = connection.sql(f"SELECT {columns} FROM {_QUERIES.get(name, name)}").to_arrow_table()
            checked = spec.check(table)
            write_parquet(folder / f"{name}.parquet", checked)
            counts[name] = checked.num_rows
            advance()
    return counts
