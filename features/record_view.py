"""The view that says who stands behind a record of a system: its entity is the record, its one field the person."""

from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureView, Field, FileSource
from feast.types import String
from feast.value_type import ValueType

from core.storage import Workspace

RECORD = "record"
PERSON = "person"
# Not a time to live that anybody waits for: a record stands for a person until it is published otherwise.
_TTL = timedelta(days=3650)


def record_rows_path(workspace: Workspace) -> Path:
    """Where the view's offline rows lie."""
    return workspace.path("feast", "records.parquet").resolve()


def record_entity() -> Entity:
    """The entity that the view is keyed by."""
    return Entity(
        name=RECORD, join_keys=[RECORD], value_type=ValueType.STRING, description="a record of a source system"
    )


def record_view(entity: Entity, workspace: Workspace) -> FeatureView:
    """The view; its rows are written by `features.record_lookup.publish_records`."""
    return FeatureView(
        name=RECORD,
        description="Who stands behind a record of a source system",
        entities=[entity],
        ttl=_TTL,
        schema=[
            Field(name=RECORD, dtype=String),
            Field(name=PERSON, dtype=String, description="customer id, state and models as JSON"),
        ],
        source=FileSource(
            name="record_rows",
            path=str(record_rows_path(workspace)),
            timestamp_field="as_of",
            created_timestamp_column="built_at",
        ),
    )
