"""What a system is to be told about the life cycle of its records: whatever differs from what it was told last."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from sqlalchemy import ColumnElement, Engine, and_, delete, func, insert, select
from sqlalchemy.orm import Session

from core.errors import ConfigurationError
from core.lifecycle_settings import NOTHING, TOLD_FIELDS
from core.lifecycle_tables import LifecycleTold
from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from core.tables import TEXT

# Keys that people share; no system can be told about them.
_KEY_SYSTEMS = ("email", "login", "cookie")
# Two variables a record: SQLite takes at most 32,766 in one statement.
_CHUNK = 2_000
_COMPARED = ("stage", "stage_since", "deal_state", "opted_out")
_TOLD_SCHEMA = pa.schema([pa.field(name, TEXT) for name in ("source_id", *_COMPARED)])

# A deal's state is its last visible stage; of stages entered together the closing one is the last.
_STATES = """
CREATE TEMP TABLE states AS
WITH records AS (
    SELECT DISTINCT source_id, customer_id FROM identities WHERE system = $system AND ended_at IS NULL
), stages AS (
    SELECT customer_id, stage, entered_at, recorded_at FROM lifecycle
    WHERE recorded_at < $as_of AND (left_recorded_at IS NULL OR left_recorded_at >= $as_of)
), each_deal AS (
    SELECT p.customer_id, s.deal_id, greatest(max(s.recorded_at), any_value(p.recorded_at)) AS recorded_at,
           arg_max(s.outcome, (s.entered_at, s.outcome <> 'open', s.recorded_at)) AS outcome
    FROM (SELECT customer_id, deal_id, min(recorded_at) AS recorded_at FROM deal_people GROUP BY ALL) p
    JOIN deal_stages s USING (deal_id)
    WHERE p.recorded_at < $as_of AND s.entered_at < $as_of AND s.recorded_at < $as_of
    GROUP BY p.customer_id, s.deal_id
), deal_states AS (
    SELECT customer_id, max(recorded_at) AS recorded_at,
           CASE WHEN bool_or(outcome = 'open') THEN 'in_talks' WHEN bool_or(outcome = 'won') THEN 'won'
                ELSE 'lost' END AS deal_state
    FROM each_deal GROUP BY customer_id
), decided AS (
    SELECT customer_id, bool_or(NOT granted) AS refused, max(recorded_at) AS recorded_at
    FROM consents WHERE purpose = 'marketing' AND decided_at < $as_of GROUP BY customer_id
), emails AS (
    SELECT source_id, arg_max(value, (occurred_at, recorded_at, value)) AS email
    FROM attributes WHERE system = $system AND field = 'email' AND recorded_at < $as_of GROUP BY source_id
)
SELECT r.source_id, coalesce(e.email, '') AS email,
       coalesce(w.word, g.stage, $none) AS stage, coalesce(to_text(g.entered_at), '') AS stage_since,
       coalesce(x.word, d.deal_state, $none) AS deal_state,
       CASE WHEN NOT c.consent_marketing AND coalesce(m.refused, false) THEN 'true' ELSE 'false' END AS opted_out,
       to_text(coalesce(greatest(g.recorded_at, d.recorded_at, m.recorded_at), $as_of)) AS changed_at
FROM records r JOIN customers c USING (customer_id)
-- Whoever refused profiling is told about no further than that they are not to be written to.
LEFT JOIN stages g ON g.customer_id = c.customer_id AND c.consent_profiling
LEFT JOIN deal_states d ON d.customer_id = c.customer_id AND c.consent_profiling
LEFT JOIN decided m ON m.customer_id = c.customer_id
LEFT JOIN emails e USING (source_id)
LEFT JOIN words w ON w.own = g.stage
LEFT JOIN words x ON x.own = d.deal_state
"""
_ROWS = """
SELECT s.* FROM states s LEFT JOIN told t USING (source_id)
WHERE CASE WHEN t.source_id IS NULL OR $full
      THEN t.source_id IS NOT NULL OR s.stage <> $none OR s.deal_state <> $none OR s.opted_out = 'true'
      ELSE (s.stage, s.stage_since, s.deal_state, s.opted_out)
           IS DISTINCT FROM (t.stage, t.stage_since, t.deal_state, t.opted_out) END
ORDER BY s.source_id
"""


@dataclass(frozen=True)
class Delta:
    """What a system is to be told.

    Attributes:
        rows: a column of texts for each of `core.lifecycle_settings.TOLD_FIELDS`, sorted by the record's id.
        records: how many records of the system there are.
    """

    rows: pa.Table
    records: int


@dataclass(frozen=True)
class Confirmation:
    """What was confirmed: so many records were told, and so many of the file are not among today's records any more."""

    told: int
    gone: int


