"""Events, prepared once per build for counting: whose they are and in which time, with all that is asked of them.

An event's row belongs to one person and one period, `(known, until]` in microseconds: it counts at t for that person if
`known < t <= until`. The period holds everything that decides this: when the event occurred and was recorded, when its
record was linked to the person and the link ended, when it was found out to be a machine's, and when the person owned
the record in which another system tells of the same. So counting needs one join and two comparisons, whatever happened.
"""

from collections.abc import Mapping, Sequence, Set

import duckdb

from core.patterns import like_pattern
from core.settings import Settings
from features.catalog import PASSIVE_TYPES, Feature, Measure

# No time zone begins a day, or an hour, at any other moment than that of a quarter of an hour.
_QUARTER = 15 * 60_000_000
ALWAYS, FOREVER = -(2**63), 2**63 - 1
# Yes-or-no questions about an event are the bits of whole numbers, so many in each.
_BITS = 60
ACTIVE, AT_WEEKEND, IN_WORKING_HOURS = "is active", "at weekend", "in working hours"
# No signal can be called so.
_HABITS = (ACTIVE, AT_WEEKEND, IN_WORKING_HOURS)


def prepare_events(connection: duckdb.DuckDBPyConnection, settings: Settings, features: Sequence[Feature]) -> None:
    """Create `countable_events` (a view over the published events) and `event_facts` (narrow rows by person).

    What none of the features asks of an event is blank, and costs nothing.
    """
    asked = {feature.measure for feature in features}
    facts = _event_facts(settings, asked)
    for statement in (
        _KEPT_TWINS,
        _FREE_PERIODS,
        _COUNTABLE_EVENTS,
        _event_kinds(settings),
        _quarters(settings),
        facts,
    ):
        connection.execute(statement)


def flag_sql(settings: Settings, *names: str) -> str:
    """SQL for whether an event of `event_facts` has one of some marks: the name of a signal, or of a habit."""
    words = _words(settings, dict.fromkeys(names, ""))
    asked = (f"(marks_{word} & {sum(bits)}) <> 0" for word, bits in enumerate(map(list, words)) if bits)
    return "(" + (" OR ".join(asked) or "false") + ")"


