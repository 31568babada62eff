"""Who is who: how records spread over people, what was doubled, and which links made or failed to make a person."""

from dataclasses import dataclass

import duckdb

from customers.linking import KEY_SYSTEMS

_SHOWN_PEOPLE = 5


@dataclass(frozen=True)
class SystemOverlap:
    """People who have records in two systems; within one system (`left` = `right`), people with several records in it.

    `surplus` counts the records beyond the first, which only a system's own duplicates have.
    """

    left: str
    right: str
    people: int
    surplus: int


@dataclass(frozen=True)
class LinkRule:
    """The links that a rule made, by what became of them.

    `joined` united two people, `further` confirm what others united, `names` and `decision` are refused: names, or
    somebody's decision, speak against them.
    """

    rule: str
    joined: int
    further: int
    names: int
    decision: int


@dataclass(frozen=True)
class LargePerson:
    """A person of many records, by the id that `identity explain` takes."""

    customer_id: str
    records: int


@dataclass(frozen=True)
class IdentityQuality:
    """Records and people.

    `records_per_person` pairs a number of records with how many known people have so many; 0 stands for people known
    by an address or login alone. `merges` and `splits` are those that the last run brought, None where the run is not
    known.
    """

    records: int
    known: int
    anonymous: int
    records_per_person: tuple[tuple[int, int], ...]
    largest: tuple[LargePerson, ...]
    overlaps: tuple[SystemOverlap, ...]
    links: tuple[LinkRule, ...]
    merges: int | None
    splits: int | None

    def people_over(self, records: int) -> int:
        """How many people have more than so many records."""
        return sum(people for count, people in self.records_per_person if count > records)


def assess_identities(connection: duckdb.DuckDBPyConnection, run: str | None) -> IdentityQuality:
    """Assess who is who; `run` is the one that made the tables."""
    spread = connection.execute(
        "SELECT kind, records, count(*) FROM customers GROUP BY kind, records ORDER BY records"
    ).fetchall()
    known = [(records, people) for kind, records, people in spread if kind == "known"]
    merges, splits = _changes(connection, run) if run is not None else (None, None)
    return IdentityQuality(
        records=sum(records * people for records, people in known),
        known=sum(people for _, people in known),
        anonymous=sum(people for kind, _, people in spread if kind == "anonymous"),
        records_per_person=tuple(known),
        largest=tuple(
            LargePerson(*row)
            for row in connection.execute(
                """SELECT customer_id, records FROM customers WHERE records > 1
                ORDER BY records DESC, customer_id LIMIT $shown""",
                {"shown": _SHOWN_PEOPLE},
            ).fetchall()
        ),
        overlaps=_overlaps(connection),
        links=tuple(
            LinkRule(*row)
            for row in connection.execute(
                """SELECT rule, count(*) FILTER (state = 'joined'), count(*) FILTER (state = 'further'),
                       count(*) FILTER (state = 'names'), count(*) FILTER (state = 'decision')
                FROM identity_links GROUP BY rule ORDER BY count(*) DESC, rule"""
            ).fetchall()
        ),
        merges=merges,
        splits=splits,
    )


def _changes(connection: duckdb.DuckDBPyConnection, run: str) -> tuple[int, int]:
    ((merges, splits),) = connection.execute(
        """SELECT count(*) FILTER (kind = 'merge'), count(*) FILTER (kind = 'split')
        FROM identity_changes WHERE run = $run""",
        {"run": run},
    ).fetchall()
    return merges, splits


def _overlaps(connection: duckdb.DuckDBPyConnection) -> tuple[SystemOverlap, ...]:
    """Every pair of systems that share somebody; people are reduced to their sets of systems first: these are few."""
    rows = connection.execute(
        """WITH held AS (
            SELECT customer_id, system, count(*) AS records FROM identities
            WHERE ended_at IS NULL AND NOT list_contains($keys, system) GROUP BY customer_id, system
        ), sets AS (
            SELECT list(system ORDER BY system) AS systems FROM held GROUP BY customer_id HAVING count(*) > 1
        ), shared AS (
            SELECT systems, count(*) AS people FROM sets GROUP BY systems
        ), spread AS (
            SELECT systems, people, unnest(systems) AS one FROM shared
        ), pairs AS (
            SELECT one, unnest(systems) AS other, people FROM spread
        )
        SELECT one, other, sum(people)::BIGINT AS people, 0 AS surplus FROM pairs WHERE one < other GROUP BY one, other
        UNION ALL
        SELECT system, system, count(*) FILTER (records > 1), sum(records - 1)::BIGINT FROM held GROUP BY system
        ORDER BY 1, 2""",
        {"keys": list(KEY_SYSTEMS)},
    ).fetchall()
    return tuple(SystemOverlap(*row) for row in rows)
