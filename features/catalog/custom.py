"""Custom fields: the company's own columns."""

import re
from collections.abc import Iterator

from core.errors import ConfigurationError, Fault, raise_faults
from core.settings import Settings
from core.source_settings import CustomType, Label
from features.catalog.feature import DAYS, NO_UNIT, Feature, FeatureType

_CUSTOM_TYPES: dict[CustomType, FeatureType] = {
    "number": "float",
    "category": "category",
    "boolean": "int",
    "date": "float",
}


def custom_features(settings: Settings) -> Iterator[Feature]:
    """One feature for each custom field of any source.

    Raises:
        ConfigurationError: a field has two types in two sources, or a name without Latin letters and digits.
    """
    found: dict[str, tuple[CustomType, Label | None]] = {}
    faults = []
    for source in settings.sources:
        for field, column in source.people.custom.items() if source.people else ():
            kind, label = found.get(field, (column.type, None))
            if kind != column.type:
                faults.append(Fault(f"custom field {field}", f"is {kind} in one source and {column.type} in another"))
            found[field] = (kind, label or column.label)
    raise_faults(ConfigurationError, "the configuration", faults, "declare one type")
    for field, (kind, label) in found.items():
        slug = re.sub(r"[^a-z0-9]+", "_", field.lower()).strip("_")
        if not slug:
            raise ConfigurationError(f"the custom field {field!r}", "a name with Latin letters or digits", "rename it")
        spoken = label or Label(ja=field, en=field)
        if kind == "date":
            spoken = Label(ja=f"{spoken.ja}からの日数", en=f"days since {spoken.en}")
        yield Feature(
            f"custom_{slug}",
            "custom",
            _CUSTOM_TYPES[kind],
            "value",
            f"custom_{slug}",
            spoken,
            "fit",
            spoken,
            DAYS if kind == "date" else NO_UNIT,
            source=field,
            custom_type=kind,
        )
