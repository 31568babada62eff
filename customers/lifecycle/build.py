"""The job: the history of everybody's stages, as the table `lifecycle`."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from core.errors import ConfigurationError, Fault, raise_faults
from core.lifecycle_settings import FieldCondition, StageSettings
from core.settings import Settings
from core.settings_faults import did_you_mean
from core.tables import PERSON_FIELDS
from customers.lifecycle.lives import EVER, FAR, build_lives
from customers.lifecycle.moves import Signals, follow, ways_between
from customers.lifecycle.signals import build_signals, numbered_rules

_EMPTY = """
CREATE TABLE lifecycle (
    customer_id VARCHAR, visit BIGINT, stage VARCHAR, entered_at TIMESTAMPTZ, left_at TIMESTAMPTZ,
    recorded_at TIMESTAMPTZ, left_recorded_at TIMESTAMPTZ, rule VARCHAR, deal_id VARCHAR
)
"""
# Of a life that begins where records were taken away, only where it leads to by then is news.
_VISITS = f"""
CREATE TABLE lifecycle AS
WITH told AS (
    SELECT m.*, l.person, l.began, l.ends FROM life_moves m JOIN lives l USING (life)
), news AS (
    SELECT person, began, position, stage, entered, greatest(seen, began) AS seen, rule, deal_id FROM told
    QUALIFY seen >= began OR row_number() OVER (PARTITION BY life, seen < began ORDER BY position DESC) = 1
    UNION ALL
    SELECT person, began, -1, NULL, began, began, NULL, NULL FROM lives
    WHERE began > {EVER} AND life NOT IN (SELECT life FROM told WHERE seen < began)
), changes AS (
    SELECT * FROM news
    QUALIFY lag(stage) OVER (PARTITION BY person ORDER BY began, position) IS DISTINCT FROM stage
), chained AS (
    SELECT *, max(entered) OVER (PARTITION BY person ORDER BY began, position
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS first_in
    FROM changes
), visits AS (
    SELECT *, lead(first_in) OVER follows AS next_in, lead(seen) OVER follows AS next_seen,
           count(stage) OVER follows AS visit
    FROM chained WINDOW follows AS (PARTITION BY person ORDER BY began, position)
)
SELECT p.customer_id, v.visit, s.stage, make_timestamptz(v.first_in) AS entered_at,
       make_timestamptz(coalesce(v.next_in, p.ended)) AS left_at, make_timestamptz(v.seen) AS recorded_at,
       make_timestamptz(coalesce(v.next_seen, p.ended)) AS left_recorded_at, r.rule, v.deal_id
FROM visits v
JOIN (
    SELECT person, any_value(customer_id) AS customer_id, nullif(max(ends), {FAR}) AS ended FROM lives GROUP BY person
) p USING (person)
JOIN (SELECT unnest($stages) AS stage, unnest(range(len($stages))) AS place) s ON s.place = v.stage
JOIN (SELECT unnest($rules) AS rule, unnest(range(len($rules))) AS place) r ON r.place = v.rule
"""


def refuse_unknown_conditions(settings: Settings) -> None:
    """Refuse conditions on fields that no source gives: they would wait for ever.

    Raises:
        ConfigurationError: a field is neither one of a person nor one that a source maps; all faults are listed.
    """
    known = {*PERSON_FIELDS, "mail_domain", "mail_kind"}
    for source in settings.sources:
        known |= {*source.people.custom} if source.people else set()
        if source.history:
            named = source.history.field
            known |= {*named.map.values(), *([named.otherwise] if named.otherwise else [])}
            if not named.map:
                # The log itself names the fields.
                return
    faults = [
        Fault(f"{stage.name}.enter", f"{condition.field!r} is no field{did_you_mean(condition.field, known)}")
        for stage in settings.lifecycle.stages
        for condition in stage.enter
        if isinstance(condition, FieldCondition) and condition.field not in known
    ]
    raise_faults(ConfigurationError, "lifecycle", faults, "name a field of a person, or map it under people.custom")


def build_lifecycle(connection: duckdb.DuckDBPyConnection, stages: Sequence[StageSettings], known: str | None) -> None:
    """Make `lifecycle` from the tables that are about to be published.

    A stage is entered when its condition came true (`entered_at`, never before the stage that was left for it), and
    known since `recorded_at`: when the facts were recorded and the records were known to be the person's. Rows are only
    ever added to what was known: at a moment t the rows with recorded_at < t are what was believed then, and of them
    those that had been left by then, with left_recorded_at < t.

    Args:
        connection: holds identities, node_now, consent_now, attributes, renewed_events, deal_stages, deal_people, and
            in `new_group_nodes` the records and keys of the people whose history is worked out.
        stages: in their order; none makes an empty table.
        known: SQL of the rows of all other people, as they were published; None for none.
    """
    if not stages:
        connection.execute(_EMPTY)
        return
    build_lives(connection)
    build_signals(connection, stages)
    rules = numbered_rules(stages)
    _register_moves(connection, stages)
    names = [stage.name for stage in stages]
    connection.execute(_VISITS, {"stages": names, "rules": [rule.name for rule in rules]})
    if known:
        connection.execute(f"INSERT INTO lifecycle BY NAME FROM {known}")
    for table in ("lives", "life_links", "life_signals", "life_moves"):
        connection.execute(f"DROP TABLE {table}")


def _register_moves(connection: duckdb.DuckDBPyConnection, stages: Sequence[StageSettings]) -> None:
    """Make `life_moves`: the signals that moved somebody, in their order."""
    rows = connection.sql(
        """SELECT s.life, s.stage, s.rule, s.deal_id IS NOT NULL AS by_deal, greatest(s.occurred, v.named) AS entered,
                  s.since, s.seen, s.deal_id
        FROM life_signals s JOIN lives v USING (life)
        ORDER BY s.life, s.seen, s.turn >= 0, s.occurred, s.turn, s.stage, s.rule, s.deal_id"""
    ).to_arrow_table()
    column = {name: rows[name].to_numpy() for name in ("life", "stage", "by_deal", "entered", "since")}
    signals = Signals(**{**column, "stage": column["stage"].astype(np.int64)})
    moves = follow(signals, ways_between(stages))
    moved = rows.select(["life", "stage", "rule", "seen", "deal_id"]).take(pa.array(moves.places))
    moved = moved.append_column("position", pa.array(moves.places)).append_column("entered", pa.array(moves.entered))
    connection.register("moves_given", moved)
    connection.execute("CREATE TEMP TABLE life_moves AS FROM moves_given")
    connection.unregister("moves_given")
