"""The one place where features are listed: what each is called, counts, and is called aloud.

Everything else (the SQL of the views, the Feast definitions, a model's contract, the words of a reason, the dictionary
docs/features.md) is derived from this list. It depends on the settings alone and imports nothing heavy.

To add a feature: yield it in the file of its subject here, and calculate the column of its name in the query of its
view (`features/views/`). To add a view: a file here that yields its features, named in `listing.py` and described in
`views.py`; a file in `features/views/` with its query, named in `features/build.py`; and its name in the services that
read it (`services.py`).
"""

from features.catalog.feature import (
    Feature,
    FeatureType,
    Kind,
    Measure,
    ViewName,
    wide_windows,
)
from features.catalog.listing import VIEWS, feature_catalog, row_marker, view_features
from features.catalog.services import (
    HEAT_HALF_LIFE_DAYS,
    PASSIVE_TYPES,
    SERVICE_NOTES,
    SERVICES,
    ServiceSchema,
    service_of,
    service_schema,
    used_services,
    used_views,
)
from features.catalog.views import VIEW_NOTES, ViewNote

__all__ = [
    "HEAT_HALF_LIFE_DAYS",
    "PASSIVE_TYPES",
    "SERVICES",
    "SERVICE_NOTES",
    "VIEWS",
    "VIEW_NOTES",
    "Feature",
    "FeatureType",
    "Kind",
    "Measure",
    "ServiceSchema",
    "ViewName",
    "ViewNote",
    "feature_catalog",
    "row_marker",
    "service_of",
    "service_schema",
    "used_services",
    "used_views",
    "view_features",
    "wide_windows",
]
