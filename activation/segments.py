"""Segments: people chosen by their scores, kept as a list with the moment when each of them came in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import NotFoundError
from core.segment_settings import SegmentSettings
from core.settings import Settings
from core.storage import Workspace, connect_duckdb, fingerprint, write_parquet
from core.tables import MOMENT

MEMBERS_FILE = "members.parquet"
MEMBERS_SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("score", pa.int64(), nullable=False),
        pa.field("grade", pa.string(), nullable=False),
        pa.field("evidence", pa.string(), nullable=False),
        *(pa.field(f"reason_{n}", pa.string(), nullable=False) for n in range(1, 4)),
        pa.field("entered_at", MOMENT, nullable=False),
        pa.field("as_of", MOMENT, nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
    ]
)
_MEMBERS = """
WITH scored AS (
    SELECT *, row_number() OVER (ORDER BY probability DESC, customer_id) AS place, count(*) OVER () AS everybody
    FROM read_parquet($scores) WHERE status = 'ok'
),
chosen AS (
    SELECT s.*
    FROM scored s JOIN customers c USING (customer_id)
    WHERE ($top_share IS NULL OR s.place <= ceil($top_share * s.everybody))
      AND ($min_probability IS NULL OR s.probability >= $min_probability)
      AND ($people = 'all' OR c.kind = $people)
      AND c.consent_profiling
      AND CASE $marketing
          WHEN 'granted' THEN c.consent_marketing
          WHEN 'not_refused' THEN c.consent_marketing OR c.customer_id NOT IN (
              SELECT customer_id FROM consents WHERE purpose = 'marketing' AND NOT granted AND decided_at < s.as_of
          )
          ELSE true END
)
SELECT n.customer_id, row_number() OVER (ORDER BY n.place) AS rank, n.probability, n.score, n.grade, n.evidence,
       n.reason_1, n.reason_2, n.reason_3, coalesce(f.entered_at, n.as_of) AS entered_at, n.as_of, n.model_version
FROM chosen n LEFT JOIN former f USING (customer_id)
QUALIFY $size IS NULL OR row_number() OVER (ORDER BY n.place) <= $size
ORDER BY n.place
"""
# A person's records by system, so that the list can be loaded into any of them; keys that people share stay out.
_EXPORTED = """
WITH listed AS (
    SELECT i.customer_id, i.system, string_agg(DISTINCT i.source_id, ';' ORDER BY i.source_id) AS ids
    FROM identities i JOIN members USING (customer_id)
    WHERE i.ended_at IS NULL AND i.system NOT IN ('email', 'login')
    GROUP BY ALL
),
ids AS (SELECT customer_id, map_from_entries(list((system, ids) ORDER BY system)) AS ids FROM listed GROUP BY ALL)
SELECT m.rank, m.customer_id,
       coalesce(c.full_name, nullif(concat_ws(' ', c.last_name, c.first_name), ''), '') AS name,
       coalesce(c.company, '') AS company, coalesce(c.email, '') AS email, c.kind,
       m.probability, m.score, m.grade, m.evidence, m.reason_1, m.reason_2, m.reason_3, m.entered_at, m.as_of
       {columns}
