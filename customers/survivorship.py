"""Which value wins a field of a person: nothing refuted, then by the order of systems, verified first, then the newest.

Blank never wins. `features.facts` says the same of every moment.
"""

import duckdb
import pyarrow as pa

from core.settings import Settings
from core.tables import PERSON_FIELDS

GOLDEN_FIELDS = (*PERSON_FIELDS, "account_id")
_LAST_PLACE = 1_000_000


def system_order(settings: Settings) -> pa.Table:
    """The place of each named system for each field, best first: columns field, system, place."""
    rows = [
        (field, system, place)
        for field in GOLDEN_FIELDS
        for place, system in enumerate(settings.survivorship.fields.get(field, settings.survivorship.default))
    ]
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    types = (pa.string(), pa.string(), pa.int64())
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)],
        names=["field", "system", "place"],
    )


def build_golden_fields(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `golden_fields` (customer_id, field, value), one row for each field that has a value today."""
    connection.register("system_order", system_order(settings))
    connection.execute(
        f"""CREATE TABLE golden_fields AS
        SELECT customer_id, field, arg_min(value, {RANKING}) AS value
        FROM ({ranked_values_sql(settings)}) GROUP BY customer_id, field"""
    )
    connection.unregister("system_order")


# What is known of a value, the least of which wins; the last parts only choose where nothing speaks for either.
RANKING = """{'refuted': refuted, 'before': before, 'place': place, 'unverified': NOT verified,
    'age': -epoch_us(occurred_at), 'known_age': -epoch_us(recorded_at), 'system': system, 'source_id': source_id,
    'value': value, 'occurred_at': occurred_at, 'recorded_at': recorded_at}"""


def ranked_values_sql(settings: Settings) -> str:
    """SQL for every value of a person's fields with what decides between them; needs `system_order`.

    To the columns of `attributes` come `refuted` and `verified` (by the last of its `proofs`), `place` (of its system)
    and `before` (0 where being verified goes before the order of systems, and it is).
    """
    listed = ", ".join(f"'{field}'" for field in GOLDEN_FIELDS)
    ahead = [field for field, rule in settings.survivorship.proofs.items() if rule.before_systems]
    goes_before = f"a.field IN ({', '.join(map(repr, ahead))})" if ahead else "false"
    return f"""
        SELECT a.*, coalesce(NOT p.verified, false) AS refuted, coalesce(p.verified, false) AS verified,
               CASE WHEN {goes_before} AND coalesce(p.verified, false) THEN 0 ELSE 1 END AS before,
               coalesce(o.place, {_LAST_PLACE}) AS place
        FROM attributes a
        LEFT JOIN system_order o ON o.field = a.field AND o.system = a.system
        LEFT JOIN (
            SELECT field, value, arg_max(verified, recorded_at) AS verified FROM proofs GROUP BY field, value
        ) p ON p.field = a.field AND p.value = a.value
        WHERE a.value IS NOT NULL AND a.field IN ({listed})"""


def build_customers(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `customers`: the golden records, with today's consent and account."""
    fields = ", ".join(f"max(value) FILTER (field = '{field}') AS {field}" for field in GOLDEN_FIELDS)
    connection.execute(
        f"""CREATE TABLE customers AS
        WITH people AS (
            SELECT n.customer_id, bool_or(n.system <> 'cookie') AS known,
                   count(*) FILTER (n.system NOT IN ('email', 'login', 'cookie')) AS records,
                   min(d.known_at) AS first_seen_at,
                   arg_min(n.source_id, (d.known_at, n.source_id)) FILTER (n.system = 'email') AS some_email,
                   arg_min(n.source_id, (d.known_at, n.source_id)) FILTER (n.system = 'login') AS some_login
            FROM node_now n JOIN nodes d USING (system, source_id) GROUP BY n.customer_id
        ), golden AS (
            SELECT customer_id, {fields} FROM golden_fields GROUP BY customer_id
        )
        SELECT p.customer_id, CASE WHEN known THEN 'known' ELSE 'anonymous' END AS kind,
               g.* EXCLUDE (customer_id)
                   REPLACE (coalesce(g.email, some_email) AS email, coalesce(g.login, some_login) AS login,
                            coalesce(g.full_name, full_name(g.last_name, g.first_name)) AS full_name,
                            coalesce(g.full_name_kana, full_name(g.last_name_kana, g.first_name_kana))
                                AS full_name_kana),
               split_part(coalesce(g.email, some_email), '@', 2) AS mail_domain,
               kind_of_mail(coalesce(g.email, some_email)) AS mail_kind,
               c.consent_marketing, c.consent_profiling, c.consent_transfer, records, first_seen_at
        FROM people p LEFT JOIN golden g USING (customer_id) JOIN consent_now c USING (customer_id)"""
    )
