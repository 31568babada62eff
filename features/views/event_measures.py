"""How each measure of events is written in SQL; shared by the views that count events."""

from core.settings import Settings
from features.catalog import Feature
from features.facts import signal_columns
from features.people_as_of import DAY

# These need the youngest event per day, type or page, so they come from a grouping of their own.
GROUPED_MEASURES = {"active_days": "local_day", "distinct_types": "type", "distinct_topics": "topic"}


def aggregate_sql(settings: Settings, feature: Feature) -> str:
    """The aggregate over `visible_events`, grouped by moment, that yields the feature."""
    columns = signal_columns(settings)
    chosen = columns[feature.signal] if feature.signal else "active"

    def counted(condition: str, days: int | None) -> str:
        window = f" AND age <= {days * DAY}" if days is not None else ""
        return f"count(*) FILTER (WHERE {condition}{window})"

    match feature.measure:
        case "count":
            return counted(chosen, feature.window_days)
        case "days_since":
            return f"min(age) FILTER (WHERE {chosen}) / {DAY}.0"
        case "heat":
            return f"coalesce(sum(warmth) FILTER (WHERE {chosen}), 0)::DOUBLE / 1000000000.0"
        case "momentum":
            short, long = feature.window_days or 1, feature.against_days or 1
            recent, usual = counted("active", short), counted("active", long)
            return f"({recent} * {long})::DOUBLE / nullif({usual} * {short}, 0)::DOUBLE"
        case "open_rate" | "click_rate":
            sent = counted(columns["email_sent"], feature.window_days)
            return f"{counted(chosen, feature.window_days)}::DOUBLE / nullif({sent}, 0)::DOUBLE"
        case "working_hours_share" | "weekend_share":
            habit = feature.measure.removesuffix("_share")
            habitual = counted(f"active AND {habit}", feature.window_days)
            return f"{habitual}::DOUBLE / nullif({counted('active', feature.window_days)}, 0)::DOUBLE"
        case "amount":
            window = (feature.window_days or 0) * DAY
            return f"coalesce(sum(amount_hundredths) FILTER (WHERE active AND age <= {window}), 0)::DOUBLE / 100.0"
        case _:
            raise AssertionError(f"{feature.measure} is no aggregate of events")


def grouped_sql(measure: str, features: list[Feature]) -> str:
    """A query by moment for the features of one grouped measure: how many groups have an event within the window."""
    group = GROUPED_MEASURES[measure]
    longest = max(feature.window_days or 0 for feature in features) * DAY
    counts = ", ".join(
        f"count(*) FILTER (WHERE youngest <= {(feature.window_days or 0) * DAY}) AS {feature.name}"
        for feature in features
    )
    return f"""
    SELECT moment, {counts}
    FROM (
        SELECT moment, {group}, min(age) AS youngest FROM visible_events
        WHERE active AND {group} IS NOT NULL AND age <= {longest}
        GROUP BY moment, {group}
    )
    GROUP BY moment"""
