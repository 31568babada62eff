"""Lists for review as files that people fill in with a spreadsheet: safe to open, and read as they come back."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

from core.errors import SourceError
from core.storage import write_atomically

ENDINGS = (".csv", ".xlsx")
# What a spreadsheet would run as a formula, full-width signs in Japanese ones included. The apostrophe, our own mark,
# is marked too: only so is what comes back the same as what went out.
_FORMULA = re.compile(r"^(['=+@\t\r\n＝＋－＠]|-.)", re.DOTALL)
_READ = (
    "decision",
    "decided_by",
    *(f"{side}_{part}" for side in ("left", "right") for part in ("record", "system", "id")),
)
_CHOICES = '"same,different,withdraw"'
_CHUNK = 1 << 20
# csv's own limit of a cell; more than that is no list for review.
_LONGEST_CELL = 1 << 17


def guard_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula.

    >>> guard_text("=1+1"), guard_text("-"), guard_text("'a"), guard_text("a-1")
    ("'=1+1", '-', "''a", 'a-1')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_text(text: str) -> str:
    """The text as it was before `guard_text`; what a person typed stays as it is.

    >>> [unguard_text(guard_text(text)) for text in ("=1+1", "'a", "-7", "a")]
    ['=1+1', "'a", '-7', 'a']
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def write_review(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a list for review as a whole or not at all; returns how many rows it has."""
    content, count = (_as_excel if path.suffix == ".xlsx" else _as_csv)(columns, rows)
    write_atomically(path, content)
    return count


def _as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> tuple[bytes, int]:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(["" if value is None else guard_text(str(value)) for value in row])
        count += 1
    # With a byte-order mark, so that Excel opens Japanese text correctly.
    return text.getvalue().encode("utf-8-sig"), count


def _as_excel(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> tuple[bytes, int]:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(columns))
    count = 0
    for row in rows:
        count += 1
        for place, value in enumerate(row, start=1):
            cell = sheet.cell(count + 1, place, _printable(value))
            if isinstance(cell, Cell) and isinstance(value, str):
                # Also what begins like a formula, or looks like a number, is text.
                cell.data_type, cell.number_format = "s", "@"
    choice = DataValidation(type="list", formula1=_CHOICES, allow_blank=True, showErrorMessage=False)
    letter = get_column_letter(columns.index("decision") + 1)
    choice.add(f"{letter}2:{letter}{count + 2}")
    sheet.add_data_validation(choice)
    sheet.freeze_panes = "B2"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue(), count


def _printable(value: object) -> str | float | None:
    if isinstance(value, str):
        # A list may change its form on the way: what begins with our own mark is marked here too.
        value = f"'{value}" if value.startswith("'") else value
        # Control characters that the format cannot hold; no id has them, values typed into forms may.
        return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", value)
    return value if isinstance(value, float) else None


def read_review(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows of a list that came back: their numbers as a spreadsheet shows them, and the cells that decide.

    Excel saves CSV in UTF-8, in Shift_JIS or as tab-separated UTF-16, by comma or semicolon; all of them are read.

    Raises:
        SourceError: the file is missing, no list for review, or cannot be read.
    """
    if path.suffix not in ENDINGS or not path.is_file():
        raise SourceError(f"{path} is no list for review", f"a file ending in {', '.join(ENDINGS)}", "check the path")
    records = _excel_records(path) if path.suffix == ".xlsx" else _csv_records(path)
    header = [name.strip().casefold() for name in next(records, [])]
    missing = [name for name in ("decision",) if name not in header]
    for side in ("left", "right"):
        if f"{side}_record" not in header and not {f"{side}_system", f"{side}_id"} <= set(header):
            missing.append(f"{side}_record (or {side}_system and {side}_id)")
    if missing:
        raise SourceError(
            f"{path} has no column {', '.join(missing)}",
            "the columns of `kizashi identity review export`",
            "keep its first row; further columns do no harm",
        )
    places = {name: header.index(name) for name in _READ if name in header}
    for number, record in enumerate(records, start=2):
        cells = {name: unguard_text(record[place]) for name, place in places.items() if place < len(record)}
        if any(text.strip() for text in cells.values()):
            yield number, cells


def _csv_records(path: Path) -> Iterator[list[str]]:
    encoding, delimiter = spreadsheet_form(path)
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding=encoding, newline="") as file:
            yield from csv.reader(file, delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise SourceError(f"{path} is no CSV ({error})", "a list saved by a spreadsheet", "save it again") from error


def spreadsheet_form(path: Path) -> tuple[str, str]:
    """The encoding and the delimiter of a CSV file that a spreadsheet wrote.

    Raises:
        SourceError: it is in another encoding.
    """
    encoding = _encoding_of(path)
    with path.open(encoding=encoding, newline="") as file:
        return encoding, max(",;\t", key=file.readline().count)


def _encoding_of(path: Path) -> str:
    """UTF-8 if all of the file is, UTF-16 by its mark, else what Japanese Windows writes."""
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
    for encoding in ("utf-8-sig", "cp932"):
        try:
            with path.open(encoding=encoding, newline="") as text:
                while text.read(_CHUNK):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise SourceError(f"{path} is neither UTF-8 nor Shift_JIS", "a list saved by a spreadsheet", "save it as CSV UTF-8")


def _excel_records(path: Path) -> Iterator[list[str]]:
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise SourceError(f"{path} is no Excel file", "a list saved by a spreadsheet", "save it again") from error
    try:
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield [_cell_text(value) for value in row]
    finally:
        book.close()


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    # A number that was an id: 1001, not 1001.0.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
