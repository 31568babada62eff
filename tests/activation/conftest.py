"""People, scores and receivers for the tests of alerts, on SQLite and on PostgreSQL."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import core.alert_tables  # noqa: F401 - makes its tables known before a database is opened
from core.activation_settings import ActivationSettings
from core.settings import Settings
from core.storage import Workspace, write_parquet
from tests.receiver import Receiver

# 10:00 in Tokyo: an hour or two later it is still the same business day.
START = datetime(2026, 3, 2, 1, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"o" * 32).decode()


@dataclass
class SteppingClock:
    """A clock that moves when the test says so."""

    moment: datetime = START

    def now(self) -> datetime:
        return self.moment

    def step(self, **span: float) -> None:
        self.moment += timedelta(**span)


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    def make(
        alerts: dict[str, Any] | None = None,
        channels: list[dict[str, Any]] | None = None,
        database_url: str | None = None,
        **others: Any,
    ) -> Settings:
        activation = ActivationSettings(alerts=alerts or {}, channels=channels or [], page_url="https://kz.example/")
        source = {"name": "crm", "system": "crm", "path": "x.csv", "people": {"id": "Id"}}
        return Settings(
            name="test",
            home=tmp_path / "home",
            sources=(source,),
            database_url=database_url,
            activation=activation,
            **others,
        )

    return make


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    monkeypatch.setenv("HOOK_SECRET", SECRET)

    def make(receiver: Receiver, **others: Any) -> dict[str, Any]:
        return {
            "kind": "webhook",
            "name": "crm",
            "url": receiver.url,
            "secret_env": "HOOK_SECRET",
            "allow_http": True,
            "allow_private_addresses": True,
            **others,
        }

    return make


def customer(customer_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "kind": "known",
        "last_name": "山田",
        "first_name": "花子",
        "company": "さくら商事",
        "email": f"{customer_id}@sakura.example",
        "mail_domain": "sakura.example",
        "consent_marketing": False,
        "consent_profiling": True,
        "consent_transfer": False,
        "records": 1,
        "first_seen_at": START - timedelta(days=400),
        **fields,
    }


@pytest.fixture
def make_customer() -> Callable[..., dict[str, Any]]:
    return customer


@pytest.fixture
def people(publish_tables: Callable[..., Workspace]) -> Callable[..., Workspace]:
    """Publish unified tables; without customers given: p1 to p6."""

    def publish(**tables: Any) -> Workspace:
        tables.setdefault("customers", [customer(f"p{n}") for n in range(1, 7)])
        return publish_tables(data_until=START, **tables)

    return publish


@pytest.fixture
def publish_scores() -> Callable[..., None]:
    """Put a list of scores in force: everybody's probability; hot from 0.25 on unless said otherwise."""

    def publish(
        workspace: Workspace,
        probabilities: dict[str, float],
        *,
        as_of: datetime = START,
        version: str = "1",
        status: str = "ok",
    ) -> None:
        rows = [
            {
                "customer_id": customer_id,
                "model": "lead",
                "status": status,
                "score": round(probability * 100),
                "probability": probability,
                "grade": "A",
                "fit": "A",
                "engagement": 4,
                "trend": "up",
                "delta_7d": 5,
                "hot": probability >= 0.25,
                "evidence": "high",
                "reason_1": "料金ページを7日間に3回閲覧",
                "reason_2": "セミナーに参加",
                "reason_3": "",
                "reason_4": "",
                "reason_5": "",
                "as_of": as_of,
                "scored_at": as_of,
                "model_version": version,
            }
            for customer_id, probability in probabilities.items()
        ]
        with workspace.publish("scores/lead", "test", {"version": version, "as_of": as_of.isoformat()}) as folder:
            write_parquet(folder / "scores.parquet", pa.Table.from_pylist(rows))

    return publish
