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

    Most fields took one value only, and need no comparison of times.
    """
    connection.execute(
        f"""CREATE TABLE record_values AS
        WITH told AS (
            SELECT customer_id, system, source_id, suffix(field, '{UNREADABLE}') AS unreadable,
                   CASE WHEN suffix(field, '{UNREADABLE}') THEN left(field, -{len(UNREADABLE)}) ELSE field END AS field,
                   value, occurred_at, recorded_at
            FROM attributes WHERE NOT list_contains($derived, field)
        )
        SELECT any_value(customer_id) AS customer_id, system, source_id, field,
               max(occurred_at) AS occurred_at,
               CASE WHEN count(*) = 1 THEN any_value(value)
                    ELSE arg_max({{'value': value}}, (occurred_at, recorded_at, value)).value END AS value,
               CASE WHEN count(*) = 1 THEN any_value(unreadable)
                    ELSE arg_max(unreadable, (occurred_at, recorded_at, value)) END AS unreadable
        FROM told GROUP BY system, source_id, field""",
        {"derived": list(_DERIVED)},
    )


def _find_disputes(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `comparisons` (people and fields with values of several systems) and `rivals` (the values in dispute).

    A system that holds several records of a person speaks by its newest value, as in the golden record.
    """
    listed = ", ".join(PERSON_FIELDS)
    connection.execute(
        """CREATE TABLE told_values AS
        SELECT customer_id, field, system, arg_max(value, (occurred_at, source_id)) AS value
        FROM record_values WHERE value IS NOT NULL AND NOT unreadable AND list_contains($fields, field)
          AND customer_id IN (SELECT customer_id FROM record_values GROUP BY customer_id
                              HAVING min(system) <> max(system))
        GROUP BY customer_id, field, system""",
        {"fields": list(PERSON_FIELDS)},
    )
    connection.execute(
        """CREATE TABLE comparisons AS
        SELECT customer_id, field, min(value) <> max(value) AS disputed
        FROM told_values GROUP BY customer_id, field HAVING count(*) > 1"""
    )
    connection.execute(
        f"""CREATE TABLE rivals AS
        WITH golden AS (
            UNPIVOT (SELECT customer_id, {listed} FROM customers
                     WHERE customer_id IN (SELECT customer_id FROM comparisons WHERE disputed))
            ON {listed} INTO NAME field VALUE golden
        )
        SELECT customer_id, field, system, value, value = golden AS won
        FROM told_values JOIN (FROM comparisons WHERE disputed) USING (customer_id, field)
        LEFT JOIN golden USING (customer_id, field)"""
    )


def _golden(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many known people have each field, in one reading."""
    counts = ", ".join(f"count({field})" for field in PERSON_FIELDS)
    row = connection.execute(f"SELECT {counts} FROM customers WHERE kind = 'known'").fetchall()[0]
    return dict(zip(PERSON_FIELDS, row, strict=True))


def _systems(connection: duckdb.DuckDBPyConnection) -> dict[str, list[SystemField]]:
    rows = connection.execute(
        """WITH held AS (
            SELECT field, system, count(*) FILTER (value IS NOT NULL AND NOT unreadable) AS filled,
                   count(*) FILTER (value IS NOT NULL AND unreadable) AS unreadable
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
            FROM told_values a JOIN told_values b USING (customer_id, field) WHERE a.system < b.system GROUP BY ALL
        ), differ AS (
            SELECT a.field, a.system AS one, b.system AS other, count(*) AS different,
                   count(*) FILTER (a.won) AS left_won, count(*) FILTER (b.won) AS right_won
            FROM rivals a JOIN rivals b USING (customer_id, field)
            WHERE a.system < b.system AND a.value <> b.value GROUP BY ALL
        )
        SELECT field, one, other, compared, different, left_won, right_won
        FROM differ JOIN both_hold USING (field, one, other) ORDER BY field, different DESC, one, other"""
    ).fetchall()
    found: dict[str, list[Disagreement]] = defaultdict(list)
    for field, *figures in rows:
        found[field].append(Disagreement(*figures))
    return found