def lifecycle_delta(
    settings: Settings, workspace: Workspace, engine: Engine, system: str, *, full: bool = False
) -> Delta:
    """What differs from what the system was told last; nothing is changed, so that the same is given until confirmed.

    A record that was never told about is left out while there is nothing to say about it: no stage, no deal, no
    opt-out. Of people who refused profiling only their opt-out is told, and that a stage is no longer there.

    Args:
        settings: `lifecycle.exports` says what the system calls things.
        workspace: holds the unified tables.
        engine: the application database, which holds what was told.
        system: whose records, for example `marketo`.
        full: everything there is to say, whatever was told.

    Raises:
        ConfigurationError: the system has no records.
        MissingStageError: nothing was unified yet.
    """
    with connect_duckdb() as connection:
        workspace.tables(connection)
        records = _count_records(connection, system)
        connection.execute("CREATE MACRO to_text(moment) AS strftime(moment AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ')")
        words = settings.lifecycle.delta(system).words
        none = words.get(NOTHING, "")
        pairs = {"own": pa.array(list(words), TEXT), "word": pa.array(list(words.values()), TEXT)}
        connection.register("words", pa.table(pairs))
        connection.execute(_STATES, {"system": system, "as_of": workspace.as_of(), "none": none})
        connection.register("told", _told(engine, system))
        rows = connection.sql(_ROWS, params={"full": full, "none": none}).to_arrow_table()
    return Delta(rows.rename_columns({"source_id": "id"}).select(list(TOLD_FIELDS)), records)


def confirm_told(workspace: Workspace, engine: Engine, system: str, rows: Iterable[Mapping[str, str]]) -> Confirmation:
    """Note that the system was told what these rows say; all of them or none.

    Records that are gone from the unified tables, as a forgotten person's are, are not noted, and what had been noted
    about such is deleted.

    Args:
        workspace: holds the unified tables.
        engine: the application database.
        system: that was told.
        rows: of a file that it was given; confirming again changes nothing.

    Raises:
        ConfigurationError: the system has no records.
    """
    with connect_duckdb() as connection:
        workspace.tables(connection)
        _count_records(connection, system)
        there = {
            source_id
            for (source_id,) in connection.execute(
                "SELECT DISTINCT source_id FROM identities WHERE system = $1 AND ended_at IS NULL", [system]
            ).fetchall()
        }
    given = {row["id"]: {name: row[name] for name in _COMPARED} for row in rows}
    noted = {source_id: said for source_id, said in given.items() if source_id in there}
    with Session(engine) as session, session.begin():
        before = set(session.scalars(select(LifecycleTold.source_id).where(LifecycleTold.system == system)))
        for condition in _records_of(system, (before - there) | (before & noted.keys())):
            session.execute(delete(LifecycleTold).where(condition))
        if noted:
            session.execute(
                insert(LifecycleTold), [{"system": system, "source_id": id_, **said} for id_, said in noted.items()]
            )
    return Confirmation(len(noted), len(given) - len(noted))


def forget_gone(workspace: Workspace, engine: Engine) -> int:
    """Delete what was told about records that are gone from the unified tables; returns how many those were."""
    with Session(engine) as session:
        told = session.execute(select(LifecycleTold.system, LifecycleTold.source_id)).all()
    if not told:
        return 0
    with connect_duckdb() as connection:
        workspace.tables(connection)
        columns = [pa.array([row[place] for row in told], TEXT) for place in range(2)]
        connection.register("told", pa.table(columns, names=["system", "source_id"]))
        gone = connection.execute(
            "SELECT * FROM told ANTI JOIN (FROM identities WHERE ended_at IS NULL) USING (system, source_id)"
        ).fetchall()
    forget_told(engine, gone)
    return len(gone)


def count_told(engine: Engine, keys: Collection[tuple[str, str]]) -> int:
    """About how many of these records (system, id) something was told."""
    with Session(engine) as session:
        return sum(
            session.scalar(select(func.count()).select_from(LifecycleTold).where(condition)) or 0
            for condition in _naming(keys)
        )


def forget_told(engine: Engine, keys: Collection[tuple[str, str]]) -> None:
    """Delete what was told about these records (system, id)."""
    with Session(engine) as session, session.begin():
        for condition in _naming(keys):
            session.execute(delete(LifecycleTold).where(condition))


def _count_records(connection: duckdb.DuckDBPyConnection, system: str) -> int:
    found: dict[str, int] = dict(
        connection.execute(
            """SELECT system, count(DISTINCT source_id) FROM identities
            WHERE ended_at IS NULL AND system NOT IN (SELECT unnest($1::VARCHAR[])) GROUP BY system ORDER BY system""",
            [list(_KEY_SYSTEMS)],
        ).fetchall()
    )
    if system not in found:
        raise ConfigurationError(
            f"no record of a system {system!r} is known", f"one of {', '.join(found) or 'none'}", "name one of them"
        )
    return found[system]


def _told(engine: Engine, system: str) -> pa.Table:
    columns = [getattr(LifecycleTold, name) for name in _TOLD_SCHEMA.names]
    with Session(engine) as session:
        rows = session.execute(select(*columns).where(LifecycleTold.system == system)).all()
    arrays = [pa.array([row[place] for row in rows], TEXT) for place in range(len(columns))]
    return pa.table(arrays, schema=_TOLD_SCHEMA)


def _naming(keys: Collection[tuple[str, str]]) -> Iterator[ColumnElement[bool]]:
    for system in sorted({system for system, _ in keys}):
        yield from _records_of(system, {source_id for owner, source_id in keys if owner == system})


def _records_of(system: str, source_ids: Collection[str]) -> Iterator[ColumnElement[bool]]:
    listed: Sequence[str] = sorted(source_ids)
    for start in range(0, len(listed), _CHUNK):
        chunk = listed[start : start + _CHUNK]
        yield and_(LifecycleTold.system == system, LifecycleTold.source_id.in_(chunk))
