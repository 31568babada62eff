"""What people's fields hold: how often they are filled, how often nobody can read them, and where systems disagree."""

from collections import defaultdict
from dataclasses import dataclass

import duckdb

from core.tables import PERSON_FIELDS
from customers.linking import KEY_SYSTEMS
from customers.profiles import UNREADABLE

# Read from other fields, or keys of visitors: nobody fills them in.
_DERIVED = ("mail_domain", "mail_kind", "cookie", "account_id")


@dataclass(frozen=True)
class SystemRecords:
    """How many records of people a system holds today."""

    system: str
    records: int


@dataclass(frozen=True)
class SystemField:
    """A field in the records of a system: how many hold a value, how many one that cannot be read.

    `won` of its `disputed` values stand in the golden record, where systems hold different values for one person.
    """

    system: str
    filled: int
    unreadable: int
    disputed: int
    won: int


@dataclass(frozen=True)
class Disagreement:
    """Two systems that hold different values of a field: for how many people, of how many for whom both hold one.

    The golden record has the one's value for `left_won`, the other's for `right_won` people; where it has neither's, a
    third system won.
    """

    left: str
    right: str
    compared: int
    different: int
    left_won: int
    right_won: int


@dataclass(frozen=True)
class FieldQuality:
    """A field of a person: in each system that has a value, and in the golden record of people who are known.

    `golden` counts known people with a value, None for a field of the configuration, which has no golden value;
    `compared` are people for whom two systems or more hold one, `conflicts` those of them for whom it differs.
    """

    field: str
    golden: int | None
    compared: int
    conflicts: int
    systems: tuple[SystemField, ...]
    disagreements: tuple[Disagreement, ...]

    @property
    def filled(self) -> int:
        """Records of all systems that hold a readable value."""
        return sum(system.filled for system in self.systems)

    @property
    def unreadable(self) -> int:
        """Records of all systems that hold what nobody can read."""
        return sum(system.unreadable for system in self.systems)

    @property
    def unreadable_share(self) -> float:
        """Of the records that hold anything."""
        return self.unreadable / held if (held := self.filled + self.unreadable) else 0.0

    @property
    def conflict_share(self) -> float:
        """Of the people for whom systems can be compared."""
        return self.conflicts / self.compared if self.compared else 0.0


def count_records(connection: duckdb.DuckDBPyConnection) -> tuple[SystemRecords, ...]:
    """The records of each system that has records of people."""
    rows = connection.execute(
        """SELECT system, count(*) FROM identities WHERE ended_at IS NULL AND NOT list_contains($keys, system)
        GROUP BY system ORDER BY system""",
        {"keys": list(KEY_SYSTEMS)},
    ).fetchall()
    return tuple(SystemRecords(*row) for row in rows)


def assess_fields(connection: duckdb.DuckDBPyConnection) -> tuple[FieldQuality, ...]:
    """Assess every field that some system fills, in the order of the golden record, the configuration's own last."""
    _find_current_values(connection)
    _find_disputes(connection)
    golden = _golden(connection)
    systems = _systems(connection)
    disagreements = _disagreements(connection)
    compared = {
        field: (count, conflicts)
        for field, count, conflicts in connection.execute(
            "SELECT field, count(*), count(*) FILTER (disputed) FROM comparisons GROUP BY field"
        ).fetchall()
    }
    own = sorted(set(systems) - set(PERSON_FIELDS))
    return tuple(
        FieldQuality(
            field=field,
            golden=golden.get(field),
            compared=compared.get(field, (0, 0))[0],
            conflicts=compared.get(field, (0, 0))[1],
            systems=tuple(systems[field]),
            disagreements=tuple(disagreements[field]),
        )
        for field in (*PERSON_FIELDS, *own)
        if field in systems or golden.get(field)
    )


