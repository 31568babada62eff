"""Purchases: how often, how much, how regularly and where somebody buys, and how much of it comes back."""

from core.settings import Settings
from features.detail_facts import PURCHASE, RETURN
from features.people_as_of import DAY


def purchase_query(settings: Settings) -> str:
    """One row per moment of the batch; only purchases of the two years before it are read.

    Regularity goes by days of the business time zone on which something was bought: several slips of one day are one
    visit. Gaps lie between such days; their variation is the standard deviation divided by the mean.
    """
    days = settings.features.windows_days[-1]
    return f"""
WITH counted AS (
    SELECT moment,
        count(*) FILTER (WHERE deed = '{PURCHASE}') AS purchases,
        count(*) FILTER (WHERE deed = '{RETURN}') AS returns,
        count(amount_hundredths) FILTER (WHERE deed = '{PURCHASE}') AS priced,
        sum(amount_hundredths) FILTER (WHERE deed = '{PURCHASE}') AS paid,
        sum(amount_hundredths) FILTER (WHERE deed = '{PURCHASE}' AND age <= {days * DAY}) AS paid_lately,
        count(DISTINCT store) AS stores,
        count(*) FILTER (WHERE online) AS online,
        min(age) FILTER (WHERE deed = '{PURCHASE}') AS age
    FROM visible_details WHERE deed IN ('{PURCHASE}', '{RETURN}') GROUP BY moment
),
-- Whole days: their sums and squares do not depend on the order of addition.
gaps AS (
    SELECT moment, local_day - lag(local_day) OVER (PARTITION BY moment ORDER BY local_day) AS gap
    FROM (SELECT DISTINCT moment, local_day FROM visible_details WHERE deed = '{PURCHASE}')
),
habit AS (
    SELECT moment, count(gap) AS gaps, sum(gap)::DOUBLE / count(gap) AS mean_gap,
        sqrt(greatest(count(gap) * sum(gap * gap) - sum(gap) * sum(gap), 0)::DOUBLE) / sum(gap)::DOUBLE AS variation
    FROM gaps GROUP BY moment HAVING count(gap) > 0
)
SELECT b.moment,
    coalesce(c.purchases, 0) AS purchases_before,
    coalesce(c.paid_lately, 0)::DOUBLE / 100.0 AS purchase_amount_{days}d,
    c.paid::DOUBLE / nullif(c.priced, 0) / 100.0 AS purchase_average_amount,
    h.mean_gap AS purchase_gap_days,
    CASE WHEN h.gaps > 1 THEN h.variation END AS purchase_gap_variation,
    c.age / {DAY}.0 / h.mean_gap AS purchase_lateness,
    -- `least` passes over blanks; the division after it does not.
    least(c.returns, c.purchases)::DOUBLE / nullif(c.purchases, 0)::DOUBLE AS purchase_return_share,
    coalesce(c.stores, 0) AS purchase_stores,
    c.online::DOUBLE / nullif(c.purchases, 0)::DOUBLE AS purchase_online_share
FROM batch_moments b
LEFT JOIN counted c USING (moment)
LEFT JOIN habit h USING (moment)
"""
