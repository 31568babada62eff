"""What stands between two people: decisions, links that do not hold, too little likeness, names, common values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from core.settings import Settings
from customers.cleansing.email import is_role_mailbox
from customers.cleansing.name import NAME_FIELDS, name_from_parts, names_agree
from customers.connectors.raw import literal
from customers.decisions import Decision, Pair
from customers.matching.fields import Kind, comparable_form
from customers.review.link_path import Agreement, Step
from customers.review.link_reading import BOTH_ASKED, ask, links_between, read_steps, told
from customers.separation import DECISION
from customers.similar import MOST_HOLDERS
from customers.suppression import Key

# What two people may have in common without being one: reported with why it does not join them.
_SHARED: dict[str, Kind] = {"email": "email", "phone": "phone", "address": "address"}


@dataclass(frozen=True)
class Obstacle:
    """Something that speaks against one person, or does not suffice for it.

    `kind`: `decided` (somebody told them apart), `cut` (a link that a decision leaves out), `contradicted` (a link that
    names forbid), `overruled` (a decision for one person that another forbids), `unlikely` (alike, but not enough),
    `names` (names that differ), `role_mailbox`, `placeholder`, `common` (a value that too many bear), `shared` (a value
    that joins nobody alone), `nothing` (no link, and not alike enough to be considered).
    """

    kind: str
    step: Step | None = None
    decision: Decision | None = None
    pair: Pair | None = None
    field: str | None = None
    values: tuple[str, ...] = ()
    holders: int | None = None
    probability: float | None = None
    threshold: float | None = None
    related: float | None = None
    agreements: tuple[Agreement, ...] = ()


def find_obstacles(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    in_force: Mapping[Pair, Decision],
    sides: Sequence[set[Key]],
    asked: Pair,
) -> list[Obstacle]:
    """What stands between two people, the weightiest first."""
    found = []
    one, other = sides
    for (left, right), decision in in_force.items():
        if decision.verdict == "different" and ((left in one and right in other) or (left in other and right in one)):
            found.append(Obstacle("decided", decision=decision))
    kinds = {"names": "contradicted", DECISION: "cut"}
    for step in read_steps(connection, links_between(connection, sides), in_force):
        if step.state in kinds:
            found.append(
                Obstacle("overruled" if step.decision else kinds[step.state], step=step, decision=step.decision)
            )
    likeness = _likeness(connection, sides, asked)
    if likeness is not None:
        left, right, probability, related, evidence = likeness
        bar = settings.identity.similar.least_probability
        if probability < bar:
            found.append(
                Obstacle(
                    "unlikely", pair=Pair(left, right),
                    probability=probability, threshold=bar, related=related, agreements=told(evidence),
                )
            )  # fmt: skip
    elif not found:
        found.append(Obstacle("nothing"))
    return [*found, *_differing_names(connection), *_shared_values(connection)]


def _likeness(
    connection: duckdb.DuckDBPyConnection, sides: Sequence[set[Key]], asked: Pair
) -> tuple[Key, Key, float, float, str] | None:
    """The two records that were asked for if they are alike, else the two of both people that are most alike."""
    ask(connection, *sides)
    row = connection.execute(
        f"""SELECT left_system, left_id, right_system, right_id, probability, related, evidence
        FROM identity_pairs {BOTH_ASKED} WHERE a.side <> b.side
        ORDER BY (left_system, left_id, right_system, right_id) = (?, ?, ?, ?) DESC, probability DESC,
                 left_system, left_id, right_system, right_id LIMIT 1""",
        [*asked.left, *asked.right],
    ).fetchone()
    return None if row is None else (Key(*row[:2]), Key(*row[2:4]), *row[4:])


def _differing_names(connection: duckdb.DuckDBPyConnection) -> list[Obstacle]:
    """Names on both sides that cannot be one person's, where none of them agree. `asked` holds the sides."""
    listed = ", ".join(literal(name) for name in NAME_FIELDS)
    rows: list[Any] = connection.execute(
        f"""SELECT side, system, source_id, field, arg_max(value, (occurred_at, recorded_at, value))
        FROM attributes JOIN asked USING (system, source_id) WHERE field IN ({listed}) AND value IS NOT NULL
        GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    records: dict[tuple[int, str, str], dict[str, str | None]] = {}
    for side, system, source_id, field, value in rows:
        records.setdefault((side, system, source_id), dict.fromkeys(NAME_FIELDS))[field] = value
    names = [(place[0], parts, name_from_parts(parts)) for place, parts in records.items()]
    pairs = [(a, b) for a in names for b in names if (a[0], b[0]) == (0, 1)]
    verdicts = [names_agree(a[2], b[2]) for a, b in pairs]
    if True in verdicts or False not in verdicts:
        return []
    one, other = pairs[verdicts.index(False)]
    return [Obstacle("names", field="name", values=(_written(one[1]), _written(other[1])))]


def _written(parts: Mapping[str, str | None]) -> str:
    return parts["full_name"] or " ".join(filter(None, (parts["last_name"], parts["first_name"]))) or "?"


def _shared_values(connection: duckdb.DuckDBPyConnection) -> list[Obstacle]:
    """Values that both people bear, with why they do not join them. `asked` holds the sides."""
    listed = ", ".join(literal(name) for name in _SHARED)
    rows = connection.execute(
        f"""WITH borne AS (
            SELECT DISTINCT side, field, value FROM attributes JOIN asked USING (system, source_id)
            WHERE field IN ({listed}) AND value IS NOT NULL
        ), both_bear AS (SELECT field, value FROM borne GROUP BY ALL HAVING count(*) = 2)
        SELECT field, value, count(DISTINCT (system, source_id)) AS holders
        FROM attributes JOIN both_bear USING (field, value) GROUP BY ALL ORDER BY field, value"""
    ).fetchall()
    found = []
    for field, value, holders in rows:
        if comparable_form(_SHARED[field], value) is None:
            kind = "placeholder"
        elif field == "email" and is_role_mailbox(value):
            kind = "role_mailbox"
        else:
            kind = "common" if holders > MOST_HOLDERS else "shared"
        found.append(Obstacle(kind, field=field, values=(value,), holders=holders))
    return found
