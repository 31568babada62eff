"""Who is who among the nodes: worked out for those groups of linked nodes about which anything is new.

What becomes of a group of linked nodes follows from the group alone: who is in it, since when each node and link is
known, what its records were called. Where all that is as a former run found it, so is the result, by the places of the
nodes in their group.
"""

from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from core.marks import mark_sql
from core.tables import MOMENT
from customers.cleansing.name import PersonName
from customers.connectors.raw import literal
from customers.decisions import Decision
from customers.identity import Interval, Link, Merge, NameFact, Resolution, intervals_of, resolve_identities
from customers.rulings import find_rulings, links_of
from customers.separation import Ruling, Separation, separate_people

Numbers = npt.NDArray[np.int32]
# Tables of results, with the columns that hold nodes; they are kept by the places of the nodes in their group.
_RESULTS = {
    "intervals": ("node", "founder"),
    "merges": ("younger", "elder"),
    "link_states": ("left_node", "right_node"),
}


class Resolved:
    """The tables `intervals`, `merges`, `splits`, `decided_links` and `link_states` of all nodes.

    Args:
        connection: holds `nodes`, `numbered_links`, `record_states`, `former_ids` and `horizon`.
        id_sql: SQL of the id that a person founded by a node has.
        decisions: what people decided.
        folder: where a former run kept its results; None for none.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        id_sql: str,
        decisions: Sequence[Decision],
        folder: Path | None,
    ) -> None:
        self._connection = connection
        rulings = find_rulings(connection, decisions)
        _group_nodes(connection, rulings)
        _mark_groups(connection, rulings)
        self._recall(folder)
        self._work_out(id_sql, rulings)

    def save(self, folder: Path) -> None:
        """Keep the results of groups that no decision speaks of."""
        write = "COPY ({query}) TO {target} (FORMAT parquet)".format
        groups = "SELECT mark, size FROM group_marks WHERE NOT ruled"
        self._connection.execute(write(query=groups, target=literal(folder / "groups.parquet")))
        for table, nodes in _RESULTS.items():
            one, other = nodes
            query = f"""SELECT m.mark, m.size, a.place AS {one}, b.place AS {other}, t.* EXCLUDE ({one}, {other})
                FROM {table} t JOIN grouped_nodes a ON a.node = t.{one} JOIN grouped_nodes b ON b.node = t.{other}
                JOIN group_marks m ON m.group_no = a.group_no WHERE NOT m.ruled"""
            self._connection.execute(write(query=query, target=literal(folder / f"group_{table}.parquet")))

    def _recall(self, folder: Path | None) -> None:
        """Make the tables of results with what a former run found, and `new_nodes`, those of the other groups."""
        for table, columns in (
            ("intervals", "node INTEGER, founder INTEGER, rule VARCHAR, probability DOUBLE, linked_at TIMESTAMPTZ, "
                          "ended_at TIMESTAMPTZ"),
            ("merges", "younger INTEGER, elder INTEGER, changed_at TIMESTAMPTZ, reason VARCHAR"),
            ("link_states", "left_node INTEGER, right_node INTEGER, rule VARCHAR, state VARCHAR"),
            ("splits", "old INTEGER, new INTEGER, changed_at TIMESTAMPTZ"),
            ("decided_links", "left_node INTEGER, right_node INTEGER, linked_at TIMESTAMPTZ"),
        ):  # fmt: skip
            self._connection.execute(f"CREATE TABLE {table} ({columns})")
        known = "(SELECT NULL::UBIGINT AS mark, 0::BIGINT AS size LIMIT 0)"
        if folder is not None and (folder / "groups.parquet").exists():
            known = f"read_parquet({literal(folder / 'groups.parquet')})"
        self._connection.execute(
            f"CREATE TABLE known_groups AS FROM group_marks SEMI JOIN {known} USING (mark, size) WHERE NOT ruled"
        )
        self._connection.execute(
            """CREATE TABLE new_nodes AS
            SELECT node, (row_number() OVER (ORDER BY node) - 1)::INTEGER AS local
            FROM grouped_nodes ANTI JOIN known_groups USING (group_no)"""
        )
        if folder is None or not (folder / "groups.parquet").exists():
            return
        for table, nodes in _RESULTS.items():
            one, other = nodes
            self._connection.execute(
                f"""INSERT INTO {table} BY NAME
                SELECT a.node AS {one}, b.node AS {other}, t.* EXCLUDE (mark, size, {one}, {other})
                FROM read_parquet({literal(folder / f"group_{table}.parquet")}) t
                JOIN known_groups k ON k.mark = t.mark AND k.size = t.size
                JOIN grouped_nodes a ON a.group_no = k.group_no AND a.place = t.{one}
                JOIN grouped_nodes b ON b.group_no = k.group_no AND b.place = t.{other}"""
            )

    def _work_out(self, id_sql: str, rulings: Sequence[Ruling]) -> None:
        """Add the results of the groups that are new, or that decisions speak of."""
        nodes = self._connection.sql(
            f"""SELECT n.node, epoch_us(n.known_at) AS known_at, f.customer_id IS NOT NULL AS published
            FROM nodes n JOIN new_nodes USING (node) LEFT JOIN former_ids f ON f.customer_id = {id_sql}
            ORDER BY n.node"""
        ).to_arrow_table()
        known_at: list[int] = nodes["known_at"].to_pylist()
        published: list[bool] = nodes["published"].to_pylist()
        number = nodes["node"].to_numpy().astype(np.int32)
        local = {node: place for place, node in enumerate(number.tolist())} if rulings else {}
        rulings = [
            Ruling(local[ruling.left], local[ruling.right], ruling.same, ruling.time, ruling.ended)
            for ruling in rulings
        ]
        decided = links_of(rulings, known_at)
        links, names = [*_links(self._connection), *decided], _names(self._connection)
        resolution = resolve_identities(known_at, links, names, published)
        separation = separate_people(known_at, links, resolution, names, rulings, published)
        intervals, merges, own = intervals_of(known_at, resolution.merges), resolution.merges, separation.nodes
        if own:
            intervals = [interval for interval in intervals if interval.node not in own] + separation.intervals
            merges = [merge for merge in merges if merge.younger not in own] + separation.merges
        self._add_intervals(number, intervals)
        self._add_merges(number, merges)
        self._add(
            "splits",
            {
                "old": number[[split.old for split in separation.splits]],
                "new": number[[split.new for split in separation.splits]],
                "changed_at": pa.array([split.time for split in separation.splits], MOMENT),
            },
        )
        lasting = [link for link in decided if link.until == float("inf")]
        self._add(
            "decided_links",
            {
                "left_node": number[[link.left for link in lasting]],
                "right_node": number[[link.right for link in lasting]],
                "linked_at": pa.array([link.time for link in lasting], MOMENT),
            },
        )
        self._add_states(number, resolution, separation)

    def _add_intervals(self, number: Numbers, intervals: list[Interval]) -> None:
        self._add(
            "intervals",
            {
                "node": number[[interval.node for interval in intervals]],
                "founder": number[[interval.founder for interval in intervals]],
                "rule": pa.array([interval.rule for interval in intervals], pa.string()),
                "probability": pa.array([interval.probability for interval in intervals], pa.float64()),
                "linked_at": pa.array([interval.linked_at for interval in intervals], MOMENT),
                "ended_at": pa.array([interval.ended_at for interval in intervals], MOMENT),
            },
        )

    def _add_merges(self, number: Numbers, merges: list[Merge]) -> None:
        self._add(
            "merges",
            {
                "younger": number[[merge.younger for merge in merges]],
                "elder": number[[merge.elder for merge in merges]],
                "changed_at": pa.array([merge.time for merge in merges], MOMENT),
                "reason": pa.array([merge.rule for merge in merges], pa.string()),
            },
        )

    def _add_states(self, number: Numbers, resolution: Resolution, separation: Separation) -> None:
        """How each link fares; those that are not named only confirm what others had joined."""
        own = separation.states
        told = [
            [link for link in links if (link.left, link.right, link.rule) not in own] if own else links
            for links in (resolution.joined, resolution.refused)
        ]
        everything = list(chain(*told))
        self._add(
            "link_states",
            {
                "left_node": number[[*(link.left for link in everything), *(left for left, _, _ in own)]],
                "right_node": number[[*(link.right for link in everything), *(right for _, right, _ in own)]],
                "rule": pa.array([*(link.rule for link in everything), *(rule for _, _, rule in own)], pa.string()),
                "state": [*repeat("joined", len(told[0])), *repeat("names", len(told[1])), *own.values()],
            },
        )

    def _add(self, table: str, columns: dict[str, object]) -> None:
        given = pa.table(columns)
        if not given.num_rows:
            return
        self._connection.register("given_rows", given)
        self._connection.execute(f"INSERT INTO {table} BY NAME FROM given_rows")
        self._connection.unregister("given_rows")


def _group_nodes(connection: duckdb.DuckDBPyConnection, rulings: Sequence[Ruling]) -> None:
    """Make `grouped_nodes`: each node's group of linked nodes, and its place in it, in the order of names."""
    ((count,),) = connection.execute("SELECT count(*) FROM nodes").fetchall()
    links = connection.sql("SELECT left_node, right_node FROM numbered_links").fetchnumpy()
    left = np.concatenate([links["left_node"], np.array([ruling.left for ruling in rulings], np.int32)])
    right = np.concatenate([links["right_node"], np.array([ruling.right for ruling in rulings], np.int32)])
    graph = coo_matrix((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], group[order])
    place = np.empty(count, np.int32)
    place[order] = np.arange(count, dtype=np.int32) - starts.astype(np.int32)
    table = pa.table({"node": np.arange(count, dtype=np.int32), "group_no": group.astype(np.int32), "place": place})
    connection.register("given_rows", table)
    connection.execute("CREATE TABLE grouped_nodes AS FROM given_rows")
    connection.unregister("given_rows")