def _find_current_values(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `record_values`: what each record's field holds today, readable or not; blank where it was emptied.

    `attributes` is sorted by record, field and time, so that the last row of each run is today's: no sorting, which
    would take minutes for many people. People and values are only compared, by 64 bits of their hash.
    """
    connection.execute(
        """CREATE TABLE last_values AS
        SELECT hash(customer_id) AS person, system, source_id, field, hash(value) AS mark, value IS NOT NULL AS held,
               occurred_at, recorded_at
        FROM (
            SELECT *, lead(system) OVER () IS DISTINCT FROM system OR lead(source_id) OVER () IS DISTINCT FROM source_id
                   OR lead(field) OVER () IS DISTINCT FROM field AS is_last
            FROM attributes
        ) WHERE is_last AND NOT list_contains($derived, field)""",
        {"derived": list(_DERIVED)},
    )
    connection.execute(
        f"""CREATE TABLE spoiled_values AS
        SELECT * REPLACE (left(field, -{len(UNREADABLE)}) AS field) FROM last_values
        WHERE suffix(field, '{UNREADABLE}')"""
    )
    # Of what can be read and what cannot the later one holds; at the same moment, what can be read.
    connection.execute(
        f"""CREATE TABLE record_values AS
        WITH readable AS (FROM last_values WHERE NOT suffix(field, '{UNREADABLE}'))
        SELECT r.*, false AS unreadable FROM readable r WHERE NOT EXISTS (
            FROM spoiled_values s WHERE s.system = r.system AND s.source_id = r.source_id AND s.field = r.field
                AND (s.occurred_at, s.recorded_at) > (r.occurred_at, r.recorded_at))
        UNION ALL
        SELECT s.*, true FROM spoiled_values s WHERE NOT EXISTS (
            FROM readable r WHERE s.system = r.system AND s.source_id = r.source_id AND s.field = r.field
                AND (r.occurred_at, r.recorded_at) >= (s.occurred_at, s.recorded_at))"""
    )
    connection.execute("DROP TABLE last_values")


def _find_disputes(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `comparisons` (people and fields with values of several systems) and `rivals` (the values in dispute).

    A system that holds several records of a person speaks by its newest value, as in the golden record.
    """
    listed = ", ".join(PERSON_FIELDS)
    connection.execute(
        """CREATE TABLE told_values AS
        SELECT person, field, system, arg_max(mark, (occurred_at, source_id)) AS mark
        FROM record_values
        WHERE held AND NOT unreadable AND list_contains($fields, field) AND person IN (
            SELECT hash(customer_id) FROM identities WHERE ended_at IS NULL AND NOT list_contains($keys, system)
            GROUP BY customer_id HAVING min(system) <> max(system))
        GROUP BY person, field, system""",
        {"fields": list(PERSON_FIELDS), "keys": list(KEY_SYSTEMS)},
    )
    connection.execute(
        """CREATE TABLE comparisons AS
        SELECT person, field, min(mark) <> max(mark) AS disputed
        FROM told_values GROUP BY person, field HAVING count(*) > 1"""
    )
    connection.execute(
        f"""CREATE TABLE rivals AS
        WITH golden AS (
            UNPIVOT (SELECT hash(customer_id) AS person, {listed} FROM customers
                     WHERE hash(customer_id) IN (SELECT person FROM comparisons WHERE disputed))
            ON {listed} INTO NAME field VALUE golden
        )
        SELECT person, field, system, mark, mark = hash(golden) AS won
        FROM told_values JOIN (FROM comparisons WHERE disputed) USING (person, field)
        LEFT JOIN golden USING (person, field)"""
    )


def _golden(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many known people have each field, in one reading."""
    counts = ", ".join(f"count({field})" for field in PERSON_FIELDS)
    row = connection.execute(f"SELECT {counts} FROM customers WHERE kind = 'known'").fetchall()[0]
    return dict(zip(PERSON_FIELDS, row, strict=True))


def _systems(connection: duckdb.DuckDBPyConnection) -> dict[str, list[SystemField]]:
    rows = connection.execute(
        """WITH held AS (
            SELECT field, system, count(*) FILTER (held AND NOT unreadable) AS filled,
                   count(*) FILTER (held AND unreadable) AS unreadable
            FROM record_values GROUP BY field, system
        ), disputes AS (
            SELECT field, system, count(*) AS disputed, count(*) FILTER (won) AS won FROM rivals GROUP BY field, system
        )
        SELECT field, system, filled, unreadable, coalesce(disputed, 0), coalesce(won, 0)
        FROM held LEFT JOIN disputes USING (field, system) ORDER BY field, system"""
    ).fetchall()
    found: dict[str, list[SystemField]] = defaultdict(list)
    for field, *figures in rows:
        found[field].append(SystemField(*figures))
    return found


def _disagreements(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Disagreement]]:
    """The pairs of systems that disagree, those that do so for most people first."""
    rows = connection.execute(
        """WITH both_hold AS (
            SELECT a.field, a.system AS one, b.system AS other, count(*) AS compared
            FROM told_values a JOIN told_values b USING (person, field) WHERE a.system < b.system GROUP BY ALL
        ), differ AS (
            SELECT a.field, a.system AS one, b.system AS other, count(*) AS different,
                   count(*) FILTER (a.won) AS left_won, count(*) FILTER (b.won) AS right_won
            FROM rivals a JOIN rivals b USING (person, field)
            WHERE a.system < b.system AND a.mark <> b.mark GROUP BY ALL
        )
        SELECT field, one, other, compared, different, left_won, right_won
        FROM differ JOIN both_hold USING (field, one, other) ORDER BY field, different DESC, one, other"""
    ).fetchall()
    found: dict[str, list[Disagreement]] = defaultdict(list)
    for field, *figures in rows:
        found[field].append(Disagreement(*figures))
    return found
