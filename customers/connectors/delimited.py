"""Delimited text (CSV, TSV): DuckDB reads what is in order; only a file with faults is gone through line by line."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import islice
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
_OPEN_QUOTE = "a quotation mark that is never closed"


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
    survey = _survey(decoded)
    if not survey.lines and survey.odd:
        # Old spreadsheets end lines with CR alone.
        decoded = _with_newlines(decoded, scratch / f"{path.name}.lines")
        survey = _survey(decoded)
    header = _header(decoded, path.name, delimiter)
    if isinstance(header, Fault):
        return header
    names, header_lines = header
    if len(names) == 1 and (other := next((sign for sign in ";\t|," if sign != delimiter and sign in names[0]), None)):
        return Fault(path.name, f"has one column only; it looks separated by {other!r}; declare delimiter: {other!r}")
    if header_lines == 1 and not rejects and not survey.odd:
        rows, faults = _load(connection, decoded, delimiter, len(names), clean=False)
        if not faults and rows == survey.lines - 1:
            return names, "SELECT rowid + 2 AS line, * FROM loaded"
    clean = scratch / f"{path.name}.clean"
    written = _write_clean_copy(decoded, clean, delimiter, len(names), header_lines, path.name, rejects)
    rows, _ = _load(connection, clean, delimiter, len(names) + 1, clean=True)
    if rows != written:
        return Fault(path.name, f"cannot be read whole ({rows} of {written} rows); save it again as UTF-8 text")
    given = ", ".join(f"v{position + 1} AS v{position}" for position in range(len(names)))
    return names, f"SELECT v0::BIGINT AS line, {given} FROM loaded"


@dataclass(frozen=True)
class _Survey:
    """How many lines end with LF (a last one without counts too), and whether any is blank or holds a CR of its own."""

    lines: int
    odd: bool


def _survey(path: Path) -> _Survey:
    count, odd, last = 0, False, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if chunk.endswith(b"\r"):
                chunk += file.read(1)
            count += chunk.count(b"\n")
            seen = last + chunk
            odd = odd or b"\n\n" in seen or b"\n\r" in seen or chunk.count(b"\r") != chunk.count(b"\r\n")
            last = chunk[-1:]
    if not count:
        return _Survey(0 if odd else 1, odd)
    return _Survey(count + (last != b"\n"), odd)


def _with_newlines(path: Path, target: Path) -> Path:
    with path.open("rb") as file, target.open("wb") as copy:
        while chunk := file.read(_CHUNK):
            copy.write(chunk.replace(b"\r", b"\n"))
    return target


def _header(path: Path, name: str, delimiter: str) -> tuple[list[str], int] | Fault:
    """The column names and the number of lines that they take."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        reader = csv.reader(islice(file, _LONGEST_RECORD), delimiter=delimiter, strict=True)
        try:
            record = next((record for record in reader if any(field.strip() for field in record)), None)
        except csv.Error:
            return Fault(name, "has broken quotation marks in its header; correct the header")
    if record is None:
        return Fault(name, "is empty; export it again")
    if any("\x00" in field for field in record):
        return Fault(name, "has NUL characters in its header; it may be UTF-16: declare encoding: utf-16")
    # A trailing delimiter is common; a column without a name gets a number.
    names = [field.strip() or f"column_{position}" for position, field in enumerate(record, start=1)]
    return names, reader.line_num


