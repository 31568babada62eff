"""What became of each file's rows: published, quarantined or forgotten, and nothing else."""

from dataclasses import dataclass

import duckdb

from customers.connectors.raw import RawRows


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


def note_file(connection: duckdb.DuckDBPyConnection, raw: RawRows, file_no: int, unused: list[str]) -> None:
    """Count the rows of a file that are not `faulty`; `raw.count` was counted by whoever read it."""
    connection.execute(
        f"""INSERT INTO fresh.files_read SELECT $number, $source, $file, $rows,
            (SELECT count(*) FROM {raw.table} WHERE (file, line) NOT IN (SELECT (file, line) FROM faulty)), $unused""",
        {"number": file_no, "source": raw.source, "file": raw.file, "rows": raw.count, "unused": unused},
    )


def balance_sources(connection: duckdb.DuckDBPyConnection) -> list[SourceReport]:
    """Make the table `sources` once all rows have been put where they belong; its schema holds it to the sum."""
    connection.execute(
        """CREATE TABLE sources AS
        WITH aside AS (
            SELECT source, file, count(DISTINCT line) AS lines FROM staged.quarantine GROUP BY ALL
        ), gone AS (
            SELECT source, file, count(DISTINCT line) AS lines, count(DISTINCT line) FILTER (NOT faulty) AS passed
            FROM staged.forgotten_lines GROUP BY ALL
        )
        SELECT r.source, r.file, r.rows, r.passed - coalesce(g.passed, 0) AS published,
               coalesce(a.lines, 0) AS quarantined, coalesce(g.lines, 0) AS forgotten,
               nullif(array_to_string(r.unused_columns, ', '), '') AS unused_columns, l.fingerprint, l.place,
               r.unused_columns AS unused
        FROM staged.files_read r
        JOIN (SELECT file_no, place, fingerprint FROM live_files) l USING (file_no)
        LEFT JOIN aside a USING (source, file) LEFT JOIN gone g USING (source, file)"""
    )
    rows = connection.execute(
        "SELECT source, file, rows, published, quarantined, unused, forgotten FROM sources ORDER BY place"
    ).fetchall()
    return [
        SourceReport(source, file, count, published, quarantined, tuple(unused), forgotten)
        for source, file, count, published, quarantined, unused, forgotten in rows
    ]
