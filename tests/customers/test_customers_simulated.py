"""The demonstration's exports: identity against the truth."""

from pathlib import Path

import pandas as pd
import pytest

from core.settings import load_settings
from core.storage import Workspace
from customers.unify import UnifySummary, unify_customers
from simulator import simulate_company


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulate_company(folder / "exports", customers=300, months=24, seed=11)
    return folder


def unify_demo(home: Path) -> tuple[Workspace, UnifySummary]:
    """Run conf/demo.yaml over the exports in another home."""
    settings = load_settings(Path("conf/demo.yaml")).model_copy(update={"home": home})
    workspace = Workspace(home)
    return workspace, unify_customers(settings, workspace, run="test")


@pytest.fixture(scope="module")
def unified(home: Path) -> tuple[Workspace, UnifySummary]:
    return unify_demo(home)


def test_every_row_of_every_export_is_accounted_for(home, unified):
    _, summary = unified
    assert summary.quarantined == 0
    assert summary.rows == sum(report.published for report in summary.sources)
    lines = (home / "exports" / "marketo" / "activities.csv").read_bytes().count(b"\n") - 1
    assert {report.file: report.rows for report in summary.sources}["activities.csv"] == lines
    assert summary.known + summary.anonymous == summary.customers
    assert 300 < summary.customers < 450


@pytest.fixture(scope="module")
def compared(home: Path, unified: tuple[Workspace, UnifySummary]) -> pd.DataFrame:
    """Each record of the truth with its true person and the one that was found."""
    workspace, _ = unified
    systems = {
        "marketo": "marketo",
        "salesforce_lead": "salesforce",
        "salesforce_contact": "salesforce",
        "web": "cookie",
        "product": "email",
        "shop": "shop",
    }
    truth = pd.read_parquet(home / "exports" / "truth" / "records.parquet")
    truth["system"] = truth["system"].map(systems)
    identities = workspace.read_table("identities").to_pandas()
    now = identities[identities["ended_at"].isna()]
    return truth.dropna(subset=["system"]).merge(now, on=["system", "source_id"])


def pairs(rows: pd.DataFrame, columns: list[str]) -> int:
    sizes = rows.groupby(columns).size()
    return int((sizes * (sizes - 1) // 2).sum())


def test_people_found_are_people_that_are(compared):
    found, true = pairs(compared, ["customer_id"]), pairs(compared, ["person_id"])
    both = pairs(compared, ["customer_id", "person_id"])
    assert both / found >= 0.995, "different people were merged"
    assert both / true >= 0.97, "records of one person were not found to be one"


def test_nobody_is_merged_at_a_shared_mailbox(home, compared):
    shared = pd.read_parquet(home / "exports" / "truth" / "shared_mailboxes.parquet")
    at_mailbox = compared[compared["person_id"].isin(shared["person_id"])]
    assert len(at_mailbox) > 5
    assert at_mailbox.groupby("customer_id")["person_id"].nunique().max() == 1


def test_gateway_clicks_are_found_and_people_s_are_not(home, unified):
    workspace, _ = unified
    traps = pd.read_parquet(home / "exports" / "truth" / "traps.parquet")
    planted = set("marketo_activities:" + traps.loc[traps["kind"] == "bot_click", "row_id"].astype(str))
    events = workspace.read_table("events").to_pandas().query("type == 'email_click'")
    is_planted = events["event_id"].isin(planted)
    assert events.loc[is_planted, "is_bot"].mean() > 0.95
    assert events.loc[~is_planted, "is_bot"].mean() < 0.01


def test_the_same_input_gives_the_same_bytes(home, unified, tmp_path):
    workspace, summary = unified
    (tmp_path / "exports").symlink_to(home / "exports")
    again, repeated = unify_demo(tmp_path)
    assert repeated == summary
    for name in ("customers", "identities", "attributes", "events", "deal_stages", "consents", "sources"):
        assert again.table_path(name).read_bytes() == workspace.table_path(name).read_bytes(), name


def test_a_second_run_in_the_same_workspace_changes_nobody(home, unified):
    workspace, _ = unified
    before = {name: workspace.read_table(name) for name in ("customers", "identities", "identity_changes")}
    unify_demo(home)
    for name, table in before.items():
        assert workspace.read_table(name).equals(table), name
