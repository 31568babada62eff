"""The published links of people, with what decisions and likeness say of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import duckdb

from customers.decisions import Decision, Pair, pair_of
from customers.review.link_path import Agreement, Step
from customers.separation import DECISION
from customers.suppression import Key

# To a table of pairs: those whose two sides were asked for.
BOTH_ASKED = (
    "JOIN asked a ON a.system = left_system AND a.source_id = left_id "
    "JOIN asked b ON b.system = right_system AND b.source_id = right_id"
)


def ask(connection: duckdb.DuckDBPyConnection, *sides: Iterable[Key]) -> None:
    """Make `asked`: the nodes of one or two people."""
    connection.execute("DELETE FROM asked")
    rows = [(number, *key) for number, keys in enumerate(sides) for key in sorted(keys)]
    numbers, systems, ids = zip(*rows, strict=True)
    connection.execute(
        "INSERT INTO asked SELECT unnest(?), unnest(?), unnest(?)", [list(numbers), list(systems), list(ids)]
    )


Row = tuple[Key, Key, str, float, datetime, str]


def links_among(connection: duckdb.DuckDBPyConnection, nodes: Iterable[Key], *, either: bool = False) -> list[Row]:
    """The links whose two ends, or either of them, are among some nodes."""
    ask(connection, nodes)
    known = "({0}_system, {0}_id) IN (SELECT (system, source_id) FROM asked)"
    condition = (" OR " if either else " AND ").join(known.format(side) for side in ("left", "right"))
    return _read_links(connection, condition)


def links_between(connection: duckdb.DuckDBPyConnection, sides: Sequence[Iterable[Key]]) -> list[Row]:
    """The links from one person to another."""
    ask(connection, *sides)
    return _read_links(connection, "a.side <> b.side", BOTH_ASKED)


def _read_links(connection: duckdb.DuckDBPyConnection, condition: str, joined: str = "") -> list[Row]:
    rows = connection.execute(
        f"""SELECT left_system, left_id, right_system, right_id, l.rule, l.probability, l.linked_at, state
        FROM identity_links l {joined} WHERE {condition} ORDER BY ALL"""
    ).fetchall()
    return [(Key(a, b), Key(c, d), *rest) for a, b, c, d, *rest in rows]


def read_steps(
    connection: duckdb.DuckDBPyConnection, links: Sequence[Row], in_force: Mapping[Pair, Decision]
) -> list[Step]:
    """The links with what likeness and decisions say of them."""
    alike = _evidence(connection, [pair_of(left, right) for left, right, rule, *_ in links if rule == "similar"])
    return [
        Step(
            left, right, rule, probability, linked_at, state,
            alike[pair_of(left, right)][2] if rule == "similar" and pair_of(left, right) in alike else (),
            in_force.get(pair_of(left, right)) if rule == DECISION else None,
        )
        for left, right, rule, probability, linked_at, state in links
    ]  # fmt: skip


def _evidence(
    connection: duckdb.DuckDBPyConnection, pairs: Sequence[Pair]
) -> dict[Pair, tuple[float, float, tuple[Agreement, ...]]]:
    """Of pairs that are alike the probability, that of being related, and what each field says."""
    if not pairs:
        return {}
    columns = [list(column) for column in zip(*((*left, *right) for left, right in pairs), strict=True)]
    rows = connection.execute(
        """SELECT left_system, left_id, right_system, right_id, probability, related, evidence
        FROM identity_pairs SEMI JOIN (SELECT unnest(?) AS left_system, unnest(?) AS left_id,
                                              unnest(?) AS right_system, unnest(?) AS right_id)
            USING (left_system, left_id, right_system, right_id)""",
        columns,
    ).fetchall()
    return {Pair(Key(a, b), Key(c, d)): (chance, related, told(text)) for a, b, c, d, chance, related, text in rows}


def told(evidence: str) -> tuple[Agreement, ...]:
    """What each field says, the weightiest first, from the column `evidence`."""
    found = [Agreement(said["field"], said["agreement"], float(said["bits"])) for said in json.loads(evidence)]
    return tuple(sorted(found, key=lambda said: (-abs(said.bits), said.field)))