def present_marks(connection: duckdb.DuckDBPyConnection, settings: Settings) -> frozenset[str]:
    """The marks that any event of `event_facts` has: of the others nothing need be counted."""
    columns = mark_columns(settings)
    (found,) = connection.execute(
        f"SELECT {', '.join(f'coalesce(bit_or({column}), 0)' for column in columns)} FROM event_facts"
    ).fetchall()
    numbers = enumerate((*_HABITS, *settings.features.signals))
    return frozenset(name for number, name in numbers if found[number // _BITS] & (1 << number % _BITS))


def mark_columns(settings: Settings) -> tuple[str, ...]:
    """The columns that hold the marks."""
    count = len(_HABITS) + len(settings.features.signals)
    return tuple(f"marks_{number}" for number in range((count - 1) // _BITS + 1))


def counted_events_sql(asked: str, window: int, facts: str = "event_facts") -> str:
    """SQL that joins facts of events e to people at moments, for events that counted then.

    Args:
        asked: a table with the columns `customer` and `at_us`, the moment in microseconds; its alias is `own`.
        window: how far back events are read, in microseconds.
        facts: the table of events, with the columns customer, known, until and occurred.
    """
    return f"""FROM {asked} own
JOIN {facts} e ON e.customer = own.customer AND e.known < own.at_us AND e.until >= own.at_us
    AND e.occurred >= own.at_us - {window}"""


# An event of which another system told first counts for a person only while they do not own that system's record.
_KEPT_TWINS = """
CREATE TEMP TABLE kept_twins AS
SELECT k.event_id AS kept, n.node
FROM events k
SEMI JOIN (SELECT duplicate_of FROM events WHERE duplicate_of IS NOT NULL) d ON d.duplicate_of = k.event_id
JOIN nodes n USING (system, source_id)
"""
_FREE_PERIODS = f"""
CREATE TEMP TABLE free_periods AS
WITH owned AS (
    SELECT t.kept, l.customer, l.linked, coalesce(l.ended, {FOREVER}) AS ended
    FROM kept_twins t JOIN links l USING (node)
)
SELECT kept, customer, {ALWAYS} AS free_from, min(linked) AS free_until FROM owned GROUP BY kept, customer
UNION ALL
SELECT kept, customer, max(ended) OVER (PARTITION BY kept, customer ORDER BY linked, ended) AS free_from,
       coalesce(lead(linked) OVER (PARTITION BY kept, customer ORDER BY linked, ended), {FOREVER}) AS free_until
FROM owned
"""
# Blanks among the times are passed over. What was known for a machine's from the beginning never counted.
_KNOWN = "epoch_us(e.occurred_at), epoch_us(e.recorded_at), o.linked"
_UNTIL = f"CASE WHEN e.is_bot THEN epoch_us(e.bot_since) END, o.ended, {FOREVER}"
_COUNTED = "(NOT e.is_bot OR e.bot_since > e.recorded_at)"
_COUNTABLE_EVENTS = f"""
CREATE TEMP VIEW countable_events AS
SELECT * FROM (
    SELECT o.customer, epoch_us(e.occurred_at) AS occurred, greatest({_KNOWN}) AS known, least({_UNTIL}) AS until, e.*
    FROM events e JOIN owners o USING (system, source_id)
    WHERE e.duplicate_of IS NULL AND {_COUNTED}
    UNION ALL
    SELECT o.customer, epoch_us(e.occurred_at) AS occurred,
           greatest({_KNOWN}, f.free_from) AS known, least({_UNTIL}, f.free_until) AS until, e.*
    FROM events e JOIN owners o USING (system, source_id)
    LEFT JOIN free_periods f ON f.kept = e.duplicate_of AND f.customer = o.customer
    WHERE e.duplicate_of IS NOT NULL AND {_COUNTED}
)
WHERE known < until
"""


def _event_kinds(settings: Settings) -> str:
    """What follows from type and channel alone is worked out once for each pair of them."""
    passive = ", ".join(f"'{kind}'" for kind in PASSIVE_TYPES)
    marks = {ACTIVE: f"type NOT IN ({passive})"}
    for name, signal in settings.features.signals.items():
        lists = [
            "(" + " OR ".join(f"{column} LIKE {like_pattern(pattern)}" for pattern in patterns) + ")"
            for column, patterns in (("type", signal.type), ("channel", signal.channel))
            if patterns
        ]
        marks[name] = " AND ".join(lists) or "true"
    columns = (f"{_either(word)} AS marks_{number}" for number, word in enumerate(_words(settings, marks)))
    return f"""
CREATE TEMP TABLE event_kinds AS
SELECT type, channel, (dense_rank() OVER (ORDER BY type) - 1)::INTEGER AS type_code, {", ".join(columns)}
FROM (SELECT DISTINCT type, channel FROM events)
"""


def _quarters(settings: Settings) -> str:
    """The local time of every quarter of an hour in which anything happened: calendars are asked once for each."""
    return f"""
CREATE TEMP TABLE quarters AS
SELECT quarter, CAST(local AS DATE) - DATE '1970-01-01' AS local_day, isodow(local) >= 6 AS weekend,
       isodow(local) < 6 AND hour(local) BETWEEN 9 AND 17 AS working_hours
FROM (
    SELECT quarter, make_timestamptz(quarter * {_QUARTER}) AT TIME ZONE '{settings.timezone}' AS local
    FROM (SELECT DISTINCT epoch_us(occurred_at) // {_QUARTER} AS quarter FROM events)
)
"""


def _event_facts(settings: Settings, asked: Set[Measure]) -> str:
    """Narrow rows, sorted by person: batches of people read their own part, and neighbours are added up together."""
    gained = {}
    if "weekend_share" in asked:
        gained[AT_WEEKEND] = "q.weekend"
    if "working_hours_share" in asked:
        gained[IN_WORKING_HOURS] = "q.working_hours"
    # The page without host and parameters, as a number: kinds of pages are only counted.
    topic = """CASE WHEN e.url IS NOT NULL THEN hash(lower(rtrim(
           regexp_replace(split_part(split_part(e.url, '#', 1), '?', 1), '^[a-z]+://[^/]*', ''), '/'))) END"""
    # What fails by its details loses the mark that its type and channel gave it; only those are looked at.
    failed = {
        name: f"{flag_sql(settings, name)} AND NOT ({condition})"
        for name, condition in _detail_conditions(settings).items()
    }
    words = zip(_words(settings, failed), _words(settings, gained), strict=True)
    marks = (
        f"marks_{number} & ~{_either(lost)} | {_either(more)} AS marks_{number}"
        for number, (lost, more) in enumerate(words)
    )
    return f"""
CREATE TEMP TABLE event_facts AS
SELECT e.customer, e.known, e.until, e.occurred, k.type_code, {", ".join(marks)},
       -- Hundredths as whole numbers: their sum does not depend on the order of addition.
       TRY_CAST(round(e.amount * 100) AS BIGINT) AS amount_hundredths,
       q.local_day,
       {topic if "distinct_topics" in asked else "NULL"}::UBIGINT AS topic
FROM countable_events e JOIN event_kinds k USING (type, channel)
JOIN quarters q ON q.quarter = e.occurred // {_QUARTER}{_campaigns_sql(settings)}
ORDER BY e.customer
"""


def _detail_conditions(settings: Settings) -> dict[str, str]:
    """What signals ask of an event beyond its type and channel."""
    # Letter case of an address or a campaign means nothing to people.
    found = {}
    for name, signal in settings.features.signals.items():
        lists = [
            "(" + " OR ".join(f"coalesce({text}, '') ILIKE {like_pattern(p)}" for text in texts for p in patterns) + ")"
            for texts, patterns in ((("e.url",), signal.url), (_CAMPAIGN_TEXTS, signal.campaign))
            if patterns
        ]
        if lists:
            found[name] = " AND ".join(lists)
    return found


# What a campaign may be called: its id in the system that ran it, its name there, the name in an address.
_CAMPAIGN_TEXTS = (
    "json_extract_string(e.properties, '$.campaign')",
    "c.name",
    "json_extract_string(e.properties, '$.utm_campaign')",
)


def _campaigns_sql(settings: Settings) -> str:
    """The join that gives events their campaign's name, where a signal asks for it."""
    if not any(signal.campaign for signal in settings.features.signals.values()):
        return ""
    return f"\nLEFT JOIN campaigns c ON c.campaign_id = {_CAMPAIGN_TEXTS[0]}"


def _words(settings: Settings, marks: Mapping[str, str]) -> list[dict[int, str]]:
    """For each column of marks, the bits of the given marks with their conditions."""
    numbers = {name: number for number, name in enumerate((*_HABITS, *settings.features.signals))}
    words: list[dict[int, str]] = [{} for _ in mark_columns(settings)]
    for name, condition in marks.items():
        words[numbers[name] // _BITS][1 << numbers[name] % _BITS] = condition
    return words


def _either(word: Mapping[int, str]) -> str:
    """SQL that adds up the bits whose conditions hold."""
    bits = (f"CASE WHEN {condition} THEN {bit}::BIGINT ELSE 0 END" for bit, condition in word.items())
    return "(" + (" | ".join(bits) or "0::BIGINT") + ")"
