"""The published tables, prepared once per build for counting: numbered people and nodes, microseconds.

Nothing here depends on an as-of. Every fact keeps the two times that decide whether it is visible.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from core.settings import Settings
from core.tables import PERSON_FIELDS
from features.catalog import Feature
from features.event_facts import prepare_events

# Systems whose nodes are keys (an address, a login, a browser) and not records of a person.
KEY_SYSTEMS = ("email", "login", "cookie")


def number_people(connection: duckdb.DuckDBPyConnection) -> None:
    """Create `people`: everybody whom an identity link ever named, numbered in the order of their ids.

    Joins on numbers are several times faster than on texts, and the facts of neighbours lie together.
    """
    connection.execute("""
CREATE TABLE people AS
SELECT row_number() OVER (ORDER BY customer_id)::INTEGER AS customer, customer_id
FROM (SELECT DISTINCT customer_id FROM identities)
""")


def prepare_facts(connection: duckdb.DuckDBPyConnection, settings: Settings, features: Sequence[Feature]) -> None:
    """Create the fact tables in `connection`, which knows the unified tables, and the people by `number_people`."""
    for statement in (_NODES, _LINKS):
        connection.execute(statement)
    prepare_events(connection, settings, features)
    for statement in (*_attribute_facts(settings, features), *_DEAL_FACTS, _CONTRACT_FACTS, _CONSENT_FACTS):
        connection.execute(statement)


# Each (system, source_id) is a numbered node; the numbers follow those of the people who own them.
_NODES = """
CREATE TABLE owners AS
SELECT i.system, i.source_id, p.customer, epoch_us(i.linked_at) AS linked, epoch_us(i.ended_at) AS ended
FROM identities i JOIN people p USING (customer_id);
CREATE TABLE nodes AS
SELECT row_number() OVER (ORDER BY min(customer)) AS node, system, source_id, min(linked) AS known_from
FROM owners GROUP BY system, source_id
"""
_LINKS = """
CREATE TABLE links AS
SELECT n.node, o.customer, o.linked, o.ended FROM owners o JOIN nodes n USING (system, source_id)
"""


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
       p.verified, r.source_rank,
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
SELECT row_number() OVER (ORDER BY c.contract_id) AS contract, c.contract_id, n.node,
       trim(c.plan) AS plan, c.recurring_amount,
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
