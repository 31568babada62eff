"""Since when the values of a feature are known, by what the configuration declares of its source."""

from collections.abc import Iterator

from core.settings import Settings
from core.source_settings import KnownAt
from features.catalog import ServiceSchema
from training.leakage import Availability


def declared_availability(settings: Settings, schema: ServiceSchema) -> dict[str, Availability]:
    """For each feature `history` or `created`; features of which nothing was declared are left out.

    What is counted from events, deals and agreements carries both of its times. A field is known from the export on
    unless somebody declares more: that values stand since the record was made (`created`), which the leakage gate
    examines, or that a change log tells when each came (`history`). A field that is derived from others, as ranks are
    from titles, is examined as well.
    """
    declared: dict[str, Availability] = {}
    for feature in schema.features:
        if feature.source is None:
            declared[feature.name] = "history"
            continue
        said = list(_said_of(settings, feature.source))
        if not said or "created" in said:
            declared[feature.name] = "created"
        elif None not in said:
            declared[feature.name] = "history"
    return declared


def _said_of(settings: Settings, field: str) -> Iterator[KnownAt | None]:
    """What each source declares of a field that it maps; None where it says nothing."""
    for source in settings.sources:
        people = source.people
        if people is None:
            continue
        for column in (people.fields.get(field), people.custom.get(field)):
            if column is not None:
                spoken = people.known_at if "known_at" in people.model_fields_set else None
                yield column.known_at or spoken
