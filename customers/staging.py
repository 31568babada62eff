"""The typed rows of all files: those read in this run, and those of unchanged files that a former run read.

The schema `fresh` holds tables of what was read now, with the number of each row's file; the schema `staged` shows
everything: fresh rows and, from the Parquet files of former runs, those of files that are still as they were, without
the people who were forgotten.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from core.storage import PARQUET, link_file, write_json
from customers.connectors.raw import literal
from customers.mapping.sections import STAGING

_BOOKS = {
    "quarantine": "source VARCHAR, file VARCHAR, line BIGINT, section VARCHAR, reason VARCHAR, raw VARCHAR",
    "facts_read": "source VARCHAR, section VARCHAR, day DATE, facts BIGINT, early BIGINT",
    "event_mentions": "system VARCHAR, source_id VARCHAR, recorded_at TIMESTAMPTZ",
    "files_read": "source VARCHAR, file VARCHAR, rows BIGINT, passed BIGINT, unused_columns VARCHAR[]",
    "forgotten_lines": "source VARCHAR, file VARCHAR, line BIGINT, faulty BOOLEAN",
}
_TABLES = STAGING | _BOOKS
_MADE_OF_PEOPLE = ("records", "field_values", "field_changes", "events", "deal_people", "consents", "contracts")
_PERSON = "ANTI JOIN gone g ON g.system = t.system AND g.id = t.source_id"
_DEAL = "ANTI JOIN gone_deals USING (deal_id)"
# What a table shows of the rows about forgotten people: nothing, but for the contracts of companies.
_WITHOUT_GONE = {
    **dict.fromkeys(
        ("records", "field_values", "field_changes", "events", "event_mentions", "deal_people", "consents"), _PERSON
    ),
    "deals": _DEAL,
    "deal_stages": _DEAL,
    "links": "ANTI JOIN gone g ON g.system = t.left_system AND g.id = t.left_id "
    "ANTI JOIN gone h ON h.system = t.right_system AND h.id = t.right_id",
    "quarantine": "ANTI JOIN forgotten_now f ON f.source = t.source AND f.file = t.file AND f.line = t.line",
}
_MOST_PARTS = 24
_LIST = "files.json"


@dataclass(frozen=True)
class ReadFile:
    """A file that was read once, as it was then; without a path the answer of a database.

    `mapping` stands for how it was read, `mark` for its content; `size` (bytes) and `changed` (nanoseconds) tell
    without reading it that it is still the same.
    """

    number: int
    source: str
    label: str
    mapping: str
    path: str = ""
    size: int = 0
    changed: int = 0
    mark: str = ""

    def read_like(self, other: "ReadFile") -> bool:
        """Whether the other is the same file and would be read in the same way."""
        return (self.mapping, self.path) == (other.mapping, other.path)

    def untouched(self, other: "ReadFile") -> bool:
        """Whether nobody wrote the file in between."""
        return (self.size, self.changed) == (other.size, other.changed)


class Staging:
    """What was read, in a DuckDB connection and in the folder of a former run.

    Args:
        connection: in which the tables are made.
        former: the folder that a former run saved; None for none.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, former: Path | None) -> None:
        self._connection = connection
        self._former = former if former is not None and (former / _LIST).exists() else None
        told = read_list(self._former) if self._former else []
        # Whether what the former run read was kept as a whole.
        self._whole = self._former is not None and _told(self._former)["whole"]
        self._known = {(file.source, file.label): file for file in told}
        self._next = max((file.number for file in told), default=-1) + 1
        # All that count today, in the order of sources, and whether what was read of them may be kept.
        self._live: list[tuple[ReadFile, bool]] = []
        connection.execute("CREATE SCHEMA fresh")
        connection.execute("CREATE SCHEMA staged")
        for table, columns in _TABLES.items():
            connection.execute(f"CREATE TABLE fresh.{table} (file_no INTEGER, {columns})")
        connection.execute("CREATE TABLE kept_files (file_no INTEGER)")
        connection.execute(
            "CREATE TABLE live_files (file_no INTEGER, place INTEGER, source VARCHAR, fingerprint VARCHAR)"
        )
        connection.execute("CREATE TABLE gone (system VARCHAR, id VARCHAR)")
        connection.execute("CREATE TABLE gone_deals (deal_id VARCHAR)")
        connection.execute("CREATE TABLE forgotten_now (source VARCHAR, file VARCHAR, line BIGINT, faulty BOOLEAN)")
        self._queries = {table: self._everything(table) for table in _TABLES}
        self._show()

    def known(self, source: str, label: str) -> ReadFile | None:
        """The file as a former run read it."""
        return self._known.get((source, label))

    def new_number(self) -> int:
        """A number for a file that is read now."""
        self._next += 1
        return self._next - 1

    def add(self, file: ReadFile, *, keep: bool = True) -> None:
        """Count a file; one that is not kept is read again by the next run."""
        known = self.known(file.source, file.label)
        if known is not None and known.number == file.number:
            self._connection.execute("INSERT INTO kept_files VALUES (?)", [file.number])
        row = [file.number, len(self._live), file.source, file.mark]
        self._connection.execute("INSERT INTO live_files VALUES (?, ?, ?, ?)", row)
        self._live.append((file, keep))

    def take_back(self, file: ReadFile) -> None:
        """Take everything of a file out again, to read it in another way."""
        for table in (*_TABLES, "kept_files"):
            name = table if table == "kept_files" else f"fresh.{table}"
            self._connection.execute(f"DELETE FROM {name} WHERE file_no = ?", [file.number])
        self._connection.execute("DELETE FROM live_files WHERE file_no = ?", [file.number])
        self._live = [(live, keep) for live, keep in self._live if live.number != file.number]

    def files(self, source: str) -> list[ReadFile]:
        """The files of a source that count."""
        return [file for file, _ in self._live if file.source == source]

    def moments(self, source: str, table: str, column: str) -> str:
        """SQL of all times that a source's rows hold in a column, as `moment`."""
        return (
            f"SELECT {column} AS moment FROM ({self._queries[table]}) WHERE {column} IS NOT NULL "
            f"AND file_no IN (SELECT file_no FROM live_files WHERE source = {literal(source)})"
        )

    def holding(self, source: str, table: str, column: str, since: datetime) -> list[ReadFile]:
        """The files of a source with rows whose time is not before a moment."""
        rows = self._connection.execute(
            f"SELECT DISTINCT file_no FROM ({self._queries[table]}) WHERE {column} >= ?", [since]
        ).fetchall()
        numbers = {number for (number,) in rows}
        return [file for file in self.files(source) if file.number in numbers]

    def note_mentions(self) -> None:
        """Once all was read: note in `event_mentions` when each file's events first speak of each record or key."""
        self._connection.execute(
            """INSERT INTO fresh.event_mentions
            SELECT file_no, system, source_id, min(recorded_at) FROM fresh.events GROUP BY ALL"""
        )

    def leave_out_gone(self) -> None:
        """From now on nothing shows rows about `gone` people, `gone_deals` and the `forgotten_now` lines."""
        for table, without in _WITHOUT_GONE.items():
            self._queries[table] = f"SELECT t.* FROM ({self._queries[table]}) t {without}"
        theirs = "(g.id IS NOT NULL)"
        self._queries["contracts"] = f"""
            SELECT t.* REPLACE (CASE WHEN NOT {theirs} THEN t.system END AS system,
                                CASE WHEN NOT {theirs} THEN t.source_id END AS source_id)
            FROM ({self._queries["contracts"]}) t LEFT JOIN gone g ON g.system = t.system AND g.id = t.source_id
            WHERE t.account_id IS NOT NULL OR NOT {theirs}"""
        self._connection.execute(
            """INSERT INTO fresh.forgotten_lines
            SELECT DISTINCT r.file_no, f.* FROM forgotten_now f JOIN fresh.files_read r USING (source, file)"""
        )
        self._show()

    def keeps_gone(self) -> bool:
        """Whether rows that a former run read speak of people who are `gone`, or are `forgotten_now` lines."""
        if self._former is None:
            return False
        asked = [
            f"SELECT 1 FROM {self._kept(table)} t JOIN gone g ON g.system = t.system AND g.id = t.source_id"
            for table in _MADE_OF_PEOPLE
        ]
        asked += [
            f"SELECT 1 FROM {self._kept('links')} t JOIN gone g ON g.system = t.{side}_system AND g.id = t.{side}_id"
            for side in ("left", "right")
        ]
        asked.append(f"SELECT 1 FROM {self._kept('files_read')} JOIN forgotten_now USING (source, file)")
        return any(self._connection.execute(f"{query} LIMIT 1").fetchall() for query in asked)

    def lost_files(self) -> bool:
        """Whether files that a former run read are gone or were changed."""
        alive = {file.number for file, _ in self._live}
        return any(file.number not in alive for file in self._known.values())

    def changed_records(self, table: str) -> str | None:
        """SQL of the records (system, source_id) whose rows in a table are not those that the former run read.

        A file that was written anew with the same rows changes nothing. None where not all that the former run read was
        kept.
        """
        if not self._whole:
            return None
        columns = [name for name, *_ in self._connection.execute(f"DESCRIBE fresh.{table}").fetchall()]
        # Where a row stands is no part of what it says.
        fact = f"hash({', '.join(name for name in columns if name not in ('file_no', 'file', 'line'))})::HUGEINT"
        told = f"SELECT system, source_id, {fact} AS fact, 1 AS rows FROM fresh.{table}"
        if self.lost_files():
            lost = f"{self._stored(table)} ANTI JOIN kept_files USING (file_no)"
            told += f" UNION ALL SELECT system, source_id, -{fact}, -1 FROM {lost}"
        return (
            f"SELECT system, source_id FROM ({told}) GROUP BY system, source_id HAVING sum(rows) <> 0 OR sum(fact) <> 0"
        )

    def save(self, folder: Path) -> None:
        """Write what may be kept, and nothing of files that are gone or were changed.

        Files of former runs are linked, not copied, where every row in them still counts.
        """
        kept = [file for file, keep in self._live if keep]
        known = {file.number for file in self._known.values()}
        everything = _listed(file.number for file in kept)
        # Said in numbers, so that DuckDB skips what former runs wrote instead of reading it for nothing.
        fresh = _listed(file.number for file in kept if file.number not in known)
        for table, query in self._queries.items():
            former = sorted(self._former.glob(f"{table}-*.parquet")) if self._former else []
            if former and len(former) < _MOST_PARTS and not self._holds_dead(table):
                for path in former:
                    link_file(path, folder / path.name)
                numbers = fresh
            else:
                former, numbers = [], everything
            rows = f"FROM ({query}) WHERE file_no IN ({numbers})"
            target = literal(folder / f"{table}-{len(former):05d}.parquet")
            self._connection.execute(f"COPY ({rows}) TO {target} ({PARQUET})")
        whole = len(kept) == len(self._live)
        write_json(folder / _LIST, {"files": [asdict(file) for file in kept], "whole": whole})

    def _holds_dead(self, table: str) -> bool:
        """Whether former runs left rows of files that do not count any more."""
        dead = f"FROM {self._stored(table)} ANTI JOIN kept_files USING (file_no) LIMIT 1"
        return bool(self._connection.execute(f"SELECT 1 {dead}").fetchall())

    def _show(self) -> None:
        for table, query in self._queries.items():
            shown = query if table in _BOOKS else f"SELECT * EXCLUDE (file_no) FROM ({query})"
            self._connection.execute(f"CREATE OR REPLACE VIEW staged.{table} AS {shown}")

    def _everything(self, table: str) -> str:
        return f"FROM fresh.{table}" + ("" if self._former is None else f" UNION ALL FROM {self._kept(table)}")

    def _kept(self, table: str) -> str:
        return f"(FROM {self._stored(table)} SEMI JOIN kept_files USING (file_no))"

    def _stored(self, table: str) -> str:
        return f"read_parquet({literal(f'{self._former}/{table}-*.parquet')})"


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers)) or "NULL"


def read_list(folder: Path) -> list[ReadFile]:
    """The files whose rows a folder keeps."""
    return [ReadFile(**file) for file in _told(folder)["files"]]


def _told(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / _LIST).read_text(encoding="utf-8"))
    return told
