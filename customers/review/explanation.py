"""Why two records are one person, or why they are not: read from the published tables and from what people decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from customers.decisions import Decision, decisions_in_force, pair_of
from customers.review.link_path import Step, spanning_links, strongest_path
from customers.review.link_reading import links_among, read_steps
from customers.review.obstacles import Obstacle, find_obstacles
from customers.separation import DECISION
from customers.suppression import Key

_NODES = "SELECT system, source_id, customer_id, rule, probability, linked_at FROM identities WHERE ended_at IS NULL"


@dataclass(frozen=True)
class Member:
    """A record or key of a person, and since when and by which rule it is theirs."""

    key: Key
    rule: str
    probability: float
    linked_at: datetime


@dataclass(frozen=True)
class PersonExplanation:
    """All records and keys of a person, and links that hold them together, in the order of time.

    `apart` are links to other people that do not hold.
    """

    customer_id: str
    members: tuple[Member, ...]
    steps: tuple[Step, ...]
    apart: tuple[Step, ...]


@dataclass(frozen=True)
class PairExplanation:
    """Whether two records are one person today, the strongest path between them, or what stands in its way."""

    left: Key
    right: Key
    customer_ids: tuple[str, ...]
    one_person: bool
    since: datetime | None
    steps: tuple[Step, ...]
    obstacles: tuple[Obstacle, ...]


def explain_person(workspace: Workspace, decisions: Sequence[Decision], customer_id: str) -> PersonExplanation:
    """Every record of a person of today, and the strongest links that join them.

    Args:
        workspace: holds the unified tables.
        decisions: all that people decided, in the order of time.
        customer_id: an id of today.
    """
    in_force = decisions_in_force(decisions)
    connection = _open(workspace)
    try:
        members = _members(connection, (customer_id,))[customer_id]
        theirs = {member.key for member in members}
        touching = links_among(connection, theirs, either=True)
        inner = [link for link in touching if {link[0], link[1]} <= theirs]
        steps = [step for step in read_steps(connection, inner, in_force) if step.state in ("joined", "further")]
        outer = read_steps(connection, [link for link in touching if not {link[0], link[1]} <= theirs], in_force)
        return PersonExplanation(
            customer_id,
            members,
            tuple(sorted(spanning_links(steps), key=lambda step: (step.linked_at, step.left, step.right))),
            tuple(step for step in outer if step.state in ("names", DECISION)),
        )
    finally:
        connection.close()


def explain_pair(
    settings: Settings, workspace: Workspace, decisions: Sequence[Decision], left: Key, right: Key
) -> PairExplanation:
    """Why two records are one person, or why they are not.

    Args:
        settings: says how sure a likeness has to be.
        workspace: holds the unified tables.
        decisions: all that people decided, in the order of time.
        left: a record or key of the unified tables.
        right: another one.
    """
    in_force = decisions_in_force(decisions)
    connection = _open(workspace)
    try:
        owner = {key: _owner(connection, key) for key in (left, right)}
        ids = tuple(dict.fromkeys(owner.values()))
        members = _members(connection, ids)
        if len(ids) == 1:
            theirs = {member.key for member in members[ids[0]]}
            steps = read_steps(connection, links_among(connection, theirs), in_force)
            held = [step for step in steps if step.state in ("joined", "further")]
            return PairExplanation(
                left, right, ids, True, _since(connection, left, right), strongest_path(held, left, right), ()
            )
        sides = tuple({member.key for member in members[customer_id]} for customer_id in ids)
        obstacles = find_obstacles(settings, connection, in_force, sides, pair_of(left, right))
        return PairExplanation(left, right, ids, False, None, (), tuple(obstacles))
    finally:
        connection.close()


def _open(workspace: Workspace) -> duckdb.DuckDBPyConnection:
    connection = connect_duckdb()
    workspace.tables(connection)
    connection.execute("CREATE TABLE asked (side INTEGER, system VARCHAR, source_id VARCHAR)")
    return connection


def _owner(connection: duckdb.DuckDBPyConnection, key: Key) -> str:
    ((customer_id,),) = connection.execute(
        "SELECT customer_id FROM identities WHERE system = ? AND source_id = ? AND ended_at IS NULL", list(key)
    ).fetchall()
    return str(customer_id)


def _members(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, tuple[Member, ...]]:
    rows = connection.execute(
        f"SELECT * FROM ({_NODES}) WHERE list_contains(?, customer_id) ORDER BY linked_at, system, source_id",
        [list(ids)],
    ).fetchall()
    found: dict[str, list[Member]] = {customer_id: [] for customer_id in ids}
    for system, source_id, customer_id, rule, probability, linked_at in rows:
        found[customer_id].append(Member(Key(system, source_id), rule, probability, linked_at))
    return {customer_id: tuple(members) for customer_id, members in found.items()}


def _since(connection: duckdb.DuckDBPyConnection, left: Key, right: Key) -> datetime | None:
    """Since when the two are one person without a break."""
    rows = connection.execute(
        """SELECT greatest(a.linked_at, b.linked_at) AS since,
                  least(coalesce(a.ended_at, 'infinity'), coalesce(b.ended_at, 'infinity')) AS until,
                  a.ended_at IS NULL AND b.ended_at IS NULL AS lasts
        FROM identities a JOIN identities b USING (customer_id)
        WHERE a.system = ? AND a.source_id = ? AND b.system = ? AND b.source_id = ? AND since < until
        ORDER BY since DESC""",
        [*left, *right],
    ).fetchall()
    since: datetime | None = None
    for began, until, lasts in rows:
        if lasts or until == since:
            since = began
    return since
