"""An export taken earlier against one taken later: neither the tables nor the features of the past may differ."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from core.settings import Settings, load_settings
from core.storage import Workspace
from customers.unify import unify_customers
from features.build import build_features
from simulator import simulate_company
from training.marks import calendar_marks
from training.spine import build_spine

CUT = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = datetime(2026, 9, 30, 15, tzinfo=UTC)
_FIELD_OF_CHANGE = {"Email Address": "email"}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Settings, Workspace]]:
    """The same company's exports taken at the cut and seven months later, both unified."""
    folder = tmp_path_factory.mktemp("worlds")
    simulate_company(folder / "late/exports", customers=300, months=24, seed=11)
    assert list(taken_at_the_cut(folder / "late/exports", folder / "early/exports"))
    return {name: unified(folder / name, taken) for name, taken in (("early", CUT), ("late", UNTIL))}


def unified(home: Path, exported_at: datetime) -> tuple[Settings, Workspace]:
    """Run conf/demo.yaml over the exports in another home."""
    configuration = yaml.safe_load(Path("conf/demo.yaml").read_text(encoding="utf-8"))
    for source in configuration["sources"]:
        source["exported_at"] = exported_at.isoformat()
    (home / "demo.yaml").write_text(yaml.safe_dump({**configuration, "home": str(home)}, allow_unicode=True))
    settings, workspace = load_settings(home / "demo.yaml"), Workspace(home)
    unify_customers(settings, workspace, run="test")
    return settings, workspace


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
    # Neither the time of a withdrawal nor that of a cookie is in the extract: whatever stood there then, both are known
    # to us since the export only.
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
            "consents": f"""SELECT * EXCLUDE (customer_id) FROM consents
                WHERE decided_at < {limit} AND recorded_at < {limit}""",
        }
        return {name: connection.execute(f"FROM ({query}) ORDER BY ALL").fetchall() for name, query in queries.items()}


def test_the_past_is_told_the_same(worlds: dict[str, tuple[Settings, Workspace]]) -> None:
    early, late = (visible_at_the_cut(worlds[name][1]) for name in ("early", "late"))
    assert len(early["events"]) > 1000
    for name, rows in early.items():
        missing, added = sorted(set(rows) - set(late[name]), key=str), sorted(set(late[name]) - set(rows), key=str)
        assert not missing, f"{name}: {len(missing)} seen only in the early export, such as {missing[:3]}"
        assert not added, f"{name}: {len(added)} seen only in the late export, such as {added[:3]}"


def test_no_training_feature_of_the_past_differs(worlds: dict[str, tuple[Settings, Workspace]]) -> None:
    """Late rows, values filled in after the deal and later identity links come into view; nothing moves."""
    moments = past_moments(worlds["early"][1])
    assert moments.num_rows > 1000
    built = {}
    for name, (settings, workspace) in worlds.items():
        build = build_features(settings, workspace, moments)
        built[name] = {
            view: pd.read_parquet(workspace.current("features") / f"{view}.parquet").drop(columns="built_at")
            for view in build.views
        }
    assert built["early"].keys() == built["late"].keys()
    assert len(built["early"]) >= 5
    for view, rows in built["early"].items():
        pd.testing.assert_frame_equal(rows, built["late"][view], obj=view)
    varied = sum(rows[column].nunique() > 1 for rows in built["early"].values() for column in rows)
    assert varied > 80, "features that never vary would be equal for a wrong reason"


def test_who_was_trained_on_does_not_differ(worlds: dict[str, tuple[Settings, Workspace]]) -> None:
    """Rows that were mature at the cut are the same people at the same moments, but for two declared exceptions.

    Who refuses profiling later is not trained on with older rows either, and a win that was recorded late takes away
    the rows between it and its record; both make the later spine smaller, never larger.
    """
    rows = {}
    for name, (settings, workspace) in worlds.items():
        table = build_spine(settings, workspace, "lead").moments
        last = CUT - timedelta(days=settings.models["lead"].label.horizon_days)
        rows[name] = {(row["customer_id"], row["as_of"]) for row in table.to_pylist() if row["as_of"] <= last}
    assert len(rows["late"]) > 1000
    assert rows["late"] <= rows["early"]
    assert len(rows["late"]) > 0.95 * len(rows["early"])


def past_moments(workspace: Workspace) -> pa.Table:
    """Everybody who existed at a month's start up to the cut, as known then."""
    marks = calendar_marks(datetime(2025, 1, 1, tzinfo=UTC), CUT, "month", "Asia/Tokyo")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        workspace.tables(connection)
        return connection.sql(
            """SELECT DISTINCT customer_id, as_of FROM identities, unnest(?::TIMESTAMPTZ[]) AS marks(as_of)
            WHERE linked_at < as_of AND (ended_at IS NULL OR ended_at >= as_of) ORDER BY as_of, customer_id""",
            params=[marks],
        ).to_arrow_table()
