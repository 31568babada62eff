"""Delta files of the life cycle: CSV that tools load and spreadsheets open safely, and the same file read again."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from core.errors import ConfigurationError, SourceError
from core.settings import Settings
from core.storage import write_atomically
from kizashi.review_file import guard_text, spreadsheet_form, unguard_text

ENDINGS = (".csv",)
ENCODINGS = ("utf-8-sig", "utf-8", "cp932")


@dataclass(frozen=True)
class WrittenDelta:
    """What was written: rows, and how many values carry an apostrophe because they begin like a formula."""

    rows: int
    guarded: int


def write_delta(
    settings: Settings, system: str, rows: pa.Table, path: Path, encoding: str | None = None
) -> WrittenDelta:
    """Write a delta file as a whole or not at all; equal rows give equal bytes.

    Args:
        settings: `lifecycle.exports` says how the system is told.
        system: for example `marketo`.
        rows: from `activation.lifecycle_delta`.
        path: where to write it.
        encoding: instead of the configured one.

    Raises:
        ConfigurationError: the encoding is unknown, or lacks characters that are to be written; nothing was written.
    """
    delta = settings.lifecycle.delta(system)
    encoding = encoding or delta.encoding
    if encoding not in ENCODINGS:
        raise ConfigurationError(f"the encoding {encoding!r}", f"one of {', '.join(ENCODINGS)}", "choose one of them")
    columns = delta.columns(system)
    guarded = 0
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(list(columns.values()))
    for batch in rows.select(list(columns)).to_batches():
        for record in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            safe = [guard_text(value) for value in record]
            guarded += sum(one != other for one, other in zip(safe, record, strict=True))
            writer.writerow(safe)
    content = text.getvalue()
    try:
        encoded = content.encode(encoding)
    except UnicodeEncodeError as error:
        line = content.count("\n", 0, error.start) + 1
        raise ConfigurationError(
            f"line {line} of the file holds a character that {encoding} lacks",
            "characters of that encoding",
            "nothing was written; use --encoding utf-8-sig, or other words in lifecycle.exports",
        ) from error
    write_atomically(path, encoded)
    return WrittenDelta(rows.num_rows, guarded)


def read_delta(settings: Settings, system: str, path: Path) -> Iterator[Mapping[str, str]]:
    """The rows of a delta file by what they tell, in any of the encodings and column orders.

    Raises:
        SourceError: it is no delta file of this system.
    """
    if not path.is_file():
        raise SourceError(f"{path} does not exist", "the file that was loaded", "check the path")
    columns = settings.lifecycle.delta(system).columns(system)
    encoding, delimiter = spreadsheet_form(path)
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        header = next(reader, [])
        missing = [name for name in columns.values() if name not in header]
        if missing:
            raise SourceError(
                f"{path} has no column {', '.join(missing)}",
                f"a file of `kizashi lifecycle export --system {system}`",
                "name the file that was loaded; after a change of lifecycle.exports export again",
            )
        places = {field: header.index(name) for field, name in columns.items()}
        for number, record in enumerate(reader, start=2):
            if len(record) != len(header):
                raise SourceError(
                    f"{path} line {number} has {len(record)} cells", f"{len(header)}", "name the file as it was written"
                )
            yield {field: unguard_text(record[place]) for field, place in places.items()}
