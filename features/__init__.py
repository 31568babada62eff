"""What was known about each person at each moment: as-of features, and the Feast repository that hands them out."""

import features.quick_feast  # noqa: F401  (before anything imports Feast)
from features.catalog import Feature, ServiceSchema, feature_catalog, service_schema

__all__ = ["Feature", "ServiceSchema", "feature_catalog", "service_schema"]
