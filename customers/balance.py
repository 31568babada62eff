"""What became of each file's rows: published, quarantined or forgotten, and nothing else."""

from dataclasses import dataclass

import duckdb

from customers.connectors.raw import RawFile, RawSource


@dataclass(frozen=True)
class SourceReport:
    """What became of one file: rows = published + quarantined + forgotten.

    `forgotten` rows are about people who are on the suppression list.
    """

    source: str
    file: str
    rows: int
    published: int
    quarantined: int
    unused_columns: tuple[str, ...]
    forgotten: int = 0


def create_balance(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the empty table of the files that were read."""
    connection.execute(
        "CREATE TABLE files_read (place INTEGER, source VARCHAR, file VARCHAR, rows BIGINT, passed BIGINT, "
        "unused_columns VARCHAR[], fingerprint VARCHAR)"
    )


def note_file(connection: duckdb.DuckDBPyConnection, raw: RawSource, file: RawFile, unused: list[str]) -> None:
    """Count the rows of a file that are not `faulty`; `file.rows` was counted by whoever read it."""
    connection.execute(
        f"""INSERT INTO files_read SELECT (SELECT count(*) FROM files_read), $source, $file, $rows,
            (SELECT count(*) FROM {raw.table} WHERE file = $file
             AND (file, line) NOT IN (SELECT (file, line) FROM faulty)), $unused, $fingerprint""",
        {
            "source": raw.name,
            "file": file.name,
            "rows": file.rows,
            "unused": unused,
            "fingerprint": file.fingerprint,
        },
    )


def balance_sources(connection: duckdb.DuckDBPyConnection) -> list[SourceReport]:
    """Make the table `sources` once all rows have been put where they belong; its schema holds it to the sum."""
    connection.execute(
        """CREATE TABLE sources AS
        WITH aside AS (
            SELECT source, file, count(DISTINCT line) AS lines FROM quarantine GROUP BY ALL
        ), gone AS (
            SELECT source, file, count(DISTINCT line) AS lines, count(DISTINCT line) FILTER (NOT faulty) AS passed
            FROM forgotten_lines GROUP BY ALL
        )
        SELECT r.source, r.file, r.rows, r.passed - coalesce(g.passed, 0) AS published,
               coalesce(a.lines, 0) AS quarantined, coalesce(g.lines, 0) AS forgotten,
               nullif(array_to_string(r.unused_columns, ', '), '') AS unused_columns, r.fingerprint, r.place,
               r.unused_columns AS unused
        FROM files_read r LEFT JOIN aside a USING (source, file) LEFT JOIN gone g USING (source, file)"""
    )
    rows = connection.execute(
        "SELECT source, file, rows, published, quarantined, unused, forgotten FROM sources ORDER BY place"
    ).fetchall()
    return [
        SourceReport(source, file, count, published, quarantined, tuple(unused), forgotten)
        for source, file, count, published, quarantined, unused, forgotten in rows
    ]
