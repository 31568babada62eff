"""A small company, trained and scored, as serving finds it: a champion, features and records online, scores, keys."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from core.clock import FixedClock
from core.database import open_database
from core.settings import Settings, load_settings
from core.storage import Workspace, write_parquet
from core.tables import TABLES
from features.build import build_features
from features.materialise import materialise_online
from features.store import apply_definitions
from scoring.score import score_customers
from serving.app import create_app, guarded
from serving.directory import publish_directory
from serving.keys import create_key
from serving.runtime import Runtime
from training.spine import build_spine, scoring_moments
from training.train import train_model

START = datetime(2024, 1, 1, tzinfo=UTC)
MONTHS = 15
NOW = START + timedelta(days=30 * MONTHS)
CLOCK = FixedClock(NOW + timedelta(hours=1))
PEOPLE = 420
# People with a part of their own: who refused profiling, who was never named, and whose older id was merged away.
REFUSED, MERGED = 3, 5
FAMILY_NAMES = ("佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺")
GIVEN_NAMES = ("太郎", "花子", "一郎", "美咲", "健", "直子")


@dataclass(frozen=True)
class Served:
    """What the tests of serving work with."""

    config: Path
    settings: Settings
    workspace: Workspace
    keys: dict[str, str]

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The list of scores, best first."""
        listed: list[dict[str, Any]] = pq.read_table(
            self.workspace.current("scores/lead") / "scores.parquet"
        ).to_pylist()
        return listed

    def record_of(self, customer_id: str) -> str:
        """The marketo id behind a customer id."""
        return "m" + str(int(customer_id.removeprefix("c_")))


class Browser:
    """Calls an application in this process; keeps headers and cookies from call to call."""

    def __init__(self, app: Any, runtime: Runtime) -> None:
        self._app = app
        self.runtime = runtime
        self.headers: dict[str, str] = {}
        self.cookies = httpx.Cookies()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One call; redirects are not followed."""
        headers = {**self.headers, **more.pop("headers", {})}

        async def call() -> httpx.Response:
            # Errors of the application must have become answers by the time they leave it.
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://kizashi.test", cookies=self.cookies
            ) as client:
                response = await client.request(method, path, headers=headers, **more)
                self.cookies = client.cookies
                return response

        return asyncio.run(call())

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """A POST."""
        return self.request("POST", path, **more)


def company_tables(people: int = PEOPLE, seed: int = 1) -> dict[str, list[dict[str, Any]]]:
    """People with a hidden interest that rises at times, shows in visits, and turns into deals won."""
    rng = np.random.default_rng(seed)
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for number in range(people):
        customer = f"c_{number:05d}"
        seen = START + timedelta(days=float(rng.uniform(0, 30 * (MONTHS - 3))))
        record = {"customer_id": customer, "system": "marketo", "source_id": f"m{number}"}
        link = {"customer_id": customer, "rule": "source", "probability": 1.0, "linked_at": seen, "run": "r"}
        tables["customers"].append(
            {
                "customer_id": customer,
                "kind": "known",
                "email": f"person{number}@example.jp",
                "last_name": FAMILY_NAMES[number % 6],
                "first_name": GIVEN_NAMES[number // 6 % 6],
                "company": f"<b>株式会社{number % 40}</b>",
                "consent_marketing": True,
                "consent_profiling": number != REFUSED,
                "consent_transfer": False,
                "records": 1,
                "first_seen_at": seen,
            }
        )
        tables["identities"].append({**link, "system": "marketo", "source_id": f"m{number}"})
        tables["identities"].append({**link, "system": "email", "source_id": f"person{number}@example.jp"})
        for field, value in (("industry", ["製造業", "小売業", "建設業"][number % 3]), ("prefecture", "東京都")):
            times = {"occurred_at": seen, "recorded_at": seen, "recorded_assumed": False}
            tables["attributes"].append({**record, "field": field, "value": value, **times})
        _months(tables, record, seen, rng)
    anonymous = {"customer_id": "c_anonymous", "kind": "anonymous", "records": 0, "first_seen_at": START}
    refused = {"customer_id": f"c_{REFUSED:05d}", "system": "marketo", "source_id": f"m{REFUSED}", "granted": False}
    tables["consents"].append(
        {
            **refused,
            "purpose": "profiling",
            "decided_at": NOW - timedelta(days=400),
            "recorded_at": NOW - timedelta(days=400),
        }
    )
    consents = {"consent_marketing": False, "consent_profiling": True, "consent_transfer": False}
    tables["customers"].append({**anonymous, **consents})
    cookie = {"system": "cookie", "source_id": "k/1", "customer_id": "c_anonymous", "rule": "source", "run": "r"}
    tables["identities"].append({**cookie, "probability": 1.0, "linked_at": START})
    change = {"old_id": "c_former", "new_id": f"c_{MERGED:05d}", "changed_at": NOW - timedelta(days=50)}
    gone = {**change, "old_id": "c_of_forgotten", "new_id": "c_forgotten"}
    tables["identity_changes"] += [{**row, "kind": "merge", "reason": "test", "run": "r"} for row in (change, gone)]
    return tables


def _months(tables: dict[str, list[dict[str, Any]]], record: dict[str, Any], seen: datetime, rng: Any) -> None:
    month = seen
    while month < NOW:
        interest = rng.random() < 0.2
        for kind, rate in (("/pricing", 2.5 if interest else 0.1), ("/blog", 2.0 if interest else 0.7)):
            for _ in range(int(rng.poisson(rate))):
                at = month + timedelta(days=float(rng.uniform(0, 30)))
                if at < NOW:
                    moments = {"occurred_at": at, "recorded_at": at, "recorded_assumed": False}
                    visit = {"event_id": f"e{len(tables['events'])}", "channel": "web", "type": "web_visit"}
                    url = f"https://example.com{kind}"
                    tables["events"].append({**record, **visit, **moments, "url": url, "is_bot": False})
        if rng.random() < (0.25 if interest else 0.01):
            closed = month + timedelta(days=float(rng.uniform(30, 60)))
            if closed < NOW:
                _win(tables, record, closed)
            return
        month += timedelta(days=30)


def _win(tables: dict[str, list[dict[str, Any]]], record: dict[str, Any], closed: datetime) -> None:
    deal, opened = f"d{len(tables['deals'])}", closed - timedelta(hours=2)
    moments = {"opened_at": opened, "closed_at": closed, "recorded_at": opened}
    tables["deals"].append({"deal_id": deal, "system": "salesforce", "outcome": "won", **moments})
    for stage, outcome, at in (("qualified", "open", opened), ("won", "won", closed)):
        entered = {"entered_at": at, "recorded_at": at}
        tables["deal_stages"].append({"deal_id": deal, "stage": stage, "outcome": outcome, **entered})
    tables["deal_people"].append({"deal_id": deal, **record, "recorded_at": opened})


def publish_company(workspace: Workspace, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Publish the tables as a generation of unified customers."""
    manifest = {"data_until": NOW.isoformat(), "as_of": NOW.isoformat()}
    with workspace.publish("customers", "test", manifest) as folder:
        for name, spec in TABLES.items():
            columns = {
                column: pa.array([row.get(column) for row in tables.get(name, [])], kind.type)
                for column, kind in spec.columns.items()
            }
            write_parquet(folder / f"{name}.parquet", spec.check(pa.table(columns)))


