"""Usage: how steadily and how widely somebody uses the product, against their own habit."""

from core.settings import Settings
from features.catalog import wide_windows
from features.detail_facts import USE
from features.people_as_of import DAY


def usage_query(settings: Settings) -> str:
    """One row per moment of the batch; windows are half-open, [t - N days, t), of exactly 24 hours a day.

    The habit is what somebody did between the two windows: uses in the longer one that lie before the shorter one.
    Days are those of the business time zone on which the product was used, and gaps lie between them.
    """
    short, long = wide_windows(settings)[0], settings.features.windows_days[-1]
    against = (
        f"""(c.recent * {long - short})::DOUBLE / nullif((c.uses - c.recent) * {short}, 0)::DOUBLE"""
        if long > short
        else "NULL::DOUBLE"
    )
    return f"""
WITH parts AS (
    SELECT moment, part, min(age) AS age, count(*) AS uses, count(*) FILTER (WHERE age <= {short * DAY}) AS recent
    FROM visible_details WHERE deed = '{USE}' AND age <= {long * DAY} GROUP BY moment, part
),
counted AS (
    SELECT moment, sum(uses) AS uses, sum(recent) AS recent, count(*) AS parts,
        count(*) FILTER (WHERE recent > 0) AS recent_parts, min(age) AS age
    FROM parts GROUP BY moment
),
days AS (
    SELECT moment, local_day, min(age) AS age
    FROM visible_details WHERE deed = '{USE}' AND age <= {long * DAY} GROUP BY moment, local_day
),
rhythm AS (
    SELECT moment, count(*) FILTER (WHERE age <= {short * DAY}) AS recent_days,
        (max(local_day) - min(local_day))::DOUBLE / nullif(count(*) - 1, 0)::DOUBLE AS mean_gap
    FROM days GROUP BY moment
)
SELECT b.moment,
    coalesce(r.recent_days, 0) AS usage_days_{short}d,
    coalesce(c.recent_parts, 0) AS usage_breadth_{short}d,
    c.recent_parts::DOUBLE / c.parts::DOUBLE AS usage_breadth_kept,
    {against} AS usage_against_habit,
    c.age / {DAY}.0 / r.mean_gap AS usage_lateness
FROM batch_moments b
LEFT JOIN counted c USING (moment)
LEFT JOIN rhythm r USING (moment)
"""
