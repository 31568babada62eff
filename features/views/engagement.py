"""Engagement: how much, how recently, how regularly and in which ways a person was active."""

from core.settings import Settings
from features.catalog import view_features
from features.views.event_measures import GROUPED_MEASURES, aggregate_sql, grouped_sql


def engagement_query(settings: Settings) -> str:
    """One row per moment of the batch; windows are half-open, [t - N days, t), of exactly 24 hours a day.

    Active days are calendar days in the business time zone on which something happened within the window.
    """
    features = view_features(settings, "engagement")
    plain = [feature for feature in features if feature.measure not in GROUPED_MEASURES]
    counted = ",\n        ".join(f"{aggregate_sql(settings, feature)} AS {feature.name}" for feature in plain)
    groups = {
        measure: found
        for measure in GROUPED_MEASURES
        if (found := [feature for feature in features if feature.measure == measure])
    }
    tables = "".join(f",\n{measure}_groups AS ({grouped_sql(measure, found)})" for measure, found in groups.items())
    joins = "".join(f"\nLEFT JOIN {measure}_groups USING (moment)" for measure in groups)
    return f"""
WITH counted AS (
    SELECT moment,
        {counted}
    FROM visible_events GROUP BY moment
){tables}
SELECT moment, {", ".join(feature.name for feature in features)}
FROM batch_moments
LEFT JOIN counted USING (moment){joins}
"""