def write_config(folder: Path, home: Path, **more: Any) -> Path:
    """A configuration over a source that is never read."""
    config = {
        "home": str(home),
        "sources": [{"name": "s", "system": "marketo", "path": "none.csv", "people": {"id": "id"}}],
        # The company lies in the past of processes that read the machine's own clock.
        "features": {"windows_days": [7, 30], "ttl_days": 36_500},
        "models": {
            "lead": {
                "label": {"horizon_days": 30},
                "promotion": {"min_positives": 5, "max_ece": 0.3},
                "estimator": {"max_rounds": 60, "trials": 2},
            }
        },
        "hot": {"enter": 0.2, "leave": 0.1},
        **more,
    }
    path = folder / "company.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """The company with everything that a run leaves behind."""
    folder = tmp_path_factory.mktemp("served")
    config = write_config(folder, folder / "home")
    settings = load_settings(config)
    workspace = Workspace(settings.home)
    publish_company(workspace, company_tables())
    now = scoring_moments(settings, workspace, "lead")
    spine = build_spine(settings, workspace, "lead").moments
    build_features(settings, workspace, pa.concat_tables([spine, now]))
    apply_definitions(settings, workspace)
    assert train_model(settings, workspace, "lead", clock=CLOCK).promotion == "promoted"
    materialise_online(settings, workspace, NOW)
    score_customers(settings, workspace, "lead", now, clock=CLOCK)
    publish_directory(settings, workspace)
    engine = open_database(settings, workspace)
    keys = {
        scope: create_key(engine, f"{scope} key", [scope], clock=CLOCK).key for scope in ("score", "sales", "events")
    }
    engine.dispose()
    return Served(config, settings, workspace, keys)


@pytest.fixture
def own_served(served: Served, tmp_path: Path) -> Served:
    """A copy of the company that a test may damage."""
    home = tmp_path / "home"
    shutil.copytree(served.workspace.home, home, ignore=shutil.ignore_patterns("*.tmp", ".lock"))
    config = write_config(tmp_path, home)
    return Served(config, load_settings(config), Workspace(home), served.keys)


@pytest.fixture
def now() -> FixedClock:
    """The moment at which the tests ask."""
    return CLOCK


@pytest.fixture
def forget() -> Callable[[Served, str], None]:
    """Publish the company again without one person."""

    def without(served: Served, customer_id: str) -> None:
        tables = {name: served.workspace.read_table(name).to_pylist() for name in TABLES}
        publish_company(
            served.workspace,
            {name: [row for row in rows if row.get("customer_id") != customer_id] for name, rows in tables.items()},
        )

    return without


@pytest.fixture
def serve() -> Iterator[Callable[..., Browser]]:
    """Start the application over a workspace, without a process of its own."""
    opened: list[Runtime] = []

    def start(served: Served, scope: str | None = "score", **settings: Any) -> Browser:
        chosen = served.settings.model_copy(update=settings) if settings else served.settings
        runtime = Runtime.open(chosen, served.workspace, CLOCK)
        opened.append(runtime)
        client = Browser(guarded(create_app(), runtime), runtime)
        if scope is not None:
            client.headers["X-API-Key"] = served.keys[scope]
        return client

    yield start
    for runtime in opened:
        runtime.close()
