"""From conditions to signals: what could bring each person into each stage, and since when that was known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

from core.lifecycle_settings import (
    NO_STAGE,
    AnyCondition,
    DealCondition,
    EventCondition,
    FieldCondition,
    KnownCondition,
    StageSettings,
    rules_of,
)
from customers.lifecycle.deals import WHEN, build_life_deals
from customers.lifecycle.facts import add_event_facts, add_field_facts, any_of, create_facts

_DAY = 86_400_000_000


@dataclass(frozen=True)
class Rule:
    """A condition, numbered over all stages; `stage` is the place of the stage that it leads into."""

    number: int
    name: str
    stage: int
    condition: AnyCondition


def numbered_rules(stages: Sequence[StageSettings]) -> list[Rule]:
    """All conditions in the order of the configuration."""
    listed = [(place, name, rule) for place, stage in enumerate(stages) for name, rule in rules_of(stage)]
    return [Rule(number, name, place, rule) for number, (place, name, rule) in enumerate(listed)]


def build_signals(connection: duckdb.DuckDBPyConnection, stages: Sequence[StageSettings]) -> None:
    """Make `life_signals` from the facts of everybody's records; `lives` and `life_links` say whose they are.

    One row is a moment at which a condition was found fulfilled: `seen` is when that was known (of the person), `since`
    and `occurred` when the first and the last of the facts behind it occurred, all in microseconds; `turn` orders what
    was seen and occurred in the same moment.
    """
    rules = numbered_rules(stages)
    connection.execute(
        "CREATE TEMP TABLE life_signals (life BIGINT, seen BIGINT, occurred BIGINT, since BIGINT, turn BIGINT, "
        "stage INTEGER, rule INTEGER, deal_id VARCHAR)"
    )
    for rule in rules:
        if isinstance(rule.condition, KnownCondition):
            # Before all else that was seen with the first record.
            connection.execute(
                f"""INSERT INTO life_signals SELECT life, known, named, named, -1, {rule.stage}, {rule.number}, NULL
                FROM lives WHERE known IS NOT NULL"""
            )
    _add_deal_signals(connection, rules)
    later = [rule for rule in rules if _origins(rule, stages) is not None]
    _add_fact_signals(connection, [rule for rule in rules if rule not in later])
    # Whoever never comes near the stages before, as most people never come near a lost deal, needs no look at events.
    for origins in sorted({origins for rule in later if (origins := _origins(rule, stages)) is not None}):
        connection.execute(
            f"""CREATE TEMP TABLE waiting AS SELECT DISTINCT system, source_id FROM life_links
            WHERE life IN (SELECT life FROM life_signals WHERE stage IN ({", ".join(map(str, origins))}))"""
        )
        _add_fact_signals(connection, [rule for rule in later if _origins(rule, stages) == origins], "waiting")
        connection.execute("DROP TABLE waiting")


def _origins(rule: Rule, stages: Sequence[StageSettings]) -> tuple[int, ...] | None:
    """The stages that a condition on events waits for; None where it does not wait for stages reached otherwise."""
    names = [stage.name for stage in stages]
    after = stages[rule.stage].after
    if not isinstance(rule.condition, EventCondition) or after is None or NO_STAGE in after:
        return None
    origins = tuple(sorted(names.index(name) for name in after))
    # A stage that waits itself has no signals yet.
    return origins if all(stages[place].after is None for place in origins) else None


def _add_deal_signals(connection: duckdb.DuckDBPyConnection, rules: Iterable[Rule]) -> None:
    chosen = [(rule, rule.condition) for rule in rules if isinstance(rule.condition, DealCondition)]
    if not chosen:
        return
    build_life_deals(connection)
    for rule, condition in chosen:
        named = any_of("stage", condition.stages, "ILIKE") if condition.stages else "true"
        connection.execute(
            f"""INSERT INTO life_signals
            SELECT life, seen, entered, entered, place, {rule.stage}, {rule.number}, deal_id
            FROM life_deals WHERE ({WHEN[condition.when]}) AND {named}"""
        )
    connection.execute("DROP TABLE life_deals")


def _add_fact_signals(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule], of_records: str = "") -> None:
    events = [(rule, rule.condition) for rule in rules if isinstance(rule.condition, EventCondition)]
    fields = [(rule, rule.condition) for rule in rules if isinstance(rule.condition, FieldCondition)]
    create_facts(connection)
    add_event_facts(connection, [(rule.number, condition) for rule, condition in events], of_records)
    add_field_facts(connection, [(rule.number, condition) for rule, condition in fields])
    connection.execute(
        """CREATE TEMP TABLE life_facts AS
        SELECT l.life, f.rule, f.fact, f.occurred, greatest(f.occurred, f.recorded, l.linked, v.known) AS seen
        FROM rule_facts f JOIN life_links l USING (system, source_id) JOIN lives v USING (life)
        WHERE v.known IS NOT NULL AND greatest(f.occurred, f.recorded, l.linked, v.known) < v.ends"""
    )
    for rule, condition in [*events, *fields]:
        needed = condition.at_least if isinstance(condition, EventCondition) else 1
        days = condition.within_days if isinstance(condition, EventCondition) else None
        connection.execute(
            f"""INSERT INTO life_signals
            SELECT life, seen, {"occurred, occurred" if needed == 1 else "newest[1], newest[-1]"}, 0, {rule.stage},
                   {rule.number}, NULL
            FROM ({f"FROM life_facts WHERE rule = {rule.number}" if needed == 1 else _newest(rule.number, needed)})
            {f"WHERE newest[1] - newest[-1] < {round(days * _DAY)}" if days is not None else ""}"""
        )
    connection.execute("DROP TABLE rule_facts")
    connection.execute("DROP TABLE life_facts")


def _newest(rule: int, needed: int) -> str:
    """Each fact with the times of the newest `needed` that were known by then, where there were so many."""
    return f"""
    SELECT life, seen, max(occurred, {needed}) OVER (
        PARTITION BY life ORDER BY seen, occurred, fact ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS newest
    FROM life_facts WHERE rule = {rule} QUALIFY len(newest) = {needed}"""