def _mark_groups(connection: duckdb.DuckDBPyConnection, rulings: Sequence[Ruling]) -> None:
    """Make `group_marks`: a number for all that is known of a group, and whether decisions speak of it."""
    connection.register("ruled_nodes", pa.table({"node": np.array([ruling.left for ruling in rulings], np.int32)}))
    connection.execute(
        f"""CREATE TABLE group_marks AS
        WITH facts AS (
            SELECT node, hash('node', system, source_id, known_at) AS fact FROM nodes
            UNION ALL
            SELECT l.left_node, hash('link', a.place, b.place, l.linked_at, l.rule, l.guarded, l.probability)
            FROM numbered_links l
            JOIN grouped_nodes a ON a.node = l.left_node JOIN grouped_nodes b ON b.node = l.right_node
            UNION ALL
            SELECT n.node, hash('name', n.source_id, s.time, s.last, s.first, s.last_sound, s.first_sound)
            FROM record_states s JOIN nodes n USING (system, source_id)
            WHERE coalesce(s.last, s.first, s.last_sound, s.first_sound) IS NOT NULL
        )
        SELECT group_no, {mark_sql("fact")} AS mark, count(*) AS size,
               group_no IN (SELECT group_no FROM ruled_nodes JOIN grouped_nodes USING (node)) AS ruled
        FROM facts JOIN grouped_nodes USING (node) GROUP BY group_no"""
    )
    connection.unregister("ruled_nodes")


def _links(connection: duckdb.DuckDBPyConnection) -> list[Link]:
    rows = connection.execute(
        """SELECT epoch_us(linked_at), a.local, b.local, rule, guarded, probability
        FROM numbered_links JOIN new_nodes a ON a.node = left_node JOIN new_nodes b ON b.node = right_node"""
    ).fetchall()
    return [Link(*row) for row in rows]


def _names(connection: duckdb.DuckDBPyConnection) -> list[NameFact]:
    """What each record was known to be called, since when."""
    rows = connection.execute(
        """SELECT w.local, epoch_us(min(s.time)) AS time, s.last, s.first, s.last_sound, s.first_sound
        FROM record_states s JOIN nodes n USING (system, source_id) JOIN new_nodes w USING (node)
        WHERE coalesce(s.last, s.first, s.last_sound, s.first_sound) IS NOT NULL
        GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    return [NameFact(time, node, PersonName(*parts)) for node, time, *parts in rows]
