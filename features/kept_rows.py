"""Rows of the build before this one that would be counted again with the same result.

A row is kept if nothing changed that was known before its moment, of the person or, for what depends on colleagues, of
anybody in the same companies. The marks that tell this lie in the generation whose rows they speak of: they come into
force with it, and leave with it.
"""

from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.storage import Workspace
from core.tables import MOMENT
from features.event_facts import ALWAYS
from features.people_as_of import Batch
from features.person_marks import PERIOD, mark_people

Scope = Literal["own", "company"]
_MARKS = "person_marks.parquet"


class KeptRows:
    """Which moments need not be counted; creates `kept_moments` (moment, place, own, company).

    Args:
        connection: with the facts and the moments of this build.
        workspace: holds the generation before this one, if any.
        meaning: stands for the settings and the code by which features are made; other ones keep nothing.
        view: any view; all have the same moments in the same order.
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
        found = self._connection.execute(
            f"SELECT moment, place FROM kept_moments WHERE {scope} AND moment >= $1 AND moment < $2 ORDER BY place",
            [batch.first, batch.behind],
        ).fetchnumpy()
        places = np.asarray(found["place"], dtype=np.int64)
        if not len(places):
            return None
        with pq.ParquetFile(self._folder / f"{view}.parquet") as file:
            sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
            behind = np.cumsum(sizes)
            # People stand in the same order there: the rows lie in a few groups that follow each other.
            first, last = np.searchsorted(behind, [places[0], places[-1]], side="right").tolist()
            part = file.read_row_groups(list(range(first, last + 1))).combine_chunks()
        rows = part.take(pa.array(places - (behind[first] - sizes[first])))
        built = pa.array([built_at]).cast(MOMENT).take(pa.array(np.zeros(len(places), dtype=np.int64)))
        rows = rows.set_column(rows.schema.get_field_index("built_at"), "built_at", built)
        return rows.append_column("moment", pa.array(np.asarray(found["moment"], dtype=np.int32)))

    def save(self, folder: Path) -> None:
        """Write the marks beside the rows of this build."""
        marks = "SELECT customer_id, period, own, company FROM person_marks JOIN people USING (customer)"
        self._connection.execute(f"COPY ({marks}) TO {_text(folder / _MARKS)} (FORMAT parquet)")


_KEPT_MOMENTS = "CREATE TEMP TABLE kept_moments (moment INTEGER, place BIGINT, own BOOLEAN, company BOOLEAN)"


def _find_kept(folder: Path, view: str) -> str:
    """SQL that creates `kept_moments`: who had a row then, and at which place, up to the month whose marks differ."""
    since = f"CASE period WHEN 0 THEN {ALWAYS} ELSE period * {PERIOD} END"
    return f"""
CREATE TEMP TABLE kept_moments AS
WITH changed AS (
    SELECT customer_id,
        min({since}) FILTER (n.own IS DISTINCT FROM f.own) AS own,
        min({since}) AS company
    FROM (SELECT * FROM person_marks JOIN people USING (customer)) n
    FULL JOIN read_parquet({_text(folder / _MARKS)}) f USING (customer_id, period)
    WHERE n.own IS DISTINCT FROM f.own OR n.company IS DISTINCT FROM f.company
    GROUP BY customer_id
)
SELECT m.moment, v.file_row_number AS place,
    c.own IS NULL OR m.at_us <= c.own AS own, c.company IS NULL OR m.at_us <= c.company AS company
FROM moments m
JOIN read_parquet({_text(folder / f"{view}.parquet")}, file_row_number = true) v USING (customer_id, as_of)
LEFT JOIN changed c USING (customer_id)
WHERE c.own IS NULL OR m.at_us <= c.own
"""


def _text(value: str | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"
