"""Build the features: for each requested moment and each view one row, from what was known strictly before it."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import MissingStageError, TableError
from core.progress import Progress, SilentProgress
from core.settings import Settings
from core.storage import Workspace, connect_duckdb, fingerprint, source_mark
from core.tables import MOMENT
from features.catalog import (
    Feature,
    Measure,
    ViewName,
    feature_catalog,
    row_marker,
    service_schema,
    used_services,
    used_views,
)
from features.detail_facts import prepare_details, select_details
from features.event_facts import present_marks
from features.facts import number_people, prepare_facts
from features.kept_rows import KeptRows, Scope
from features.people_as_of import Batch, batches, number_moments, select_batch
from features.validation import check_build
from features.views.account import account_query
from features.views.contract import contract_query
from features.views.custom import custom_query
from features.views.deal import deal_query
from features.views.event_measures import EventBounds, event_rows_sql
from features.views.profile import profile_query
from features.views.purchase import purchase_query
from features.views.support import support_query
from features.views.usage import usage_query
from features.views.value import value_query
from features.views.warmth import warmth_query

# Views that say more than how many events there were; those of all other views are counted at once.
QUERIES: dict[str, Callable[[Settings], str]] = {
    "profile": profile_query,
    "deal": deal_query,
    "contract": contract_query,
    "usage": usage_query,
    "purchase": purchase_query,
    "support": support_query,
    "warmth": warmth_query,
    "value": value_query,
    "account": account_query,
    "custom": custom_query,
}
# Whose facts decide about a view's rows, where these are not the person's own alone.
_SCOPES: dict[str, Scope] = {"account": "company"}
ARROW_TYPES = {"int": pa.int64(), "float": pa.float64(), "category": pa.string()}
_SQL_TYPES = {"int": "BIGINT", "float": "DOUBLE", "category": "VARCHAR"}
# Nothing seen is a count of none; for every other measure it is "not known".
_ZERO_WHEN_UNSEEN: tuple[Measure, ...] = ("count", "active_days", "distinct_types", "distinct_topics", "heat", "amount")


@dataclass(frozen=True)
class FeatureBuild:
    """What was built: how many moments and people, the features by view, and a fingerprint of the requested rows.

    `kept` says for how many moments a person's own features were taken from the build before.
    """

    moments: int
    customers: int
    views: dict[str, tuple[str, ...]]
    fingerprint: str
    kept: int = 0


def build_features(
    settings: Settings,
    workspace: Workspace,
    moments: pa.Table,
    progress: Progress | None = None,
    features: Sequence[Feature] | None = None,
) -> FeatureBuild:
    """Write every view's rows for the requested moments and publish them as the stage `features`.

    Only moments before which something has changed are counted; the others' rows are those of the build before.

    Args:
        settings: the windows, signals, profile fields and custom fields.
        workspace: holds the unified tables, and takes the features.
        moments: `customer_id` (as it was valid at that moment) and `as_of` (with time zone); doubles are built once.
        progress: told how many moments are done.
        features: what is built; None for the views that the configured models read.

    Returns:
        The build's figures. In every view there is a row for every moment, also for people of whom nothing was known.

    Raises:
        FeatureQualityError: values are impossible, or moved as only a broken source moves them; nothing is published.
        MissingStageError: no unified tables have been published.
        TableError: the moments are not as described, or there are none.
    """
    manifest = workspace.manifest("customers")
    if manifest is None:
        raise MissingStageError(f"{workspace.home} holds no customers yet", "unified tables", "run `kizashi unify`")
    if features is None:
        read = used_views(settings)
        features = [feature for feature in feature_catalog(settings) if feature.view in read]
    views = {view: tuple(group) for view, group in groupby(features, key=attrgetter("view"))}
    with connect_duckdb() as connection:
        # Every order that matters is asked for.
        connection.execute("SET preserve_insertion_order = false")
        workspace.tables(connection)
        number_people(connection)
        total = number_moments(connection, settings, moments)
        if total == 0:
            raise TableError("no moments were requested", "at least one customer_id and as_of", "check the spine")
        prepare_facts(connection, settings, features)
        prepare_details(connection, settings, views)
        meaning = _meaning(connection, settings, features)
        kept = KeptRows(connection, workspace, meaning, next(iter(views)))
        summary = _summary(connection, settings, views, total, str(manifest.get("fingerprint", "")), kept.count)
        stage_manifest = {
            "as_of": manifest["as_of"],
            "moments": summary.moments,
            "customers": summary.customers,
            "fingerprint": summary.fingerprint,
            "customers_generation": manifest["generation"],
            "meaning": meaning,
            "services": {service: service_schema(settings, service).fingerprint for service in used_services(settings)},
        }
        with workspace.publish("features", summary.fingerprint, stage_manifest) as folder:
            _write_views(connection, settings, folder, views, kept, str(manifest["as_of"]), total, progress)
            stage_manifest["validation"] = check_build(settings, workspace, folder, views, stage_manifest)
            kept.save(folder)
    return summary


def _meaning(connection: duckdb.DuckDBPyConnection, settings: Settings, features: Sequence[Feature]) -> str:
    """Changes with whatever decides what is made of the facts: settings, features, code, and how types are numbered."""
    folders = (Path(__file__).parent, Path(__file__).parents[1] / "core")
    types = connection.execute("SELECT DISTINCT type FROM event_kinds ORDER BY type").fetchall()
    chosen = (settings.timezone, settings.features, settings.survivorship, *features)
    return fingerprint(*map(source_mark, folders), *chosen, types)


def _summary(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    views: Mapping[ViewName, tuple[Feature, ...]],
    total: int,
    customers_fingerprint: str,
    kept: int,
) -> FeatureBuild:
    row = connection.execute(
        "SELECT count(DISTINCT customer_id), CAST(sum(hash(customer_id, at_us)) AS VARCHAR) FROM moments"
    ).fetchone()
    customers, requested = row if row else (0, "")
    contracts = [service_schema(settings, service).fingerprint for service in used_services(settings)]
    return FeatureBuild(
        moments=total,
        customers=int(customers),
        views={view: tuple(feature.name for feature in features) for view, features in views.items()},
        fingerprint=fingerprint(customers_fingerprint, total, requested, *contracts),
        kept=kept,
    )


def _write_views(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    folder: Path,
    views: Mapping[ViewName, tuple[Feature, ...]],
    kept: KeptRows,
    built_at: str,
    total: int,
    progress: Progress | None,
) -> None:
    """Fill one Parquet file per view, sorted by customer and as-of, a batch of moments at a time."""
    schemas = {view: view_schema(view, features) for view, features in views.items()}
    ((types,),) = connection.execute("SELECT count(DISTINCT type_code) FROM event_kinds").fetchall()
    marks = present_marks(connection, settings)
    with ExitStack() as stack:
        advance = stack.enter_context((progress or SilentProgress()).task("features", total))
        writers = {
            view: stack.enter_context(
                pq.ParquetWriter(
                    folder / f"{view}.parquet",
                    schema,
                    compression="zstd",
                    # Numbers, and ids that hardly repeat, take less time and no more room without a dictionary.
                    use_dictionary=_categories(schema),
                    data_page_version="2.0",
                )
            )
            for view, schema in schemas.items()
        }
        # While a batch is written, the next one is counted.
        writing = stack.enter_context(ThreadPoolExecutor(1))
        written: list[Future[None]] = []
        for batch in batches(connection):
            made: dict[ViewName, list[pa.Table]] = {}
            for scope, alike in _by_scope(views).items():
                asked = select_batch(connection, batch, scope)
                counted = ""
                if asked:
                    select_details(connection, settings)
                    bounds = EventBounds(batch.most_events, types, marks)
                    counted = _count_events(connection, settings, alike, bounds)
                for view, features in alike.items():
                    parts = [kept.rows(view, scope, built_at, batch)]
                    if asked:
                        query = _row_query(settings, view, features, built_at, counted)
                        parts.append(connection.sql(query).to_arrow_table())
                    made[view] = [part for part in parts if part is not None]
            for former in written:
                former.result()
            written = [
                writing.submit(_write, writers[view], parts, view, schemas[view], batch) for view, parts in made.items()
            ]
            advance(batch.behind - batch.first)
        for last in written:
            last.result()


def _write(
    writer: pq.ParquetWriter, parts: Sequence[pa.Table], view: ViewName, schema: pa.Schema, batch: Batch
) -> None:
    writer.write_table(_in_order(parts, view, schema, batch), row_group_size=20_000)


def _by_scope(views: Mapping[ViewName, tuple[Feature, ...]]) -> dict[Scope, dict[ViewName, tuple[Feature, ...]]]:
    """The views in two groups, by whose facts decide about their rows."""
    grouped: dict[Scope, dict[ViewName, tuple[Feature, ...]]] = {}
    for view, features in views.items():
        grouped.setdefault(_SCOPES.get(view, "own"), {})[view] = features
    return grouped


def _count_events(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    views: Mapping[ViewName, tuple[Feature, ...]],
    bounds: EventBounds,
) -> str:
    """SQL of one row per moment to be counted, with whatever counts events; of several views it is counted once."""
    counting = [features for view, features in views.items() if view not in QUERIES]
    if not counting:
        return ""
    rows = event_rows_sql(settings, [feature for features in counting for feature in features], bounds)
    if len(counting) < 2:
        return f"({rows})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE event_rows AS {rows}")
    return "event_rows"


def _in_order(parts: Sequence[pa.Table], view: str, schema: pa.Schema, batch: Batch) -> pa.Table:
    """The rows of a batch by customer and as-of; sorting numbers and picking rows costs less than sorting rows."""
    moments = np.concatenate([part["moment"].to_numpy() for part in parts])
    order = np.argsort(moments)
    if not np.array_equal(moments[order], np.arange(batch.first, batch.behind)):
        raise TableError(
            f"the view {view} made {len(moments)} rows for {batch.behind - batch.first} moments",
            "one row for each moment",
            "report this as a fault of the view's query",
        )
    rows = pa.concat_tables([part.drop_columns("moment").cast(schema) for part in parts])
    return rows.combine_chunks().take(pa.array(order))


def _categories(schema: pa.Schema) -> list[str]:
    """The features that are texts."""
    return [field.name for field in schema if pa.types.is_string(field.type) and field.name != "customer_id"]


def view_schema(view: str, features: tuple[Feature, ...]) -> pa.Schema:
    """The columns of a view's file: whose row, as of when, when built, the row's marker, then the features."""
    return pa.schema(
        [
            pa.field("customer_id", pa.string(), nullable=False),
            pa.field("as_of", MOMENT, nullable=False),
            pa.field("built_at", MOMENT, nullable=False),
            pa.field(row_marker(view), pa.int64(), nullable=False),
            *(pa.field(feature.name, ARROW_TYPES[feature.type]) for feature in features),
        ]
    )


def _row_query(
    settings: Settings, view: ViewName, features: tuple[Feature, ...], built_at: str, event_rows: str
) -> str:
    """A row for each moment of the batch, in agreed types: counted events, or what the view's own query says."""
    rows = f"{event_rows} b"
    if view in QUERIES:
        rows = f"batch_moments b LEFT JOIN ({QUERIES[view](settings)}) v USING (moment)"
    columns = ",\n    ".join(f"{_typed(feature)} AS {feature.name}" for feature in features)
    return f"""
SELECT b.moment, b.customer_id, b.as_of, TIMESTAMPTZ '{built_at}' AS built_at, b.at_us AS {row_marker(view)},
    {columns}
FROM {rows}
"""


def _typed(feature: Feature) -> str:
    counted = feature.view not in QUERIES
    value = f"CAST({'b' if counted else 'v'}.{feature.name} AS {_SQL_TYPES[feature.type]})"
    return value if counted or feature.measure not in _ZERO_WHEN_UNSEEN else f"coalesce({value}, 0)"
