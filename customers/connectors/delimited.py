"""Delimited text (CSV, TSV): DuckDB reads what is in order; only a file with faults is gone through line by line."""

import csv
from collections.abc import Iterator
from pathlib import Path

import duckdb

from core.errors import Fault
from core.source_settings import SourceSettings
from customers.connectors.encoding import utf8_copy
from customers.connectors.raw import Reject, literal

_LONGEST_LINE = 16 * 1024**2
"""Longer rows, in bytes, are set aside."""
# The reader's own limit of 128 kB a value would take long texts for broken quotation marks.
csv.field_size_limit(_LONGEST_LINE)
_CHUNK = 1 << 24
_LONGEST_RECORD = 200
"""A quoted field may span this many lines; an open quote beyond that is taken for a broken one."""


def read_delimited(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    source: SourceSettings,
    scratch: Path,
    rejects: list[Reject],
) -> tuple[list[str], str] | Fault:
    """Load a file into DuckDB; give the column names and the query for (line, v0, v1, …)."""
    delimiter = source.delimiter or ("\t" if source.format == "tsv" else ",")
    if path.stat().st_size == 0:
        return Fault(path.name, "is empty; export it again")
    decoded = utf8_copy(path, source.encoding, scratch, rejects)
    if isinstance(decoded, Fault):
        return decoded
    header = _header(decoded, delimiter)
    if header is None:
        return Fault(path.name, "is empty; export it again")
    names, header_lines = header
    # A trailing delimiter is common; a column without a name gets a number.
    names = [name or f"column_{position}" for position, name in enumerate(names, start=1)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return Fault(path.name, f"has columns that appear twice: {', '.join(twice)}; rename them in the export")
    if len(names) == 1 and (other := next((sign for sign in ";\t|," if sign != delimiter and sign in names[0]), None)):
        return Fault(path.name, f"has one column only; it looks separated by {other!r}; declare delimiter: {other!r}")
    lines = _count_lines(decoded)
    if not _read_at_once(connection, decoded, delimiter, names, header_lines, lines, bool(rejects)):
        clean = scratch / f"{path.name}.clean"
        _write_clean_copy(decoded, clean, delimiter, len(names), header_lines, path.name, rejects)
        _load(connection, clean, delimiter, ["line", *names], False)
        given = ", ".join(f"v{position + 1} AS v{position}" for position in range(len(names)))
        return names, f"SELECT v0::BIGINT AS line, {given} FROM loaded"
    return names, "SELECT rowid + 2 AS line, * FROM loaded"


def _header(path: Path, delimiter: str) -> tuple[list[str], int] | None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        for record in reader:
            if any(field.strip() for field in record):
                return [field.strip() for field in record], reader.line_num
    return None


def _count_lines(path: Path) -> int:
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def _load(
    connection: duckdb.DuckDBPyConnection, path: Path, delimiter: str, names: list[str], header: bool
) -> tuple[int, int]:
    columns = ", ".join(f"'v{position}': 'VARCHAR'" for position in range(len(names)))
    connection.execute("DROP TABLE IF EXISTS loaded")
    connection.execute("DROP TABLE IF EXISTS reject_scans")
    connection.execute("DROP TABLE IF EXISTS reject_errors")
    connection.execute(
        f"""CREATE TABLE loaded AS SELECT * FROM read_csv({literal(path)}, auto_detect = false, header = {header},
        delim = {literal(delimiter)}, quote = '"', escape = '"', columns = {{{columns}}}, null_padding = false,
        store_rejects = true, max_line_size = {_LONGEST_LINE + 64})"""
    )
    (rows,) = connection.execute("SELECT count(*) FROM loaded").fetchall()[0]
    (faults,) = connection.execute("SELECT count(*) FROM reject_errors").fetchall()[0]
    return int(rows), int(faults)


def _read_at_once(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    delimiter: str,
    names: list[str],
    header_lines: int,
    lines: int,
    damaged: bool,
) -> bool:
    """Read a file in which each line is one good row; say no when that does not hold."""
    if header_lines != 1 or damaged:
        return False
    rows, faults = _load(connection, path, delimiter, names, True)
    return not faults and rows == lines - 1


def _write_clean_copy(
    path: Path, clean: Path, delimiter: str, width: int, header_lines: int, name: str, rejects: list[Reject]
) -> None:
    """Write the good records with their line numbers in front; collect the others."""
    known = {(reject.file, reject.line) for reject in rejects}
    with path.open(encoding="utf-8-sig", newline="\n") as file, clean.open("w", encoding="utf-8", newline="\n") as copy:
        for number, text, reason in _records(file, delimiter, width, header_lines):
            if reason is None:
                copy.write(f"{number}{delimiter}{text}\n")
            elif (name, number) not in known:
                rejects.append(Reject(name, number, reason, text))


def _records(
    lines: Iterator[str], delimiter: str, width: int, header_lines: int
) -> Iterator[tuple[int, str, str | None]]:
    """Each record with its first line's number and, when it is faulty, the reason."""
    waiting: list[str] = []
    number = 0

    def following() -> str | None:
        return waiting.pop(0) if waiting else next(lines, None)

    while (line := following()) is not None:
        number += 1
        if number <= header_lines or not line.strip("\r\n"):
            continue
        text = line.rstrip("\r\n")
        if text.count('"') % 2:
            joined, ahead = [line], []
            while len(joined) < _LONGEST_RECORD and (more := following()) is not None:
                joined.append(more)
                ahead.append(more)
                if more.count('"') % 2:
                    break
            whole = "".join(joined).rstrip("\r\n")
            if ahead and _fault(whole, delimiter, width) is None:
                yield number, whole, None
                number += len(ahead)
                continue
            # Not a value over several lines: the lines after it are rows of their own.
            waiting[:0] = ahead
            yield number, text, "a quotation mark that is never closed"
            continue
        yield number, text, _fault(text, delimiter, width)


def _fault(text: str, delimiter: str, width: int) -> str | None:
    if len(text) > _LONGEST_LINE // 4 and len(text.encode()) > _LONGEST_LINE:
        return f"a row of more than {_LONGEST_LINE // 1024**2} MB"
    if '"' not in text:
        found = text.count(delimiter) + 1
    else:
        try:
            record = next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            return "broken quotation marks"
        found = len(record)
    if "\x00" in text:
        return "a NUL character"
    return None if found == width else f"{found} columns instead of {width}"
