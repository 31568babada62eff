"""Writes columns to the export files: encodings, byte-order marks, chunks."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv

CHUNK_ROWS = 400_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def write_csv(path: Path, columns: dict[str, pa.Array], *, byte_order_mark: bool = False) -> int:
    """Writes one table as UTF-8 CSV with all texts quoted; returns the number of rows."""
    return write_csv_chunks(path, [columns], byte_order_mark=byte_order_mark)


def write_csv_chunks(path: Path, chunks: Iterable[dict[str, pa.Array]], *, byte_order_mark: bool = False) -> int:
    """Writes chunks with the same columns below each other; returns the number of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    with path.open("wb") as stream:
        if byte_order_mark:
            stream.write(_BYTE_ORDER_MARK)
        for index, columns in enumerate(chunks):
            table = pa.table(columns)
            options = csv.WriteOptions(include_header=index == 0)
            csv.write_csv(table, stream, options)
            rows += table.num_rows
    return rows


def write_shift_jis(path: Path, columns: dict[str, pa.Array]) -> int:
    """Writes one table as cp932 with CRLF, as tills in Japan do; returns the number of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.table(columns), sink, csv.WriteOptions(quoting_style="needed"))
    text = sink.getvalue().to_pybytes().decode("utf-8")
    path.write_bytes(text.replace("\n", "\r\n").encode("cp932"))
    return len(next(iter(columns.values())))
