"""Whose facts count for whom: the records that belong to a person, in time."""

import duckdb

# Behind every moment: still going on.
FAR = 1 << 62
# Before every moment: from the beginning.
EVER = -FAR


def build_lives(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `lives` (life, person, customer_id, began, ends, known, named) and `life_links` (life, system, …).

    They are those of the records and keys in `new_group_nodes`.

    A life is a time during which a person lost no record: ordinarily there is one, which ends when the person turns
    out to be somebody else's younger self. Where a decision takes records away, the person begins a new life with those
    that stay. Times are microseconds. `known` is when the first record or key but a browser joined the person, `named`
    when that record itself was known first; browsers alone have no life.

    Whoever refuses profiling today has none either: a stage is a conclusion from what somebody did.
    """
    connection.execute(
        f"""CREATE TEMP TABLE own_links AS
        SELECT i.customer_id, i.system, i.source_id, epoch_us(i.linked_at) AS linked,
               coalesce(epoch_us(i.ended_at), {FAR}) AS ended
        FROM (FROM identities SEMI JOIN new_group_nodes USING (system, source_id)) i ANTI JOIN (
            SELECT system, source_id FROM node_now JOIN consent_now USING (customer_id) WHERE NOT consent_profiling
        ) r ON r.system = i.system AND r.source_id = i.source_id"""
    )
    connection.execute(
        f"""CREATE TEMP TABLE eras AS
        WITH people AS (
            SELECT row_number() OVER () AS person, customer_id, list_sort(list(DISTINCT ended)) AS ends
            FROM own_links GROUP BY customer_id HAVING bool_or(system <> 'cookie')
        ), each_era AS (
            SELECT person, customer_id, ends, unnest(range(1, len(ends) + 1)) AS number FROM people
        )
        SELECT row_number() OVER () AS life, person, customer_id, ends[number] AS ends,
               CASE WHEN number = 1 THEN {EVER} ELSE ends[number - 1] END AS began
        FROM each_era"""
    )
    connection.execute(
        """CREATE TEMP TABLE life_links AS
        SELECT e.life, o.system, o.source_id, o.linked
        FROM own_links o JOIN eras e ON e.customer_id = o.customer_id AND o.ended >= e.ends AND o.linked < e.ends"""
    )
    connection.execute(
        """CREATE TEMP TABLE lives AS
        WITH earlier AS (
            SELECT system, source_id, min(linked) AS first_linked FROM own_links
            WHERE ended < $far AND system <> 'cookie' GROUP BY ALL
        ), named AS (
            SELECT l.life, l.linked, coalesce(e.first_linked, l.linked) AS first_linked
            FROM life_links l LEFT JOIN earlier e USING (system, source_id) WHERE l.system <> 'cookie'
        ), first_named AS (
            SELECT life, min(linked) AS known, arg_min(first_linked, (linked, first_linked)) AS named
            FROM named GROUP BY life
        )
        SELECT e.*, n.known, n.named FROM eras e LEFT JOIN first_named n USING (life)""",
        {"far": FAR},
    )
    connection.execute("DROP TABLE own_links")
    connection.execute("DROP TABLE eras")
