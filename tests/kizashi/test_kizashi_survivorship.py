"""The golden record of today and the profile of this moment show the same values."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from core.tables import MOMENT
from customers.survivorship import build_golden_fields
from features.build import build_features
from tests.features.conftest import make_world

SHARED = ("industry", "department", "rank")
VALUES = {"industry": ["it", "food", ""], "department": ["sales", "it", None], "rank": ["staff", "manager"]}


@pytest.mark.parametrize("seed", range(3))
def test_survivorship_agrees_in_customers_and_features(
    seed: int, tmp_path: Path, publish_tables: Callable[..., Workspace]
) -> None:
    proofs = {"department": {}, "rank": {"before_systems": True}}
    settings = Settings.model_validate(
        {
            "name": "test",
            "home": tmp_path / "home",
            "sources": [{"name": "ma", "system": "ma", "path": "x.csv", "people": {"id": "id"}}],
            "survivorship": {"default": ["crm"], "fields": {"industry": ["ma", "crm"]}, "proofs": proofs},
        }
    )
    world = make_world(seed)
    fields = list(VALUES)
    for number, row in enumerate(world["attributes"]):
        field = fields[number % 3]
        # Whole exports share one moment: names alone tell such rows apart.
        same = {"occurred_at": world["attributes"][0]["occurred_at"]} if number % 2 else {}
        row |= {"field": field, "value": VALUES[field][number // 3 % len(VALUES[field])], **same}
        row["recorded_at"] = max(row["recorded_at"], row["occurred_at"]) if not same else row["occurred_at"]
    for number, row in enumerate(world["proofs"]):
        row |= {"field": fields[1 + number % 2], "value": VALUES[fields[1 + number % 2]][number // 2 % 2]}
    world["proofs"] = list({(row["field"], row["value"], row["recorded_at"]): row for row in world["proofs"]}.values())
    workspace = publish_tables(**world)
    end = max(row["recorded_at"] for rows in (world["attributes"], world["proofs"]) for row in rows)
    end = max(end, *(row["linked_at"] for row in world["identities"])) + timedelta(days=1)
    with connect_duckdb() as connection:
        for table in ("identities", "proofs"):
            connection.execute(f"CREATE TABLE {table} AS FROM read_parquet('{workspace.table_path(table)}')")
        connection.execute(
            f"""CREATE TABLE attributes AS
            SELECT a.* REPLACE (i.customer_id AS customer_id, nullif(a.value, '') AS value)
            FROM read_parquet('{workspace.table_path("attributes")}') a
            JOIN identities i USING (system, source_id) WHERE i.ended_at IS NULL"""
        )
        build_golden_fields(connection, settings)
        golden = {(person, field): value for person, field, value in connection.sql("FROM golden_fields").fetchall()}
        people = sorted(
            {row[0] for row in connection.sql("SELECT customer_id FROM identities WHERE ended_at IS NULL").fetchall()}
        )
    moments = pa.table({"customer_id": people, "as_of": pa.array([end] * len(people), MOMENT)})
    build_features(settings, workspace, moments)
    rows = pq.read_table(workspace.current("features") / "profile.parquet").to_pylist()
    shown = {(row["customer_id"], field): row[field] for row in rows for field in SHARED if row[field] is not None}
    assert shown == golden
    assert len(golden) > 20
