"""What each record said of its person's name and whereabouts, every time that a part of it became known."""

from collections.abc import Iterator, Mapping

import duckdb

from customers.cleansing.company import company_key
from customers.cleansing.email import is_role_mailbox
from customers.cleansing.name import NAME_FIELDS, name_from_parts
from customers.connectors.raw import literal
from customers.kept_records import KeptRecords
from customers.memory import Memory

_SOUNDS = ("last", "first", "last_sound", "first_sound")
READ_FIELDS = (*NAME_FIELDS, "email", "phone", "company", "address", "building", "city", "postal_code")


def build_record_states(
    connection: duckdb.DuckDBPyConnection, memory: Memory, records: KeptRecords, *, prune: bool
) -> None:
    """Make `record_states` from `record_rows`: one row for each record and moment at which it told something new.

    Columns: system, source_id, time (UTC; all that was known by then is in the row), the name in comparable forms
    (last, first, last_sound, first_sound), email (NULL for the mailbox of a role, which several people read), phone,
    company (its key), address with building, city and postal_code.

    Worked out for the records of which anything is new; of the others `records` knows what a former run found. With
    `prune` the memory will be asked to forget what no record says any more.
    """
    if prune:
        # Before the tables of the former run are gone.
        connection.execute(f"CREATE TABLE told_rows AS FROM {records.told_rows()}")
    connection.execute(f"CREATE TABLE filled_states AS {_filled_sql('record_rows')}")
    blank = ", ".join(f"coalesce({name}, '') AS {name}" for name in NAME_FIELDS)
    memory.ask(
        "person_names",
        f"SELECT {blank} FROM filled_states",
        [f"name_{part}" for part in _SOUNDS],
        _forms_of_name,
        in_use=f"SELECT {blank} FROM ({_filled_sql('told_rows')})",
    )
    memory.ask(
        "role_mailboxes_told",
        "SELECT email FROM filled_states WHERE email IS NOT NULL",
        ("of_role",),
        lambda email: [("yes" if is_role_mailbox(email) else None,)],
        in_use="SELECT value AS email FROM told_rows WHERE field = 'email' AND value IS NOT NULL",
    )
    memory.ask(
        "company_keys",
        "SELECT value AS company FROM account_facts WHERE field = 'company' AND value IS NOT NULL",
        ("company_key",),
        lambda company: [(company_key(company),)],
    )
    same_name = " AND ".join(f"n.{name} = coalesce(s.{name}, '')" for name in NAME_FIELDS)
    connection.execute(
        f"""CREATE TABLE record_states AS
        SELECT s.system, s.source_id, s.time, {", ".join(f"n.name_{part} AS {part}" for part in _SOUNDS)},
               CASE WHEN m.of_role IS NULL THEN s.email END AS email, s.phone, c.company_key AS company,
               -- Two flats of one house are two addresses.
               nullif(concat_ws(' ', s.address, s.building), '') AS address, s.city, s.postal_code
        FROM filled_states s JOIN person_names n ON {same_name}
        LEFT JOIN role_mailboxes_told m USING (email) LEFT JOIN company_keys c USING (company)"""
    )
    connection.execute("DROP TABLE filled_states")
    records.add_known_states(connection)


def _filled_sql(rows: str) -> str:
    """SQL of what each record had told of itself so far, at each moment at which it told something."""
    listed = ", ".join(literal(name) for name in READ_FIELDS)
    picked = ", ".join(f"max(value) FILTER (field = {literal(name)}) AS {name}" for name in READ_FIELDS)
    so_far = ", ".join(f"last_value({name} IGNORE NULLS) OVER so_far AS {name}" for name in READ_FIELDS)
    return f"""
        WITH told_states AS MATERIALIZED (
            SELECT *, count(*) OVER (PARTITION BY system, source_id) AS states FROM (
                SELECT system, source_id, recorded_at AS time, {picked} FROM {rows}
                WHERE field IN ({listed}) AND value IS NOT NULL GROUP BY system, source_id, recorded_at)
        )
        SELECT system, source_id, time, {", ".join(READ_FIELDS)} FROM told_states WHERE states = 1
        UNION ALL
        (SELECT system, source_id, time, {so_far} FROM told_states WHERE states > 1
         WINDOW so_far AS (PARTITION BY system, source_id ORDER BY time ROWS UNBOUNDED PRECEDING))"""


def state_of(told: Mapping[str, str | None]) -> dict[str, str | None]:
    """The row of `record_states` for one record that is not in any table: what it says in the comparable form.

    Args:
        told: cleansed values by field, of `READ_FIELDS` and any others.
    """
    name = name_from_parts({field: told.get(field) for field in NAME_FIELDS})
    email, company = told.get("email"), told.get("company")
    return {
        "last": name.last,
        "first": name.first,
        "last_sound": name.last_sound,
        "first_sound": name.first_sound,
        "email": email if email and not is_role_mailbox(email) else None,
        "phone": told.get("phone"),
        "company": company_key(company) if company else None,
        "address": " ".join(part for part in (told.get("address"), told.get("building")) if part) or None,
        "city": told.get("city"),
        "postal_code": told.get("postal_code"),
    }


def _forms_of_name(*parts: str) -> Iterator[tuple[str | None, ...]]:
    name = name_from_parts({field: part or None for field, part in zip(NAME_FIELDS, parts, strict=True)})
    yield name.last, name.first, name.last_sound, name.first_sound
