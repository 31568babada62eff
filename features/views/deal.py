"""Deals: the talks a person was in at each moment, and what became of the earlier ones, from stage histories alone."""

from core.settings import Settings
from features.people_as_of import DAY


def deal_states_sql(asked: str) -> str:
    """Common table expressions that end in `known_deals`: what was known of each deal of `asked` (place, at_us, deal).

    A deal is known at t if it, or a stage of it, had been entered and recorded before t. Its state is the newest stage
    known then.
    """
    return f"""
stages AS (
    SELECT o.place, o.deal,
        arg_max(s.stage, s.position) AS stage,
        arg_max(s.outcome, s.position) AS outcome,
        arg_max(s.entered, s.position) AS entered,
        arg_max(s.amount, s.position) FILTER (WHERE s.amount IS NOT NULL) AS amount,
        count(DISTINCT s.stage) AS stages_passed,
        min(s.entered) AS first_entered
    FROM {asked} o JOIN stage_facts s ON s.deal = o.deal AND s.entered < o.at_us AND s.recorded < o.at_us
    GROUP BY o.place, o.deal
),
known_deals AS (
    SELECT o.place, o.at_us, o.deal, s.stage, coalesce(s.outcome, 'open') AS outcome, s.entered, s.amount,
           coalesce(s.stages_passed, 0) AS stages_passed,
           least(s.first_entered, CASE WHEN d.opened < o.at_us AND d.recorded < o.at_us THEN d.opened END) AS opened
    FROM {asked} o
    JOIN deal_facts d USING (deal)
    LEFT JOIN stages s ON s.place = o.place AND s.deal = o.deal
    WHERE s.deal IS NOT NULL OR (d.opened < o.at_us AND d.recorded < o.at_us)
)"""


def deal_query(settings: Settings) -> str:
    """One row per moment of the batch.

    A deal counts from the moment that the person's part in it was recorded.
    """
    del settings
    return f"""
WITH own_deals AS (
    SELECT DISTINCT b.moment AS place, b.at_us, l.deal
    FROM batch_nodes b JOIN deal_links l ON l.node = b.node AND l.recorded < b.at_us
),{deal_states_sql("own_deals")},
counted AS (
    SELECT place AS moment,
        count(*) AS deals_before,
        count(*) FILTER (WHERE outcome = 'open') AS open_deals,
        count(*) FILTER (WHERE outcome = 'won') AS won_before,
        count(*) FILTER (WHERE outcome = 'lost') AS lost_before,
        (any_value(at_us) - max(entered) FILTER (WHERE outcome = 'won')) / {DAY}.0 AS days_since_won,
        (any_value(at_us) - max(entered) FILTER (WHERE outcome = 'lost')) / {DAY}.0 AS days_since_lost
    FROM known_deals GROUP BY place
),
newest AS (
    SELECT *, place AS moment FROM known_deals WHERE outcome = 'open'
    QUALIFY row_number() OVER (PARTITION BY place ORDER BY opened DESC, deal DESC) = 1
),
-- Everyone who was in the newest open deal, as they were known then.
deal_members AS (
    SELECT n.moment, count(DISTINCT k.customer) AS deal_contacts
    FROM newest n
    JOIN deal_links l ON l.deal = n.deal AND l.recorded < n.at_us
    JOIN links k ON k.node = l.node AND k.linked < n.at_us AND (k.ended IS NULL OR k.ended >= n.at_us)
    GROUP BY n.moment
)
SELECT b.moment,
    coalesce(counted.open_deals, 0) AS open_deals,
    newest.stage AS deal_stage,
    (b.at_us - newest.entered) / {DAY}.0 AS days_in_stage,
    coalesce(newest.stages_passed, 0) AS stages_passed,
    (b.at_us - newest.opened) / {DAY}.0 AS deal_age_days,
    newest.amount AS deal_amount,
    coalesce(deal_members.deal_contacts, 0) AS deal_contacts,
    coalesce(counted.deals_before, 0) AS deals_before,
    coalesce(counted.won_before, 0) AS won_before,
    coalesce(counted.lost_before, 0) AS lost_before,
    counted.days_since_won,
    counted.days_since_lost
FROM batch_moments b
LEFT JOIN counted USING (moment)
LEFT JOIN newest USING (moment)
LEFT JOIN deal_members USING (moment)
"""
