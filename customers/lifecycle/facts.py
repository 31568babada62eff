"""What the conditions on events and fields find: facts of records, before it is asked whose records those are."""

from collections.abc import Iterable, Sequence

import duckdb

from core.lifecycle_settings import EventCondition, FieldCondition
from core.patterns import like_pattern
from customers.connectors.raw import literal

# Machines give themselves away within minutes. A click is believed when that time has passed: what a stage was entered
# by stays, so nothing may enter one that is taken back at once.
_SETTLED = (
    "recorded_at + CASE WHEN type IN ('email_open', 'email_click') THEN INTERVAL 10 MINUTES ELSE INTERVAL 0 MINUTE END"
)
_RECENT = f"event_id, system, source_id, epoch_us(occurred_at) AS occurred, epoch_us({_SETTLED}) AS recorded"
# What another system told already is no second time.
_COUNTS = f"(bot_since IS NULL OR bot_since > {_SETTLED}) AND duplicate_of IS NULL"


def create_facts(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the empty table `rule_facts` (rule, fact, system, source_id, occurred, recorded), times in microseconds."""
    connection.execute(
        "CREATE TEMP TABLE rule_facts (rule INTEGER, fact VARCHAR, system VARCHAR, source_id VARCHAR, "
        "occurred BIGINT, recorded BIGINT)"
    )


def add_event_facts(
    connection: duckdb.DuckDBPyConnection, conditions: Sequence[tuple[int, EventCondition]], of_records: str = ""
) -> None:
    """Add the events that conditions speak of, by the conditions' numbers; the events are read once.

    Args:
        connection: where the tables lie.
        conditions: each with its number.
        of_records: a table of (system, source_id) outside of which nothing is of interest; blank: everybody's.
    """
    if not conditions:
        return
    matches = [_event_matches(condition) for _, condition in conditions]
    flags = ", ".join(f"{match} AS match_{place}" for place, match in enumerate(matches))
    among = f"SEMI JOIN {of_records} USING (system, source_id)" if of_records else ""
    connection.execute(
        f"""CREATE TEMP TABLE matched_events AS
        SELECT {_RECENT}, {flags} FROM renewed_events {among} WHERE ({" OR ".join(matches)}) AND {_COUNTS}"""
    )
    for place, (number, _) in enumerate(conditions):
        connection.execute(
            f"""INSERT INTO rule_facts
            SELECT {number}, event_id, system, source_id, occurred, recorded FROM matched_events WHERE match_{place}"""
        )
    connection.execute("DROP TABLE matched_events")


def add_field_facts(connection: duckdb.DuckDBPyConnection, conditions: Iterable[tuple[int, FieldCondition]]) -> None:
    """Add the values that conditions speak of, by the conditions' numbers.

    Of a value that nobody dated (a snapshot's) it is only known that it held at the export: it counts from then.
    """
    for number, condition in conditions:
        system = f"system = {literal(condition.system)}" if condition.system else "true"
        connection.execute(
            f"""INSERT INTO rule_facts
            SELECT {number}, NULL, system, source_id,
                   epoch_us(CASE WHEN recorded_assumed THEN recorded_at ELSE occurred_at END), epoch_us(recorded_at)
            FROM attributes SEMI JOIN new_group_nodes USING (system, source_id)
            WHERE field = {literal(condition.field)} AND {system} AND {any_of("value", condition.values, "ILIKE")}"""
        )


def _event_matches(condition: EventCondition) -> str:
    # Letter case of an address means nothing to the person who opened it; types and channels are our own words.
    required = [
        any_of(column, patterns, operator)
        for column, patterns, operator in (
            ("type", condition.type, "LIKE"),
            ("channel", condition.channel, "LIKE"),
            ("url", condition.url, "ILIKE"),
        )
        if patterns
    ]
    required += [
        any_of(f"json_extract_string(properties, {literal(_json_path(name))})", patterns, "ILIKE")
        for name, patterns in condition.properties.items()
    ]
    return f"({' AND '.join(required)})"


def any_of(text: str, patterns: Sequence[str], operator: str) -> str:
    """SQL for whether a text matches one of the patterns; a blank one matches none."""
    plain = [pattern for pattern in patterns if operator == "LIKE" and not set("*?") & set(pattern)]
    parts = [f"{text} IN ({', '.join(map(literal, plain))})"] if plain else []
    parts += [f"{text} {operator} {like_pattern(pattern)}" for pattern in patterns if pattern not in plain]
    return f"coalesce({' OR '.join(parts)}, false)"


def _json_path(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'$."{escaped}"'
