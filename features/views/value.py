"""Value: what somebody has brought so far, and what may still be expected of them as a buyer."""

from core.settings import Settings
from features.detail_facts import PURCHASE, RETURN
from features.people_as_of import DAY
from features.views.deal import deal_states_sql

EXPECTED_DAYS = 365
# A month of an agreement, in days: a year has twelve of them.
_MONTH_DAYS = 30.4375


def value_query(settings: Settings) -> str:
    """One row per moment of the batch; purchases of the two years before it, all that was known of deals and contracts.

    The chance that a buyer is still one, and the rate at which they would buy, follow the BG/NBD model for x purchases
    after the first one, the last of them t_x days after the first, seen for T days. With the parameters r, alpha, a, b:

        alive = 1 / (1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x)), and 1 while x is 0
        rate  = (r + x) / (alpha + T)

    (Fader, Hardie and Lee: "Counting Your Customers the Easy Way", Marketing Science 24/2, 2005; "Computing P(alive)
    using the BG/NBD model", 2008.) Expected value is alive * rate * 365 days * average amount: it leaves out that a
    buyer may stop within that year, so it orders buyers rather than forecasts a budget.
    """
    rules = settings.features.value
    return f"""
WITH bought AS (
    SELECT moment,
        sum(CASE WHEN deed = '{PURCHASE}' THEN amount_hundredths ELSE -amount_hundredths END) AS net,
        sum(amount_hundredths) FILTER (WHERE deed = '{PURCHASE}')::DOUBLE
            / count(amount_hundredths) FILTER (WHERE deed = '{PURCHASE}')::DOUBLE / 100.0 AS basket,
        count(DISTINCT local_day) FILTER (WHERE deed = '{PURCHASE}') - 1 AS x,
        (max(age) FILTER (WHERE deed = '{PURCHASE}') - min(age) FILTER (WHERE deed = '{PURCHASE}')) / {DAY}.0 AS t_x,
        max(age) FILTER (WHERE deed = '{PURCHASE}') / {DAY}.0 AS t
    FROM visible_details WHERE deed IN ('{PURCHASE}', '{RETURN}') GROUP BY moment
),
buyers AS (
    SELECT *, CASE WHEN x = 0 THEN 1.0 WHEN x > 0 THEN
        1 / (1 + {rules.dropout_a} / ({rules.dropout_b} + x - 1)
            * pow(({rules.rate_scale_days} + t) / ({rules.rate_scale_days} + t_x), {rules.rate_shape} + x))
        END AS alive
    FROM bought
),
own_deals AS (
    SELECT DISTINCT b.moment AS place, b.at_us, l.deal
    FROM batch_nodes b JOIN deal_links l ON l.node = b.node AND l.recorded < b.at_us
),{deal_states_sql("own_deals")},
won AS (
    SELECT place AS moment, sum(TRY_CAST(round(amount * 100) AS BIGINT)) AS amount
    FROM known_deals WHERE outcome = 'won' GROUP BY place
),
paid AS (
    SELECT moment, sum(amount_hundredths * days)::DOUBLE / {_MONTH_DAYS} AS amount
    FROM (
        -- An agreement is paid for each day that it was seen to run; whole days keep the sum exact.
        SELECT DISTINCT b.moment, c.contract, TRY_CAST(round(c.recurring_amount * 100) AS BIGINT) AS amount_hundredths,
            greatest(least(b.at_us, coalesce(c.cancelled, b.at_us), coalesce(c.term_end, b.at_us)) - c.started, 0)
                // {DAY} AS days
        FROM batch_nodes b
        JOIN contract_facts c ON c.node = b.node AND c.started < b.at_us AND c.recorded < b.at_us
            AND c.terms_recorded < b.at_us
    )
    GROUP BY moment
)
SELECT b.moment,
    coalesce(buyers.net, 0)::DOUBLE / 100.0 AS value_purchases,
    coalesce(won.amount, 0)::DOUBLE / 100.0 AS value_deals,
    coalesce(paid.amount, 0)::DOUBLE / 100.0 AS value_contracts,
    buyers.alive AS value_alive,
    buyers.alive * ({rules.rate_shape} + buyers.x) / ({rules.rate_scale_days} + buyers.t)
        * {EXPECTED_DAYS} * buyers.basket AS value_expected_{EXPECTED_DAYS}d
FROM batch_moments b
LEFT JOIN buyers USING (moment)
LEFT JOIN won USING (moment)
LEFT JOIN paid USING (moment)
"""
