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


def build_golden_fields(connection: duckdb.DuckDBPyConnection, settings: Settings, rows: str = "attributes") -> None:
    """Make `golden_fields` (customer_id, field, value), one row for each field that has a value today.

    Args:
        connection: where the tables lie.
        settings: which values win.
        rows: SQL of the attributes that are looked at.
    """
    listed = ", ".join(f"'{field}'" for field in GOLDEN_FIELDS)
    connection.execute(
        f"""CREATE TEMP TABLE told_fields AS
        SELECT customer_id, field, min(value) AS least, max(value) AS most
        FROM {rows} WHERE value IS NOT NULL AND field IN ({listed}) GROUP BY customer_id, field"""
    )
    # Most values are undisputed; only the rest asks who wins.
    connection.execute(
        "CREATE TEMP TABLE disputed_values AS "
        f"FROM {rows} SEMI JOIN (FROM told_fields WHERE least <> most) USING (customer_id, field)"
    )
    connection.register("system_order", system_order(settings))
    connection.execute(
        f"""CREATE TABLE golden_fields AS
        SELECT customer_id, field, least AS value FROM told_fields WHERE least = most
        UNION ALL
        SELECT customer_id, field, arg_min(value, ({", ".join(RANKING)})) AS value
        FROM ({ranked_values_sql(settings, "disputed_values")}) GROUP BY customer_id, field"""
    )
    connection.unregister("system_order")
    for table in ("told_fields", "disputed_values"):
        connection.execute(f"DROP TABLE {table}")


# The least wins; the last columns only choose where nothing speaks for either.
RANKING = ("standing", "-epoch_us(occurred_at)", "-epoch_us(recorded_at)", "system", "source_id", "value")


def ranked_values_sql(settings: Settings, rows: str = "attributes") -> str:
    """SQL for every value of a person's fields in `rows` with what decides between them; needs `system_order`.

    To the columns of `attributes` come `refuted` and `verified` (by the last of its `proofs`), `place` (of its system),
    `ahead` (verified, where that goes before the order of systems) and `standing`, these in one number.
    """
    listed = ", ".join(f"'{field}'" for field in GOLDEN_FIELDS)
    proofs = settings.survivorship.proofs
    told = ", false AS refuted, false AS verified"
    joined = ""
    if proofs:
        told = ", coalesce(NOT p.verified, false) AS refuted, coalesce(p.verified, false) AS verified"
        joined = """LEFT JOIN (
            SELECT field, value, arg_max(verified, recorded_at) AS verified FROM proofs GROUP BY field, value
        ) p ON p.field = a.field AND p.value = a.value"""
    ahead = ", ".join(f"'{field}'" for field, rule in proofs.items() if rule.before_systems) or "NULL"
    return f"""
        SELECT *, {4 * _LAST_PLACE} * refuted::BIGINT + {2 * _LAST_PLACE} * (NOT ahead)::BIGINT + 2 * place
               + (NOT verified)::BIGINT AS standing
        FROM (
            SELECT *, verified AND coalesce(field IN ({ahead}), false) AS ahead
            FROM (
                SELECT a.*{told}, coalesce(o.place, {_LAST_PLACE - 1}) AS place
                FROM {rows} a LEFT JOIN system_order o ON o.field = a.field AND o.system = a.system {joined}
                WHERE a.value IS NOT NULL AND a.field IN ({listed})
            )
        )"""


def build_customers(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `customers`: the golden records of `new_people`, with today's consent and account."""
    fields = ", ".join(f"max(value) FILTER (field = '{field}') AS {field}" for field in GOLDEN_FIELDS)
    connection.execute(
        f"""CREATE TABLE customers AS
        WITH people AS (
            SELECT n.customer_id, bool_or(n.system <> 'cookie') AS known,
                   count(*) FILTER (n.system NOT IN ('email', 'login', 'cookie')) AS records,
                   min(d.known_at) AS first_seen_at,
                   arg_min(n.source_id, (d.known_at, n.source_id)) FILTER (n.system = 'email') AS some_email,
                   arg_min(n.source_id, (d.known_at, n.source_id)) FILTER (n.system = 'login') AS some_login
            FROM node_now n SEMI JOIN new_people USING (customer_id) JOIN nodes d USING (node)
            GROUP BY n.customer_id
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
