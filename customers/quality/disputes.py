"""What each record holds today, and where systems hold different values for one person."""

import duckdb

from core.tables import PERSON_FIELDS
from customers.connectors.raw import literal
from customers.linking import KEY_SYSTEMS
from customers.profiles import UNREADABLE

# Read from other fields, or keys of visitors: nobody fills them in.
_DERIVED = ("mail_domain", "mail_kind", "cookie", "account_id")


def find_current_values(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `record_values`: what each record's field holds today, readable or not; blank where it was emptied.

    `attributes` is sorted by record, field and time, so that the last row of each run is today's: no sorting, which
    would take minutes for many people. People, records and values are only compared, by 64 bits of their hash; `place`
    is the row's in `attributes`.
    """
    told = connection.execute("SELECT DISTINCT field FROM attributes").fetchall()
    fields = sorted({name.removesuffix(UNREADABLE) for (name,) in told} - set(_DERIVED))
    connection.execute(f"CREATE TYPE told_field AS ENUM ({', '.join(map(literal, fields))})")
    connection.execute("CREATE TYPE told_system AS ENUM (SELECT DISTINCT system FROM attributes ORDER BY system)")
    connection.execute(
        f"""CREATE TABLE record_values AS
        WITH placed AS (
            SELECT *, hash(system, source_id, field) AS run, row_number() OVER () AS place FROM attributes
        )
        SELECT hash(customer_id) AS person, hash(system, source_id) AS record, system::told_system AS system,
               CASE WHEN unreadable THEN left(field, -{len(UNREADABLE)}) ELSE field END::told_field AS field,
               unreadable, hash(value) AS mark, value IS NOT NULL AS held, occurred_at, recorded_at, place
        FROM (SELECT *, lead(run) OVER () IS DISTINCT FROM run AS is_last, suffix(field, '{UNREADABLE}') AS unreadable
              FROM placed)
        WHERE is_last AND NOT list_contains($derived, field)""",
        {"derived": list(_DERIVED)},
    )
    # Of what can be read and what cannot the later one holds; at the same moment, what can be read.
    connection.execute("CREATE TABLE spoiled_values AS FROM record_values WHERE unreadable")
    connection.execute(
        """CREATE TABLE overtaken AS
        SELECT CASE WHEN (s.occurred_at, s.recorded_at) > (r.occurred_at, r.recorded_at) THEN r.place
               ELSE s.place END AS place
        FROM spoiled_values s JOIN (FROM record_values WHERE NOT unreadable) r USING (record, field)"""
    )
    if connection.execute("SELECT count(*) FROM overtaken").fetchall()[0][0]:
        connection.execute("DELETE FROM record_values WHERE place IN (FROM overtaken)")


def find_disputes(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `comparisons` (people and fields with values of several systems) and `rivals` (the values in dispute).

    A system that holds several records of a person speaks by its newest value, as in the golden record.
    """
    told = [name for (name,) in connection.execute("SELECT unnest(enum_range(NULL::told_field))").fetchall()]
    own = ", ".join(literal(name) for name in told if name in PERSON_FIELDS) or "NULL"
    connection.execute(
        f"""CREATE TABLE comparisons AS
        WITH several AS (
            SELECT hash(customer_id) AS person FROM identities
            WHERE ended_at IS NULL AND NOT list_contains($keys, system)
            GROUP BY customer_id HAVING min(system) <> max(system)
        )
        SELECT person, field, min(mark) <> max(mark) AS disputed, bitstring_agg(enum_code(system), 0, $most) AS systems
        FROM record_values SEMI JOIN several USING (person)
        WHERE held AND NOT unreadable AND field IN ({own})
        GROUP BY person, field HAVING min(system) <> max(system)""",
        {"keys": list(KEY_SYSTEMS), "most": len(told_systems(connection))},
    )
    # Few people have values that differ anywhere; of those several records of one system may still speak as one.
    connection.execute(
        """CREATE TABLE told_values AS
        SELECT person, field, system, arg_max(mark, (occurred_at, recorded_at, -place)) AS mark
        FROM record_values SEMI JOIN (FROM comparisons WHERE disputed) USING (person, field)
        WHERE held AND NOT unreadable GROUP BY person, field, system"""
    )
    connection.execute(
        """UPDATE comparisons SET disputed = false WHERE disputed AND (person, field) IN (
            SELECT (person, field) FROM told_values GROUP BY person, field HAVING min(mark) = max(mark))"""
    )
    disputed = connection.execute("SELECT DISTINCT field::VARCHAR FROM comparisons WHERE disputed").fetchall()
    golden = " UNION ALL ".join(
        f"SELECT hash(customer_id) AS person, {literal(name)}::told_field AS field, hash({name}) AS golden "
        f"FROM customers WHERE {name} IS NOT NULL"
        for (name,) in sorted(disputed)
    )
    connection.execute(
        f"""CREATE TABLE rivals AS
        SELECT person, field, system, mark, mark = golden AS won
        FROM told_values SEMI JOIN (FROM comparisons WHERE disputed) USING (person, field)
        LEFT JOIN ({golden or "SELECT person, field, mark AS golden FROM told_values"}) USING (person, field)"""
    )


def told_systems(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The systems in the order of the bits of `comparisons.systems`."""
    (names,) = connection.execute("SELECT enum_range(NULL::told_system)").fetchall()[0]
    return list(names)
