"""Excel workbooks, read as text; the line is the row of the sheet."""

import json
import zipfile
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
from openpyxl.utils.exceptions import InvalidFileException

from core.errors import Fault
from core.source_settings import SourceSettings
from customers.connectors.raw import Reject


def read_excel(
    connection: duckdb.DuckDBPyConnection, path: Path, source: SourceSettings, rejects: list[Reject]
) -> tuple[list[str], str] | Fault:
    """Load a sheet (the first one unless named) into DuckDB; give the column names and the query."""
    if path.stat().st_size == 0:
        return Fault(path.name, "is empty; export it again")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        return Fault(path.name, f"is no readable Excel workbook (.xlsx): {error}")
    try:
        if source.sheet is not None and source.sheet not in book.sheetnames:
            close = get_close_matches(source.sheet, book.sheetnames, n=1)
            hint = f", did you mean {close[0]!r}?" if close else f"; there are {', '.join(book.sheetnames)}"
            return Fault(path.name, f"has no sheet {source.sheet!r}{hint}")
        sheet = book[source.sheet] if source.sheet is not None else book.worksheets[0]
        names: list[str] = []
        lines: list[int] = []
        values: list[list[str | None]] = []
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            cells = [_text(cell) for cell in row]
            if not any(cells):
                continue
            if not names:
                names = [(cell or "").strip() or f"column_{place}" for place, cell in enumerate(cells, start=1)]
                values = [[] for _ in names]
                continue
            if any(cells[len(names) :]):
                raw = json.dumps(cells, ensure_ascii=False)
                rejects.append(Reject(path.name, number, f"values beyond the {len(names)} columns", raw))
                continue
            lines.append(number)
            for place, column in enumerate(values):
                column.append(cells[place] if place < len(cells) else None)
    finally:
        book.close()
    if not names:
        return Fault(path.name, "is empty; export it again")
    table = pa.table(
        [pa.array(lines, pa.int64()), *(pa.array(column, pa.string()) for column in values)],
        names=["line", *(f"v{place}" for place in range(len(names)))],
    )
    connection.register("sheet", table)
    connection.execute("CREATE OR REPLACE TABLE loaded AS SELECT * FROM sheet")
    connection.unregister("sheet")
    return names, "SELECT * FROM loaded"


def _text(cell: object) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, datetime) and cell.time() == time():
        # Excel has no dates of its own: a day is its midnight.
        return cell.date().isoformat()
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
