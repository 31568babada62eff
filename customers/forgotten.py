"""Rows about people who were forgotten leave the staging tables and the quarantine before anything is published."""

import json
import re
from collections.abc import Collection, Iterator, Mapping

import duckdb
import pyarrow as pa

from core.source_settings import SourceSettings
from customers.cleansing.email import normalise_email
from customers.cleansing.phone import normalise_phone
from customers.cleansing.text import normalise_login
from customers.connectors.raw import literal
from customers.linking import KEY_SYSTEMS
from customers.mapping.functions import define_function
from customers.mapping.staging import SectionRows
from customers.suppression import ANY_APART, LEARNED, Key, SuppressionList, apart_key

_PERSON = ("system", "source_id")
# Where a section's rows say whom they are about.
_PEOPLE_OF: dict[str, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(("people", "history", "events", "deal_people", "contracts", "consents"), (_PERSON,)),
    "links": (("left_system", "left_id"), ("right_system", "right_id")),
    "deals": (("person_system", "person_id"),),
}
_WORDS = re.compile(r"[\s,;|\"'{}\[\]<>()=\\]+")


def create_mentions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the empty table of who is named in which row that was read now."""
    connection.execute("CREATE TABLE mentions (source VARCHAR, file VARCHAR, line BIGINT, system VARCHAR, id VARCHAR)")


def note_mentions(connection: duckdb.DuckDBPyConnection, source: SourceSettings, sections: list[SectionRows]) -> None:
    """Remember whom each row of a source names, faulty rows included."""
    for rows in sections:
        for system, source_id in _PEOPLE_OF.get(rows.name, ()):
            if rows.name == "deals" and not (source.deals and source.deals.person):
                continue
            connection.execute(
                f"INSERT INTO mentions SELECT {literal(source.name)}, file, line, {system}, {source_id} "
                f"FROM {rows.table} WHERE {source_id} IS NOT NULL"
            )


def find_forgotten(
    connection: duckdb.DuckDBPyConnection, sources: tuple[SourceSettings, ...], suppressed: SuppressionList
) -> None:
    """Find every row about a forgotten person: fills `gone`, `gone_deals` and `forgotten_now`.

    Who they are is told by the list, and by what the exports of today say of its people: a new record with their
    address is theirs, and so is a key that nobody else holds. These join the list, since tomorrow's export may no
    longer show the connection. A deal or contract of a company stays, without the person. `forgotten_now` holds the
    rows that are about them.
    """
    _find_forgotten(connection, suppressed)
    found = [Key(*row) for row in connection.execute("FROM gone").fetchall()]
    suppressed.add([key for key in found if suppressed.receipt_of(key) is None], LEARNED)
    connection.execute(
        """INSERT INTO forgotten_now
        SELECT DISTINCT source, file, line,
               (source, file, line) IN (SELECT (source, file, line) FROM staged.quarantine)
        FROM mentions JOIN gone USING (system, id)"""
    )
    _find_quarantined(connection, sources, suppressed, frozenset(found))
    theirs = "(system, source_id) IN (SELECT (system, id) FROM gone)"
    connection.execute(
        f"""INSERT INTO gone_deals
        SELECT deal_id FROM staged.deals WHERE account_id IS NULL
            AND deal_id IN (SELECT deal_id FROM staged.deal_people WHERE {theirs})
            AND deal_id NOT IN (SELECT deal_id FROM staged.deal_people WHERE NOT {theirs})"""
    )


def _find_forgotten(connection: duckdb.DuckDBPyConnection, suppressed: SuppressionList) -> None:
    """Make `gone` (system, id): the records and keys of forgotten people among those that the exports speak of."""
    define_function(connection, "normal_phone", normalise_phone)
    connection.execute(
        """CREATE TABLE borne AS
        WITH given AS (
            SELECT system, source_id, field, value FROM staged.field_values
            UNION SELECT system, source_id, field, unnest([old_value, new_value]) FROM staged.field_changes
        )
        SELECT DISTINCT field AS system, CASE field WHEN 'email' THEN normal_email(value)
                   WHEN 'login' THEN normal_login(value) WHEN 'phone' THEN normal_phone(value) ELSE value END AS id,
               system AS holder_system, source_id AS holder_id
        FROM given WHERE field IN ('email', 'login', 'phone', 'cookie') AND value IS NOT NULL"""
    )
    connection.execute("DELETE FROM borne WHERE id IS NULL")
    named = connection.execute("SELECT system, id FROM mentions UNION SELECT system, id FROM borne").fetchall()
    listed = suppressed.among(named)
    connection.register(
        "listed_keys",
        pa.table(
            {
                "system": pa.array([key.system for key in listed], pa.string()),
                "id": pa.array([key.id for key in listed], pa.string()),
            }
        ),
    )
    connection.execute("INSERT INTO gone FROM listed_keys")
    connection.unregister("listed_keys")
    keys = ", ".join(literal(system) for system in KEY_SYSTEMS)
    # Who else holds a key: records, and for a browser also the addresses and logins that were used in it.
    connection.execute(
        f"""CREATE TABLE known_holders AS
        WITH links AS (
            SELECT left_system AS system, left_id AS id, right_system AS holder_system, right_id AS holder_id
            FROM staged.links
            UNION SELECT right_system, right_id, left_system, left_id FROM staged.links
        )
        SELECT * FROM borne WHERE system IN ({keys})
        UNION SELECT * FROM links WHERE system IN ({keys}) AND holder_system <> 'cookie'"""
    )
    _collect_own_links(connection, suppressed, keys)
    while connection.execute(f"INSERT INTO gone {_ALSO_GONE.format(keys=keys)}").fetchall()[0][0]:
        pass


_ALSO_GONE = """
(
    -- A record that bears a forgotten address or login; a telephone, which others may share, only where it is all.
    SELECT b.holder_system, b.holder_id FROM borne b JOIN gone USING (system, id)
    WHERE b.system IN ('email', 'login') OR (b.system = 'phone' AND NOT EXISTS (
        FROM borne o WHERE o.holder_system = b.holder_system AND o.holder_id = b.holder_id AND o.system = 'email'))
    UNION
    -- What a system itself calls the same record.
    SELECT l.right_system, l.right_id FROM own_links l JOIN gone g ON g.system = l.left_system AND g.id = l.left_id
    UNION
    SELECT l.left_system, l.left_id FROM own_links l JOIN gone g ON g.system = l.right_system AND g.id = l.right_id
    UNION
    -- A key that nobody else holds.
    SELECT h.system, h.id FROM known_holders h
    LEFT JOIN gone g ON g.system = h.holder_system AND g.id = h.holder_id
    GROUP BY ALL HAVING bool_and(g.id IS NOT NULL)
)
EXCEPT FROM gone
"""


def _collect_own_links(connection: duckdb.DuckDBPyConnection, suppressed: SuppressionList, keys: str) -> None:
    """Make `own_links`: what systems call the same record, but for pairs that somebody had told apart."""
    connection.execute(
        f"""CREATE TABLE own_links AS
        SELECT DISTINCT left_system, left_id, right_system, right_id FROM staged.links
        WHERE left_system NOT IN ({keys}) AND right_system NOT IN ({keys})"""
    )
    if suppressed.receipt_of(ANY_APART) is None:
        return
    links = connection.execute("FROM own_links").fetchall()
    apart = [row for row in links if suppressed.receipt_of(apart_key(Key(*row[:2]), Key(*row[2:]))) is not None]
    if apart:
        connection.executemany(
            "DELETE FROM own_links WHERE left_system = ? AND left_id = ? AND right_system = ? AND right_id = ?", apart
        )


def _find_quarantined(
    connection: duckdb.DuckDBPyConnection,
    sources: tuple[SourceSettings, ...],
    suppressed: SuppressionList,
    gone: Collection[Key],
) -> None:
    """A faulty row is about a forgotten person if it names them, or if anything in it is a key of theirs."""
    columns = {source.name: id_columns(source) for source in sources}
    rows = connection.execute("SELECT source, file, line, section, raw FROM staged.quarantine").fetchall()
    theirs = [
        (source, file, line)
        for source, file, line, section, raw in rows
        if any(
            key in gone or suppressed.receipt_of(key) is not None
            for key in keys_in(raw, columns.get(source, {}), section == "file")
        )
    ]
    if theirs:
        connection.executemany("INSERT INTO forgotten_now VALUES (?, ?, ?, true)", theirs)


def keys_in(raw: str, columns: Mapping[str, str], unsplit: bool) -> Iterator[Key]:
    """Whatever in a rejected row may be a key of a person.

    Args:
        raw: the columns as a JSON object, or, when `unsplit`, the line as it stood in the file.
        columns: those that hold ids of records, with the record's system.
        unsplit: whether the row could not even be split into columns; any word of it may be an id then.

    >>> sorted(set(keys_in('{"mail": "Taro@Example.JP", "no": "7"}', {"no": "crm"}, False)))[2:4]
    [Key(system='crm', id='7'), Key(system='email', id='taro@example.jp')]
    """
    values = {"": raw} if unsplit else {name: text for name, text in json.loads(raw).items() if text}
    for name, value in values.items():
        whole = value.strip()
        for text in {whole, *filter(None, _WORDS.split(value))}:
            # A column may hold several ids, or a JSON object with one in it.
            if name in columns:
                yield Key(columns[name], text)
            yield Key("cookie", text)
            if "@" in text and (email := normalise_email(text)):
                yield Key("email", email)
            if (unsplit or text == whole) and (login := normalise_login(text)):
                yield Key("login", login)
            if any(character.isdigit() for character in text) and (phone := normalise_phone(text)):
                yield Key("phone", phone)
            if unsplit:
                yield from (Key(system, text) for system in set(columns.values()))


def id_columns(source: SourceSettings) -> dict[str, str]:
    """The columns of a source that hold ids of people's records, with the system of the record."""
    found: dict[str, str] = {}
    if source.people and source.people.id and source.people.id.column:
        found[source.people.id.column] = source.system
    for section in source.sections().values():
        for references in (getattr(section, name, None) for name in ("person", "left", "right")):
            for reference in references or ():
                if reference.column.column is not None and reference.key is None:
                    found[reference.column.column] = reference.system or source.system
    return found
