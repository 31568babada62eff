"""Custom fields: the company's own columns, as they stood at each moment."""

from core.settings import Settings
from features.catalog import Feature, view_features
from features.people_as_of import DAY
from features.views.profile import surviving_value_sql, visible_attributes_sql

_TRUE = "('true', 'yes', 'y', 't', '1', 'on')"
_FALSE = "('false', 'no', 'n', 'f', '0', 'off')"


def custom_query(settings: Settings) -> str:
    """One row per moment; numbers as they are, yes/no as 1/0, dates as days passed since (negative: still to come)."""
    features = view_features(settings, "custom")
    values = ",\n        ".join(
        f"{surviving_value_sql(str(feature.source))} AS value_{number}" for number, feature in enumerate(features)
    )
    typed = ",\n    ".join(
        f"{_typed(feature, f'value_{number}')} AS {feature.name}" for number, feature in enumerate(features)
    )
    return f"""
WITH surviving AS (
    SELECT moment,
        {values}
    FROM ({visible_attributes_sql()}) GROUP BY moment
)
SELECT moment,
    {typed}
FROM batch_moments LEFT JOIN surviving USING (moment)
"""


def _typed(feature: Feature, value: str) -> str:
    match feature.custom_type:
        case "number":
            # What is not finite cannot be told from a missing value everywhere, so it is missing.
            number = f"TRY_CAST(replace({value}, ',', '') AS DOUBLE)"
            return f"CASE WHEN isfinite({number}) THEN {number} END"
        case "boolean":
            return f"CASE WHEN lower({value}) IN {_TRUE} THEN 1 WHEN lower({value}) IN {_FALSE} THEN 0 END"
        case "date":
            return f"(at_us - epoch_us(TRY_CAST({value} AS TIMESTAMPTZ))) / {DAY}.0"
        case _:
            return value
