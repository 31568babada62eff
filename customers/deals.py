"""Deals, the stages they went through and the people in them, from systems with and without a stage history."""

import duckdb


def build_deals(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `deals`, `deal_stages` and `deal_people`.

    `deal_stages` is complete for every deal: an `open` stage is added at the opening and a `won` or `lost` one at the
    closing where no history tells them. The outcome is the mapped one, else the newest stage's.
    """
    connection.execute("CREATE TABLE staged_stages AS SELECT DISTINCT * FROM staged.deal_stages")
    connection.execute(
        """CREATE TABLE newest_stages AS
        SELECT deal_id, outcome AS stage_outcome, entered_at AS stage_at FROM staged_stages
        QUALIFY row_number() OVER (PARTITION BY deal_id ORDER BY entered_at DESC, recorded_at DESC, outcome DESC,
                                   stage DESC) = 1"""
    )
    connection.execute(
        """CREATE TABLE deals AS
        WITH told AS (
            SELECT d.*, exported_at, n.stage_at, n.stage_outcome,
                   coalesce(d.outcome, n.stage_outcome, 'open') AS final_outcome
            FROM (FROM staged.deals QUALIFY row_number() OVER (
                    PARTITION BY deal_id ORDER BY system, recorded_at, opened_at, outcome, amount) = 1) d
            JOIN exports USING (source) LEFT JOIN newest_stages n USING (deal_id)
        )
        SELECT deal_id, system, account_id, owner_id, campaign_id, final_outcome AS outcome, opened_at,
               CASE WHEN final_outcome = 'open' THEN NULL
                    -- The history knows the moment; a closing date is a day, and often a plan.
                    WHEN stage_outcome = final_outcome THEN stage_at
                    ELSE greatest(coalesce(closed_at, stage_at, opened_at), opened_at) END AS closed_at,
               -- A closing that an export shows was known when it was taken, even where only its day is told.
               least(coalesce(closed_known_at, closed_at, opened_at), exported_at) AS closed_known_at,
               recorded_at, amount, CASE WHEN final_outcome = 'lost' THEN lost_reason END AS lost_reason
        FROM told"""
    )
    connection.execute(
        """CREATE TABLE deal_stages AS
        SELECT s.deal_id, s.stage, s.outcome, s.entered_at, s.recorded_at, s.amount
        FROM staged_stages s SEMI JOIN deals USING (deal_id)
        UNION ALL
        -- Where no stage was known when the deal itself was: also for histories that were entered late.
        SELECT d.deal_id, 'open', 'open', d.opened_at, d.recorded_at, NULL
        FROM deals d ANTI JOIN staged_stages s
            ON s.deal_id = d.deal_id AND s.entered_at <= d.opened_at AND s.recorded_at <= d.recorded_at
        UNION ALL
        SELECT d.deal_id, d.outcome, d.outcome, d.closed_at,
               greatest(d.closed_at, d.recorded_at, d.closed_known_at),
               CASE WHEN d.outcome = 'won' THEN d.amount END
        FROM deals d LEFT JOIN newest_stages n USING (deal_id)
        WHERE d.outcome <> 'open' AND n.stage_outcome IS DISTINCT FROM d.outcome"""
    )
    connection.execute(
        """CREATE TABLE deal_people AS
        SELECT p.deal_id, n.customer_id, p.system, p.source_id, max(p.role) AS role, min(p.recorded_at) AS recorded_at
        FROM deal_people_known p JOIN node_now n USING (system, source_id) GROUP BY ALL"""
    )
