"""All features that count events, of whichever view, in one pass over the events that counted at each moment.

How many events of a kind lie in each window is added up in one number for several windows: an event adds one to the
digit of the narrowest window that holds it. Active days and kinds of action are the bits of such numbers. So a feature
costs little more than reading its events once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.settings import Settings
from features.catalog import HEAT_HALF_LIFE_DAYS, Feature
from features.event_facts import ACTIVE, AT_WEEKEND, IN_WORKING_HOURS, counted_events_sql, flag_sql, mark_columns
from features.people_as_of import DAY, longest_days

# Whole numbers up to 2 ** 53 are exact as floating-point numbers, and their sums do not depend on the order.
_DIGITS = 53
_WORD = 64
# A local day may begin some hours earlier or later where clocks are put back or forward, or a date line moves.
_SLACK_DAYS = 2
EVENT_MEASURES = frozenset(
    {"count", "days_since", "active_days", "distinct_types", "distinct_topics", "momentum", "heat", "open_rate",
     "click_rate", "working_hours_share", "weekend_share", "amount"}
)  # fmt: skip


@dataclass(frozen=True)
class EventBounds:
    """How many events one moment can have, how many types of events there are, and which marks any event has."""

    events: int
    types: int
    marks: frozenset[str]


def event_rows_sql(settings: Settings, features: Sequence[Feature], bounds: EventBounds) -> str:
    """One row per moment of the batch with every feature that counts events.

    Windows are half-open, [t - N days, t), of exactly 24 hours a day. Active days are calendar days in the business
    time zone on which something happened within the window.
    """
    plan = _Plan(settings, features, bounds)
    finals = ",\n    ".join(f"{plan.final_sql(feature)} AS {feature.name}" for feature in features)
    topics = [feature for feature in features if feature.measure == "distinct_topics"]
    numbers = ",\n        ".join(plan.aggregates()) or "count(*) AS events"
    tables = f",\ntopics AS ({_topics_sql(settings, topics)})" if topics else ""
    return f"""
WITH seen AS (
    SELECT own.moment, own.at_us - e.occurred AS age, {", ".join(f"e.{name}" for name in mark_columns(settings))},
        e.type_code, e.amount_hundredths, own.local_day - e.local_day + {_SLACK_DAYS} AS day
    {counted_events_sql("batch_moments", plan.reach)}
),
placed AS (SELECT *, {plan.slot_sql} AS slot FROM seen),
weighed AS (SELECT *, {plan.weights_sql} FROM placed),
counted AS (
    SELECT moment,
        {numbers}
    FROM weighed GROUP BY moment
){tables}
SELECT b.moment, b.customer_id, b.as_of, b.at_us,
    {finals}
