"""A synthetic log of marketing events as unified tables, and the moments to build features for.

The log is in time order, heavy-tailed over customers (the first hundredth makes about a quarter of the events); each
customer is asked about at the beginning of one month. It is made a part at a time: memory grows with customers alone.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.storage import Workspace, link_file, write_parquet
from core.tables import MOMENT, TABLES

# The types of events, with their share.
TYPES = {
    "page_view": 0.40, "email_open": 0.22, "email_click": 0.08, "login": 0.08, "qa_view": 0.05, "pricing_view": 0.04,
    "form_submit": 0.03, "support_ticket": 0.03, "seminar_attend": 0.02, "purchase": 0.02, "meeting": 0.02,
    "cancel_page_view": 0.01,
}  # fmt: skip
PAID_TYPES = ("purchase", "meeting")
DAY = 86_400_000_000
DAYS = 400
# One customer in so many is not as before in the second build.
CHANGED = 20
_CHANNELS = {"web": 0.5, "email": 0.3, "app": 0.08, "sales": 0.06, "event": 0.04, "phone": 0.02}
_START = int(np.datetime64("2025-10-01", "us").astype("int64"))
_MONTHS = np.arange("2026-02", "2026-11", dtype="datetime64[M]").astype("datetime64[us]").astype("int64")
_PART = 1_000_000


def make_workload(home: Path, customers: int, events: int, seed: int = 7) -> None:
    """Write the tables under `log`, and the moments to `spine.parquet`; done once."""
    spine, log = home / "spine.parquet", home / "log"
    if spine.exists():
        return
    log.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    names = _ids("C", np.arange(customers), 8)
    numbers = _ids("", np.arange(customers), 8)
    as_of = random.choice(_MONTHS, customers)
    for name, spec in TABLES.items():
        if name not in ("events", "identities"):
            write_parquet(log / f"{name}.parquet", spec.empty())
    _write("identities", log, iter([_identities(names, numbers)]))
    _write("events", log, _events(random, names, numbers, events))
    (log / "changed").mkdir(exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(
            f"""COPY (FROM '{log}/events.parquet'
            WHERE NOT (hash(customer_id) % {CHANGED} = 0 AND hash(event_id) % 5 = 0))
            TO '{log}/changed/events.parquet' (FORMAT parquet, COMPRESSION zstd)"""
        )
    write_parquet(spine, pa.table({"customer_id": names, "as_of": pa.array(as_of).cast(MOMENT)}))


def publish_workload(home: Path, *, changed: bool) -> None:
    """Publish the tables; changed, one customer in twenty has lost a fifth of their events, at any time."""
    with Workspace(home).publish("customers", "bench", {"as_of": "2026-11-05T00:00:00+00:00"}) as folder:
        for path in (home / "log").glob("*.parquet"):
            other = path.parent / "changed" / path.name
            link_file(other if changed and other.exists() else path, folder / path.name)


def _identities(names: pa.Array, numbers: pa.Array) -> dict[str, pa.Array]:
    always = pa.array(np.full(len(names), _START - 1000 * DAY)).cast(MOMENT)
    return {"system": _constant("crm", len(names)), "source_id": numbers, "customer_id": names,
            "rule": _constant("new", len(names)), "probability": pa.array(np.ones(len(names))), "linked_at": always,
            "run": _constant("bench", len(names))}  # fmt: skip


def _events(
    random: np.random.Generator, names: pa.Array, numbers: pa.Array, events: int
) -> Iterator[dict[str, pa.Array]]:
    weight = np.cumsum(random.lognormal(0, 1.6, len(names)))
    kinds = list(TYPES)
    paid = np.isin(kinds, PAID_TYPES)
    for first in range(0, events, _PART):
        count = min(_PART, events - first)
        who = pa.array(np.searchsorted(weight, random.random(count) * weight[-1]).clip(0, len(names) - 1))
        kind = random.choice(len(kinds), count, p=list(TYPES.values()))
        # This part's slice of the whole time.
        edges = [_START + place * DAYS * DAY // events for place in (first, first + count)]
        at = pa.array(np.sort(random.integers(edges[0], edges[1], count))).cast(MOMENT)
        yield {
            "event_id": _ids("E", np.arange(first, first + count), 10),
            "customer_id": names.take(who),
            "system": _constant("crm", count),
            "source_id": numbers.take(who),
            "channel": _labels(list(_CHANNELS), random.choice(len(_CHANNELS), count, p=list(_CHANNELS.values()))),
            "type": _labels(kinds, kind),
            "occurred_at": at,
            "recorded_at": at,
            "recorded_assumed": pa.array(np.zeros(count, dtype=np.bool_)),
            "amount": pa.array(np.round(random.lognormal(10, 1, count)), mask=~paid[kind]),
            "is_bot": pa.array(np.zeros(count, dtype=np.bool_)),
        }


def _write(table: str, folder: Path, parts: Iterator[dict[str, pa.Array]]) -> None:
    """Write a unified table a part at a time; columns that are not given are blank."""
    schema = TABLES[table].arrow_schema
    with pq.ParquetWriter(folder / f"{table}.parquet", schema, compression="zstd") as writer:
        for part in parts:
            rows = len(next(iter(part.values())))
            columns = [part.get(field.name, pa.nulls(rows)).cast(field.type) for field in schema]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=250_000)


def _ids(prefix: str, numbers: NDArray[np.int64], width: int) -> pa.Array:
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _labels(names: list[str], codes: NDArray[np.int64]) -> pa.Array:
    return pa.array(names).take(pa.array(codes))


def _constant(value: str, count: int) -> pa.Array:
    return pa.array([value]).take(pa.array(np.zeros(count, dtype=np.int64)))
