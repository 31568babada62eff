"""The online store beside plain Feast's, on SQLite and on Redis, both sides over the same Parquet file.

A customer is one row of 60 features in five views, as `lead_score` reads them; plain Feast has them as 32-bit floats,
Kizashi as 64-bit ones. For each store: bringing everybody online (each side in a process of its own), that both sides
give the same values, and reading the whole service for 1 and for 100 customers in rounds that alternate. Then a million
customers with all views of the product through the product's own job, for its peak of memory.

Redis is that of `--redis`; its database is flushed before and after. Without an answer there SQLite alone is measured.
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.unify_scale import measured
from core.settings import Settings
from core.storage import Workspace
from core.tables import MOMENT
from features.build import view_schema
from features.catalog import used_views, view_features
from features.materialise import materialise_online
from features.online_reader import OnlineReader
from features.online_writer import OnlineWriter
from features.store import FeatureStore, apply_definitions

# Only now: `features` makes Feast's import quick.
from feast import Entity, FeatureService, FeatureView, Field, FileSource, RepoConfig, ValueType  # isort: skip
from feast.types import Float32, Float64  # isort: skip

CUSTOMERS = 100_000
MANY_CUSTOMERS = 1_000_000
REDIS = "redis://127.0.0.1:6379/9"
STORES = ("sqlite", "redis")
LIMITS = {"materialise": 10.0, "size": 1 / 3, "read": 3.0, "memory": 2.0}
_VIEWS, _FEATURES, _COUNTS = 5, 60, 24
_NAMES = [f"f{number:02d}" for number in range(_FEATURES)]
_AT = datetime(2026, 11, 1, tzinfo=UTC)
_URL_ENV = "KIZASHI_BENCH_ONLINE_URL"
_SERVICE = "lead_score"
_ROUNDS, _ROUND_SECONDS = 5, 1.0


def write_features(path: Path, customers: int) -> None:
    """Counts of events for the first columns, noise for the others, each customer at a month's start."""
    random_numbers = np.random.default_rng(7)
    schema = pa.schema(
        [("customer_id", pa.string()), ("event_timestamp", MOMENT), *((name, pa.float32()) for name in _NAMES)]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, customers, 100_000):
            count = min(100_000, customers - first)
            rate = random_numbers.lognormal(0, 1.6, (count, 1)) * random_numbers.dirichlet(np.ones(_COUNTS))
            noise = random_numbers.normal(size=(count, _FEATURES - _COUNTS))
            values = np.hstack([random_numbers.poisson(rate), noise]).astype(np.float32)
            months = random_numbers.integers(1, 11, count)
            moments = [datetime(2026, month, 1, tzinfo=UTC) for month in months.tolist()]
            ids = [f"C{number:08d}" for number in range(first, first + count)]
            writer.write_table(pa.table([ids, moments, *values.T.copy()], schema=schema))


def definitions(features: Path, dtype: Any) -> list[Any]:
    """An entity, five views over one file, and the service that joins them."""
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
    step = _FEATURES // _VIEWS
    views = [
        FeatureView(
            name=f"view{number}",
            entities=[customer],
            ttl=timedelta(0),
            schema=[Field(name=name, dtype=dtype) for name in _NAMES[number * step : (number + 1) * step]],
            source=FileSource(name=f"source{number}", path=str(features), timestamp_field="event_timestamp"),
        )
        for number in range(_VIEWS)
    ]
    return [customer, *views, FeatureService(name=_SERVICE, features=views)]


def open_side(side: str, kind: str, folder: Path, redis_url: str) -> FeatureStore:
    """Feast over one side's online store; both sides have a registry of their own."""
    os.environ[_URL_ENV] = redis_url
    own = folder / f"{side}_{kind}"
    own.mkdir(parents=True, exist_ok=True)
    host, _, database = redis_url.removeprefix("redis://").partition("/")
    online: dict[str, Any] = {
        ("feast", "sqlite"): {"type": "sqlite", "path": str(own / "online.db")},
        ("feast", "redis"): {"type": "redis", "connection_string": f"{host},db={database}"},
        ("kizashi", "sqlite"): {"type": "features.online_sqlite.SqliteOnlineStore", "path": str(own / "online.db")},
        ("kizashi", "redis"): {
            "type": "features.online_redis.RedisOnlineStore",
            "url_env": _URL_ENV,
            "namespace": "bench",
        },
    }[side, kind]
    return FeatureStore(
        config=RepoConfig(
            repo_path=own,
            project="leads",
            provider="local",
            registry=str(own / "registry.db"),
            online_store=online,
            offline_store={"type": "dask"},
            entity_key_serialization_version=3,
        )
    )


