"""A small made-up company after its first run, with somebody in it whom all kinds of places speak of."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from filelock import FileLock
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.alert_tables import Alert, AlertState, OutboxMessage
from core.clock import FixedClock
from core.database import Base, open_database
from core.progress import SilentProgress
from core.settings import Settings, load_settings
from core.storage import Workspace, connect_duckdb
from features.store import apply_definitions
from kizashi.export import export_scores, export_segment
from kizashi.pipeline import run_pipeline
from simulator import simulate_company

ROOT = Path(__file__).parents[2]
CLOCK = FixedClock(datetime(2026, 11, 1, tzinfo=UTC))
# Known to marketing and sales, by address and browser; scored; merged from a younger id; of a name of their own.
PERSON = """
SELECT c.customer_id, any_value(c.full_name) AS name
FROM customers c JOIN identities i USING (customer_id)
WHERE i.ended_at IS NULL AND c.account_id IS NOT NULL
    AND c.customer_id IN (SELECT customer_id FROM read_parquet($scores))
    AND c.customer_id IN (SELECT new_id FROM identity_changes)
    AND c.customer_id IN (SELECT customer_id FROM attributes WHERE field = 'phone')
    AND c.full_name IN (SELECT full_name FROM customers GROUP BY full_name HAVING count(*) = 1)
GROUP BY ALL
HAVING count(DISTINCT i.system) FILTER (i.system IN ('marketo', 'salesforce', 'email', 'cookie')) = 4
ORDER BY c.customer_id LIMIT 2
"""


@dataclass(frozen=True)
class Ran:
    """A workspace after a run."""

    config: Path
    settings: Settings
    workspace: Workspace

    def run(self) -> Any:
        return run_pipeline(self.settings, self.workspace, clock=CLOCK, progress=SilentProgress())

    def people(self) -> list[str]:
        """Two people whom many places speak of."""
        scores = self.workspace.current("scores/lead") / "scores.parquet"
        connection = connect_duckdb()
        self.workspace.tables(connection)
        found = connection.execute(PERSON, {"scores": str(scores)}).fetchall()
        connection.close()
        assert len(found) == 2
        return [customer_id for customer_id, _ in found]


def write_config(folder: Path, home: Path, **more: Any) -> Path:
    content = {
        **yaml.safe_load((ROOT / "conf" / "demo.yaml").read_text(encoding="utf-8")),
        "home": str(home),
        # Few trees: what is tested here does not depend on how good the model is.
        "models": {"lead": {"estimator": {"max_rounds": 60, "early_stopping_rounds": 5, "trials": 1}}},
        "segments": {"best": {"model": "lead", "top_share": 1, "marketing": "ignore", "recipient": "own"}},
        **more,
    }
    path = folder / "company.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def raise_alert(ran: Ran, customer_id: str, name: str) -> None:
    """An alert and a message about somebody, as a night on which they turned hot leaves them."""
    now, who = CLOCK.now(), {"model": "lead", "customer_id": customer_id, "model_version": "1", "as_of": CLOCK.now()}
    alert = Alert(
        **who, alert_id=uuid4().hex, probability=0.5, score=90, grade="A", evidence="high", reasons=["a"],
        created_at=now, released_at=now, state="open",
    )  # fmt: skip
    message = OutboxMessage(
        message_id=uuid4().hex, alert_id=alert.alert_id, channel="crm", body=f'{{"name": "{name}"}}', created_at=now,
        state="delivered", attempts=1, next_attempt_at=now,
    )  # fmt: skip
    engine = open_database(ran.settings, ran.workspace)
    with Session(engine) as session, session.begin():
        session.add(alert)
        session.flush()
        session.add_all([message, AlertState(**who, hot=True)])
    engine.dispose()


@pytest.fixture(scope="session")
def small_exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exports of a company of 800 people, made once for all processes of a test run; nobody may change them."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = shared / "small-company"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            beside = folder.with_suffix(".tmp")
            simulate_company(beside, customers=800, months=24, seed=5)
            beside.rename(folder)
    return folder


@pytest.fixture(scope="session")
def ran(small_exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("ran")
    config = write_config(folder, folder / "home")
    shutil.copytree(small_exports, folder / "home" / "exports")
    settings = load_settings(config)
    company = Ran(config, settings, Workspace(settings.home))
    assert company.run().models["lead"].promotion == "promoted"
    return company


@pytest.fixture(scope="session")
def copy_of(ran: Ran) -> Callable[..., Ran]:
    """Copies the company with its finished run: to a home, under a configuration with whatever else is wanted."""

    def copy(folder: Path, **more: Any) -> Ran:
        home = folder / "home"
        shutil.copytree(ran.workspace.home, home, ignore=shutil.ignore_patterns(".lock"))
        config = write_config(folder, home, **more)
        settings = load_settings(config)
        # Feast knows its files by their absolute paths.
        apply_definitions(settings, Workspace(home))
        return Ran(config, settings, Workspace(home))

    return copy


@pytest.fixture
def own_ran(ran: Ran, copy_of: Callable[..., Ran], tmp_path: Path) -> Callable[[str | None], Ran]:
    """A copy of the company that a test may damage, with lists exported into it; its database where it is wanted."""

    def copy(database: str | None = None) -> Ran:
        company = copy_of(tmp_path, **({"database_url": database} if database else {}))
        settings, home = company.settings, company.workspace.home
        if database:
            _move_database(ran, company)
        export_scores(company.workspace, "lead", home / "scores.csv")
        export_segment(settings, company.workspace, "best", home / "best.xlsx")
        export_segment(settings, company.workspace, "best", home / "best.parquet")
        return company

    return copy


def _move_database(source: Ran, target: Ran) -> None:
    old, new = (open_database(company.settings, company.workspace) for company in (source, target))
    with old.connect() as reading, new.begin() as writing:
        for table in Base.metadata.sorted_tables:
            # Numbers that the database gives out are left to it.
            columns = [column for column in table.columns if column is not table.autoincrement_column]
            rows = [dict(row) for row in reading.execute(select(*columns)).mappings()]
            if rows:
                writing.execute(insert(table), rows)
    old.dispose()
    new.dispose()
    target.workspace.path("app.db").unlink()
