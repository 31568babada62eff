"""Rows that cannot be used: kept with their place, the reason and their content, never guessed and never lost."""

import duckdb
import pyarrow as pa

from customers.connectors.raw import RawSource, Reject, literal
from customers.mapping.staging import SectionRows

_STRAY_AFTER_YEARS = 5
_STRAY_SHARE = 0.01
_ENOUGH_ROWS = 100
# Behind the name of the time.
STRAY = "lies years after all others"


def create_quarantine(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the empty table."""
    connection.execute(
        "CREATE TABLE quarantine (source VARCHAR, file VARCHAR, line BIGINT, section VARCHAR, reason VARCHAR, "
        "raw VARCHAR)"
    )


def set_faults_aside(connection: duckdb.DuckDBPyConnection, raw: RawSource, sections: list[SectionRows]) -> int:
    """Put the faulty rows of a source into quarantine and let the others pass.

    A row with a fault in one section is left out of all: half a row would be a guess. Afterwards the DuckDB table
    `faulty` holds file and line of the rows to leave out.

    Returns:
        The number of rows that were set aside, those included that could not be split into columns.
    """
    faults = " UNION ALL ".join(
        f"SELECT file, line, {literal(rows.name)} AS section, fault FROM {rows.table} WHERE fault IS NOT NULL"
        for rows in sections
    )
    # Nothing that people type holds this character, and programs that see it take it for the end of a text.
    nul = " OR ".join(f"contains({column}, chr(0))" for column in raw.columns.values())
    faults += f" UNION ALL SELECT file, line, 'row', 'a NUL character' FROM {raw.table} WHERE {nul}"
    connection.execute(
        f"""CREATE OR REPLACE TABLE faulty AS
        SELECT file, line, string_agg(DISTINCT section, ', ' ORDER BY section) AS section,
               string_agg(DISTINCT fault, '; ' ORDER BY fault) AS fault
        FROM ({faults}) GROUP BY file, line"""
    )
    pairs = ", ".join(f"{literal(name)}, r.{column}" for name, column in raw.columns.items())
    connection.execute(
        f"""INSERT INTO quarantine
        SELECT {literal(raw.name)}, f.file, f.line, f.section, f.fault, json_object({pairs})::VARCHAR
        FROM faulty f JOIN {raw.table} r USING (file, line)"""
    )
    _insert_rejects(connection, raw.name, raw.rejects)
    ((faulty,),) = connection.execute("SELECT count(*) FROM faulty").fetchall()
    return int(faulty) + len(raw.rejects)


def _insert_rejects(connection: duckdb.DuckDBPyConnection, source: str, rejects: list[Reject]) -> None:
    if not rejects:
        return
    table = pa.table(
        {
            "file": pa.array([reject.file for reject in rejects], pa.string()),
            "line": pa.array([reject.line for reject in rejects], pa.int64()),
            "reason": pa.array([reject.reason for reject in rejects], pa.string()),
            "raw": pa.array([reject.raw for reject in rejects], pa.string()),
        }
    )
    connection.register("reject_rows", table)
    connection.execute(
        f"INSERT INTO quarantine SELECT {literal(source)}, file, line, 'file', reason, raw FROM reject_rows"
    )
    connection.unregister("reject_rows")


def mark_stray_times(connection: duckdb.DuckDBPyConnection, rows: SectionRows, columns: list[str]) -> None:
    """Give a fault to the few rows whose time lies years after all others: one slip of a digit would move the as-of.

    Applies to sources that declare no `exported_at`; those that do are held to it exactly.
    """
    for column in columns:
        connection.execute(
            f"""CREATE OR REPLACE TABLE stray AS
            WITH steps AS (
                SELECT {column} AS moment, lag({column}) OVER (ORDER BY {column}) AS former,
                       row_number() OVER (ORDER BY {column} DESC) AS from_end, count(*) OVER () AS total
                FROM {rows.table} WHERE fault IS NULL AND {column} IS NOT NULL
            )
            SELECT min(moment) AS first_stray FROM steps
            WHERE moment > former + INTERVAL {_STRAY_AFTER_YEARS} YEARS AND total >= {_ENOUGH_ROWS}
              AND from_end <= greatest(1, {_STRAY_SHARE} * total)"""
        )
        connection.execute(
            f"""UPDATE {rows.table} SET fault = {literal(f"{column} {STRAY}")}
            WHERE fault IS NULL AND {column} >= (SELECT first_stray FROM stray)"""
        )
