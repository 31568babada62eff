"""Warmth: through which channel, and at which time of the day, somebody answers."""

from core.settings import Settings
from features.catalog import HEAT_HALF_LIFE_DAYS
from features.people_as_of import DAY


def warmth_query(settings: Settings) -> str:
    """One row per moment of the batch.

    What was sent is answered if the next thing that happened on its channel was an answer: a mail that was opened and
    clicked counts once, and the share never exceeds one. Of things in the same microsecond the answer comes last.
    The warmest channel is that of the most answers, each counting half as much after every week that passed.
    """
    days = settings.features.windows_days[-1]
    channels = settings.features.channels
    since = "".join(f"\n        min(age) FILTER (WHERE answered_by = '{name}') AS {name}_age," for name in channels)
    shares = "".join(
        f",\n        count(*) FILTER (WHERE channel = '{name}' AND answered) AS {name}_answered,"
        f"\n        count(*) FILTER (WHERE channel = '{name}') AS {name}_sent"
        for name, channel in channels.items()
        if channel.sent
    )
    columns = "".join(
        f"\n    a.{name}_age / {DAY}.0 AS warmth_{name}_days_since,"
        + (
            f"\n    s.{name}_answered::DOUBLE / nullif(s.{name}_sent, 0)::DOUBLE AS warmth_{name}_answered_share,"
            if channel.sent
            else ""
        )
        for name, channel in channels.items()
    )
    # Billionths as whole numbers: their sum does not depend on the order of addition.
    warmth = f"CAST(round(pow(0.5, age / {HEAT_HALF_LIFE_DAYS * DAY}.0) * 1000000000) AS BIGINT)"
    return f"""
WITH answers AS (
    SELECT moment, age, answered_by, hours FROM visible_details WHERE answered_by IS NOT NULL
),
last_answers AS (
    SELECT moment,{since}
        count(*) AS answers
    FROM answers GROUP BY moment
),
channels AS (
    SELECT moment, arg_max(answered_by, (warmth, answered_by)) AS warmest
    FROM (SELECT moment, answered_by, sum({warmth}) AS warmth FROM answers GROUP BY moment, answered_by)
    GROUP BY moment
),
hours AS (
    SELECT moment, arg_max(hours, (answers, hours)) AS hours, max(answers)::DOUBLE / sum(answers)::DOUBLE AS share
    FROM (
        SELECT moment, hours, count(*) AS answers FROM answers WHERE age <= {days * DAY} GROUP BY moment, hours
    )
    GROUP BY moment
),
followed AS (
    SELECT moment, age, coalesce(sent_by, answered_by) AS channel, answered_by IS NULL AS sent,
        lead(answered_by IS NOT NULL) OVER (
            PARTITION BY moment, coalesce(sent_by, answered_by) ORDER BY age DESC, answered_by IS NOT NULL
        ) AS answered
    FROM visible_details WHERE sent_by IS NOT NULL OR answered_by IS NOT NULL
),
shares AS (
    SELECT moment{shares}
    FROM followed WHERE sent AND age <= {days * DAY} GROUP BY moment
)
SELECT b.moment,{columns}
    channels.warmest AS warmest_channel,
    hours.hours AS answer_hours,
    hours.share AS answer_hours_share
FROM batch_moments b
LEFT JOIN last_answers a USING (moment)
LEFT JOIN shares s USING (moment)
LEFT JOIN channels USING (moment)
LEFT JOIN hours USING (moment)
"""
