"""Read features through Feast, the only way in which models get them: by service name, offline or online."""

import warnings
from collections.abc import Sequence, Set

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.clock import Clock
from core.errors import ContractError
from core.settings import Settings
from core.storage import Workspace
from core.tables import MOMENT
from features.build import ARROW_TYPES
from features.catalog import ServiceSchema, row_marker, service_schema
from features.online_reader import OnlineReader
from features.people_as_of import checked_moments
from features.store import applied_store, open_store

# Feast's point-in-time join pairs each row with every earlier one of the person: a part at a time bounds its memory.
PART_MOMENTS = 30_000
PART_CUSTOMERS = 500


def historical_features(settings: Settings, workspace: Workspace, service: str, moments: pa.Table) -> pa.Table:
    """The features of a service as they were at each moment.

    Args:
        settings: decides what the service holds.
        workspace: features must have been built for these moments, and the definitions applied.
        service: for example `lead_v1`.
        moments: `customer_id` and `as_of` (with time zone); doubles and any order are allowed.

    Returns:
        `customer_id`, `as_of`, then the features in schema order; the rows in the order of `moments`.

    Raises:
        ContractError: the service is unknown or registered with other features, or a moment has no row of its own
            (Feast would silently serve an older one).
        MissingStageError: no features were built, or the definitions were not applied since.
        TableError: the moments are not as described.
    """
    schema = service_schema(settings, service)
    wanted = checked_moments(moments)
    store = applied_store(settings, workspace)
    markers = [row_marker(view) for view in _views(schema)]
    registered = store.get_feature_service(service)
    _check_registered(schema, markers, {f.name for p in registered.feature_view_projections for f in p.features})
    parts = [_empty(schema)]
    # Neighbours in this order are few people with all their moments: each part touches few of the files' row groups.
    order = pc.sort_indices(wanted, [("customer_id", "ascending"), ("as_of", "ascending")])
    for first in range(0, wanted.num_rows, PART_MOMENTS):
        places = order.slice(first, PART_MOMENTS)
        entities = wanted.take(places).rename_columns(["customer_id", "event_timestamp"])
        entities = entities.append_column("place", places.cast(pa.int64()))
        with warnings.catch_warnings():
            # Feast reaches DuckDB through ibis, which still calls by a name that DuckDB 2 has deprecated.
            warnings.filterwarnings("ignore", r"fetch_arrow_table\(\) is deprecated", DeprecationWarning)
            served = store.get_historical_features(entity_df=entities.to_pandas(), features=registered).to_arrow()
        parts.append(_checked(served, schema, markers))
    return _in_order(pa.concat_tables(parts))


class OnlineFeatures:
    """The newest materialised features of services, for those who read often. Threads may share it.

    Args:
        settings: decides what a service holds.
        workspace: its online store is read.
        clock: says what is past its time to live; the machine's own unless given.
    """

    def __init__(self, settings: Settings, workspace: Workspace, clock: Clock | None = None) -> None:
        self._settings = settings
        self.store = open_store(settings, workspace, clock)
        self._reader = OnlineReader(self.store)
        self._schemas: dict[str, ServiceSchema] = {}

    def read(self, service: str, customer_ids: Sequence[str]) -> pa.Table:
        """The features of people; one round trip for each 500 of them.

        Args:
            service: for example `lead_v1`.
            customer_ids: unknown ones and doubles are allowed.

        Returns:
            `customer_id`, `as_of`, then the features in schema order; one row per given id, in the order given. `as_of`
            is the oldest moment among the person's rows; it is blank, like all features, for people who cannot be
            answered for: without a row in some view, or with one that is past its time to live or lacks a feature.

        Raises:
            ContractError: the service is unknown, or registered with other features.
            ConfigurationError: the online store does not answer.
        """
        schema = self._schemas.get(service)
        if schema is None:
            schema = self._schemas[service] = service_schema(self._settings, service)
        markers = [row_marker(view) for view in _views(schema)]
        _check_registered(schema, markers, self._reader.registered(service, schema.names))
        parts = [
            self._reader.read(service, customer_ids[first : first + PART_CUSTOMERS], schema.names)
            for first in range(0, len(customer_ids), PART_CUSTOMERS)
        ]
        if len(parts) == 1:
            return parts[0]
        return pa.concat_tables([_empty(schema).drop_columns("place"), *parts])


def online_features(
    settings: Settings, workspace: Workspace, service: str, customer_ids: Sequence[str], clock: Clock | None = None
) -> pa.Table:
    """The newest materialised features of a service, for those who read once; see `OnlineFeatures`."""
    return OnlineFeatures(settings, workspace, clock).read(service, customer_ids)


def _views(schema: ServiceSchema) -> list[str]:
    return list(dict.fromkeys(feature.view for feature in schema.features))


def _check_registered(schema: ServiceSchema, markers: list[str], registered: Set[str]) -> None:
    expected = {*schema.names, *markers}
    if registered != expected:
        raise ContractError(
            f"the service {schema.service} is registered without {sorted(expected - registered) or 'nothing'} "
            f"and with {sorted(registered - expected) or 'nothing'} too many",
            "the features of this configuration",
            "build and apply the features again",
        )


def _checked(served: pa.Table, schema: ServiceSchema, markers: list[str]) -> pa.Table:
    """One part of the answer in agreed types, once every row is proven to be the moment's own."""
    asked = served.column("event_timestamp").cast(MOMENT)
    asked_us = asked.cast(pa.int64()).to_numpy()
    for marker in markers:
        own = pc.fill_null(served.column(marker), -1).to_numpy()
        view = marker.removesuffix("_row_as_of")
        strangers = int(np.count_nonzero(own != asked_us))
        if strangers:
            raise ContractError(
                f"{strangers} of {served.num_rows} moments have no {view} row of their own",
                "features built for exactly these moments",
                "build the features again, then apply the definitions",
            )
    columns = {"place": served.column("place"), "customer_id": served.column("customer_id"), "as_of": asked}
    columns |= {feature.name: served.column(feature.name) for feature in schema.features}
    return pa.table(columns).cast(_empty(schema).schema)


def _in_order(answer: pa.Table) -> pa.Table:
    return answer.take(pc.sort_indices(answer, [("place", "ascending")])).drop_columns("place").combine_chunks()


def _empty(schema: ServiceSchema) -> pa.Table:
    fields: list[tuple[str, pa.DataType]] = [("place", pa.int64()), ("customer_id", pa.string()), ("as_of", MOMENT)]
    fields += [(feature.name, ARROW_TYPES[feature.type]) for feature in schema.features]
    return pa.schema(fields).empty_table()
