"""Profile and fit: who a person was known to be at each moment."""

from core.settings import Settings
from features.catalog import view_features
from features.facts import KEY_SYSTEMS
from features.people_as_of import DAY


def visible_attributes_sql() -> str:
    """Every value visible at each moment of the batch: stated and recorded before it, on a node owned then.

    With the strength that follows from what was known of it then.
    """
    return """
    SELECT b.moment, a.field, a.field_number, a.value, a.strength
    FROM batch_nodes b
    JOIN attribute_facts a ON a.node = b.node AND a.occurred < b.at_us AND a.recorded < b.at_us
        AND (a.since IS NULL OR a.since < b.at_us) AND (a.until IS NULL OR a.until >= b.at_us)"""


def surviving_value_sql(field: str) -> str:
    """The value of a field that wins among the visible ones."""
    return f"arg_max(value, strength) FILTER (WHERE field = '{field.replace(chr(39), chr(39) * 2)}')"


def profile_query(settings: Settings) -> str:
    """One row per moment of the batch."""
    fields = {feature.source for feature in view_features(settings, "profile") if feature.source}
    texts = [feature.name for feature in view_features(settings, "profile") if feature.type == "category"]
    texts = [name for name in texts if name != "marketing_consent"]
    values = ",\n        ".join(f"{surviving_value_sql(field)} AS surviving_{field}" for field in sorted(fields))
    keys = ", ".join(f"'{system}'" for system in KEY_SYSTEMS)

    def number(field: str) -> str:
        parsed = f"TRY_CAST(replace(surviving_{field}, ',', '') AS DOUBLE)"
        return f"CASE WHEN isfinite({parsed}) THEN {parsed} END"

    return f"""
WITH surviving AS (
    SELECT moment,
        {values},
        count(DISTINCT field_number) AS filled_fields
    FROM ({visible_attributes_sql()}) GROUP BY moment
),
owned AS (
    SELECT b.moment,
        count(*) FILTER (WHERE n.system NOT IN ({keys})) AS records,
        count(*) FILTER (WHERE n.system = 'cookie') AS devices,
        min(n.known_from) AS known_from
    FROM batch_nodes b JOIN nodes n USING (node) GROUP BY b.moment
),
consent AS (
    SELECT b.moment, CASE WHEN arg_max(c.granted, c.position) THEN 'granted' ELSE 'refused' END AS marketing_consent
    FROM batch_nodes b JOIN consent_facts c ON c.node = b.node AND c.decided < b.at_us AND c.recorded < b.at_us
    GROUP BY b.moment
)
SELECT b.moment,
    {"".join(f"s.surviving_{name} AS {name}, " for name in texts)}
    consent.marketing_consent,
    {number("employees")} AS employees,
    {number("annual_revenue")} AS annual_revenue,
    coalesce(s.filled_fields, 0) AS filled_fields,
    coalesce(owned.records, 0) AS records,
    coalesce(owned.devices, 0) AS devices,
    (b.at_us - owned.known_from) / {DAY}.0 AS days_since_first_seen
FROM batch_moments b
LEFT JOIN surviving s USING (moment)
LEFT JOIN owned USING (moment)
LEFT JOIN consent USING (moment)
"""
