"""What each record's fields held and since when that was known: most rows of `attributes`, and the keys of records."""

from collections.abc import Iterator

import duckdb

from core.settings import Settings
from customers.addresses import add_addresses, take_addresses
from customers.cleansing.company import tidy_company
from customers.cleansing.email import mail_domain, mail_kind, normalise_email
from customers.cleansing.name import NAME_FIELDS, tidy_name
from customers.cleansing.phone import normalise_phone
from customers.cleansing.text import normalise_login, normalise_number, tidy_text
from customers.cleansing.title import department_of, rank_of
from customers.kept_records import KeptRecords
from customers.memory import Memory

# Ends the name under which a value is kept that nobody can read.
UNREADABLE = "_unreadable"


def cleanse_field(field: str, value: str) -> dict[str, str]:
    """A field's cleansed value, and what else can be read from it; an unreadable value is kept under its own name.

    >>> cleanse_field("email", "Taro@Example.JP")
    {'email': 'taro@example.jp', 'mail_domain': 'example.jp', 'mail_kind': 'business'}
    >>> cleanse_field("email", "unknown"), cleanse_field("title", "営業部長")
    ({'email_unreadable': 'unknown'}, {'title': '営業部長', 'rank': 'director', 'department': 'sales'})
    """
    found: dict[str, str | None]
    if field == "email":
        email = normalise_email(value)
        found = {"email": email}
        if email:
            found |= {"mail_domain": mail_domain(email), "mail_kind": mail_kind(email)}
    elif field == "title":
        found = {"title": tidy_text(value), "rank": rank_of(value), "department": department_of(value)}
    elif field in NAME_FIELDS:
        found = {field: tidy_name(value)}
    elif field == "phone":
        found = {field: normalise_phone(value)}
    elif field == "company":
        found = {field: tidy_company(value)}
    elif field == "login":
        found = {field: normalise_login(value)}
    elif field == "department":
        found = {field: department_of(value) or tidy_text(value)}
    elif field in ("employees", "annual_revenue"):
        found = {field: normalise_number(value)}
    elif field in ("account_id", "cookie"):
        found = {field: value}
    else:
        found = {field: tidy_text(value)}
    if found[field] is None:
        return {f"{field}{UNREADABLE}": value}
    return {name: form for name, form in found.items() if form is not None}


