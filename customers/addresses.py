"""What each record's address was, whenever a part of it became known: prefecture, city, town and the rest together."""

from collections.abc import Iterator

import duckdb

from customers.cleansing.address_fields import ADDRESS_FIELDS, READ_FIELDS, cleanse_address
from customers.connectors.raw import literal
from customers.memory import Memory

# What else a part's value is read from: it counts as told anew where these are.
_TOLD_WITH = {"city": "address", "town": "address", "building": "address"}


def take_addresses(connection: duckdb.DuckDBPyConnection) -> None:
    """Move the parts of addresses from `dated_values` to `address_values`: they are cleansed together, not one by one.

    The country stays in both; it says in which way the rest is read.
    """
    connection.execute(
        f"""CREATE TABLE address_values AS
        SELECT system, source_id, field, value, occurred_at, recorded_at, recorded_assumed FROM dated_values
        WHERE NOT is_key AND kind IN ('text', 'category') AND field IN ({_listed(READ_FIELDS)})"""
    )
    connection.execute(
        f"""DELETE FROM dated_values
        WHERE NOT is_key AND kind IN ('text', 'category') AND field IN ({_listed(ADDRESS_FIELDS)})"""
    )


def add_addresses(connection: duckdb.DuckDBPyConnection, memory: Memory) -> None:
    """Add the cleansed parts of `address_values` to `record_rows`.

    At each moment at which a record's address became known in part, all parts that were known by then are read
    together: a city in one field and a street in another are one address, and neither is known before it was recorded.
    """
    parts = ", ".join(
        f"""coalesce(last_value(CASE WHEN field = {literal(name)} THEN coalesce(value, '') END IGNORE NULLS)
                     OVER so_far, '') AS {name}"""
        for name in READ_FIELDS
    )
    connection.execute(
        f"""CREATE TABLE address_states AS
        SELECT system, source_id, recorded_at, occurred_at, recorded_assumed, told, {", ".join(READ_FIELDS)}
        FROM (
            SELECT system, source_id, recorded_at, max(occurred_at) OVER so_far AS occurred_at,
                   bool_or(recorded_assumed) OVER moment AS recorded_assumed, list(field) OVER moment AS told,
                   row_number() OVER (PARTITION BY system, source_id, recorded_at
                                      ORDER BY occurred_at DESC, field DESC, value DESC NULLS LAST) = 1 AS is_last,
                   {parts}
            FROM address_values
            WINDOW so_far AS (PARTITION BY system, source_id
                              ORDER BY recorded_at, occurred_at, field, value NULLS FIRST ROWS UNBOUNDED PRECEDING),
                   moment AS (PARTITION BY system, source_id, recorded_at)
        ) WHERE is_last"""
    )
    memory.ask(
        "address_forms",
        f"SELECT {', '.join(READ_FIELDS)} FROM address_states",
        [f"new_{name}" for name in ADDRESS_FIELDS],
        _forms_of,
    )
    listed = " UNION ALL ".join(
        f"""SELECT system, source_id, {literal(name)} AS field, new_{name} AS value, occurred_at, recorded_at,
                   recorded_assumed,
                   list_has_any(told, [{_listed((name, _TOLD_WITH.get(name, name)))}]) AS is_told
        FROM address_states JOIN address_forms USING ({", ".join(READ_FIELDS)})"""
        for name in ADDRESS_FIELDS
    )
    # A part that nothing ever filled says nothing; one that was emptied does.
    connection.execute(
        f"""INSERT INTO record_rows BY NAME
        SELECT * EXCLUDE (is_told, before, ever) FROM (
            SELECT *, lag(value) OVER earlier AS before, count(value) OVER earlier > 0 AS ever
            FROM ({listed})
            WINDOW earlier AS (PARTITION BY system, source_id, field ORDER BY recorded_at
                               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        ) WHERE ever AND (is_told OR value IS DISTINCT FROM before)"""
    )


def _forms_of(*told: str) -> Iterator[tuple[str | None, ...]]:
    new = cleanse_address(dict(zip(READ_FIELDS, told, strict=True)))
    yield tuple(new[name] for name in ADDRESS_FIELDS)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(literal(name) for name in names)
