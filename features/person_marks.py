"""What is known about each person, as one number for each month: where it is the same, so is what was counted.

A fact counts in the month from which on it can change a feature: when it became visible, or when it ceased to be. What
was recorded this month leaves the marks of all earlier ones alone, and with them every feature as of an earlier moment.
"""

import duckdb

from core.marks import mark_sql
from features.event_facts import FOREVER

# Thirty days: fewer would make more marks than there are facts, more would count again what has not changed.
PERIOD = 30 * 86_400_000_000
# Tables of what happened: whose, visible in which period, and whatever else is read of it.
_EVENT_TABLES = """
SELECT table_name FROM duckdb_columns() JOIN duckdb_tables() USING (table_name)
WHERE column_name IN ('customer', 'known', 'until') GROUP BY table_name HAVING count(*) = 3 ORDER BY table_name
"""
# What hangs on a node: SQL of the node, the moment from which on a fact counts, and its content.
_NODE_FACTS = """
    SELECT node, greatest(occurred, recorded, since) AS moment,
           hash('value', field, value, occurred, recorded, since, verified, source_rank, system, source_id) AS fact
    FROM attribute_facts JOIN nodes USING (node)
    UNION ALL
    SELECT node, until, hash('value ends', field, value, occurred, recorded, verified, until)
    FROM attribute_facts WHERE until IS NOT NULL
    UNION ALL
    SELECT node, greatest(decided, recorded), hash('consent', granted, decided, recorded, system, source_id)
    FROM consent_facts JOIN nodes USING (node)
    UNION ALL
    SELECT node, greatest(started, recorded), hash('contract', contract_id, started, recorded) FROM contract_facts
    UNION ALL
    SELECT node, terms_recorded, hash('terms', contract_id, plan, recurring_amount, term_end, terms_recorded)
    FROM contract_facts
    UNION ALL
    SELECT node, cancelled, hash('cancelled', contract_id, cancelled) FROM contract_facts WHERE cancelled IS NOT NULL
    UNION ALL
    SELECT node, l.recorded, hash('part', deal_id, l.recorded) FROM deal_links l JOIN deal_facts USING (deal)
    UNION ALL
    SELECT l.node, d.moment, d.fact FROM deal_links l JOIN deal_told d USING (deal)
"""
# What is known of a deal, the people who are in it included: whoever has a part in it may see them.
_DEAL_TOLD = """
CREATE OR REPLACE TEMP TABLE deal_told AS
SELECT deal, greatest(opened, recorded) AS moment, hash('deal', deal_id, opened, recorded) AS fact FROM deal_facts
UNION ALL
SELECT deal, greatest(entered, s.recorded), hash('stage', deal_id, stage, outcome, amount, entered, s.recorded)
FROM stage_facts s JOIN deal_facts USING (deal)
UNION ALL
SELECT deal, greatest(d.recorded, l.linked), hash('contact', deal_id, p.customer_id, d.recorded, l.linked)
FROM deal_links d JOIN deal_facts USING (deal) JOIN links l USING (node) JOIN people p USING (customer)
UNION ALL
SELECT deal, l.ended, hash('contact ends', deal_id, p.customer_id, l.linked, l.ended)
FROM deal_links d JOIN deal_facts USING (deal) JOIN links l USING (node) JOIN people p USING (customer)
WHERE l.ended IS NOT NULL
"""
_LINKS_TOLD = """
    SELECT customer, linked AS moment, hash('link', system, source_id, known_from, linked) AS fact
    FROM links JOIN nodes USING (node)
    UNION ALL
    SELECT customer, ended, hash('link ends', system, source_id, linked, ended)
    FROM links JOIN nodes USING (node) WHERE ended IS NOT NULL
"""


def mark_people(connection: duckdb.DuckDBPyConnection) -> None:
    """Create `person_marks` (customer, period, own, company), from the facts that were prepared.

    `own` stands for the person's own facts, `company` for those of everybody who was ever said to belong to the same
    company.
    """
    connection.execute(_DEAL_TOLD)
    period = f"(greatest(moment, 0) // {PERIOD})::INTEGER AS period"
    events = " UNION ALL ".join(
        f"""SELECT customer, known AS moment, hash('{table}', *COLUMNS(* EXCLUDE (customer, until, local_day))) AS fact
    FROM {table}
    UNION ALL
    SELECT customer, until, hash('{table} ends', *COLUMNS(* EXCLUDE (customer)))
    FROM {table} WHERE until < {FOREVER}"""
        for (table,) in connection.execute(_EVENT_TABLES).fetchall()
    )
    connection.execute(f"""
CREATE OR REPLACE TEMP TABLE own_marks AS
SELECT customer, period, {mark_sql("fact")} AS own FROM (
    SELECT customer, {period}, fact FROM ({events})
    UNION ALL
    SELECT customer, {period}, fact FROM ({_LINKS_TOLD})
    UNION ALL
    SELECT l.customer, {period}, fact FROM ({_NODE_FACTS}) JOIN links l USING (node)
) GROUP BY customer, period
""")
    connection.execute(f"""
CREATE OR REPLACE TEMP TABLE person_marks AS
WITH stated AS (
    SELECT DISTINCT l.customer, f.value AS account
    FROM attribute_facts f JOIN links l USING (node) WHERE f.field = 'account_id'
),
companies AS (
    SELECT s.account, m.period, {mark_sql("hash(p.customer_id, m.own)")} AS mark
    FROM stated s JOIN own_marks m USING (customer) JOIN people p USING (customer) GROUP BY s.account, m.period
),
company_marks AS (
    SELECT s.customer, c.period, {mark_sql("hash(account, c.mark)")} AS company
    FROM stated s JOIN companies c USING (account) GROUP BY s.customer, c.period
)
SELECT customer, period, o.own, c.company FROM own_marks o FULL JOIN company_marks c USING (customer, period)
""")
