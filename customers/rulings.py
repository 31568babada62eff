"""Decisions meet the nodes that they speak of."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from core.tables import MOMENT
from customers.decisions import Decision
from customers.identity import Link
from customers.separation import DECISION, Ruling, rulings_of


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
