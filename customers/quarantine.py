"""Rows that cannot be used: kept with their place, the reason and their content, never guessed and never lost."""

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from customers.connectors.raw import RawRows, literal
from customers.mapping.staging import SectionRows

_STRAY_AFTER_YEARS = 5
_STRAY_SHARE = 0.01
_ENOUGH_ROWS = 100
# Behind the name of the time.
STRAY = "lies years after all others"


def set_faults_aside(
    connection: duckdb.DuckDBPyConnection, raw: RawRows, sections: list[SectionRows], file_no: int
) -> int:
    """Put the faulty rows of a file into quarantine and let the others pass.

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
        f"""INSERT INTO fresh.quarantine
        SELECT {file_no}, {literal(raw.source)}, f.file, f.line, f.section, f.fault, json_object({pairs})::VARCHAR
        FROM faulty f JOIN {raw.table} r USING (file, line)"""
    )
    _insert_rejects(connection, raw, file_no)
    ((faulty,),) = connection.execute("SELECT count(*) FROM faulty").fetchall()
    return int(faulty) + len(raw.rejects)


def _insert_rejects(connection: duckdb.DuckDBPyConnection, raw: RawRows, file_no: int) -> None:
    rejects = raw.rejects
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
        f"INSERT INTO fresh.quarantine SELECT {file_no}, {literal(raw.source)}, file, line, 'file', reason, raw "
        "FROM reject_rows"
    )
    connection.unregister("reject_rows")


def stray_since(connection: duckdb.DuckDBPyConnection, moments: str) -> datetime | None:
    """From when on times are slips of a digit: the few that lie years after all others would move the as-of.

    Args:
        connection: where the query is run.
        moments: SQL with one column, `moment`, of all times of a source, none NULL.
    """
    ((total,),) = connection.execute(f"SELECT count(*) FROM ({moments})").fetchall()
    if total < _ENOUGH_ROWS:
        return None
    # Only the last few can be strays; whatever lies before them need not be sorted.
    few = max(1, int(_STRAY_SHARE * total))
    ((micros,),) = connection.execute(
        f"""SELECT epoch_us(min(moment)) FROM (
            SELECT moment, lag(moment) OVER (ORDER BY moment) AS former
            FROM (FROM ({moments}) ORDER BY moment DESC LIMIT {few + 1}))
        WHERE moment > former + INTERVAL {_STRAY_AFTER_YEARS} YEARS"""
    ).fetchall()
    return None if micros is None else datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)


def mark_stray_times(connection: duckdb.DuckDBPyConnection, rows: SectionRows, column: str, since: datetime) -> None:
    """Give a fault to the rows whose time is a stray."""
    connection.execute(
        f"UPDATE {rows.table} SET fault = {literal(f'{column} {STRAY}')} WHERE fault IS NULL AND {column} >= ?", [since]
    )
