"""What came of a customer after a moment, by today's knowledge."""

import duckdb
import pyarrow as pa

from core.model_settings import ModelName
from core.settings import Settings
from core.tables import MOMENT, TEXT
from training.outcomes import OUTCOMES

LABELLED_SCHEMA = pa.schema(
    [
        pa.field("customer_id", TEXT),
        pa.field("as_of", MOMENT),
        pa.field("person", TEXT),
        pa.field("label", pa.bool_()),
        pa.field("outcome_id", TEXT),
        pa.field("outcome_at", MOMENT),
        pa.field("settled", pa.bool_()),
    ]
)


def label_moments(
    connection: duckdb.DuckDBPyConnection, settings: Settings, model: ModelName, moments: pa.Table
) -> pa.Table:
    """Say for each moment whether the model's outcome came in [as_of, as_of + horizon).

    Unlike features, labels use today's truth: who turned out to be whom, and when it really happened.

    Args:
        connection: a DuckDB that sees the unified tables.
        settings: `models.<model>.label` says what counts.
        model: whose outcome is asked for.
        moments: customer_id, as_of, person (today's id of the customer).

    Returns:
        `moments` with label, the deal or agreement that decided (the earliest), when that was, and whether the outcome
        had in truth come before the moment already; sorted by as_of and customer_id.
    """
    connection.register("moments", moments)
    query = OUTCOMES[model].labelled(connection, settings.models[model])
    labelled: pa.Table = connection.sql(query).to_arrow_table()
    connection.unregister("moments")
    return labelled.cast(LABELLED_SCHEMA)
