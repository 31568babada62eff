"""What was known about each person at each moment: as-of features, and the Feast repository that hands them out."""

from features.catalog import Feature, ServiceSchema, feature_catalog, service_schema

__all__ = ["Feature", "ServiceSchema", "feature_catalog", "service_schema"]
