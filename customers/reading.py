"""Every source's files into the staging tables: read and mapped, or taken from a former run where nothing changed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb

from core.errors import Fault, SourceError, raise_faults
from core.progress import Progress
from core.settings import Settings
from core.source_settings import SourceSettings
from core.storage import fingerprint
from customers.balance import note_file
from customers.connectors.raw import RawRows
from customers.connectors.read import SourceFile, content_mark, files_of, read_file, used_columns
from customers.forgotten import note_mentions
from customers.mapping.moments import export_moment
from customers.mapping.sections import map_section
from customers.mapping.staging import SectionRows
from customers.quarantine import mark_stray_times, set_faults_aside, stray_since
from customers.source_days import note_days
from customers.staging import ReadFile, Staging

# The times that say since when something is known, by section: the newest of them is how far the data reach.
FACT_TIMES = {
    "people": ("records", "created_at"),
    "history": ("field_changes", "occurred_at"),
    "links": ("links", "linked_at"),
    "events": ("events", "occurred_at"),
    "deals": ("deals", "opened_at"),
    "deal_stages": ("deal_stages", "entered_at"),
    "consents": ("consents", "decided_at"),
}


class Reader:
    """Reads sources into the staging tables of a DuckDB connection.

    Args:
        connection: holds the staging tables.
        staging: what was read already, and what a former run read.
        settings: how sources are mapped.
        scratch: a folder for copies.
        mentions: whether to note whom each row names.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        staging: Staging,
        settings: Settings,
        scratch: Path,
        *,
        mentions: bool,
    ) -> None:
        self._connection = connection
        self._staging = staging
        self._settings = settings
        self._scratch = scratch
        self._mentions = mentions
        self._faults: list[Fault] = []

    def read(self, progress: Progress) -> None:
        """Read every source.

        Raises:
            SourceError: files are missing, empty, in another encoding or lack columns; all faults of all sources.
        """
        self._connection.execute("CREATE TABLE exports (source VARCHAR, exported_at TIMESTAMPTZ)")
        with progress.task("read exports", len(self._settings.sources)) as advance:
            for source in self._settings.sources:
                exported_at = export_moment(source, self._faults)
                self._connection.execute("INSERT INTO exports VALUES (?, ?)", [source.name, exported_at])
                for file in files_of(self._settings, source, self._faults):
                    self._take(source, file, exported_at)
                if exported_at is None and not self._faults:
                    self._set_strays_aside(source)
                advance()
        raise_faults(SourceError, "the input", self._faults, "nothing was written; correct this and run again")
        self._staging.note_mentions()

    def _take(self, source: SourceSettings, file: SourceFile, exported_at: datetime | None) -> None:
        """Count a file that is as a former run read it; read any other."""
        mapping = fingerprint(source.model_dump_json(), exported_at, self._settings.timezone)
        now = ReadFile(self._staging.new_number(), source.name, file.label, mapping)
        if file.path is None:
            # What a database answers is known when it has answered.
            self._read(source, file, exported_at, now)
            return
        status = file.path.stat()
        now = replace(now, path=str(file.path), size=status.st_size, changed=status.st_mtime_ns)
        known = self._staging.known(source.name, file.label)
        if known is not None and known.read_like(now):
            if not known.untouched(now):
                now = replace(now, mark=fingerprint(file.path))
            if known.untouched(now) or known.mark == now.mark:
                self._staging.add(replace(now, number=known.number, mark=known.mark))
                return
        self._read(source, file, exported_at, now)

    def _read(
        self,
        source: SourceSettings,
        file: SourceFile,
        exported_at: datetime | None,
        read: ReadFile,
        strays: Mapping[str, datetime] | None = None,
    ) -> None:
        raw = read_file(self._connection, source, file, self._scratch, self._faults)
        # After the first fault only the other sources' faults are of interest.
        if raw is not None and not self._faults:
            mark = content_mark(self._connection, raw) if file.path is None else read.mark or fingerprint(file.path)
            self._map(source, raw, exported_at, read.number, strays or {})
            self._staging.add(replace(read, mark=mark), keep=file.path is not None and not strays)
        self._connection.execute("DROP VIEW IF EXISTS raw_rows")
        self._connection.execute("DROP TABLE IF EXISTS loaded")

    def _map(
        self,
        source: SourceSettings,
        raw: RawRows,
        exported_at: datetime | None,
        number: int,
        strays: Mapping[str, datetime],
    ) -> None:
        sections: list[SectionRows] = []
        for name in source.sections():
            rows = map_section(self._connection, source, raw, name, exported_at, number)
            if name in strays:
                mark_stray_times(self._connection, rows, FACT_TIMES[name][1], strays[name])
            sections.append(rows)
        if self._mentions:
            note_mentions(self._connection, source, sections)
        faulty = set_faults_aside(self._connection, raw, sections, number)
        for rows in sections:
            if faulty:
                self._connection.execute(
                    f"DELETE FROM {rows.table} WHERE (file, line) IN (SELECT (file, line) FROM faulty)"
                )
            if rows.name in FACT_TIMES:
                note_days(self._connection, source.name, rows, FACT_TIMES[rows.name][1], self._settings.timezone)
            for insert in rows.inserts:
                self._connection.execute(insert)
            self._connection.execute(f"DROP TABLE {rows.table}")
        used = used_columns(source)
        note_file(self._connection, raw, number, [name for name in raw.columns if name not in used])

    def _set_strays_aside(self, source: SourceSettings) -> None:
        """Read those files again that hold times years after all others of the source, which goes for no other run."""
        strays: dict[str, datetime] = {}
        holding: dict[str, ReadFile] = {}
        for name in source.sections():
            if name not in FACT_TIMES:
                continue
            table, column = FACT_TIMES[name]
            since = stray_since(self._connection, self._staging.moments(source.name, table, column))
            if since is not None:
                strays[name] = since
                holding |= {file.label: file for file in self._staging.holding(source.name, table, column, since)}
        for file in files_of(self._settings, source, self._faults):
            if file.label in holding:
                read = holding[file.label]
                self._staging.take_back(read)
                self._read(source, file, None, replace(read, number=self._staging.new_number()), strays)