FROM batch_moments b LEFT JOIN counted USING (moment){" LEFT JOIN topics USING (moment)" if topics else ""}
"""


class _Plan:
    """Which numbers are added up for some features, and how each feature is read from them."""

    def __init__(self, settings: Settings, features: Sequence[Feature], bounds: EventBounds) -> None:
        self._settings = settings
        self._marks = bounds.marks
        asked = {days for feature in features for days in (feature.window_days, feature.against_days) if days}
        self._windows = sorted(asked) or [1]
        self._digit = max(bounds.events, 1).bit_length()
        self._per_number = max(_DIGITS // self._digit, 1)
        self._type_words = range((max(bounds.types, 1) - 1) // _WORD + 1)
        unbounded = any(feature.window_days is None for feature in features)
        self.reach = (longest_days(settings) if unbounded else self._windows[-1]) * DAY
        self._asked: dict[str, str] = {}

    @property
    def slot_sql(self) -> str:
        """The place of the narrowest window that holds an event; behind the last one for older events."""
        cases = " ".join(f"WHEN age <= {days * DAY} THEN {slot}" for slot, days in enumerate(self._windows))
        return f"(CASE {cases} ELSE {len(self._windows)} END)::UTINYINT"

    @property
    def weights_sql(self) -> str:
        """What an event adds to each number, its bit among days and among types, and its warmth."""
        weights = []
        for first in range(0, len(self._windows), self._per_number):
            digits = range(first, min(first + self._per_number, len(self._windows)))
            # In the digits of its own window and of every wider one.
            added = (
                sum(2 ** (self._digit * (digit - first)) for digit in digits if digit >= slot)
                for slot in range(digits.stop)
            )
            cases = " ".join(f"WHEN {slot} THEN {total}::DOUBLE" for slot, total in enumerate(added))
            weights.append(f"CASE slot {cases} ELSE 0 END AS weight_{first // self._per_number}")
        for name in ("day", "type_code"):
            weights.append(f"1::UBIGINT << ({name} % {_WORD}) AS {name}_bit, {name} // {_WORD} AS {name}_word")
        # Billionths as whole numbers: their sum does not depend on the order of addition.
        warmth = f"pow(0.5, age / {HEAT_HALF_LIFE_DAYS * DAY}.0) * 1000000000"
        return ", ".join([*weights, f"CAST(round({warmth}) AS BIGINT) AS warmth"])

    def aggregates(self) -> list[str]:
        """The numbers that all features asked for."""
        return [f"{sql} AS {name}" for sql, name in self._asked.items()]

    def final_sql(self, feature: Feature) -> str:
        """How the feature is read from the numbers."""
        chosen, window = feature.signal or ACTIVE, feature.window_days or 0
        match feature.measure:
            case "count":
                return self._count(window, chosen)
            case "days_since":
                return f"{self._ask('min(age)', chosen)} / {DAY}.0"
            case "heat":
                return f"coalesce({self._ask('sum(warmth)', chosen)}, 0)::DOUBLE / 1000000000.0"
            case "momentum":
                against = feature.against_days or 0
                recent, usual = self._count(window, chosen), self._count(against, chosen)
                return f"({recent} * {against})::DOUBLE / nullif({usual} * {window}, 0)::DOUBLE"
            case "open_rate" | "click_rate":
                return self._share(window, chosen, of="email_sent")
            case "working_hours_share":
                return self._share(window, ACTIVE, IN_WORKING_HOURS, of=ACTIVE)
            case "weekend_share":
                return self._share(window, ACTIVE, AT_WEEKEND, of=ACTIVE)
            case "amount":
                amounts = [f"coalesce({self._ask('sum(amount_hundredths)', ACTIVE, f'slot = {slot}')}, 0)"
                           for slot in self._slots(window)]  # fmt: skip
                return f"({' + '.join(amounts)})::DOUBLE / 100.0"
            case "active_days":
                return self._distinct("day", {slot: self._day_words(slot) for slot in self._slots(window)})
            case "distinct_types":
                return self._distinct("type_code", dict.fromkeys(self._slots(window), self._type_words))
            case "distinct_topics":
                return f"coalesce(topics.{feature.name}, 0)"
            case _:
                raise AssertionError(f"{feature.measure} is no measure of events")

    def _ask(self, aggregate: str, mark: str, *conditions: str) -> str:
        """The name of a number: an aggregate over the events with a mark that fulfil some conditions."""
        if mark not in self._marks:
            return "NULL::BIGINT"
        sql = f"{aggregate} FILTER ({' AND '.join((flag_sql(self._settings, mark), *conditions))})"
        return self._asked.setdefault(sql, f"number_{len(self._asked)}")

    def _slots(self, window: int) -> range:
        return range(self._windows.index(window) + 1)

    def _count(self, window: int, mark: str, *habits: str) -> str:
        number, digit = divmod(self._windows.index(window), self._per_number)
        total = self._ask(f"sum(weight_{number})", mark, *(flag_sql(self._settings, habit) for habit in habits))
        return f"((coalesce({total}, 0)::BIGINT >> {self._digit * digit}) & {2**self._digit - 1})"

    def _share(self, window: int, mark: str, *habits: str, of: str) -> str:
        return f"{self._count(window, mark, *habits)}::DOUBLE / nullif({self._count(window, of)}, 0)::DOUBLE"

    def _distinct(self, name: str, words: Mapping[int, range]) -> str:
        """How many different bits the events of some slots have; `words` says which numbers hold a slot's bits."""
        parts: dict[int, list[str]] = {}
        for slot, held in words.items():
            for word in held:
                bits = self._ask(f"bit_or({name}_bit)", ACTIVE, f"slot = {slot}", f"{name}_word = {word}")
                parts.setdefault(word, []).append(f"coalesce({bits}, 0)")
        return " + ".join(f"bit_count({' | '.join(bits)})::BIGINT" for bits in parts.values())

    def _day_words(self, slot: int) -> range:
        """The numbers that can hold the days of a slot's events, `_SLACK_DAYS` included on both sides."""
        first = self._windows[slot - 1] if slot else 0
        return range(first // _WORD, (self._windows[slot] + 2 * _SLACK_DAYS) // _WORD + 1)


def _topics_sql(settings: Settings, features: Sequence[Feature]) -> str:
    """How many different pages were seen in each window; too many kinds for bits."""
    counts = ", ".join(
        f"count(*) FILTER (youngest <= {(feature.window_days or 0) * DAY}) AS {feature.name}" for feature in features
    )
    reach = max(feature.window_days or 0 for feature in features) * DAY
    return f"""
    SELECT moment, {counts}
    FROM (
        SELECT own.moment, e.topic, min(own.at_us - e.occurred) AS youngest
        {counted_events_sql("batch_moments", reach)} AND e.topic IS NOT NULL AND {flag_sql(settings, ACTIVE)}
        GROUP BY own.moment, e.topic
    )
    GROUP BY moment"""
