"""Ranking everybody by likeness to a group that somebody chose."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.errors import EvidenceError, NotFoundError
from core.settings import Settings
from core.storage import Workspace
from features.build import build_features
from features.store import apply_definitions
from training.lookalike import rank_alike
from training.spine import everyone_now

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEAVY = [f"c_{number:03d}" for number in range(0, 300, 3)]


@pytest.fixture
def company(publish_tables: Callable[..., Workspace], tmp_path: Path) -> tuple[Settings, Workspace]:
    """300 people, of whom every third looks at prices again and again; the last one may not be profiled."""
    tables: dict[str, list[dict[str, Any]]] = {"customers": [], "identities": [], "events": []}
    for number in range(300):
        customer = f"c_{number:03d}"
        heavy = customer in HEAVY
        record = {"customer_id": customer, "system": "cookie" if number % 2 else "crm", "source_id": f"s{number}"}
        first = NOW - timedelta(days=60)
        tables["customers"].append(
            {
                "customer_id": customer, "kind": "anonymous" if number % 2 else "known", "records": 1,
                "consent_marketing": False, "consent_profiling": number != 299, "consent_transfer": False,
                "first_seen_at": first,
            }
        )  # fmt: skip
        tables["identities"].append({**record, "rule": "source", "probability": 1.0, "linked_at": first, "run": "r"})
        for visit in range(6 if heavy else 2):
            at = first + timedelta(days=1 + visit + number / 300)
            tables["events"].append(
                {
                    "event_id": f"e{number}-{visit}", **record, "channel": "web", "type": "web_visit",
                    "occurred_at": at, "recorded_at": at, "recorded_assumed": False, "is_bot": False,
                    "url": "/pricing" if heavy else "/blog",
                }
            )  # fmt: skip
    workspace = publish_tables(data_until=NOW, **tables)
    settings = Settings.model_validate(
        {
            "name": "t",
            "home": tmp_path / "home",
            "sources": [{"name": "s", "system": "crm", "path": "none.csv", "people": {"id": "id"}}],
            "models": {"lookalike": {}},
        }
    )
    build_features(settings, workspace, everyone_now(settings, workspace))
    apply_definitions(settings, workspace)
    return settings, workspace


def test_those_who_behave_alike_come_first(company: tuple[Settings, Workspace]) -> None:
    # From all of them alike: when somebody came says nothing of how they behave.
    seed = [customer for place, customer in enumerate(HEAVY) if place % 5 < 3]
    ranking = rank_alike(*company, seed)
    found: list[str] = ranking["customer_id"].to_pylist()
    assert len(found) == 299 - 60
    assert not {*seed, "c_299"} & set(found)
    assert set(found[:40]) == {*HEAVY} - {*seed}
    assert ranking["likeness"].to_pylist() == sorted(ranking["likeness"].to_pylist(), reverse=True)
    assert rank_alike(*company, seed, size=5).equals(ranking.slice(0, 5))


def test_a_seed_that_cannot_be_imitated_is_refused(company: tuple[Settings, Workspace]) -> None:
    with pytest.raises(EvidenceError, match="the seed has 39 people; expected at least 40"):
        rank_alike(*company, HEAVY[:39])
    with pytest.raises(NotFoundError, match="1 of the seed are nobody who may be profiled today, c_299"):
        rank_alike(*company, [*HEAVY, "c_299"])
