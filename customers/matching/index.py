"""Compared rows that are kept from run to run, with their keys and likely pairs: new rows alone are compared.

A folder holds what was learned once and, for each run that added rows, one part of three Parquet files:

* `rows-N`: a row's number, the mark of its values, and these in the form in which they are compared;
* `keys-N`: the rows' ranked keys, sorted by key, so that a few of them are found without reading the others;
* `pairs-N`: pairs that may be one person, with what each field says; a row is paired with itself too, since two records
  may hold just these values.

Whether two rows are a pair follows from their values and from what was learned, not from the order in which they came.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.storage import PARQUET, connect_duckdb, link_file, write_parquet
from customers.connectors.raw import literal
from customers.matching.candidates import Candidates, add_keys, pairs_with_new, rank_keys
from customers.matching.comparisons import LEVELS
from customers.matching.fields import (
    NAMES,
    WORDED,
    Codes,
    Field,
    as_columns,
    column_names,
    from_columns,
    prepare_fields,
    shape_of,
)
from customers.matching.knowledge import Floats, Judge, Knowledge
from customers.matching.link import learn

# Less likely pairs are of no use to anybody: one in twenty.
LEAST_KEPT = 0.05
_MEMORY_GB = 3.0
_MOST_PARTS = 32


@dataclass(frozen=True)
class MatchIndex:
    """The index in a folder.

    `fields` is what its rows are compared on; rows that agree in `joined_by` are one person anyway, and no pair.
    """

    folder: Path
    fields: tuple[Field, ...]
    joined_by: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The compared columns of a row."""
        return tuple(column for field in self.fields for column in field.columns or (field.name,))

    def sql(self, prefix: str) -> str:
        """What DuckDB reads all `rows`, `keys` or `pairs` from."""
        return f"read_parquet({literal(self.folder / f'{prefix}-*.parquet')})"

    def build(self, rows: pa.Table, knowledge: Knowledge | None = None) -> None:
        """Begin with all rows; what agreement is worth is learned from them unless it is `knowledge` already.

        Args:
            rows: the columns `mark` and the compared ones, each row's values once.
            knowledge: what was learned before.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if knowledge is not None:
            knowledge.save(self.folder)
            self._add(rows, 0, knowledge)
            return
        rows = self._kept(rows).sort_by([*self._order, ("mark", "ascending")])
        prepared = from_columns(rows, self.fields)
        with connect_duckdb(memory_gb=_MEMORY_GB) as connection:
            learned = learn(connection, prepared, rows.num_rows)
            learned.knowledge.save(self.folder)
            numbers = np.arange(rows.num_rows, dtype=np.int32)
            near = Near(numbers, rows, learned.judge, learned.left, learned.right, learned.probability)
            self._write(connection, rows, 0, near)

    def extend(self, former: "MatchIndex", knowledge: Knowledge, rows: pa.Table, alive: pa.Table | None = None) -> None:
        """Begin with what another index holds, and add rows that it does not hold.

        Args:
            former: the other index.
            knowledge: what it was made with.
            rows: the columns `mark` and the compared ones.
            alive: the marks of all rows that any record holds; nothing is taken over of others. None: everything is.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if alive is None:
            for path in former.folder.glob("*"):
                link_file(path, self.folder / path.name)
        else:
            knowledge.save(self.folder)
            self._take_over(former, alive)
        if rows.num_rows:
            self._add(rows, former.next_row(), knowledge)

    def next_row(self) -> int:
        """The number that the next row gets; 0 where there was none."""
        if not any(self.folder.glob("rows-*.parquet")):
            return 0
        with connect_duckdb() as connection:
            ((number,),) = connection.execute(f"SELECT coalesce(max(row) + 1, 0) FROM {self.sql('rows')}").fetchall()
        return int(number)

    def _take_over(self, former: "MatchIndex", alive: pa.Table) -> None:
        """Write what a former index holds of the rows that are alive, under their numbers, as one part."""
        with connect_duckdb(memory_gb=_MEMORY_GB) as connection:
            connection.register("alive", alive)
            connection.execute(
                f"CREATE TABLE kept AS SELECT row FROM {former.sql('rows')} SEMI JOIN alive USING (mark)"
            )
            queries = {
                "rows": f"FROM {former.sql('rows')} SEMI JOIN kept USING (row)",
                "keys": f"SELECT k.* FROM {former.sql('keys')} k SEMI JOIN kept ON kept.row = k.record "
                "ORDER BY key, record",
                "pairs": f"SELECT p.* FROM {former.sql('pairs')} p "
                "SEMI JOIN kept a ON a.row = p.left_row SEMI JOIN kept b ON b.row = p.right_row",
            }
            for prefix, query in queries.items():
                target = literal(self.folder / f"{prefix}-00000.parquet")
                connection.execute(f"COPY ({query}) TO {target} ({PARQUET})")

    def _add(self, rows: pa.Table, first: int, knowledge: Knowledge) -> None:
        with connect_duckdb(memory_gb=_MEMORY_GB) as connection:
            kept = self._kept(rows)
            self._write(connection, kept, first, self._nearest(connection, kept, first, knowledge))

    def _write(self, connection: duckdb.DuckDBPyConnection, rows: pa.Table, first: int, near: "Near") -> None:
        """Write one part: the new rows, numbered from `first` on, their `ranked_keys` and their pairs."""
        part = f"{len(list(self.folder.glob('rows-*.parquet'))):05d}"
        write_parquet(self.folder / f"rows-{part}.parquet", _numbered(rows, first))
        target = literal(self.folder / f"keys-{part}.parquet")
        connection.execute(f"COPY (FROM ranked_keys ORDER BY key, record) TO {target} (FORMAT parquet)")
        new = np.flatnonzero(near.numbers >= first).astype(np.int32)
        left, right = np.concatenate([near.left, new]), np.concatenate([near.right, new])
        probability = np.concatenate([near.probability, near.judge.probability(new, new)])
        kept = probability >= LEAST_KEPT
        if self.joined_by is not None:
            key = near.rows[self.joined_by].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
            kept &= (key[left] != key[right]) | (key[left] < 0)
        left, right, probability = left[kept], right[kept], probability[kept]
        evidence = near.judge.explain(left, right)
        columns: dict[str, object] = {
            "left_row": np.minimum(near.numbers[left], near.numbers[right]),
            "right_row": np.maximum(near.numbers[left], near.numbers[right]),
            "probability": probability,
            "related": evidence.related.round(6),
        }
        for place in range(len(evidence.fields)):
            columns[f"level_{place}"] = evidence.levels[:, place]
            columns[f"bits_{place}"] = evidence.bits[:, place].round(2)
        write_parquet(self.folder / f"pairs-{part}.parquet", pa.table(columns))

    def nearest(
        self, connection: duckdb.DuckDBPyConnection, rows: pa.Table, first: int, knowledge: Knowledge
    ) -> "Near":
        """Compare rows, numbered from `first` on, with each other and with those rows of the index that may be them.

        Pairs that are less likely than `LEAST_KEPT` may be left out. Leaves the new rows' `ranked_keys` in the DuckDB
        connection.

        Args:
            connection: to work in.
            rows: the compared columns of rows that the index does not hold.
            first: above the number of any row of the index; 0 where there is none.
            knowledge: what the index was made with.
        """
        return self._nearest(connection, self._kept(rows), first, knowledge)

    def _nearest(
        self, connection: duckdb.DuckDBPyConnection, rows: pa.Table, first: int, knowledge: Knowledge
    ) -> "Near":
        prepared = from_columns(rows, self.fields)
        add_keys(connection, prepared, first)
        rank_keys(connection, knowledge.commonness)
        former = self.sql("keys") if first else "(FROM ranked_keys LIMIT 0)"
        candidates = pairs_with_new(connection, prepared, knowledge.commonness, former)
        met = self._with_met(connection, candidates, rows, first)
        fields, places = from_columns(met, self.fields), _places(met["row"].to_numpy())
        left, right = places[candidates.left], places[candidates.right]
        # Of the many pairs that meet few are looked at closely; what takes long to compare is looked at last.
        for kinds in (NAMES, frozenset(LEVELS) - WORDED):
            hopeful = knowledge.hopeful(fields, left, right, LEAST_KEPT, kinds)
            left, right = left[hopeful], right[hopeful]
            held = met["row"].to_numpy() >= first
            held[left] = held[right] = True
            kept, again = np.flatnonzero(held), np.cumsum(held, dtype=np.int32) - 1
            met, fields, left, right = met.take(kept), [field.take(kept) for field in fields], again[left], again[right]
        # Of two rows the left one is told by their values, whichever came first: a comparison may tell its sides.
        order = pc.sort_indices(met, self._order).to_numpy()
        met, fields, ranks = met.take(order), [field.take(order) for field in fields], _places(order)
        left, right = np.minimum(ranks[left], ranks[right]), np.maximum(ranks[left], ranks[right])
        order = np.lexsort((right, left))
        left, right = left[order], right[order]
        judge = knowledge.judge(fields)
        return Near(met["row"].to_numpy().astype(np.int32), met, judge, left, right, judge.probability(left, right))

    def _with_met(
        self, connection: duckdb.DuckDBPyConnection, candidates: Candidates, rows: pa.Table, first: int
    ) -> pa.Table:
        """New rows, and those of the index that they may be, with their numbers."""
        met = _numbered(rows, first).select(["row", *self._held])
        if first:
            numbers = np.unique(np.concatenate([candidates.left, candidates.right]))
            connection.register("met_rows", pa.table({"row": numbers[numbers < first].astype(np.int32)}))
            listed = ", ".join(met.column_names)
            former = connection.sql(f"SELECT {listed} FROM {self.sql('rows')} SEMI JOIN met_rows USING (row)")
            met = pa.concat_tables([former.to_arrow_table().cast(met.schema), met])
        return met

    def _kept(self, rows: pa.Table) -> pa.Table:
        """Rows as they are kept: `mark` where it is told, and what `_held` names."""
        forms = as_columns(prepare_fields(rows, self.fields))
        told = [name for name in ("mark", self.joined_by) if name in rows.column_names]
        return pa.table([*(rows[name] for name in told), *forms.columns], names=[*told, *forms.column_names])

    @property
    def _held(self) -> list[str]:
        """The columns of kept rows by which they are compared."""
        joined = [self.joined_by] if self.joined_by else []
        return [*joined, *column_names(shape_of(self.fields))]

    @property
    def _order(self) -> list[tuple[str, str]]:
        """Rows are ordered by their values, whichever came first."""
        return [(name, "ascending") for name in column_names(shape_of(self.fields))]

    def told(self) -> list[tuple[str, int]]:
        """The names of what `level_0`, `level_1` … speak of, and the level that stands for "different"."""
        return [(field.name, LEVELS[field.kind] - 1) for field in shape_of(self.fields)]

    def full_of_parts(self) -> bool:
        """Whether it was extended so often that building it anew is in order."""
        return len(list(self.folder.glob("rows-*.parquet"))) >= _MOST_PARTS


@dataclass(frozen=True)
class Near:
    """New rows' pairs with each other and with rows of an index, but for those that cannot be likely.

    `left` and `right` are places in `numbers` and `rows`: the new rows and those of the pairs, all known to `judge`.
    """

    numbers: Codes
    rows: pa.Table
    judge: Judge
    left: Codes
    right: Codes
    probability: Floats


def _places(numbers: npt.NDArray[np.integer]) -> Codes:
    """For each number at which place it stands."""
    places = np.zeros(int(numbers.max(initial=0)) + 1, np.int32)
    places[numbers] = np.arange(len(numbers), dtype=np.int32)
    return places


def _numbered(rows: pa.Table, first: int) -> pa.Table:
    return rows.add_column(0, "row", pa.array(np.arange(first, first + rows.num_rows, dtype=np.int32)))
