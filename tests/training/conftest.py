"""A small company whose wins really do depend on what people do, published as unified tables."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.settings import Settings
from core.storage import Workspace, write_parquet
from core.tables import TABLES

START = datetime(2024, 1, 1, tzinfo=UTC)
MONTHS = 15
NOW = START + timedelta(days=30 * MONTHS)


def sales_tables(people: int, seed: int, wins: bool = True) -> dict[str, list[dict[str, Any]]]:
    """People with a hidden interest that rises at times, shows in visits, and turns into deals won."""
    rng = np.random.default_rng(seed)
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("customers", "identities", "attributes", "events", "deals", "deal_stages", "deal_people")
    }
    industries = ["製造業", "小売業", "情報通信業", "建設業"]
    for number in range(people):
        customer, source = f"c_{number:05d}", f"m{number}"
        seen = START + timedelta(days=float(rng.uniform(0, 30 * (MONTHS - 3))))
        record = {"customer_id": customer, "system": "marketo", "source_id": source}
        industry = int(rng.integers(4))
        tables["customers"].append(
            {
                "customer_id": customer,
                "kind": "known",
                "consent_marketing": True,
                "consent_profiling": True,
                "consent_transfer": False,
                "records": 1,
                "first_seen_at": seen,
            }
        )
        tables["identities"].append({**record, "rule": "source", "probability": 1.0, "linked_at": seen, "run": "r"})
        tables["attributes"].append(
            {
                **record,
                "field": "industry",
                "value": industries[industry],
                "occurred_at": seen,
                "recorded_at": seen,
                "recorded_assumed": False,
            }
        )
        month = seen
        while month < NOW:
            interest = rng.random() < 0.15 + 0.05 * industry
            for kind, rate in (("/pricing", 2.0 if interest else 0.1), ("/blog", 2.0 if interest else 0.7)):
                for _ in range(int(rng.poisson(rate))):
                    at = month + timedelta(days=float(rng.uniform(0, 30)))
                    if at >= NOW:
                        continue
                    tables["events"].append(
                        {
                            **record,
                            "event_id": f"e{len(tables['events'])}",
                            "channel": "web",
                            "type": "web_visit",
                            "occurred_at": at,
                            "recorded_at": at,
                            "recorded_assumed": False,
                            "url": f"https://example.com{kind}",
                            "is_bot": False,
                        }
                    )
            if wins and rng.random() < (0.25 if interest else 0.01):
                closed = month + timedelta(days=float(rng.uniform(30, 60)))
                if closed < NOW:
                    _win(tables, record, closed)
                break
            month += timedelta(days=30)
    return tables


def _win(tables: dict[str, list[dict[str, Any]]], record: dict[str, Any], closed: datetime) -> None:
    deal = f"d{len(tables['deals'])}"
    opened = closed - timedelta(hours=2)
    tables["deals"].append(
        {
            "deal_id": deal,
            "system": "salesforce",
            "outcome": "won",
            "opened_at": opened,
            "closed_at": closed,
            "recorded_at": opened,
        }
    )
    for stage, outcome, at in (("qualified", "open", opened), ("won", "won", closed)):
        tables["deal_stages"].append(
            {"deal_id": deal, "stage": stage, "outcome": outcome, "entered_at": at, "recorded_at": at}
        )
    tables["deal_people"].append({"deal_id": deal, **record, "recorded_at": opened})


def publish(home: Path, tables: dict[str, list[dict[str, Any]]], until: datetime) -> Workspace:
    """Publish a generation of unified tables by hand."""
    workspace = Workspace(home)
    with workspace.publish("customers", "test", {"data_until": until.isoformat(), "as_of": until.isoformat()}) as at:
        for name, spec in TABLES.items():
            rows = tables.get(name, [])
            columns = {
                column: pa.array([row.get(column) for row in rows], kind.type) for column, kind in spec.columns.items()
            }
            write_parquet(at / f"{name}.parquet", spec.check(pa.table(columns)))
    return workspace


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., Settings]:
    """Settings over no source that is ever read, with a horizon of 30 days."""

    def make(home: Path, **overrides: Any) -> Settings:
        lead = {
            "label": {"horizon_days": 30},
            "promotion": {"min_positives": 10},
            # A search for the best shape would only take its time.
            "estimator": {"trials": 2},
            **overrides.pop("lead", {}),
        }
        return Settings(
            name="test",
            home=home,
            sources=({"name": "s", "system": "marketo", "path": "none.csv", "people": {"id": "id"}},),  # type: ignore[arg-type]  # read by pydantic
            models={"lead": lead},  # type: ignore[dict-item]  # read by pydantic
            **overrides,
        )

    return make


@pytest.fixture(scope="session")
def sales_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Workspace]:
    """Publish the company into a fresh workspace."""

    def make(people: int = 500, seed: int = 1, wins: bool = True) -> Workspace:
        home = tmp_path_factory.mktemp("world") / "home"
        return publish(home, sales_tables(people, seed, wins), NOW)

    return make
