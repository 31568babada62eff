"""Small random companies, written straight as unified tables."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.settings import Settings
from core.storage import Workspace
from core.tables import MOMENT

World = dict[str, list[dict[str, Any]]]
START = datetime(2025, 1, 1, tzinfo=UTC)
TYPES = (
    *("web_visit", "web_visit", "email_open", "email_delivered", "email_delivered", "email_click", "form_fill"),
    *("call", "task", "purchase", "purchase", "purchase_return", "product_use", "product_use"),
    *("support_ticket", "support_solved"),
)
STORES = (None, "north", "south", "Online shop")
URLS = ("https://a.example/pricing", "/Pricing?plan=1", "/case/3", "/help/x", "/blog/y/", None)
STAGES = ("met", "proposed", "agreed")


@pytest.fixture
def feature_settings(tmp_path: Path) -> Settings:
    """Short windows, an order of systems, and a custom field of each type."""
    custom = {
        "Budget": {"column": "b", "type": "number"},
        "plan": {"column": "p", "type": "category", "label": {"ja": "プラン", "en": "plan"}},
        "member": {"column": "m", "type": "boolean"},
        "renewal": {"column": "r", "type": "date"},
    }
    return Settings.model_validate(
        {
            "name": "test",
            "home": tmp_path / "home",
            "sources": [{"name": "ma", "system": "ma", "path": "x.csv", "people": {"id": "id", "custom": custom}}],
            "survivorship": {
                "default": ["crm", "ma"],
                "fields": {"industry": ["ma", "crm"]},
                "proofs": {"industry": {}, "plan": {"before_systems": True}},
            },
            "features": {"windows_days": [1, 7, 30], "ttl_days": 400, "support": {"solved": True}},
            "models": {"lead": {}, "churn": {}, "lookalike": {}},
        }
    )


@pytest.fixture
def wide_settings(feature_settings: Settings) -> Settings:
    """The same with a window longer than the one of variety, so that there is a habit to compare with."""
    wide = feature_settings.features.model_copy(update={"windows_days": (1, 7, 30, 50)})
    return feature_settings.model_copy(update={"features": wide})


@pytest.fixture(scope="session")
def random_world() -> Callable[[int], World]:
    """A company of about 25 people by seed, with late records, merges, key nodes, deals and consents."""
    return make_world


@pytest.fixture
def view_rows() -> Callable[[Workspace, str], pa.Table]:
    """The rows that were built for a view."""

    def read(workspace: Workspace, view: str) -> pa.Table:
        return pq.read_table(workspace.current("features") / f"{view}.parquet")

    return read


@pytest.fixture
def moments_table() -> Callable[[list[tuple[str, datetime]]], pa.Table]:
    """Moments as the builder takes them."""

    def make(moments: list[tuple[str, datetime]]) -> pa.Table:
        return pa.table(
            {
                "customer_id": pa.array([customer for customer, _ in moments], pa.string()),
                "as_of": pa.array([at for _, at in moments], MOMENT),
            }
        )

    return make


def make_world(seed: int, people: int = 25, days: int = 60) -> World:
    rng = random.Random(seed)  # noqa: S311 - a seeded test world needs no secrecy

    def moment(after: datetime | None = None) -> datetime:
        first = after or START
        whole = rng.random() < 0.1  # some facts fall exactly on the hour, where windows begin and end
        at = first + timedelta(seconds=rng.random() * days * 86400)
        return at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1) if whole else at

    def late(at: datetime) -> datetime:
        return at + timedelta(hours=rng.choice([0, 0, 0, 5, 200]))

    def properties(kind: str) -> str | None:
        told = {
            "purchase": {"store": rng.choice(STORES)},
            "product_use": {"feature": rng.choice(["report", "export", "api", None])},
            "support_ticket": {"ticket": f"t{rng.randrange(people * 2)}"},
            "support_solved": {"ticket": f"t{rng.randrange(people * 2)}"},
        }
        return json.dumps(told[kind]) if kind in told else None

    world: World = {
        name: []
        for name in (
            "identities",
            "identity_changes",
            "attributes",
            "proofs",
            "events",
            "deals",
            "deal_stages",
            "deal_people",
            "contracts",
            "consents",
        )
    }
    nodes: list[dict[str, Any]] = []
    for person in range(people):
        born = moment()
        customer = f"c_{person:03d}"
        merged_into = f"c_{rng.randrange(person):03d}" if person and rng.random() < 0.3 else None
        merged_at = moment(born)
        for number, system in enumerate(rng.sample(["crm", "ma", "email", "cookie", "cookie"], rng.randint(1, 4))):
            linked = born if number == 0 else moment(born)
            node = {"system": system, "source_id": f"{system}-{person}-{number}", "customer_id": customer}
            nodes.append({**node, "linked_at": linked})
            link = {**node, "rule": "test", "probability": 1.0, "run": "r", "linked_at": linked}
            if merged_into and merged_at > linked:
                world["identities"].append({**link, "ended_at": merged_at})
                world["identities"].append({**link, "customer_id": merged_into, "linked_at": merged_at})
            else:
                world["identities"].append(link)
        if merged_into:
            change = {"old_id": customer, "new_id": merged_into, "changed_at": merged_at}
            world["identity_changes"].append({**change, "kind": "merge", "reason": "test", "run": "r"})
    record = lambda: {k: v for k, v in rng.choice(nodes).items() if k != "linked_at"}  # noqa: E731 - reads best in place
    for number in range(people * 25):
        at = moment()
        world["events"].append(
            {
                "event_id": f"e{number}",
                **record(),
                "type": (kind := rng.choice(TYPES)),
                "channel": rng.choice(["shop", "web"]) if kind == "purchase" else "other",
                "occurred_at": at,
                "recorded_at": late(at),
                "recorded_assumed": False,
                "is_bot": rng.random() < 0.1,
                "url": rng.choice(URLS) if kind == "web_visit" else None,
                "amount": round(rng.random() * 100 - 5, 2) if kind.startswith("purchase") else None,
                "properties": properties(kind),
            }
        )
    for event in world["events"]:
        if event["is_bot"]:
            # What a machine did is found out at once, or hours later.
            event["bot_since"] = event["recorded_at"] + timedelta(hours=rng.choice([0, 0, 300]))
        elif rng.random() < 0.2:
            # Another system tells of the same, on any record: whoever owns both has one event.
            twin = rng.choice(world["events"])
            if twin["recorded_at"] < event["recorded_at"]:
                event["duplicate_of"] = twin["event_id"]
    values: dict[str, list[Any]] = {
        "industry": ["it", "food", "", None],
        "employees": ["10", "2,000", "many"],
        "mail_kind": ["business", "free"],
        "account_id": ["firm_1", "firm_2", "firm_3"],
        "Budget": ["5", "7.5", "nan"],
        "plan": ["a", "b"],
        "member": ["true", "no"],
        "renewal": ["2025-03-01", "2025-01-15T10:00:00+09:00"],
    }
    for _ in range(people * 8):
        at = moment()
        field = rng.choice(list(values))
        value = {"field": field, "value": rng.choice(values[field])}
        world["attributes"].append(
            {**record(), **value, "occurred_at": at, "recorded_at": late(at), "recorded_assumed": False}
        )
    for field in ("industry", "plan"):
        for value in values[field]:
            for _ in range(rng.randint(0, 3) if value else 0):
                proof = {
                    "field": field,
                    "value": value,
                    "verified": rng.random() < 0.5,
                    "occurred_at": (at := moment()),
                }
                world["proofs"].append({**record(), **proof, "recorded_at": late(at)})
    for number in range(people // 2):
        deal, opened = f"d{number}", moment()
        outcome = rng.choice(["open", "won", "lost"])
        row = {"deal_id": deal, "system": "crm", "outcome": outcome, "opened_at": opened, "recorded_at": late(opened)}
        world["deals"].append(row)
        at = opened
        for stage in rng.sample(STAGES, rng.randint(0, 3)):
            at += timedelta(days=rng.random() * 10)
            entry = {"deal_id": deal, "stage": stage, "outcome": "open", "entered_at": at, "recorded_at": late(at)}
            world["deal_stages"].append({**entry, "amount": rng.choice([None, 100.0, 250.5])})
        if outcome != "open":
            at += timedelta(days=rng.random() * 10)
            entry = {"deal_id": deal, "stage": outcome, "outcome": outcome, "entered_at": at}
            world["deal_stages"].append({**entry, "recorded_at": late(at)})
        for node in rng.sample(nodes, rng.randint(1, 3)):
            part = {k: v for k, v in node.items() if k != "linked_at"}
            world["deal_people"].append({"deal_id": deal, **part, "recorded_at": late(moment(opened))})
    for _ in range(people // 2):
        choice = {"purpose": rng.choice(["marketing", "transfer"]), "granted": rng.random() < 0.5}
        at = moment()
        world["consents"].append({**record(), **choice, "decided_at": at, "recorded_at": late(at)})
    for number in range(people):
        started = moment()
        known = late(started)
        ends, cancelled = (started + timedelta(days=rng.random() * 40) if rng.random() < 0.4 else None for _ in "ec")
        terms = {"plan": rng.choice(["S", "L", None]), "recurring_amount": rng.choice([None, 10.0, 20.5])}
        times = {"started_at": started, "ends_at": ends, "cancelled_at": cancelled, "recorded_at": known}
        world["contracts"].append(
            {"contract_id": f"k{number:03d}", **record(), **terms, **times, "terms_recorded_at": late(known)}
        )
    return world
