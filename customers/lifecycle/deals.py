"""How each person's deals moved, in the order in which that became known."""

import duckdb

# Of stages entered in the same moment the closing one is the later.
_MOVES = """
CREATE TEMP TABLE deal_moves AS
WITH placed AS (
    SELECT deal_id, stage, outcome, epoch_us(entered_at) AS entered, epoch_us(recorded_at) AS recorded,
           row_number() OVER (PARTITION BY deal_id ORDER BY entered_at, outcome <> 'open', recorded_at, stage) AS place
    FROM deal_stages
), seen_before AS (
    SELECT *, greatest(entered, recorded) AS seen,
           max(place) OVER (PARTITION BY deal_id ORDER BY greatest(entered, recorded), place
                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newest_place
    FROM placed
), moves AS (
    -- An older stage that is entered into the system later does not move the deal any more.
    FROM seen_before WHERE newest_place IS NULL OR place > newest_place
)
SELECT deal_id, stage, outcome, entered, seen, place,
       lag(outcome) OVER (PARTITION BY deal_id ORDER BY place) AS former
FROM moves
"""
_PERSONS_MOVES = """
CREATE TEMP TABLE life_deals AS
WITH parts AS (
    SELECT l.life, p.deal_id, min(greatest(epoch_us(p.recorded_at), l.linked)) AS joined
    FROM deal_people p JOIN life_links l USING (system, source_id) GROUP BY ALL
), seen AS (
    SELECT p.life, p.deal_id, m.stage, m.outcome, m.former, m.entered, m.place,
           greatest(m.seen, p.joined, v.known) AS seen
    FROM parts p JOIN deal_moves m USING (deal_id) JOIN lives v USING (life)
    WHERE v.known IS NOT NULL AND greatest(m.seen, p.joined, v.known) < v.ends
)
SELECT *, sum((outcome = 'open')::INTEGER - coalesce(former = 'open', false)::INTEGER) OVER so_far AS open_deals,
       sum((outcome = 'won')::INTEGER - coalesce(former = 'won', false)::INTEGER) OVER so_far AS won_deals
FROM seen
WINDOW so_far AS (PARTITION BY life ORDER BY seen, entered, place, deal_id
                  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
"""
WHEN = {
    "opened": "outcome = 'open' AND former IS NULL AND won_deals = 0",
    "reopened": "outcome = 'open' AND former IN ('won', 'lost') AND won_deals = 0",
    "stage": "outcome = 'won' OR won_deals = 0",
    "won": "outcome = 'won' AND former IS DISTINCT FROM 'won'",
    "lost": "outcome = 'lost' AND former IS DISTINCT FROM 'lost' AND open_deals = 0 AND won_deals = 0",
}
"""What the conditions on deals mean, over `life_deals`."""


def build_life_deals(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `life_deals`: one row for each move of a deal of a person that the person's life saw.

    `seen` is when it was known that the deal had moved and that the person has a part in it; `open_deals` and
    `won_deals` count the person's deals after it, as far as they were known then. Times are microseconds.
    """
    connection.execute(_MOVES)
    connection.execute(_PERSONS_MOVES)
    connection.execute("DROP TABLE deal_moves")
