"""A company's own fields, from a snapshot to a feature: known from when the configuration declares, and not before."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from core.settings import load_settings
from core.storage import Workspace
from core.tables import MOMENT
from customers.unify import unify_customers
from features.build import build_features

CREATED, CHANGED = datetime(2025, 1, 10, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
EXPORTED = datetime(2025, 6, 1, tzinfo=UTC)
# One person; the budget was 10 until it was raised to 99 in March, the other two never changed as far as anybody knows.
LEADS = "id,email,created,plan,tier,budget\n1,taro@alpha.example.jp,2025-01-10T00:00:00Z,gold,vip,99\n"
# A log tells nothing of the time before its first line, which here is about somebody else.
CHANGES = "lead,field,old,new,at\n2,Budget,,5,2025-01-02T00:00:00Z\n1,Budget,10,99,2025-03-01T00:00:00Z\n"
CONFIGURATION: dict[str, Any] = {
    "as_of": EXPORTED.isoformat(),
    "sources": [
        {
            "name": "leads",
            "system": "crm",
            "path": "{home}/leads.csv",
            "exported_at": EXPORTED.isoformat(),
            "people": {
                "id": "id",
                "created_at": "created",
                "fields": {"email": "email"},
                "custom": {
                    "plan": {"column": "plan", "type": "category"},
                    "tier": {"column": "tier", "type": "category", "known_at": "created"},
                    "budget": {"column": "budget", "type": "number", "known_at": "history"},
                },
            },
        },
        {
            "name": "changes",
            "system": "crm",
            "path": "{home}/changes.csv",
            "history": {
                "person": "lead",
                "field": {"column": "field", "map": {"Budget": "budget"}},
                "old": "old",
                "new": "new",
                "changed_at": "at",
            },
        },
    ],
    "models": {"lead": {}},
}


def test_a_custom_field_is_known_from_when_it_is_declared_to_be(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text(LEADS, encoding="utf-8")
    (tmp_path / "changes.csv").write_text(CHANGES, encoding="utf-8")
    (tmp_path / "company.yaml").write_text(yaml.safe_dump(CONFIGURATION), encoding="utf-8")
    settings = load_settings(tmp_path / "company.yaml").model_copy(update={"home": tmp_path})
    workspace = Workspace(tmp_path)
    unify_customers(settings, workspace, run="r")
    people = workspace.read_table("customers", ["customer_id", "email"]).to_pylist()
    (customer,) = [person["customer_id"] for person in people if person["email"]]
    moments = [CREATED + timedelta(days=1), CHANGED + timedelta(days=1), EXPORTED + timedelta(days=1)]
    asked = {"customer_id": pa.array([customer] * 3), "as_of": pa.array(moments, MOMENT)}
    build_features(settings, workspace, pa.table(asked))
    rows = pq.read_table(workspace.current("features") / "custom.parquet").to_pylist()
    found = [(row["custom_plan"], row["custom_tier"], row["custom_budget"]) for row in rows]
    # What a snapshot shows counts from its export on, unless it never changes, or a log tells since when.
    assert found == [(None, "vip", 10.0), (None, "vip", 99.0), ("gold", "vip", 99.0)]
