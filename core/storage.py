"""The workspace on disk: atomic files, and generations of tables that are published all at once."""

import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from core.errors import BusyError, MissingStageError
from core.tables import TABLES

# How DuckDB writes Parquet files, in `COPY`. At the quickest level: the next ones cost a fifth more time and save a
# twentieth of the space. Where a column has more values than that, a dictionary is of little use, and to look for one
# takes a quarter of the time.
PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 3000"
_POINTER = "current.json"
_SCRATCH = "tmp"
_UNITS = {"MiB": 1024**2 / 1e9, "GiB": 1024**3 / 1e9, "TiB": 1024**4 / 1e9}
# Written by commands that hold the lock alone; a serving process writes elsewhere, at any time.
_LOCKED_FOLDERS = (
    "cache",
    "customers",
    "features",
    "feast",
    "training_sets",
    "forgetting",
    "matching",
    "mlflow",
    "receipts",
    "runs",
    "scores",
    "suppression",
)


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, then rename: a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object atomically; times become ISO 8601."""
    text = json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True, default=_as_json)
    write_atomically(path, (text + "\n").encode())


def _as_json(value: object) -> str:
    if isinstance(value, datetime | Path):
        return value.isoformat() if isinstance(value, datetime) else str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a Parquet file atomically, with microsecond times (Spark refuses finer ones)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(table, beside, compression="zstd", coerce_timestamps="us")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def link_file(source: Path, target: Path) -> None:
    """The same file under a second name where the disk can do that, else a copy; neither is ever written again."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def fingerprint(*parts: object) -> str:
    """A short stable hash of the parts' texts; files are hashed by content.

    >>> fingerprint("a", 1) == fingerprint("a", 1)
    True
    >>> fingerprint("a", 1) == fingerprint("a1")
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        else:
            digest.update(str(part).encode())
        digest.update(b"\x00")
    return digest.hexdigest()[:16]


def source_mark(folder: Path) -> str:
    """Changes with the Python files in a folder, and with DuckDB: what another version worked out may differ."""
    files = sorted(folder.rglob("*.py"))
    return fingerprint(duckdb.__version__, *(part for path in files for part in (path.name, path)))


def connect_duckdb(threads: int | None = None, memory_gb: float | None = None) -> duckdb.DuckDBPyConnection:
    """A fresh in-memory DuckDB in UTC that needs no network and spills to the system's temporary folder.

    Args:
        threads: how many it uses; None for all cores.
        memory_gb: how much it keeps in memory before it spills, as `limit_memory` says; None for most of what there is.
    """
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET autoinstall_known_extensions = false")
    # Progress is ours to show; DuckDB would draw bars of its own on stdout. In a notebook without ipywidgets, where it
    # could draw none, it refuses the setting.
    with suppress(duckdb.InvalidInputException):
        connection.execute("SET enable_progress_bar = false")
    # DuckDB's own choice would be a folder `.tmp` wherever the command was started.
    spill = Path(tempfile.gettempdir()) / f"kizashi-duckdb-{os.getpid()}"
    connection.execute(f"SET temp_directory = '{str(spill).replace(chr(39), chr(39) * 2)}'")
    if memory_gb is not None:
        limit_memory(connection, memory_gb)
    if threads is not None:
        connection.execute(f"SET threads = {int(threads)}")
    return connection


def limit_memory(connection: duckdb.DuckDBPyConnection, gigabytes: float) -> None:
    """From now on keep so much in memory before spilling, and never more than half of what DuckDB would take itself.

    Its own choice, most of the machine's or the container's memory, leaves nothing for the Python beside it.
    """
    connection.execute("RESET memory_limit")
    ((own,),) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    number, unit = str(own).split()
    half = float(number) * _UNITS[unit] / 2
    connection.execute(f"SET memory_limit = '{min(gigabytes, half):.2f}GB'")


@dataclass(frozen=True)
class Workspace:
    """The folder that holds all that a configuration's runs make.

    Stages publish *generations*: a folder is written under a temporary name, renamed, and only then named by
    `current.json`. Whoever is killed in between leaves the former generation in force.
    """

    home: Path

    def path(self, *parts: str) -> Path:
        """A path inside the workspace; nothing is created."""
        return self.home.joinpath(*parts)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the workspace for one writing command, and remove what killed ones left half written.

        The file `.lock` stays where it is: what counts is whether a living process holds it, and the system lets go of
        it with the process, however that ended.

        Raises:
            BusyError: another command holds it.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.home / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise BusyError(
                f"another command is working in {self.home}", "one at a time", "wait until it has ended, then try again"
            ) from error
        try:
            self._remove_leftovers()
            yield
        finally:
            lock.release()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for copies, which vanishes with the block, or with the next command where this one is killed."""
        folder = self.path(_SCRATCH)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            yield Path(scratch)

    def _remove_leftovers(self) -> None:
        shutil.rmtree(self.path(_SCRATCH), ignore_errors=True)
        for folder in _LOCKED_FOLDERS:
            for left in self.path(folder).glob("**/.*.tmp"):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)

    @contextmanager
    def publish(self, stage: str, key: str, manifest: dict[str, Any]) -> Iterator[Path]:
        """Write a generation of `stage`; it comes into force when the block ends without an error.

        Args:
            stage: folder inside the workspace, for example `customers`.
            key: begins the generation's folder name.
            manifest: stored beside the pointer; may be filled inside the block.
        """
        folder = self.path(stage)
        # A name never used before: renaming over the generation in force would leave a moment without any.
        target = next(name for n in itertools.count() if not (name := folder / f"{key}-{n}").exists())
        beside = folder / f".{target.name}.{os.getpid()}.tmp"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            yield beside
            beside.rename(target)
            write_json(folder / _POINTER, {**manifest, "generation": target.name})
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        self.remove_former(stage)

    def remove_former(self, stage: str) -> None:
        """Remove every generation of `stage` but the one in force, such as one that a killed command left."""
        in_force = (self.manifest(stage) or {}).get("generation")
        for old in self.path(stage).iterdir():
            if old.is_dir() and old.name != in_force:
                shutil.rmtree(old, ignore_errors=True)

    def remove_stage(self, stage: str) -> None:
        """Remove a stage with all that it holds; where this is killed, the next command removes the rest."""
        folder = self.path(stage)
        if folder.exists():
            aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
            folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)

    def manifest(self, stage: str) -> dict[str, Any] | None:
        """What was stored with the generation in force, or None when there is none."""
        pointer = self.path(stage, _POINTER)
        if not pointer.exists():
            return None
        loaded: dict[str, Any] = json.loads(pointer.read_text(encoding="utf-8"))
        return loaded

    def current(self, stage: str) -> Path:
        """The folder of the generation in force.

        Raises:
            MissingStageError: the stage has never been completed in this workspace.
        """
        manifest = self.manifest(stage)
        if manifest is None:
            raise MissingStageError(
                f"{self.home} holds no {stage} yet", "the stage before to have run", "run `kizashi run` first"
            )
        return self.path(stage, str(manifest["generation"]))

    def as_of(self) -> datetime:
        """The moment (UTC) that the unified tables in force are scored for.

        Raises:
            MissingStageError: nothing was unified yet.
        """
        self.current("customers")
        manifest = self.manifest("customers") or {}
        return datetime.fromisoformat(str(manifest["as_of"]))

    def table_path(self, name: str) -> Path:
        """The Parquet file of a unified table of the generation in force."""
        return self.current("customers") / f"{TABLES[name].name}.parquet"

    def read_table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A unified table of the generation in force."""
        return pq.read_table(self.table_path(name), columns=columns)

    def tables(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make every unified table of the generation in force visible to DuckDB as a view of its name."""
        folder = self.current("customers")
        for name in TABLES:
            connection.execute(
                f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet($file)".replace(
                    "$file", "'" + str(folder / f"{name}.parquet").replace("'", "''") + "'"
                )
            )
