"""The published tables, prepared once per build for counting: numbered nodes, microseconds, one flag per signal.

Nothing here depends on an as-of. Every fact keeps the two times that decide whether it is visible.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from core.patterns import like_pattern
from core.settings import Settings
from core.storage import Workspace
from core.tables import PERSON_FIELDS
from features.catalog import PASSIVE_TYPES, Feature

# Systems whose nodes are keys (an address, a login, a browser) and not records of a person.
KEY_SYSTEMS = ("email", "login", "cookie")


def prepare_facts(
    connection: duckdb.DuckDBPyConnection, settings: Settings, workspace: Workspace, features: Sequence[Feature]
) -> None:
    """Create the fact tables in `connection` from the generation of unified tables in force."""
    workspace.tables(connection)
    for statement in (_NODES, _LINKS, _event_facts(settings), *_attribute_facts(settings, features), *_DEAL_FACTS):
        connection.execute(statement)
    connection.execute(_CONTRACT_FACTS)
    connection.execute(_CONSENT_FACTS)


# Each (system, source_id) gets a number; joins on whole numbers are several times faster than on two texts.
_NODES = """
CREATE TABLE nodes AS
SELECT row_number() OVER (ORDER BY system, source_id) AS node, system, source_id,
       min(epoch_us(linked_at)) AS known_from
FROM identities GROUP BY system, source_id
"""
_LINKS = """
CREATE TABLE links AS
SELECT n.node, i.customer_id, epoch_us(i.linked_at) AS linked, epoch_us(i.ended_at) AS ended
FROM identities i JOIN nodes n USING (system, source_id)
"""


def signal_columns(settings: Settings) -> dict[str, str]:
    """The flag column of each signal in `event_facts`."""
    return {signal: f"signal_{number}" for number, signal in enumerate(settings.features.signals)}


def _event_facts(settings: Settings) -> str:
    flags = []
    for signal, column in signal_columns(settings).items():
        definition = settings.features.signals[signal]
        # Letter case of an address means nothing to the person who opened it; types and channels are our own words.
        required = [
            " OR ".join(f"coalesce({part}, '') {operator} {like_pattern(pattern)}" for pattern in patterns)
            for part, operator, patterns in (
                ("type", "LIKE", definition.type),
                ("channel", "LIKE", definition.channel),
                ("url", "ILIKE", definition.url),
            )
            if patterns
        ]
        flags.append(f"({' AND '.join(f'({condition})' for condition in required)}) AS {column}")
    columns = signal_columns(settings)
    intents = [columns[name] for name, signal in settings.features.signals.items() if signal.subject == "intent"]
    passive = ", ".join(f"'{kind}'" for kind in PASSIVE_TYPES)
    local = f"(e.occurred_at AT TIME ZONE '{settings.timezone}')"
    return f"""
CREATE TABLE event_facts AS
WITH twins AS (
    SELECT d.event_id, n.node AS twin
    FROM events d JOIN events k ON k.event_id = d.duplicate_of
    JOIN nodes n ON n.system = k.system AND n.source_id = k.source_id
    WHERE d.duplicate_of IS NOT NULL
)
SELECT *, {" OR ".join(intents) or "false"} AS intent FROM (
SELECT n.node, epoch_us(e.occurred_at) AS occurred, epoch_us(e.recorded_at) AS recorded,
       t.twin, CASE WHEN e.is_bot THEN epoch_us(e.bot_since) END AS bot_since,
       e.type NOT IN ({passive}) AS active, e.type,
       lower(rtrim(regexp_replace(split_part(split_part(e.url, '#', 1), '?', 1), '^[a-z]+://[^/]*', ''), '/')) AS topic,
       -- Hundredths as whole numbers: their sum does not depend on the order of addition.
       TRY_CAST(round(e.amount * 100) AS BIGINT) AS amount_hundredths,
       CAST({local} AS DATE) - DATE '1970-01-01' AS local_day,
       isodow({local}) >= 6 AS weekend,
       isodow({local}) < 6 AND hour({local}) BETWEEN 9 AND 17 AS working_hours
       {"".join(f", {flag}" for flag in flags)}
FROM events e JOIN nodes n USING (system, source_id) LEFT JOIN twins t ON t.event_id = e.event_id
-- What was known for a machine's from the beginning never counted, nor what its record's other event tells already.
WHERE NOT (e.is_bot AND coalesce(e.bot_since, e.recorded_at) <= e.recorded_at) AND t.twin IS DISTINCT FROM n.node
)
ORDER BY node, occurred
"""


def counted_events_sql(owned: str, window: int, same_owner: str) -> str:
    """SQL that joins `event_facts` e to nodes that somebody owned at a moment, for events that counted then.

    An event counts at t if it occurred and was recorded before t and within the window, was not yet known to be a
    machine's, and its owner does not own, at t, the event of another system that tells of the same.

    Args:
        owned: the table of owned nodes, with the columns `node` and `at_us`, the moment in microseconds.
        window: how far back events are read, in microseconds.
        same_owner: SQL for whether the row `twin` of `owned` belongs to the same owner and moment as its row `own`.
    """
    return f"""FROM {owned} own
JOIN event_facts e ON e.node = own.node AND e.occurred < own.at_us AND e.recorded < own.at_us
    AND e.occurred >= own.at_us - {window} AND (e.bot_since IS NULL OR e.bot_since >= own.at_us)
