"""The two questions that make an outcome; each answers them in SQL of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb


@dataclass(frozen=True)
class Outcome:
    """What a model predicts.

    Attributes:
        anonymous: whether visitors whose name nobody knows yet are asked about, too.
        suited: who could be asked about at a moment, by what was visible then. It reads `nodes_at` (customer_id, as_of,
            system, source_id: the records that belonged to each customer at each moment) and the unified tables, and
            creates the temporary table `suited_at` (customer_id, as_of).
        labelled: what came of them, by today's truth. It reads `moments` (customer_id, as_of, person: today's id) and
            the unified tables, and returns a query of customer_id, as_of, person; label; outcome_id and outcome_at (the
            deal or agreement that decided, blank without one); settled (the outcome lay behind the moment in truth,
            though no system said so yet); sorted by as_of and customer_id.
        settings: the class of `core.model_settings` that `suited` and `labelled` are given.
    """

    anonymous: bool
    suited: Callable[[duckdb.DuckDBPyConnection, Any], None]
    labelled: Callable[[duckdb.DuckDBPyConnection, Any], str]
