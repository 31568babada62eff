"""Reading a file of a source, whatever its format; what is wrong is collected, not raised."""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import duckdb
from pydantic import BaseModel

from core.errors import Fault
from core.settings import Settings
from core.source_settings import Column, SourceSettings
from core.storage import fingerprint
from customers.connectors.database import read_database
from customers.connectors.delimited import read_delimited
from customers.connectors.excel import read_excel
from customers.connectors.json_lines import read_json_lines
from customers.connectors.parquet import read_parquet
from customers.connectors.raw import RawRows, Reject, literal, where_target


def used_columns(source: SourceSettings) -> dict[str, bool]:
    """Every column that the source's mapping speaks of, in its order, and whether the file must have it."""
    found: dict[str, bool] = {}
    conditions: list[str] = []

    def visit(value: object) -> None:
        if isinstance(value, Column):
            if value.column is not None:
                found[value.column] = found.get(value.column, False) or not value.optional
        elif isinstance(value, dict):
            for part in value.values():
                visit(part)
        elif isinstance(value, tuple):
            for part in value:
                visit(part)
        elif isinstance(value, BaseModel):
            conditions.extend(getattr(value, "where", ()))
            for name in type(value).model_fields:
                visit(getattr(value, name))

    for section in source.sections().values():
        visit(section)
    for name in conditions:
        # A condition on an optional column is not met where the file lacks it.
        found.setdefault(where_target(name)[0], True)
    return found


@dataclass(frozen=True)
class SourceFile:
    """A file of a source as reports call it; without a path it is the answer to the source's SQL query."""

    label: str
    path: Path | None


def files_of(settings: Settings, source: SourceSettings, faults: list[Fault]) -> list[SourceFile]:
    """The files of a source today; what is missing although it is not optional becomes a fault."""
    if source.format == "sql":
        return [SourceFile(source.name, None)]
    paths = settings.source_files(source)
    place = f"source {source.name}"
    if not paths and not source.optional:
        pattern = settings.resolve_path(source.path or "")
        faults.append(Fault(place, f"the file {pattern} does not exist; check `path`, or set optional: true"))
    names = [path.name for path in paths]
    files = []
    for path in paths:
        if path.is_dir():
            faults.append(Fault(place, f"{path} is a folder, not a file; name the file or a pattern such as *.csv"))
            continue
        # Files of one name in several folders (one a month) are told apart by their paths.
        files.append(SourceFile(path.name if names.count(path.name) == 1 else str(path), path))
    return files


def read_file(
    connection: duckdb.DuckDBPyConnection, source: SourceSettings, file: SourceFile, scratch: Path, faults: list[Fault]
) -> RawRows | None:
    """The rows of a file, or None when `faults` grew; they last until the next file is read."""
    rejects: list[Reject] = []
    try:
        loaded = _load(connection, source, file.path, scratch, rejects)
    except PermissionError:
        loaded = Fault(file.label, "cannot be read; check its permissions")
    place = f"source {source.name}"
    if isinstance(loaded, Fault):
        told = loaded.message if file.path is None else f"{loaded.place} {loaded.message}"
        faults.append(Fault(place, told))
        return None
    names, query = loaded
    if twice := sorted({name for name in names if names.count(name) > 1}):
        faults.append(Fault(place, f"{file.label} has columns that appear twice: {', '.join(twice)}; rename them"))
        return None
    if missing := [name for name, needed in used_columns(source).items() if needed and name not in names]:
        faults.append(Fault(place, _missing_columns(file.label, missing, names)))
        return None
    raw = RawRows(source.name, file.label, "raw_rows")
    raw.rejects = [replace(reject, file=file.label) for reject in rejects]
    raw.columns = {name: f"c{position}" for position, name in enumerate(names)}
    picked = ", ".join(f"v{position} AS c{position}" for position in range(len(names)))
    connection.execute(
        f"CREATE OR REPLACE VIEW {raw.table} AS SELECT {literal(file.label)} AS file, line, {picked} FROM ({query})"
    )
    ((rows,),) = connection.execute("SELECT count(*) FROM loaded").fetchall()
    raw.count = int(rows) + len(rejects)
    return raw


def _load(
    connection: duckdb.DuckDBPyConnection,
    source: SourceSettings,
    path: Path | None,
    scratch: Path,
    rejects: list[Reject],
) -> tuple[list[str], str] | Fault:
    """Make the table `loaded`; give the column names and the query for (line, v0, v1, …)."""
    if path is None:
        return read_database(connection, source)
    if source.format in ("csv", "tsv"):
        return read_delimited(connection, path, source, scratch, rejects)
    if source.format == "excel":
        return read_excel(connection, path, source, rejects)
    if source.format == "jsonl":
        return read_json_lines(connection, path, source, scratch, rejects)
    return read_parquet(connection, path)


def content_mark(connection: duckdb.DuckDBPyConnection, raw: RawRows) -> str:
    """A hash over an SQL answer's rows, independent of their order."""
    values = ", ".join(raw.columns.values())
    (digest,) = connection.execute(f"SELECT sum(hash([{values}])::HUGEINT) FROM {raw.table}").fetchall()[0]
    return fingerprint(digest)


def _missing_columns(label: str, missing: list[str], present: list[str]) -> str:
    parts = []
    for name in missing:
        close = get_close_matches(name, present, n=1)
        parts.append(f"{name!r}" + (f" (did you mean {close[0]!r}?)" if close else ""))
    noun = "column" if len(missing) == 1 else "columns"
    return f"{label} lacks the {noun} {', '.join(parts)}; it has {', '.join(present)}; correct the mapping"
