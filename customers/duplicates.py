"""One happening that two systems tell of: the event that was recorded later is marked with the one it repeats."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from core.event_settings import DuplicateSettings
from core.source_settings import SourceSettings

_SAME_PLACE = "lower(rtrim(regexp_replace(split_part(split_part(url, '#', 1), '?', 1), '^[A-Za-z]+://[^/]*', ''), '/'))"


def mark_duplicates(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[SourceSettings], rules: DuplicateSettings
) -> None:
    """Make `duplicate_events` (event_id, duplicate_of, since) of `kept_events`, once `identities` are known.

    Two events are one happening when different systems tell them, of one person and of one type, within the type's
    window, and page, asset and amount are the same wherever both tell them. Each event has one counterpart in another
    system at most, so that what one system tells twice happened twice.

    Pairs are formed in the order in which they became known (both events recorded, their records known to be one
    person), the closest first; the later recorded one of a pair is the duplicate. So nothing that is recorded later
    changes which events counted before. Ids that were one person for a time, and are no longer, are looked at too:
    whether a person owns the other event, and so whether the duplicate counts, is the question of each moment.
    """
    connection.execute("CREATE TABLE duplicate_events (event_id VARCHAR, duplicate_of VARCHAR, since TIMESTAMPTZ)")
    if not _find_shared_types(connection, sources, rules):
        return
    _find_pairs(connection)
    # Most events have one counterpart alone; only the rest asks for an order.
    connection.execute(
        """CREATE TEMP TABLE entangled AS
        SELECT event_id FROM (SELECT earlier AS event_id FROM event_pairs UNION ALL SELECT later FROM event_pairs)
        GROUP BY event_id HAVING count(*) > 1"""
    )
    alone = "earlier NOT IN (FROM entangled) AND later NOT IN (FROM entangled)"
    connection.execute(f"INSERT INTO duplicate_events SELECT later, earlier, since FROM event_pairs WHERE {alone}")
    rows = connection.execute(
        f"""SELECT earlier, earlier_system, later, later_system, epoch_us(since) FROM event_pairs
        WHERE NOT ({alone}) ORDER BY since, apart, earlier, later"""
    ).fetchall()
    found = _choose(rows)
    chosen = pa.table(
        {
            "event_id": pa.array([row[0] for row in found], pa.string()),
            "duplicate_of": pa.array([row[1] for row in found], pa.string()),
            "since": pa.array([row[2] for row in found], pa.int64()),
        }
    )
    connection.register("chosen_duplicates", chosen)
    connection.execute(
        "INSERT INTO duplicate_events SELECT event_id, duplicate_of, make_timestamptz(since) FROM chosen_duplicates"
    )
    connection.unregister("chosen_duplicates")
    connection.execute("DROP TABLE event_pairs")
    connection.execute("DROP TABLE entangled")


def _choose(pairs: Sequence[tuple[str, str, str, str, int]]) -> list[tuple[str, str, int]]:
    """Of pairs (earlier event and its system, later event and its system, since when) in order: which become one.

    >>> _choose([("a", "ma", "b", "web", 1), ("a", "ma", "c", "web", 2), ("d", "crm", "b", "web", 3)])
    [('b', 'a', 1)]
    """
    told_by: dict[str, set[str]] = {}
    gone: set[str] = set()
    found = []
    for earlier, earlier_system, later, later_system, since in pairs:
        if earlier in gone or later in gone:
            continue
        kept = told_by.setdefault(earlier, {earlier_system})
        joining = told_by.setdefault(later, {later_system})
        if kept.isdisjoint(joining):
            kept |= joining
            gone.add(later)
            found.append((later, earlier, since))
    return found


def _find_shared_types(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[SourceSettings], rules: DuplicateSettings
) -> bool:
    """Make `tellers` (the system of each source) and `shared_types` (with their windows); whether there are any."""
    telling = [source for source in sources if source.events]
    tellers = pa.table(
        {
            "source": pa.array([source.name for source in telling], pa.string()),
            "teller": pa.array([source.system for source in telling], pa.string()),
        }
    )
    connection.register("tellers_given", tellers)
    connection.execute("CREATE TABLE tellers AS FROM tellers_given")
    connection.unregister("tellers_given")
    if not rules.enabled or len({source.system for source in telling}) < 2:
        return False
    kinds = connection.execute(
        """SELECT type FROM (SELECT DISTINCT split_part(event_id, ':', 1) AS source, type FROM kept_events)
        JOIN tellers USING (source) GROUP BY type HAVING count(DISTINCT teller) > 1 ORDER BY type"""
    ).fetchall()
    windows = {kind: window for (kind,) in kinds if (window := rules.window(kind)) is not None}
    connection.execute("CREATE TABLE shared_types (type VARCHAR, width BIGINT)")
    if windows:
        rows = [[kind, round(window * 1_000_000)] for kind, window in windows.items()]
        connection.executemany("INSERT INTO shared_types VALUES (?, ?)", rows)
    return bool(windows)


def _find_pairs(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `event_pairs`: what might be one happening, the earlier recorded one first, and since when that is known."""
    connection.execute(
        f"""CREATE TEMP TABLE told_events AS
        WITH told AS (
            SELECT e.event_id, e.system, e.source_id, e.type, e.occurred_at, e.recorded_at, e.amount, e.url,
                   e.properties, t.teller, s.width
            FROM kept_events e JOIN shared_types s USING (type)
            JOIN tellers t ON t.source = split_part(e.event_id, ':', 1)
        ), twice AS (
            -- Only people of whom two systems tell events of one type are of interest.
            SELECT i.customer_id, n.type
            FROM (SELECT DISTINCT system, source_id, type, teller FROM told) n
            JOIN identities i USING (system, source_id)
            GROUP BY i.customer_id, n.type HAVING min(n.teller) <> max(n.teller)
        )
        SELECT e.event_id, e.teller, i.customer_id, e.type, e.width, epoch_us(e.occurred_at) AS occurred,
               epoch_us(e.recorded_at) AS recorded, e.amount, {_SAME_PLACE} AS place,
               json_extract_string(e.properties, '$.asset') AS asset,
               epoch_us(i.linked_at) AS linked, epoch_us(i.ended_at) AS ended
        FROM told e JOIN identities i USING (system, source_id)
        SEMI JOIN twice USING (customer_id, type)"""
    )
    # Buckets as wide as the window: a counterpart lies in the same one or beside it.
    connection.execute(
        """CREATE TABLE event_pairs AS
        WITH placed AS (SELECT *, occurred // greatest(width, 1) AS bucket FROM told_events),
        near AS (SELECT * REPLACE (bucket + step AS bucket) FROM placed, (SELECT unnest([-1, 0, 1]) AS step)),
        pairs AS (
            SELECT least((a.recorded, a.occurred, a.event_id, a.teller), (b.recorded, b.occurred, b.event_id, b.teller))
                       AS earlier,
                   greatest((a.recorded, a.occurred, a.event_id, a.teller),
                            (b.recorded, b.occurred, b.event_id, b.teller)) AS later,
                   greatest(a.recorded, b.recorded, a.linked, b.linked) AS since, abs(a.occurred - b.occurred) AS apart
            FROM placed a JOIN near b ON a.customer_id = b.customer_id AND a.type = b.type AND a.bucket = b.bucket
            WHERE a.teller < b.teller AND abs(a.occurred - b.occurred) <= a.width
              AND NOT coalesce(a.place <> b.place, false) AND NOT coalesce(a.asset <> b.asset, false)
              AND NOT coalesce(a.amount <> b.amount, false)
              AND greatest(a.linked, b.linked) < least(coalesce(a.ended, 9223372036854775807),
                                                       coalesce(b.ended, 9223372036854775807))
        )
        SELECT earlier[3] AS earlier, earlier[4] AS earlier_system, later[3] AS later, later[4] AS later_system,
               make_timestamptz(min(since)) AS since, any_value(apart) AS apart
        FROM pairs GROUP BY ALL"""
    )
    connection.execute("DROP TABLE told_events")
