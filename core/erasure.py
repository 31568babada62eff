"""Forgetting people: who is meant, and how their rows leave files and SQLite for good."""

import shutil
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BusyError
from core.storage import Workspace, connect_duckdb, write_parquet
from core.tables import TEXT

# As conditions of a file's rows: `forgotten_ids` and `forgotten_keys` are tables of whoever is forgotten.
THEIR_ID = "customer_id IN (FROM forgotten_ids)"
THEIR_ROW = f"({THEIR_ID} OR (system, source_id) IN (SELECT (system, id) FROM forgotten_keys))"


@dataclass(frozen=True)
class ForgottenPerson:
    """By what the workspace knows somebody who is to be forgotten.

    Attributes:
        customer_ids: today's id and every former one.
        keys: (system, id) of the records, addresses, logins and browsers that are linked to the person.
    """

    customer_ids: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]


def everything_about(people: Sequence[ForgottenPerson]) -> ForgottenPerson:
    """All of them as if they were one person, for what is erased together."""
    return ForgottenPerson(
        tuple(dict.fromkeys(customer_id for person in people for customer_id in person.customer_ids)),
        tuple(dict.fromkeys(key for person in people for key in person.keys)),
    )


def erasure_connection(person: ForgottenPerson) -> duckdb.DuckDBPyConnection:
    """A DuckDB that knows `forgotten_ids` (customer_id) and `forgotten_keys` (system, id)."""
    connection = connect_duckdb()
    connection.register("given_ids", pa.table({"customer_id": pa.array(person.customer_ids, TEXT)}))
    systems, ids = ([key[place] for key in person.keys] for place in (0, 1))
    connection.register("given_keys", pa.table({"system": pa.array(systems, TEXT), "id": pa.array(ids, TEXT)}))
    for name in ("ids", "keys"):
        connection.execute(f"CREATE TABLE forgotten_{name} AS FROM given_{name}")
    return connection


def matching_rows(connection: duckdb.DuckDBPyConnection, path: Path, condition: str) -> list[int]:
    """The places of a Parquet file's rows that fulfil a condition."""
    found = connection.execute(
        f"SELECT file_row_number FROM read_parquet($1, file_row_number = true) WHERE {condition}", [str(path)]
    ).fetchall()
    return [int(place) for (place,) in found]


def copy_without(source: Path, target: Path, rows: Sequence[int]) -> None:
    """Copy a Parquet file, in the same order and schema, without the rows at some places."""
    left_out = np.asarray(rows, dtype=np.int64)
    with (
        pq.ParquetFile(source) as file,
        pq.ParquetWriter(target, file.schema_arrow, compression="zstd", coerce_timestamps="us") as writer,
    ):
        first = 0
        for number in range(file.num_row_groups):
            table = file.read_row_group(number)
            keep = np.ones(table.num_rows, dtype=np.bool_)
            keep[left_out[(left_out >= first) & (left_out < first + table.num_rows)] - first] = False
            writer.write_table(table.filter(pa.array(keep)), row_group_size=max(table.num_rows, 1))
            first += table.num_rows


def replace_without(path: Path, rows: Sequence[int]) -> None:
    """Replace a single Parquet file by a copy without some rows; untouched where there are none."""
    if rows:
        beside = path.with_name(f".{path.name}.tmp")
        beside.unlink(missing_ok=True)
        copy_without(path, beside, rows)
        beside.replace(path)


def rewrite_generation(
    workspace: Workspace,
    stage: str,
    rows: Mapping[str, Sequence[int]],
    manifest: Mapping[str, Any],
    changed: Mapping[str, pa.Table] | None = None,
) -> None:
    """Publish the generation in force again without some rows, and remove every other one.

    Args:
        workspace: whose stage it is.
        stage: for example `customers`.
        rows: by file the places of the rows that go; without any, and nothing changed, the generation stays in force.
        manifest: what changes in the stage's manifest.
        changed: by file what is written instead.
    """
    changed = changed or {}
    if changed or any(rows.values()):
        former = workspace.current(stage)
        kept = {**(workspace.manifest(stage) or {}), **manifest}
        with workspace.publish(stage, former.name.rpartition("-")[0], kept) as folder:
            for path in sorted(former.iterdir()):
                if path.name in changed:
                    write_parquet(folder / path.name, changed[path.name])
                elif rows.get(path.name):
                    copy_without(path, folder / path.name, rows[path.name])
                else:
                    shutil.copy2(path, folder / path.name)
    workspace.remove_former(stage)


def stages_under(workspace: Workspace, folder: str) -> Iterable[str]:
    """The stages of a folder that holds several, such as `scores`."""
    return (f"{folder}/{pointer.parent.name}" for pointer in sorted(workspace.path(folder).glob("*/current.json")))


def scrub_sqlite(path: Path, patience: float = 30) -> None:
    """Write an SQLite file anew, so that no byte of deleted rows is left in it or in its log.

    Args:
        path: the file; one that does not exist holds nothing.
        patience: seconds to wait for readers and writers.

    Raises:
        BusyError: another process keeps on reading or writing.
    """
    if not path.exists():
        return
    busy = BusyError(
        f"{path} is in use, and deleted rows cannot be overwritten",
        "a moment without readers",
        "stop the service, then run the command again: it goes on where it stopped",
    )
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
    try:
        connection.execute("VACUUM")
        if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            raise busy
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise busy from error
        raise
    finally:
        connection.close()
