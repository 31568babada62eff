"""Intent: visits to the pages that people open before they decide (prices, comparisons, help, cancellation)."""

from core.settings import Settings
from features.catalog import view_features
from features.views.event_measures import aggregate_sql


def intent_query(settings: Settings) -> str:
    """One row per moment of the batch; windows are half-open, [t - N days, t), of exactly 24 hours a day."""
    features = view_features(settings, "intent")
    counted = ",\n    ".join(f"{aggregate_sql(settings, feature)} AS {feature.name}" for feature in features)
    return f"""
SELECT moment,
    {counted}
FROM visible_events GROUP BY moment
"""
