"""Contract: the agreements that a person held at each moment, and how long they have been a customer."""

from core.settings import Settings
from features.people_as_of import DAY


def contract_query(settings: Settings) -> str:
    """One row per moment of the batch.

    An agreement is known at t if it had started and been recorded before t, and runs unless it was cancelled, or its
    fixed term ended, before t. Its terms (plan, amount, end of the term) count from when they were known as they stand:
    whose end was not known yet was taken to be running.
    The next renewal is read by nobody: in an export it lies further ahead for those who stayed.
    """
    del settings
    return f"""
WITH own AS (
    SELECT DISTINCT b.moment, b.at_us, c.contract, c.started, c.cancelled,
        CASE WHEN c.terms_recorded < b.at_us THEN c.plan END AS plan,
        CASE WHEN c.terms_recorded < b.at_us THEN c.recurring_amount END AS recurring_amount,
        CASE WHEN c.terms_recorded < b.at_us THEN c.term_end END AS term_end
    FROM batch_nodes b
    JOIN contract_facts c ON c.node = b.node AND c.started < b.at_us AND c.recorded < b.at_us
),
held AS (
    SELECT *, (cancelled IS NULL OR cancelled >= at_us) AND (term_end IS NULL OR term_end >= at_us) AS running FROM own
)
SELECT moment,
    count(contract) FILTER (WHERE running) AS contracts_running,
    count(contract) FILTER (WHERE NOT running) AS contracts_ended,
    (any_value(b.at_us) - min(started)) / {DAY}.0 AS contract_tenure_days,
    (any_value(b.at_us) - max(started) FILTER (WHERE running)) / {DAY}.0 AS contract_age_days,
    (min(term_end) FILTER (WHERE running) - any_value(b.at_us)) / {DAY}.0 AS contract_days_to_end,
    arg_max(plan, (started, contract)) FILTER (WHERE running AND plan IS NOT NULL) AS contract_plan,
    sum(recurring_amount ORDER BY contract) FILTER (WHERE running) AS contract_recurring_amount
FROM batch_moments b LEFT JOIN held USING (moment) GROUP BY moment
"""