FROM members m JOIN customers c USING (customer_id) LEFT JOIN ids USING (customer_id)
WHERE c.consent_profiling AND ($recipient = 'own' OR c.consent_transfer)
ORDER BY m.rank
"""


@dataclass(frozen=True)
class SegmentSummary:
    """One segment as it stands.

    Attributes:
        members: how many people belong to it.
        entered: those who did not belong to it when it was built before.
        left: those who did then, and do not any more.
        as_of: the moment of the scores, blank where it was never built.
    """

    name: str
    model: str
    members: int
    entered: int
    left: int
    as_of: datetime | None


def build_segments(settings: Settings, workspace: Workspace, names: tuple[str, ...] = ()) -> tuple[SegmentSummary, ...]:
    """Choose the members of the configured segments from the scores in force; each segment is replaced as a whole.

    Args:
        settings: `segments` says who belongs where.
        workspace: holds scores and unified tables.
        names: which segments; default all.

    Raises:
        NotFoundError: a segment is not configured.
        MissingStageError: nothing was scored yet.
    """
    chosen = names or tuple(settings.segments)
    return tuple(_build(workspace, name, _rules(settings, name)) for name in chosen)


def list_segments(settings: Settings, workspace: Workspace) -> tuple[SegmentSummary, ...]:
    """All configured segments as they were built last."""
    return tuple(_summary(workspace, name, rules) for name, rules in settings.segments.items())


def segment_people(settings: Settings, workspace: Workspace, name: str) -> pa.Table:
    """The members of a segment with names, reasons and their ids in every system, the best first.

    Consent counts as it stands today, not as it stood when the segment was built: whoever has refused profiling is left
    out, and, where others get the list, whoever has not agreed to transfer.

    Raises:
        NotFoundError: the segment is not configured.
        MissingStageError: it was never built.
    """
    rules = _rules(settings, name)
    path = workspace.current(f"segments/{name}") / MEMBERS_FILE
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        connection.execute("CREATE TABLE members AS SELECT * FROM read_parquet($1)", [str(path)])
        columns = "".join(f", coalesce(ids['{system}'], '') AS id_{system}" for system in _systems(connection))
        people: pa.Table = connection.sql(
            _EXPORTED.format(columns=columns), params={"recipient": rules.recipient}
        ).to_arrow_table()
    finally:
        connection.close()
    return people


def _systems(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT system FROM identities WHERE system NOT IN ('email', 'login') ORDER BY system"
    ).fetchall()
    return [system for (system,) in rows]


def _rules(settings: Settings, name: str) -> SegmentSettings:
    if name not in settings.segments:
        known = ", ".join(settings.segments) or "none is configured"
        raise NotFoundError(f"there is no segment {name!r}", known, "add it under segments, or name another")
    return settings.segments[name]


def _build(workspace: Workspace, name: str, rules: SegmentSettings) -> SegmentSummary:
    scores = workspace.current(f"scores/{rules.model}") / "scores.parquet"
    former = _members(workspace, name)
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        connection.register("former", former)
        members: pa.Table = connection.sql(
            _MEMBERS, params={"scores": str(scores), **rules.model_dump(exclude={"model", "recipient"})}
        ).to_arrow_table()
    finally:
        connection.close()
    before, now = set(former["customer_id"].to_pylist()), set(members["customer_id"].to_pylist())
    as_of = pq.read_table(scores, columns=["as_of"])["as_of"]
    manifest = {
        "members": len(now),
        "entered": len(now - before),
        "left": len(before - now),
        "as_of": as_of[0].as_py().isoformat() if len(as_of) else None,
    }
    with workspace.publish(f"segments/{name}", fingerprint(scores.parent.name, rules), manifest) as folder:
        write_parquet(folder / MEMBERS_FILE, members.cast(MEMBERS_SCHEMA))
    return _summary(workspace, name, rules)


def _members(workspace: Workspace, name: str) -> pa.Table:
    if workspace.manifest(f"segments/{name}") is None:
        return MEMBERS_SCHEMA.empty_table()
    return pq.read_table(workspace.current(f"segments/{name}") / MEMBERS_FILE)


def _summary(workspace: Workspace, name: str, rules: SegmentSettings) -> SegmentSummary:
    manifest: Mapping[str, Any] = workspace.manifest(f"segments/{name}") or {}
    as_of = manifest.get("as_of")
    return SegmentSummary(
        name,
        rules.model,
        members=int(manifest.get("members", 0)),
        entered=int(manifest.get("entered", 0)),
        left=int(manifest.get("left", 0)),
        as_of=datetime.fromisoformat(as_of) if as_of else None,
    )
