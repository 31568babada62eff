"""Account: what the people of the same company did, and the talks with that company, as known at each moment."""

from core.settings import Settings
from features.catalog import view_features
from features.event_facts import ACTIVE, counted_events_sql, flag_sql
from features.people_as_of import DAY
from features.views.deal import deal_states_sql
from features.views.profile import surviving_value_sql, visible_attributes_sql


def account_query(settings: Settings) -> str:
    """One row per moment of the batch; blank where no company was known.

    Members of a company at t are the people who owned, at t, a record for which the company had been stated by then.
    They are counted once per company and moment, not once per person and moment: large companies stay affordable.
    """
    windows = {feature.window_days for feature in view_features(settings, "account") if feature.window_days}
    days = max(windows)
    signals = settings.features.signals.items()
    intent = flag_sql(settings, *(name for name, signal in signals if signal.subject == "intent"))
    return f"""
WITH companies AS (
    SELECT moment, {surviving_value_sql("account_id")} AS account
    FROM ({visible_attributes_sql()}) WHERE field = 'account_id' GROUP BY moment
),
asked AS (
    SELECT row_number() OVER (ORDER BY account, at_us) AS place, account, at_us
    FROM (SELECT DISTINCT c.account, b.at_us FROM companies c JOIN batch_moments b USING (moment))
),
members AS (
    SELECT DISTINCT a.place, a.at_us, l.customer
    FROM asked a
    JOIN attribute_facts f ON f.field = 'account_id' AND f.value = a.account
        AND f.occurred < a.at_us AND f.recorded < a.at_us
    JOIN links l ON l.node = f.node AND l.linked < a.at_us AND (l.ended IS NULL OR l.ended >= a.at_us)
),
member_nodes AS (
    SELECT m.place, m.at_us, l.node
    FROM members m
    JOIN links l ON l.customer = m.customer
        AND l.linked < m.at_us AND (l.ended IS NULL OR l.ended >= m.at_us)
),
activity AS (
    SELECT own.place, own.customer, count(*) AS events, count(*) FILTER ({intent}) AS intents
    {counted_events_sql("members", days * DAY)} AND {flag_sql(settings, ACTIVE)}
    GROUP BY own.place, own.customer
),
company_activity AS (
    SELECT place, count(*) AS people, sum(events) AS events, sum(intents) AS intents FROM activity GROUP BY place
),
company_people AS (SELECT place, count(*) AS people FROM members GROUP BY place),
company_deals AS (
    SELECT DISTINCT n.place, n.at_us, d.deal
    FROM member_nodes n JOIN deal_links d ON d.node = n.node AND d.recorded < n.at_us
),{deal_states_sql("company_deals")},
deal_counts AS (
    SELECT place,
        count(*) FILTER (WHERE outcome = 'open') AS open_deals,
        count(*) FILTER (WHERE outcome = 'won') AS won_deals,
        count(*) FILTER (WHERE outcome = 'lost') AS lost_deals
    FROM known_deals GROUP BY place
)
SELECT c.moment,
    -- The person is one of the members.
    p.people - 1 AS colleagues,
    coalesce(t.people, 0) - CASE WHEN o.events IS NULL THEN 0 ELSE 1 END AS colleagues_active_{days}d,
    coalesce(t.events, 0) - coalesce(o.events, 0) AS colleague_events_{days}d,
    coalesce(t.intents, 0) - coalesce(o.intents, 0) AS colleague_intent_{days}d,
    coalesce(d.open_deals, 0) AS company_open_deals,
    coalesce(d.won_deals, 0) AS company_won_deals,
    coalesce(d.lost_deals, 0) AS company_lost_deals
FROM companies c
JOIN batch_moments b USING (moment)
JOIN asked a ON a.account = c.account AND a.at_us = b.at_us
JOIN company_people p ON p.place = a.place
LEFT JOIN company_activity t ON t.place = a.place
LEFT JOIN activity o ON o.place = a.place AND o.customer = b.customer
LEFT JOIN deal_counts d ON d.place = a.place
"""
