"""What people's fields hold: how often they are filled, how often nobody can read them, and where systems disagree."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import duckdb

from core.tables import PERSON_FIELDS
from customers.linking import KEY_SYSTEMS
from customers.quality.disputes import find_current_values, find_disputes, told_systems


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
    find_current_values(connection)
    find_disputes(connection)
    golden = _golden(connection)
    systems = _systems(connection)
    disagreements = _disagreements(connection)
    compared = {
        field: (count, conflicts)
        for field, count, conflicts in connection.execute(
            "SELECT field::VARCHAR, count(*), count(*) FILTER (disputed) FROM comparisons GROUP BY field"
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
        SELECT field::VARCHAR AS field, system::VARCHAR AS system, filled, unreadable, coalesce(disputed, 0),
               coalesce(won, 0)
        FROM held LEFT JOIN disputes USING (field, system) ORDER BY ALL"""
    ).fetchall()
    found: dict[str, list[SystemField]] = defaultdict(list)
    for field, *figures in rows:
        found[field].append(SystemField(*figures))
    return found


def _disagreements(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Disagreement]]:
    """The pairs of systems that disagree, those that do so for most people first."""
    systems = told_systems(connection)
    compared: dict[tuple[str, str, str], int] = defaultdict(int)
    for field, told, count in connection.execute(
        "SELECT field::VARCHAR, systems::VARCHAR, count(*) FROM comparisons GROUP BY ALL"
    ).fetchall():
        telling = [system for system, bit in zip(systems, told, strict=False) if bit == "1"]
        for one, other in combinations(telling, 2):
            compared[field, one, other] += count
    rows = connection.execute(
        """SELECT a.field::VARCHAR AS field, a.system::VARCHAR AS one, b.system::VARCHAR AS other,
               count(*) AS different, count(*) FILTER (a.won), count(*) FILTER (b.won)
        FROM rivals a JOIN rivals b USING (person, field)
        WHERE a.system < b.system AND a.mark <> b.mark GROUP BY ALL ORDER BY field, different DESC, one, other"""
    ).fetchall()
    found: dict[str, list[Disagreement]] = defaultdict(list)
    for field, one, other, *figures in rows:
        found[field].append(Disagreement(one, other, compared[field, one, other], *figures))
    return found
