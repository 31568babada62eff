"""Bring the rows of one moment online, so that a lookup answers without counting anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureStore, FeatureView
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from core.errors import ContractError
from core.progress import Progress, SilentProgress
from core.settings import Settings
from core.storage import Workspace, write_parquet
from features.catalog import Feature, row_marker, used_views, view_features
from features.store import applied_store

# One transaction of the online store each.
PART_CUSTOMERS = 1_000
_BLANK = Value()


@dataclass(frozen=True)
class MaterialiseSummary:
    """Who is online now, as of when, and how many former people were blanked out."""

    customers: int
    cleared: int
    as_of: datetime


def materialise_online(
    settings: Settings, workspace: Workspace, as_of: datetime, progress: Progress | None = None
) -> MaterialiseSummary:
    """Write every view's rows at `as_of` to the online store, blanks included, and blank out whoever has left.

    Each row replaces the former one as a whole: a value that has become blank is blank online too. It goes through the
    online store's own interface, since Feast's materialisation converts value by value and drops all-blank rows.

    Args:
        settings: decides which views there are.
        workspace: features must have been built for this moment, and the definitions applied.
        as_of: the moment, with time zone.
        progress: told how many people's rows are written.

    Raises:
        ContractError: the build holds no row for this moment.
        MissingStageError: no features were built, or the definitions were not applied since.
    """
    store = applied_store(settings, workspace)
    folder = workspace.current("features")
    views = used_views(settings)
    present = _customers_at(folder / f"{views[0]}.parquet", as_of)
    if not present:
        raise ContractError(
            f"no features were built as of {as_of.isoformat()}", "a build with that moment", "build the features again"
        )
    listed = workspace.path("feast", "online_customers.parquet")
    former = set(pq.read_table(listed).column("customer_id").to_pylist()) if listed.exists() else set()
    gone = sorted(former - set(present))
    # Whoever may be online is listed before being written, so that an interrupted run leaves nobody forgotten online.
    _list_customers(listed, sorted(former | set(present)))
    with (progress or SilentProgress()).task("online", len(views) * len(present)) as advance:
        registered = [store.get_feature_view(view) for view in views]
        features = [view_features(settings, view) for view in views]
        for first in range(0, len(gone), PART_CUSTOMERS):
            for view, known, own in zip(views, registered, features, strict=True):
                blanks = [row_marker(view), *(feature.name for feature in own)]
                rows = [(customer, dict.fromkeys(blanks, _BLANK)) for customer in gone[first : first + PART_CUSTOMERS]]
                _write(store, known, rows, as_of)
        # All views of some people, then of the next ones: only those few are between two moments at any time.
        parts = [_rows(folder / f"{view}.parquet", view, own, as_of) for view, own in zip(views, features, strict=True)]
        for part in zip(*parts, strict=True):
            for known, rows in zip(registered, part, strict=True):
                _write(store, known, rows, as_of)
                advance(len(rows))
        for known in registered:
            store.registry.apply_materialization(known, store.project, as_of, as_of)
    _list_customers(listed, present)
    return MaterialiseSummary(len(present), len(gone), as_of)


_Row = tuple[str, dict[str, Any]]


def _customers_at(path: Path, as_of: datetime) -> list[str]:
    rows = pq.read_table(path, columns=["customer_id"], filters=[("as_of", "=", as_of)])
    return [str(customer) for customer in rows.column("customer_id").to_pylist()]


def _list_customers(path: Path, customers: list[str]) -> None:
    write_parquet(path, pa.table({"customer_id": pa.array(customers, pa.string())}))


def _rows(path: Path, view: str, features: tuple[Feature, ...], as_of: datetime) -> Iterator[list[_Row]]:
    names = [row_marker(view), *(feature.name for feature in features)]
    makers = ["int64_val", *(_VALUE_FIELDS[feature.type] for feature in features)]
    table = pq.read_table(path, columns=["customer_id", *names], filters=[("as_of", "=", as_of)])
    # Most counts and categories repeat: the same message object serves them all.
    known: dict[tuple[str, Any], Any] = {}
    for first in range(0, table.num_rows, PART_CUSTOMERS):
        part = table.slice(first, PART_CUSTOMERS)
        columns = [
            [_value(known, maker, value) for value in part.column(name).to_pylist()]
            for name, maker in zip(names, makers, strict=True)
        ]
        customers = part.column("customer_id").to_pylist()
        yield [
            (str(customer), dict(zip(names, values, strict=True)))
            for customer, values in zip(customers, zip(*columns, strict=True), strict=True)
        ]


_VALUE_FIELDS = {"int": "int64_val", "float": "double_val", "category": "string_val"}


def _value(known: dict[tuple[str, Any], Any], maker: str, value: Any) -> Any:
    if value is None:
        return _BLANK
    if maker == "double_val":
        return Value(double_val=value)
    found = known.get((maker, value))
    if found is None:
        found = known[(maker, value)] = Value(**{maker: value})
    return found


def _write(store: FeatureStore, view: FeatureView, rows: list[_Row], as_of: datetime) -> None:
    data = [
        (EntityKey(join_keys=["customer_id"], entity_values=[Value(string_val=customer)]), values, as_of, as_of)
        for customer, values in rows
    ]
    store._get_provider().online_write_batch(store.config, view, data, None)
