"""The feature repository as Feast objects, made from the catalogue and the settings."""

from dataclasses import dataclass
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource
from feast.types import Float64, Int64, String
from feast.value_type import ValueType

from core.settings import Settings
from core.storage import Workspace
from features.catalog import (
    SERVICE_NOTES,
    VIEW_NOTES,
    Feature,
    ViewName,
    row_marker,
    service_schema,
    used_services,
    used_views,
    view_features,
)
from features.record_view import record_entity, record_view

_TYPES = {"int": Int64, "float": Float64, "category": String}


@dataclass(frozen=True)
class FeatureRepository:
    """Everything that is registered with Feast."""

    entities: tuple[Entity, ...]
    views: tuple[FeatureView, ...]
    services: tuple[FeatureService, ...]


def feature_repository(settings: Settings, workspace: Workspace) -> FeatureRepository:
    """Entities, views over the generation of features in force, and services.

    Raises:
        MissingStageError: no features have been built in this workspace.
    """
    customer = Entity(
        name="customer", join_keys=["customer_id"], value_type=ValueType.STRING, description="a unified person"
    )
    account = Entity(name="account", join_keys=["account_id"], value_type=ValueType.STRING, description="a company")
    folder = workspace.current("features").resolve()
    views = {
        view: FeatureView(
            name=view,
            description=VIEW_NOTES[view].about.en,
            entities=[customer],
            tags={"kind": VIEW_NOTES[view].kind, "tables": ", ".join(VIEW_NOTES[view].tables)},
            ttl=timedelta(days=settings.features.ttl_days),
            schema=[
                Field(name="customer_id", dtype=String),
                Field(name=row_marker(view), dtype=Int64, description="as-of of the row in microseconds since 1970"),
                *(
                    Field(
                        name=feature.name,
                        dtype=_TYPES[feature.type],
                        description=feature.meaning.en if feature.meaning else feature.label.en,
                        tags=_field_tags(feature),
                    )
                    for feature in view_features(settings, view)
                ),
            ],
            # Fresh rows of single people may be pushed; a run's rows come from the file.
            source=PushSource(
                name=f"{view}_push",
                batch_source=FileSource(
                    name=f"{view}_rows",
                    path=str(folder / f"{view}.parquet"),
                    timestamp_field="as_of",
                    created_timestamp_column="built_at",
                ),
            ),
        )
        for view in used_views(settings)
    }
    services = tuple(_service(settings, service, views) for service in used_services(settings))
    record = record_entity()
    return FeatureRepository((customer, account, record), (*views.values(), record_view(record, workspace)), services)


def _service(settings: Settings, service: str, views: dict[ViewName, FeatureView]) -> FeatureService:
    """Exactly the features of the service, and of each view that it reads the marker of the row."""
    wanted: dict[ViewName, list[str]] = {}
    schema = service_schema(settings, service)
    for feature in schema.features:
        wanted.setdefault(feature.view, [row_marker(feature.view)]).append(feature.name)
    return FeatureService(
        name=service,
        features=[views[view][names] for view, names in wanted.items()],
        description=SERVICE_NOTES[service].en,
        tags={"model": service.removesuffix("_v1"), "fingerprint": schema.fingerprint},
    )


def _field_tags(feature: Feature) -> dict[str, str]:
    """What people look for in a catalogue; blank ones are left out."""
    tags = {
        "subject": feature.subject,
        "label_ja": feature.label.ja,
        "measure": feature.measure,
        "unit": feature.unit.en,
        "window_days": str(feature.window_days or ""),
        "definition": feature.definition,
    }
    return {name: told for name, told in tags.items() if told}
