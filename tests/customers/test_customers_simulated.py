"""The demonstration's exports: identity against the truth, and an export taken earlier against one taken later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pytest
import yaml

from core.settings import load_settings
from core.storage import Workspace
from customers.unify import UnifySummary, unify_customers
from simulator import simulate_company

CUT = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = datetime(2026, 9, 30, 15, tzinfo=UTC)
_FIELD_OF_CHANGE = {"Email Address": "email"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulate_company(folder / "exports", customers=300, months=24, seed=11)
    return folder


def unify_demo(home: Path, exported_at: datetime | None = None) -> tuple[Workspace, UnifySummary]:
    """Run conf/demo.yaml over the exports in another home."""
    configuration = yaml.safe_load(Path("conf/demo.yaml").read_text(encoding="utf-8"))
    if exported_at:
        for source in configuration["sources"]:
            source["exported_at"] = exported_at.isoformat()
    (home / "demo.yaml").write_text(yaml.safe_dump({**configuration, "home": str(home)}, allow_unicode=True))
    workspace = Workspace(home)
    return workspace, unify_customers(load_settings(home / "demo.yaml"), workspace, run="test")


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
    assert both / found >= 0.99, "different people were merged"
    assert both / true >= 0.90, "records of one person were not found to be one"


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


def text_frame(path: Path, encoding: str = "utf-8-sig") -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding=encoding)


def recorded_before(frame: pd.DataFrame, column: str, zone: str = "UTC") -> pd.DataFrame:
    """The rows that were there at the cut; a day counts at its end."""
    times = pd.to_datetime(frame[column], format="mixed")
    times = times.dt.tz_localize(zone) if times.dt.tz is None else times
    whole_days = frame[column].str.len() == len("2026-03-01")
    return frame[(times + pd.to_timedelta(whole_days.astype(int), unit="D")) < CUT]


def taken_at_the_cut(source: Path, target: Path) -> Iterator[str]:
    """Write the exports as they would have been taken at the cut, from those that were taken at the end."""

    def copy(name: str, frame: pd.DataFrame, encoding: str = "utf-8") -> None:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(target / name, index=False, encoding=encoding)

    activities = text_frame(source / "marketo/activities.csv")
    early = recorded_before(activities, "activityDate")
    leads = recorded_before(text_frame(source / "marketo/leads.csv"), "createdAt").set_index("id", drop=False)
    late = activities.drop(early.index).query("activityTypeId == '13'").sort_values("activityDate", kind="stable")
    for change in late.drop_duplicates(["leadId", "primaryAttributeValue"]).itertuples():
        if change.leadId in leads.index:
            field = _FIELD_OF_CHANGE.get(change.primaryAttributeValue, change.primaryAttributeValue)
            leads.loc[change.leadId, field] = yaml.safe_load(change.attributes)["Old Value"] or ""
    # Neither the time of a withdrawal nor that of a cookie is in the extract.
    leads["unsubscribed"], leads["cookies"] = "false", ""
    copy("marketo/leads.csv", leads)
    copy("marketo/activities.csv", early)
    for name, column in (
        ("web/visits.csv", "recorded_at"),
        ("product/usage.csv", "recorded_at"),
        ("consents/consents.csv", "at"),
        ("billing/contracts.csv", "start_date"),
        ("salesforce/User.csv", ""),
        ("salesforce/Campaign.csv", "CreatedDate"),
        ("salesforce/Account.csv", "CreatedDate"),
        ("salesforce/CampaignMember.csv", "CreatedDate"),
        ("salesforce/Contact.csv", "CreatedDate"),
        ("salesforce/OpportunityContactRole.csv", "CreatedDate"),
        ("salesforce/OpportunityHistory.csv", "CreatedDate"),
        ("salesforce/Task.csv", "CreatedDate"),
    ):
        frame = text_frame(source / name)
        copy(name, recorded_before(frame, column, "Asia/Tokyo") if column else frame)
        yield name
    crm_leads = recorded_before(text_frame(source / "salesforce/Lead.csv"), "CreatedDate")
    days = pd.to_datetime(crm_leads["ConvertedDate"]).dt.tz_localize("Asia/Tokyo") + timedelta(days=1)
    converted = [name for name in crm_leads if name.startswith("Converted")]
    crm_leads.loc[~(days < CUT), converted] = ""
    crm_leads.loc[~(days < CUT), "IsConverted"] = "false"
    copy("salesforce/Lead.csv", crm_leads)
    stages = text_frame(target / "salesforce/OpportunityHistory.csv").groupby("OpportunityId")["StageName"].last()
    deals = recorded_before(text_frame(source / "salesforce/Opportunity.csv"), "CreatedDate").copy()
    deals["StageName"] = deals["Id"].map(stages).fillna("商談化")
    copy("salesforce/Opportunity.csv", deals)
    sales = text_frame(source / "shop/pos.csv", "cp932")
    copy("shop/pos.csv", recorded_before(sales, "購入日時", "Asia/Tokyo"), "cp932")
    book = openpyxl.load_workbook(source / "tradefair/cards.xlsx")
    sheet = book.worksheets[0]
    column = [cell.value for cell in sheet[1]].index("登録日")
    first_day_after = CUT.replace(tzinfo=None) - timedelta(hours=15)
    for row in range(sheet.max_row, 1, -1):
        if sheet.cell(row, column + 1).value >= first_day_after:
            sheet.delete_rows(row)
    (target / "tradefair").mkdir(parents=True)
    book.save(target / "tradefair/cards.xlsx")


def visible_at_the_cut(workspace: Workspace) -> dict[str, list[tuple[object, ...]]]:
    """All that an as-of question at the cut can see."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        workspace.tables(connection)
        limit = f"TIMESTAMPTZ '{CUT.isoformat()}'"
        queries = {
            "people": f"""SELECT customer_id, system, source_id FROM identities
                WHERE linked_at < {limit} AND (ended_at IS NULL OR ended_at >= {limit})""",
            "attributes": f"""SELECT * EXCLUDE (customer_id) FROM attributes
                WHERE occurred_at < {limit} AND recorded_at < {limit}""",
            "events": f"""SELECT * EXCLUDE (customer_id) FROM events
                WHERE occurred_at < {limit} AND recorded_at < {limit}""",
            "stages": f"SELECT * FROM deal_stages WHERE entered_at < {limit} AND recorded_at < {limit}",
            "deal_people": f"""SELECT deal_id, system, source_id, recorded_at FROM deal_people
                WHERE recorded_at < {limit}""",
            "consents": f"SELECT * EXCLUDE (customer_id) FROM consents WHERE decided_at < {limit} AND system = 'email'",
        }
        return {name: connection.execute(f"FROM ({query}) ORDER BY ALL").fetchall() for name, query in queries.items()}


def test_an_export_taken_later_tells_the_same_about_the_past(home, tmp_path):
    written = list(taken_at_the_cut(home / "exports", tmp_path / "early/exports"))
    assert written
    (tmp_path / "late").mkdir()
    (tmp_path / "late/exports").symlink_to(home / "exports")
    early = visible_at_the_cut(unify_demo(tmp_path / "early", CUT)[0])
    late = visible_at_the_cut(unify_demo(tmp_path / "late", UNTIL)[0])
    assert len(early["events"]) > 1000
    for name, rows in early.items():
        missing, added = sorted(set(rows) - set(late[name]), key=str), sorted(set(late[name]) - set(rows), key=str)
        assert not missing, f"{name}: {len(missing)} seen only in the early export, such as {missing[:3]}"
        assert not added, f"{name}: {len(added)} seen only in the late export, such as {added[:3]}"