LEFT JOIN {owned} twin ON twin.node = e.twin AND {same_owner}
WHERE twin.node IS NULL"""


# What is read out of another field wins as that field does.
_READ_FROM = {"mail_kind": "email"}


def _attribute_facts(settings: Settings, features: Sequence[Feature]) -> list[str]:
    """Values of people's fields, each with its strength: of the visible values of a field the strongest one wins.

    Strength follows what was proved of a value, the configured order of systems, then recency. A value has a row for
    each time in which the same was known of it (`since`, `until`), so that strength is the same whatever the as-of and
    only visibility depends on that. Blank values are left out: they never win.
    """
    fields = dict.fromkeys([*PERSON_FIELDS, *(feature.source for feature in features if feature.source is not None)])
    survivorship = settings.survivorship
    ranks = [
        f"({_text(field)}, {_text(system)}, {-place})"
        for field in fields
        for place, system in enumerate(survivorship.fields.get(_READ_FROM.get(field, field), survivorship.default))
    ]
    # A line that matches nothing keeps VALUES from being empty.
    values = ", ".join(["('', '', 0)", *ranks])
    ahead = [field for field, rule in survivorship.proofs.items() if rule.before_systems]
    numbered = ", ".join(
        f"({_text(field)}, {number}, {_text(proved := _READ_FROM.get(field, field))}, {str(proved in ahead).lower()})"
        for number, field in enumerate(fields)
    )
    return [
        f"CREATE TABLE source_ranks AS SELECT * FROM (VALUES {values}) AS t(field, system, source_rank)",
        f"CREATE TABLE field_numbers AS SELECT * FROM (VALUES {numbered}) AS t(field, field_number, proved, ahead)",
        _VALUE_PERIODS,
        """
CREATE TABLE attribute_facts AS
WITH stated AS (
    SELECT a.*, f.field_number, f.proved, f.ahead FROM attributes a JOIN field_numbers f USING (field)
    WHERE trim(coalesce(a.value, '')) <> ''
),
-- Whether a mailbox is a company's is read from the address: what is proved of that holds for both.
proved AS (
    SELECT s.*, CASE WHEN s.proved = s.field THEN s.value ELSE o.value END AS proved_value
    FROM stated s
    LEFT JOIN attributes o ON s.proved <> s.field AND o.system = s.system AND o.source_id = s.source_id
        AND o.field = s.proved AND o.occurred_at = s.occurred_at AND o.recorded_at = s.recorded_at
)
SELECT n.node, a.field, a.field_number, trim(a.value) AS value,
       epoch_us(a.occurred_at) AS occurred, epoch_us(a.recorded_at) AS recorded, p.since, p.until,
       row_number() OVER (
           PARTITION BY a.field
           ORDER BY coalesce(p.verified, true), a.ahead AND coalesce(p.verified, false),
               coalesce(r.source_rank, -1000000), coalesce(p.verified, false), a.occurred_at, a.recorded_at,
               a.system DESC, a.source_id DESC, a.value DESC
       ) AS strength
FROM proved a
JOIN nodes n USING (system, source_id)
LEFT JOIN source_ranks r ON r.field = a.field AND r.system = a.system
LEFT JOIN value_periods p ON p.field = a.proved AND p.value = a.proved_value
ORDER BY n.node, a.field, strength
""",
    ]


# What was known of a value in which time: nothing (blank), then what its proofs say, one after the other.
_VALUE_PERIODS = """
CREATE TABLE value_periods AS
WITH changes AS (
    SELECT field, value, verified, epoch_us(recorded_at) AS since FROM proofs
    UNION ALL SELECT DISTINCT field, value, NULL::BOOLEAN, NULL::BIGINT FROM proofs
)
SELECT field, value, verified, since,
       lead(since) OVER (PARTITION BY field, value ORDER BY since NULLS FIRST) AS until
FROM changes
"""


def _text(value: str | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"


_DEAL_FACTS = (
    """
CREATE TABLE deal_facts AS
SELECT row_number() OVER (ORDER BY deal_id) AS deal, deal_id,
       epoch_us(opened_at) AS opened, epoch_us(recorded_at) AS recorded
FROM deals
""",
    """
CREATE TABLE stage_facts AS
SELECT d.deal, s.stage, s.outcome, s.amount,
       epoch_us(s.entered_at) AS entered, epoch_us(s.recorded_at) AS recorded,
       -- Of stages entered in the same moment the closing one is the later.
       row_number() OVER (
           PARTITION BY d.deal ORDER BY s.entered_at, s.outcome <> 'open', s.recorded_at, s.stage
       ) AS position
FROM deal_stages s JOIN deal_facts d USING (deal_id)
""",
    """
CREATE TABLE deal_links AS
SELECT d.deal, n.node, min(epoch_us(p.recorded_at)) AS recorded
FROM deal_people p JOIN deal_facts d USING (deal_id) JOIN nodes n USING (system, source_id)
GROUP BY d.deal, n.node
""",
)
_CONTRACT_FACTS = """
CREATE TABLE contract_facts AS
SELECT row_number() OVER (ORDER BY c.contract_id) AS contract, n.node, trim(c.plan) AS plan, c.recurring_amount,
       epoch_us(c.started_at) AS started, epoch_us(c.recorded_at) AS recorded,
       epoch_us(c.terms_recorded_at) AS terms_recorded,
       epoch_us(c.ends_at) AS term_end, epoch_us(c.cancelled_at) AS cancelled
FROM contracts c JOIN nodes n USING (system, source_id)
"""
_CONSENT_FACTS = """
CREATE TABLE consent_facts AS
SELECT n.node, c.granted, epoch_us(c.decided_at) AS decided, epoch_us(c.recorded_at) AS recorded,
       row_number() OVER (ORDER BY c.decided_at, c.granted DESC, c.system, c.source_id) AS position
FROM consents c JOIN nodes n USING (system, source_id)
WHERE c.purpose = 'marketing'
"""
