"""Lookalike: somebody joins the seed, asked of everybody who has not, anonymous visitors included.

The seed's own rows end before its members joined, so that what is imitated is how they behaved *before* they became
customers. The others are unlabelled rather than negative: some of them are future members. That lowers the
probabilities, and leaves the order, which is what a segment is cut from.
"""

import duckdb

from core.model_settings import LookalikeSettings
from training.outcomes.deals import create_states
from training.outcomes.lead import joined_after
from training.outcomes.outcome import Outcome

_SEED = """
CREATE OR REPLACE TEMP TABLE seed AS
SELECT DISTINCT p.customer_id AS person, d.deal_id, d.closed_at
FROM deals d JOIN deal_people p USING (deal_id)
WHERE d.outcome = 'won' AND d.closed_at IS NOT NULL AND ($amount IS NULL OR d.amount >= $amount)
"""


def _suited(connection: duckdb.DuckDBPyConnection, rules: LookalikeSettings) -> None:
    # Whoever was won with a small deal is no prospect either, whatever the seed asks for.
    del rules
    create_states(connection, by_account=False)
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE suited_at AS
        SELECT k.customer_id, k.as_of
        FROM (SELECT DISTINCT customer_id, as_of FROM nodes_at) k
        LEFT JOIN states_at s USING (customer_id, as_of)
        WHERE NOT coalesce(s.won, false)
        """
    )


def _labelled(connection: duckdb.DuckDBPyConnection, rules: LookalikeSettings) -> str:
    connection.execute(_SEED, {"amount": rules.label.min_amount})
    return joined_after("seed", rules.label.horizon_days)


LOOKALIKE = Outcome(anonymous=True, suited=_suited, labelled=_labelled)