def _load(
    connection: duckdb.DuckDBPyConnection, path: Path, delimiter: str, width: int, *, clean: bool
) -> tuple[int, int]:
    """Make `loaded` of the good rows of a file, or of our clean copy; give their number and the number of faults."""
    columns = ", ".join(f"'v{position}': 'VARCHAR'" for position in range(width))
    # Our copy has no header, and a CR within quotation marks must not be taken for its line end.
    form = "header = false, new_line = '\\n'" if clean else "header = true"
    connection.execute("DROP TABLE IF EXISTS loaded")
    connection.execute("DROP TABLE IF EXISTS reject_scans")
    connection.execute("DROP TABLE IF EXISTS reject_errors")
    try:
        connection.execute(
            f"""CREATE TABLE loaded AS SELECT * FROM read_csv({literal(path)}, auto_detect = false, {form},
            delim = {literal(delimiter)}, quote = '"', escape = '"', columns = {{{columns}}}, null_padding = false,
            store_rejects = true, max_line_size = {_LONGEST_LINE + 64})"""
        )
    except duckdb.InvalidInputException:
        # Broken quotation marks can end the reader itself instead of costing it a row.
        return 0, 1
    (rows,) = connection.execute("SELECT count(*) FROM loaded").fetchall()[0]
    (faults,) = connection.execute("SELECT count(*) FROM reject_errors").fetchall()[0]
    return int(rows), int(faults)


def _write_clean_copy(
    path: Path, clean: Path, delimiter: str, width: int, header_lines: int, name: str, rejects: list[Reject]
) -> int:
    """Write the good records with their line numbers in front and count them; collect the others."""
    damaged = {reject.line for reject in rejects if reject.file == name}
    written = 0
    with path.open(encoding="utf-8-sig", newline="\n") as file, clean.open("w", encoding="utf-8", newline="\n") as copy:
        requote = csv.writer(copy, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for number, text, record in _records(file, delimiter, width, header_lines, damaged):
            if isinstance(record, str):
                rejects.append(Reject(name, number, record, text))
                continue
            written += 1
            if record is None:
                copy.write(f"{number}{delimiter}{text}\n")
            else:
                requote.writerow([number, *record])
    return written


_Record = list[str] | str | None
"""The values, or the reason why there are none; None stands for a text that needs no other form."""


def _records(
    lines: Iterator[str], delimiter: str, width: int, header_lines: int, damaged: set[int]
) -> Iterator[tuple[int, str, _Record]]:
    """Each record with its first line's number and its text; lines known as `damaged` are blank."""
    waiting: deque[str] = deque()
    number = 0

    def following() -> str | None:
        return waiting.popleft() if waiting else next(lines, None)

    while (line := following()) is not None:
        number += 1
        if number <= header_lines or not line.strip("\r\n"):
            continue
        text = line.rstrip("\r\n")
        record = _split(text, delimiter, width)
        if record != _OPEN_QUOTE:
            yield number, text, record
            continue
        ahead: list[str] = []
        while len(ahead) < _LONGEST_RECORD - 1 and (more := following()) is not None:
            ahead.append(more)
            if more.count('"') % 2:
                break
        whole = "".join([line, *ahead]).rstrip("\r\n")
        joined = _split(whole, delimiter, width) if ahead else _OPEN_QUOTE
        if isinstance(joined, str):
            # Not a value over several lines: the lines after it are rows of their own.
            waiting.extendleft(reversed(ahead))
            yield number, text, record
        elif damaged.intersection(range(number + 1, number + len(ahead) + 1)):
            yield number, whole, "a value over several lines, one of them damaged"
            number += len(ahead)
        else:
            yield number, whole, joined
            number += len(ahead)


def _split(text: str, delimiter: str, width: int) -> _Record:
    if len(text) > _LONGEST_LINE // 4 and len(text.encode()) > _LONGEST_LINE:
        return f"a row of more than {_LONGEST_LINE // 1024**2} MB"
    if '"' not in text:
        if "\r" in text:
            return "a line break outside quotation marks"
        found = text.count(delimiter) + 1
        return None if found == width else f"{found} columns instead of {width}"
    try:
        # Only LF ends a line here; the csv module itself refuses a CR outside quotation marks.
        lines = StringIO(text, newline="\n")
        record = next(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "new-line" in str(error):
            return "a line break outside quotation marks"
        return _OPEN_QUOTE if "unexpected end" in str(error) else "broken quotation marks"
    if lines.read(1):
        return "broken quotation marks"
    return record if len(record) == width else f"{len(record)} columns instead of {width}"