def build_profiles(
    connection: duckdb.DuckDBPyConnection, settings: Settings, memory: Memory, records: KeptRecords
) -> None:
    """Make `record_rows` and `key_rows` from the staged values and changes: what each record said, and its keys.

    `known_at: created` values count from the record's creation, `export` values from the export, and `history` values
    are rolled back: the first old value of the change log (or the snapshot's where nothing changed) at creation, then
    each change at its time, and the snapshot's value at the export where the log does not lead to it.

    Worked out for the records of which anything is new; of the others `records` knows what a former run found.
    """
    connection.execute(
        """CREATE TABLE ordered_changes AS
        SELECT *, row_number() OVER earliest = 1 AS is_first, row_number() OVER latest = 1 AS is_last
        FROM staged.field_changes
        WINDOW earliest AS (PARTITION BY system, source_id, field
                            ORDER BY occurred_at, recorded_at, old_value, new_value),
               latest AS (PARTITION BY system, source_id, field
                          ORDER BY occurred_at DESC, recorded_at DESC, new_value DESC, old_value DESC)"""
    )
    mapped_departments = [
        source.name for source in settings.sources if source.people and "department" in source.people.fields
    ]
    records.find_new(connection, mapped_departments)
    connection.execute(
        """CREATE TABLE dated_values AS
        WITH snapshot AS (
            SELECT v.*, e.exported_at
            FROM staged.field_values v SEMI JOIN new_records USING (system, source_id) JOIN exports e USING (source)
        ), changed AS (
            SELECT s.*, f.old_value AS first_old, f.occurred_at AS first_at, l.new_value AS last_new,
                   f.system IS NOT NULL AS has_changed
            FROM (FROM snapshot WHERE known_at = 'history') s
            LEFT JOIN (FROM ordered_changes WHERE is_first) f USING (system, source_id, field)
            LEFT JOIN (FROM ordered_changes WHERE is_last) l USING (system, source_id, field)
        ), log_start AS (
            SELECT system, min(occurred_at) AS logged_from FROM staged.field_changes GROUP BY system
        ), tracked AS (
            SELECT DISTINCT system, field, is_key, kind, source FROM staged.field_values
        )
        SELECT source, system, source_id, field, value, is_key, kind,
               coalesce(occurred_at, recorded_at, exported_at) AS occurred_at,
               coalesce(recorded_at, exported_at) AS recorded_at, recorded_assumed
        FROM snapshot WHERE known_at <> 'history'
        UNION ALL
        -- What stood there before the log begins is not known: an older record is rolled back to the log's beginning,
        -- and to just before it where the log begins with this value's change, which would else share its moment.
        SELECT source, system, source_id, field, CASE WHEN has_changed THEN first_old ELSE value END, is_key, kind,
               greatest(coalesce(occurred_at, recorded_at, exported_at), rolled_to),
               greatest(coalesce(recorded_at, exported_at), rolled_to), recorded_assumed
        FROM (SELECT *, least(coalesce(logged_from, exported_at), first_at - INTERVAL 1 MICROSECOND) AS rolled_to
              FROM changed LEFT JOIN log_start USING (system))
        UNION ALL
        SELECT source, system, source_id, field, value, is_key, kind, exported_at, exported_at, true
        FROM changed WHERE has_changed AND value IS DISTINCT FROM last_new
        UNION ALL
        SELECT t.source, c.system, c.source_id, c.field, c.new_value, t.is_key, t.kind,
               c.occurred_at, c.recorded_at, c.recorded_assumed
        FROM (FROM ordered_changes SEMI JOIN new_records USING (system, source_id)) c
        JOIN (SELECT system, field, is_key, any_value(kind ORDER BY source) AS kind, min(source) AS source
              FROM tracked GROUP BY system, field, is_key) t USING (system, field)"""
    )
    # A value can only be known once it is true.
    connection.execute("UPDATE dated_values SET recorded_at = occurred_at WHERE recorded_at < occurred_at")
    take_addresses(connection)
    memory.ask(
        "forms",
        "SELECT field, value FROM dated_values WHERE kind IN ('text', 'category') AND value IS NOT NULL",
        ("form_field", "form"),
        _forms_of,
        in_use="""SELECT field, value FROM staged.field_values WHERE value IS NOT NULL
            UNION SELECT field, unnest([old_value, new_value]) AS value FROM staged.field_changes""",
    )
    connection.execute("CREATE TABLE own_departments AS SELECT unnest(?::VARCHAR[]) AS source", [mapped_departments])
    connection.execute(
        """CREATE TABLE record_rows AS
        SELECT DISTINCT d.system, d.source_id, coalesce(f.form_field, d.field) AS field,
               CASE WHEN d.kind IN ('text', 'category') THEN f.form ELSE d.value END AS value,
               d.occurred_at, d.recorded_at, d.recorded_assumed
        FROM dated_values d LEFT JOIN forms f
            ON d.kind IN ('text', 'category') AND f.field = d.field AND f.value = d.value
        WHERE NOT d.is_key
          -- A department read from a title does not compete with a department that has its own column.
          AND NOT (d.field = 'title' AND coalesce(f.form_field, '') = 'department'
                   AND d.source IN (SELECT source FROM own_departments))
          -- Blank at the start tells nothing; a change to blank does.
          AND (d.value IS NOT NULL OR d.occurred_at > (
              SELECT min(r.created_at) FROM staged.records r
              WHERE r.system = d.system AND r.source_id = d.source_id))"""
    )
    add_addresses(connection, memory)
    connection.execute(
        """CREATE TABLE key_rows AS
        SELECT d.system, d.source_id, d.field AS kind, f.form AS key_value, min(d.recorded_at) AS known_at
        FROM dated_values d JOIN forms f ON f.field = d.field AND f.value = d.value AND f.form_field = d.field
        WHERE d.is_key GROUP BY ALL"""
    )
    records.add_known(connection)


def _forms_of(field: str, value: str) -> Iterator[tuple[str, str]]:
    yield from cleanse_field(field, value).items()