def feast(kind: str, redis_url: str, folder: Path) -> dict[str, Any]:
    """Plain Feast: apply and materialise, everything as it is by default."""
    store = open_side("feast", kind, folder, redis_url)
    store.apply(definitions(folder / "features.parquet", Float32))
    return _timed(lambda: store.materialize(datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)))


def kizashi(kind: str, redis_url: str, folder: Path) -> dict[str, Any]:
    """The same file through the writer that the product's own job uses."""
    store = open_side("kizashi", kind, folder, redis_url)
    store.apply(definitions(folder / "features.parquet", Float64))

    def work() -> None:
        writer = OnlineWriter(store, [store.get_feature_view(f"view{number}") for number in range(_VIEWS)])
        with pq.ParquetFile(folder / "features.parquet") as file:
            for batch in file.iter_batches(2_000):
                rows = pa.table(batch)
                writer.write(dict.fromkeys(writer.columns, rows), rows["event_timestamp"])

    return _timed(work)


def everything(redis_url: str, kind: str, folder: Path) -> dict[str, Any]:
    """All views of the product for many customers, through the product's own job."""
    os.environ[_URL_ENV] = redis_url
    settings = _settings(folder, kind)
    workspace = Workspace(settings.home)
    apply_definitions(settings, workspace)
    return _timed(lambda: materialise_online(settings, workspace, _AT))


def _timed(work: Callable[[], object]) -> dict[str, Any]:
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    work()
    seconds, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    return {"seconds": seconds, "cpu": now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime}


def _settings(folder: Path, kind: str) -> Settings:
    return Settings.model_validate(
        {
            "name": "bench",
            "home": folder / "home",
            "sources": [{"name": "ma", "system": "ma", "path": "x.csv", "people": {"id": "id"}}],
            "online_store": {"type": kind, "url_env": _URL_ENV},
            "models": {"lead": {}, "churn": {}},
        }
    )


def write_views(folder: Path, customers: int) -> int:
    """A generation of features of every view of the product, with counts, gaps and categories; how many there are."""
    settings, random_numbers = _settings(folder, "sqlite"), np.random.default_rng(8)
    workspace, total = Workspace(settings.home), 0
    with workspace.publish("features", "bench", {}) as generation:
        for view in used_views(settings):
            features = view_features(settings, view)
            total += len(features)
            schema = view_schema(view, features)
            with pq.ParquetWriter(generation / f"{view}.parquet", schema, compression="zstd") as writer:
                for first in range(0, customers, 20_000):
                    count = min(20_000, customers - first)
                    head = [[f"C{number:08d}" for number in range(first, first + count)], [_AT] * count, [_AT] * count]
                    marker = np.full(count, int(_AT.timestamp() * 1_000_000))
                    columns = [_column(random_numbers, feature.type, count) for feature in features]
                    writer.write_table(pa.table([*head, marker, *columns], schema=schema))
    return total


def _column(random_numbers: np.random.Generator, kind: str, count: int) -> pa.Array:
    gaps = random_numbers.random(count) < 0.3
    if kind == "int":
        return pa.array(random_numbers.poisson(0.8, count))
    if kind == "float":
        return pa.array(random_numbers.normal(size=count), mask=gaps)
    return pa.array(random_numbers.choice(["manufacturing", "it", "retail", "東京都"], count), mask=gaps)


def read_rounds(kind: str, folder: Path, redis_url: str, customers: int) -> dict[str, Any]:
    """Reads a second of the whole service, by side and by how many customers are asked for at once."""
    plain, ours = (open_side(side, kind, folder, redis_url) for side in ("feast", "kizashi"))
    service, own_service = plain.get_feature_service(_SERVICE), ours.get_feature_service(_SERVICE)
    reader = OnlineReader(ours)

    def through_feast(store: FeatureStore, known: Any, ids: Sequence[str]) -> dict[str, list[Any]]:
        rows = [{"customer_id": customer} for customer in ids]
        answer: dict[str, list[Any]] = store.get_online_features(features=known, entity_rows=rows).to_dict()
        return answer

    sides: dict[str, Callable[[Sequence[str]], Any]] = {
        "feast": partial(through_feast, plain, service),
        "feast over ours": partial(through_feast, ours, own_service),
        "kizashi": partial(reader.read, _SERVICE),
    }
    chosen = random.Random(3)  # noqa: S311 - a seeded choice of customers needs no secrecy
    everybody = [f"C{number:08d}" for number in range(customers)]
    asked = chosen.sample(everybody, min(1_000, customers))
    answers = [
        through_feast(plain, service, asked),
        through_feast(ours, own_service, asked),
        reader.read(_SERVICE, asked).to_pydict(),
    ]
    equal = all(answers[0][name] == answer[name] for answer in answers[1:] for name in _NAMES)
    rates: dict[int, dict[str, list[float]]] = {}
    for size in (1, 100):
        rates[size] = {side: [] for side in sides}
        for _ in range(_ROUNDS):
            for side, read in sides.items():
                done, began = 0, time.perf_counter()
                while time.perf_counter() - began < _ROUND_SECONDS:
                    read(chosen.sample(everybody, size))
                    done += 1
                rates[size][side].append(done / (time.perf_counter() - began))
    medians = {size: {side: statistics.median(found) for side, found in by.items()} for size, by in rates.items()}
    return {"equal": equal, "reads": medians}


