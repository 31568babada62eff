"""Parquet files, read as text; the line is the row's number."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import Fault
from customers.connectors.raw import literal


def read_parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[str], str] | Fault:
    """Load a file into DuckDB; give the column names and the query for (line, v0, v1, …)."""
    if path.stat().st_size == 0:
        return Fault(path.name, "is empty; export it again")
    try:
        names = list(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        return Fault(path.name, f"is no readable Parquet file: {str(error).splitlines()[0]}")
    described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(path)})").fetchall()
    picked = ", ".join(f"{_as_text(str(row[0]), str(row[1]))} AS v{position}" for position, row in enumerate(described))
    try:
        connection.execute(
            f"""CREATE OR REPLACE TABLE loaded AS
            SELECT file_row_number + 1 AS line, {picked} FROM read_parquet({literal(path)}, file_row_number = true)"""
        )
    except duckdb.Error as error:
        return Fault(path.name, f"cannot be read to its end: {str(error).splitlines()[0]}")
    return names, "SELECT * FROM loaded"


def _as_text(name: str, kind: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if kind in ("FLOAT", "DOUBLE"):
        # pandas turns whole numbers with gaps into floats; the id 17 must not become "17.0".
        whole = f"{quoted} = trunc({quoted}) AND abs({quoted}) < 1e15"
        text = f"CASE WHEN {whole} THEN {quoted}::BIGINT::VARCHAR ELSE {quoted}::VARCHAR END"
        return f"CASE WHEN NOT isnan({quoted}) THEN {text} END"
    return f"{quoted}::VARCHAR"
