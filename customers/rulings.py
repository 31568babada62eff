"""Decisions meet the nodes that they speak of, and every link is written down with how it fares."""

import math
from collections.abc import Sequence
from itertools import chain, repeat

import duckdb
import pyarrow as pa

from core.tables import MOMENT
from customers.decisions import Decision
from customers.identity import Link, Resolution
from customers.separation import DECISION, Ruling, Separation, rulings_of


def find_rulings(connection: duckdb.DuckDBPyConnection, decisions: Sequence[Decision]) -> list[Ruling]:
    """The decisions about nodes that exist; those about records that no export shows wait until one does.

    A decision holds from its own time on. One that was made after the exports were taken counts from their end: the
    moment that is scored is the first to know it, no earlier one does.
    """
    if not decisions:
        return []
    table = pa.table(
        {
            "place": range(len(decisions)),
            "left_system": [decision.pair.left.system for decision in decisions],
            "left_id": [decision.pair.left.id for decision in decisions],
            "right_system": [decision.pair.right.system for decision in decisions],
            "right_id": [decision.pair.right.id for decision in decisions],
            "verdict": [decision.verdict for decision in decisions],
            "decided_at": pa.array([decision.decided_at for decision in decisions], MOMENT),
        }
    )
    connection.register("decided", table)
    rows = connection.execute(
        """SELECT a.node, b.node, epoch_us(least(d.decided_at, h.data_until)), d.verdict
        FROM decided d CROSS JOIN horizon h
        JOIN nodes a ON a.system = d.left_system AND a.source_id = d.left_id
        JOIN nodes b ON b.system = d.right_system AND b.source_id = d.right_id
        ORDER BY d.place"""
    ).fetchall()
    connection.unregister("decided")
    history: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for left, right, time, verdict in rows:
        history.setdefault((left, right), []).append((time, verdict))
    return rulings_of(history)


def links_of(rulings: Sequence[Ruling], known_at: Sequence[int]) -> list[Link]:
    """Decisions for one person as links, known since both nodes are; names do not speak against them."""
    dated = [(max(ruling.time, known_at[ruling.left], known_at[ruling.right]), ruling) for ruling in rulings]
    return [
        Link(since, ruling.left, ruling.right, DECISION, guarded=False, until=ruling.ended)
        for since, ruling in dated
        if ruling.same and since < ruling.ended
    ]


def write_links(
    connection: duckdb.DuckDBPyConnection, decided: Sequence[Link], resolution: Resolution, separation: Separation
) -> None:
    """Make `identity_links` from `numbered_links` and the decisions for one person that are in force."""
    lasting = [link for link in decided if link.until == math.inf]
    own = separation.states
    told = [
        [link for link in links if (link.left, link.right, link.rule) not in own] if own else links
        for links in (resolution.joined, resolution.refused)
    ]
    everything = list(chain(*told))
    states = [*repeat("joined", len(told[0])), *repeat("names", len(told[1])), *own.values()]
    _register(
        connection,
        "decided_links",
        {
            "left_node": pa.array([link.left for link in lasting], pa.int32()),
            "right_node": pa.array([link.right for link in lasting], pa.int32()),
            "linked_at": pa.array([link.time for link in lasting], MOMENT),
        },
    )
    _register(
        connection,
        "link_states",
        {
            "left_node": pa.array([*(link.left for link in everything), *(left for left, _, _ in own)], pa.int32()),
            "right_node": pa.array([*(link.right for link in everything), *(right for _, right, _ in own)], pa.int32()),
            "rule": pa.array([*(link.rule for link in everything), *(rule for _, _, rule in own)], pa.string()),
            "state": pa.array(states, pa.string()),
        },
    )
    connection.execute(
        f"""CREATE TABLE identity_links AS
        WITH every_link AS (
            SELECT left_node, right_node, rule, probability, linked_at FROM numbered_links
            UNION ALL SELECT left_node, right_node, '{DECISION}', 1.0, linked_at FROM decided_links
        )
        SELECT a.system AS left_system, a.source_id AS left_id, b.system AS right_system, b.source_id AS right_id,
               rule, l.probability, l.linked_at, coalesce(s.state, 'further') AS state
        FROM every_link l
        JOIN nodes a ON a.node = l.left_node JOIN nodes b ON b.node = l.right_node
        LEFT JOIN link_states s USING (left_node, right_node, rule)"""
    )


def _register(connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, pa.Array]) -> None:
    connection.register("given_rows", pa.table(columns))
    connection.execute(f"CREATE TABLE {name} AS FROM given_rows")
    connection.unregister("given_rows")