def _answering(client: Any) -> tuple[str, ...]:
    """The stores that can be measured, with Redis emptied."""
    try:
        client.flushdb()
    except redis.ConnectionError:
        return STORES[:1]
    return STORES


def _size(side: str, kind: str, folder: Path, client: Any) -> int:
    if kind != "sqlite":
        return int(client.info("memory")["used_memory"])
    return sum(path.stat().st_size for path in (folder / f"{side}_{kind}").glob("online.db*"))


def run(customers: int, many: int, out: Path, redis_url: str, console: Console | None = None) -> None:
    """Measure and print both sides of everything."""
    folder, console = (out / f"online_{customers}").resolve(), console or Console(width=110)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_features(folder / "features.parquet", customers)
    client = redis.Redis.from_url(redis_url)
    kinds, figures = _answering(client), dict[str, Any]()
    for kind in kinds:
        found: dict[str, Any] = {}
        for side, work in (("feast", feast), ("kizashi", kizashi)):
            before = _size(side, kind, folder, client)
            found[side] = measured(partial(work, kind, redis_url), folder)
            found[side]["bytes"] = (_size(side, kind, folder, client) - before) / customers
        found |= read_rounds(kind, folder, redis_url, customers)
        figures[kind] = found
    _print(console, figures, customers)
    features = write_views(folder, many)
    job = Table("store", "seconds", "CPU s", "peak GB", "allowed", title=f"{many:,} customers x {features} features")
    for kind in kinds:
        _answering(client)
        found = figures[f"{kind} job"] = measured(partial(everything, redis_url, kind), folder)
        job.add_row(kind, *(f"{found[name]:.1f}" for name in ("seconds", "cpu")), f"{found['peak_gb']:.2f}", "2 GB")
    _answering(client)
    console.print(job)
    (out / "online_store.json").write_text(json.dumps(figures))
    shutil.rmtree(folder)


def _print(console: Console, figures: dict[str, Any], customers: int) -> None:
    title = f"{customers:,} customers x {_FEATURES} features in {_VIEWS} views"
    written = Table("store", "side", "seconds", "CPU s", "times as fast", "peak GB", "bytes each", title=title)
    for kind, found in figures.items():
        ratio = found["feast"]["seconds"] / found["kizashi"]["seconds"]
        for side in ("feast", "kizashi"):
            row = found[side]
            told = f"{ratio:.1f} (at least {LIMITS['materialise']:.0f})" if side == "kizashi" else ""
            cells = (
                f"{row['seconds']:.1f}",
                f"{row['cpu']:.1f}",
                told,
                f"{row['peak_gb']:.2f}",
                f"{row['bytes']:,.0f}",
            )
            written.add_row(kind, side, *cells)
    console.print(written)
    reads = Table("store", "asked at once", "side", "reads a second", "times plain Feast", "same values")
    for kind, found in figures.items():
        for size, by_side in found["reads"].items():
            for side, rate in by_side.items():
                told = f"{rate / by_side['feast']:.1f}" + (" (at least 3)" if side == "kizashi" else "")
                reads.add_row(kind, str(size), side, f"{rate:,.0f}", told, str(found["equal"]))
    console.print(reads)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.online_store", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--many", type=int, default=MANY_CUSTOMERS, help="customers of the product's own job")
    parser.add_argument("--out", type=Path, default=Path("data/bench"))
    parser.add_argument("--redis", default=REDIS, help="a database that may be flushed")
    arguments = parser.parse_args()
    run(arguments.customers, arguments.many, arguments.out, arguments.redis)


if __name__ == "__main__":
    main()
