"""Bring the rows of one moment online, so that a lookup answers without counting anything."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import ContractError
from core.progress import Progress, SilentProgress
from core.settings import Settings
from core.storage import Workspace, write_parquet
from features.catalog import used_views
from features.online_writer import OnlineWriter
from features.store import applied_store, online_store, open_store

# One transaction of the online store each.
PART_CUSTOMERS = 2_000
# Rows of a file that are looked through at once for those of the moment.
_READ_ROWS = 20_000
_PROGRESS = "materialising"


@dataclass(frozen=True)
class MaterialiseSummary:
    """Who is online now, as of when, and how many former people were removed."""

    customers: int
    cleared: int
    as_of: datetime


def materialise_online(
    settings: Settings, workspace: Workspace, as_of: datetime, progress: Progress | None = None
) -> MaterialiseSummary:
    """Write every view's rows at `as_of` to the online store, blanks included, and remove whoever has left.

    Each person's rows replace those of an earlier run as a whole and at once, whatever its moment was; only a fresher
    value that was pushed meanwhile stays. A run that was killed goes on with the people whom it had not reached; a run
    that came to its end writes everybody again.

    Args:
        settings: decides which views there are.
        workspace: features must have been built for this moment, and the definitions applied.
        as_of: the moment, with time zone.
        progress: told how many people's rows are written.

    Raises:
        ContractError: the build holds no row for this moment.
        ConfigurationError: the online store does not answer.
        MissingStageError: no features were built, or the definitions were not applied since.
    """
    store = applied_store(settings, workspace)
    folder = workspace.current("features")
    names = used_views(settings)
    present = _customers_at(folder / f"{names[0]}.parquet", as_of)
    if not len(present):
        raise ContractError(
            f"no features were built as of {as_of.isoformat()}", "a build with that moment", "build the features again"
        )
    listed = workspace.path("feast", "online_customers.parquet")
    former = pq.read_table(listed)["customer_id"].combine_chunks() if listed.exists() else present[:0]
    gone = former.filter(pc.invert(pc.is_in(former, present)))
    # Whoever may be online is listed before being written, so that an interrupted run leaves nobody forgotten online.
    _list_customers(listed, pa.concat_arrays([present, gone]))
    views = [store.get_feature_view(view) for view in names]
    writer = OnlineWriter(store, views)
    for first in range(0, len(gone), PART_CUSTOMERS):
        writer.remove(gone[first : first + PART_CUSTOMERS].to_pylist())
    run = [folder.name, as_of.isoformat(), len(present)]
    done = _done_before(writer.note(_PROGRESS), run)
    with (progress or SilentProgress()).task("online", len(present)) as advance:
        parts = [
            _parts(folder / f"{view}.parquet", [writer.join_key, *columns], as_of)
            for view, columns in writer.columns.items()
        ]
        reached = 0
        for part in zip(*parts, strict=True):
            reached += part[0].num_rows
            if reached > done:
                tables = dict(zip(writer.columns, part, strict=True))
                note = {_PROGRESS: json.dumps([*run, reached])}
                writer.write(tables, part[0].column("as_of"), note)
            advance(part[0].num_rows)
    for view in views:
        store.registry.apply_materialization(view, store.project, as_of, as_of)
    _list_customers(listed, present)
    return MaterialiseSummary(len(present), len(gone), as_of)


def is_online(settings: Settings, workspace: Workspace, as_of: datetime) -> bool:
    """Whether everybody's rows of the generation in force are online, by what the online store itself says.

    A store that was emptied, or another one that was configured meanwhile, says no.

    Raises:
        ConfigurationError: the online store does not answer.
    """
    store = open_store(settings, workspace)
    note = online_store(store).read_note(store.config, _PROGRESS)
    told = json.loads(note) if note else [None] * 4
    generation, moment, people, reached = told
    return (generation, moment) == (workspace.current("features").name, as_of.isoformat()) and reached == people


def _done_before(note: str | None, run: Sequence[object]) -> int:
    """How many people a killed run of the same rows had reached, by what lies beside them in the online store."""
    told = json.loads(note) if note else []
    return int(told[-1]) if told[:-1] == list(run) and told[-1] < told[-2] else 0


def _customers_at(path: Path, as_of: datetime) -> pa.Array:
    rows = pq.read_table(path, columns=["customer_id"], filters=[("as_of", "=", as_of)])
    return pa.concat_arrays([pa.array([], pa.string()), *rows["customer_id"].chunks])


def _list_customers(path: Path, customers: pa.Array) -> None:
    write_parquet(path, pa.table({"customer_id": customers}))


def _parts(path: Path, columns: Sequence[str], as_of: datetime) -> Iterator[pa.Table]:
    """The moment's rows of a view, so many at a time, in the order of the file."""
    waiting: list[pa.Table] = []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_READ_ROWS, columns=[*columns, "as_of"]):
            rows = pa.table(batch)
            waiting.append(rows.filter(pc.equal(rows["as_of"], pa.scalar(as_of, rows["as_of"].type))))
            if sum(table.num_rows for table in waiting) >= PART_CUSTOMERS:
                found = pa.concat_tables(waiting)
                whole = found.num_rows // PART_CUSTOMERS * PART_CUSTOMERS
                yield from (found.slice(first, PART_CUSTOMERS) for first in range(0, whole, PART_CUSTOMERS))
                waiting = [found.slice(whole)]
    rest = pa.concat_tables(waiting)
    if rest.num_rows:
        yield rest
