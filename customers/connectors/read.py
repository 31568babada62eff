"""Reading one source, whatever its format, into one raw table; what is wrong is collected, not raised."""

from dataclasses import replace
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
from customers.connectors.raw import RawFile, RawSource, create_raw_table, literal, where_target


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


def read_source(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    source: SourceSettings,
    scratch: Path,
    faults: list[Fault],
) -> RawSource | None:
    """Read all files of a source.

    Returns:
        The raw rows, or None when the source is optional and absent or when `faults` grew.
    """
    raw = RawSource(source.name, f"raw_{source.name}")
    before = len(faults)
    place = f"source {source.name}"
    if source.format == "sql":
        _add(connection, source, raw, source.name, read_database(connection, source), place, faults)
        return raw if len(faults) == before else None
    paths = settings.source_files(source)
    if not paths:
        pattern = settings.resolve_path(source.path or "")
        if not source.optional:
            faults.append(Fault(place, f"the file {pattern} does not exist; check `path`, or set optional: true"))
        return None
    basenames = [path.name for path in paths]
    for path in paths:
        # Files of one name in several folders (one a month) are told apart by their paths.
        label = path.name if basenames.count(path.name) == 1 else str(path)
        already = len(raw.rejects)
        if path.is_dir():
            faults.append(Fault(place, f"{path} is a folder, not a file; name the file or a pattern such as *.csv"))
            continue
        try:
            if source.format in ("csv", "tsv"):
                loaded = read_delimited(connection, path, source, scratch, raw.rejects)
            elif source.format == "excel":
                loaded = read_excel(connection, path, source, raw.rejects)
            elif source.format == "jsonl":
                loaded = read_json_lines(connection, path, source, scratch, raw.rejects)
            else:
                loaded = read_parquet(connection, path)
        except PermissionError:
            loaded = Fault(path.name, "cannot be read; check its permissions")
        raw.rejects[already:] = [replace(reject, file=label) for reject in raw.rejects[already:]]
        _add(connection, source, raw, label, loaded, place, faults, path)
    return raw if len(faults) == before else None


def _add(
    connection: duckdb.DuckDBPyConnection,
    source: SourceSettings,
    raw: RawSource,
    label: str,
    loaded: tuple[list[str], str] | Fault,
    place: str,
    faults: list[Fault],
    path: Path | None = None,
) -> None:
    if isinstance(loaded, Fault):
        faults.append(Fault(place, f"{loaded.place} {loaded.message}" if source.format != "sql" else loaded.message))
        return
    names, query = loaded
    if twice := sorted({name for name in names if names.count(name) > 1}):
        faults.append(Fault(place, f"{label} has columns that appear twice: {', '.join(twice)}; rename them"))
        return
    if missing := [name for name, needed in used_columns(source).items() if needed and name not in names]:
        faults.append(Fault(place, _missing_columns(label, missing, names)))
        return
    if not raw.columns:
        create_raw_table(connection, raw, names)
    if new := [name for name in names if name not in raw.columns]:
        for name in new:
            raw.columns[name] = f"c{len(raw.columns)}"
            connection.execute(f"ALTER TABLE {raw.table} ADD COLUMN {raw.columns[name]} VARCHAR")
    targets = ", ".join(raw.columns[name] for name in names)
    values = ", ".join(f"v{position}" for position in range(len(names)))
    ((rows,),) = connection.execute(
        f"INSERT INTO {raw.table} (file, line, {targets}) SELECT {literal(label)}, line, {values} FROM ({query})"
    ).fetchall()
    connection.execute("DROP TABLE loaded")
    rejected = sum(reject.file == label for reject in raw.rejects)
    raw.files.append(RawFile(label, int(rows) + rejected, fingerprint(path or _content(connection, raw))))


def _content(connection: duckdb.DuckDBPyConnection, raw: RawSource) -> str:
    """A hash over an SQL answer's rows, independent of their order."""
    (digest,) = connection.execute(f"SELECT sum(hash(r)::HUGEINT) FROM {raw.table} AS r").fetchall()[0]
    return str(digest)


def _missing_columns(label: str, missing: list[str], present: list[str]) -> str:
    parts = []
    for name in missing:
        close = get_close_matches(name, present, n=1)
        parts.append(f"{name!r}" + (f" (did you mean {close[0]!r}?)" if close else ""))
    noun = "column" if len(missing) == 1 else "columns"
    return f"{label} lacks the {noun} {', '.join(parts)}; it has {', '.join(present)}; correct the mapping"
