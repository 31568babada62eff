"""Rows of the build before this one that would be counted again with the same result.

A row is kept if nothing changed that was known before its moment, of the person or, for what depends on colleagues, of
anybody in the same companies. The marks that tell this lie in the generation whose rows they speak of: they come into
force with it, and leave with it.
"""

from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from core.storage import Workspace
from features.event_facts import ALWAYS
from features.people_as_of import Batch
from features.person_marks import PERIOD, mark_people

Scope = Literal["own", "company"]
_MARKS = "person_marks.parquet"


class KeptRows:
    """Which moments need not be counted; creates `kept_moments` (moment, own, company).

    Args:
        connection: with the facts and the moments of this build.
        workspace: holds the generation before this one, if any.
        meaning: stands for the settings and the code by which features are made; other ones keep nothing.
        view: any view; all have a row for each moment.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, workspace: Workspace, meaning: str, view: str) -> None:
        self._connection, self._folder = connection, None
        mark_people(connection)
        former = workspace.manifest("features")
        if former and former.get("meaning") == meaning and (workspace.current("features") / _MARKS).exists():
            self._folder = workspace.current("features")
        connection.execute(_KEPT_MOMENTS if self._folder is None else _find_kept(self._folder, view))
        ((self.count,),) = connection.execute("SELECT count(*) FILTER (own) FROM kept_moments").fetchall()

    def rows(self, view: str, scope: Scope, built_at: str, batch: Batch) -> pa.Table | None:
        """The rows of a view that are kept for a batch of moments, numbered by `moment`; None without any."""
        if self._folder is None:
            return None
        path = _text(self._folder / f"{view}.parquet")
        moments = (
            f"FROM moments JOIN kept_moments k USING (moment) WHERE moment BETWEEN {batch.first} AND {batch.behind - 1}"
        )
        ((first, last),) = self._connection.execute(
            f"SELECT min(customer_id), max(customer_id) {moments} AND k.{scope}"
        ).fetchall()
        if first is None:
            return None
        # The file is sorted by customer: only its part with these people is read.
        return self._connection.sql(
            f"""SELECT m.moment, v.* REPLACE (TIMESTAMPTZ '{built_at}' AS built_at)
            FROM read_parquet({path}) v
            JOIN (SELECT moment, customer_id, as_of {moments} AND k.{scope}) m USING (customer_id, as_of)
            WHERE v.customer_id BETWEEN {_text(first)} AND {_text(last)}"""
        ).to_arrow_table()

    def save(self, folder: Path) -> None:
        """Write the marks beside the rows of this build."""
        target = _text(folder / _MARKS)
        self._connection.execute(
            f"COPY (FROM person_marks ORDER BY customer_id, period) TO {target} (FORMAT parquet, COMPRESSION zstd)"
        )


_KEPT_MOMENTS = "CREATE TEMP TABLE kept_moments (moment INTEGER, own BOOLEAN, company BOOLEAN)"


def _find_kept(folder: Path, view: str) -> str:
    """SQL that creates `kept_moments`: who had a row then, up to the month from which on their marks differ."""
    since = f"CASE period WHEN 0 THEN {ALWAYS} ELSE period * {PERIOD} END"
    return f"""
CREATE TEMP TABLE kept_moments AS
WITH changed AS (
    SELECT customer_id,
        min({since}) FILTER (n.own IS DISTINCT FROM f.own) AS own,
        min({since}) AS company
    FROM person_marks n FULL JOIN read_parquet({_text(folder / _MARKS)}) f USING (customer_id, period)
    WHERE n.own IS DISTINCT FROM f.own OR n.company IS DISTINCT FROM f.company
    GROUP BY customer_id
)
SELECT m.moment, c.own IS NULL OR m.at_us <= c.own AS own, c.company IS NULL OR m.at_us <= c.company AS company
FROM moments m
SEMI JOIN read_parquet({_text(folder / f"{view}.parquet")}) v USING (customer_id, as_of)
LEFT JOIN changed c USING (customer_id)
WHERE c.own IS NULL OR m.at_us <= c.own
"""


def _text(value: str | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"
