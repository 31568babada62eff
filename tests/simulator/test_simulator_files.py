"""The files as the vendors would write them: encodings, field names, forms of time, what points at what."""

import json
import zipfile

import openpyxl
import pandas as pd
import pytest

SALESFORCE = [
    "Lead", "Contact", "Account", "Opportunity", "OpportunityContactRole", "OpportunityHistory", "Campaign",
    "CampaignMember", "Task", "User",
]  # fmt: skip
ISO_Z = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
OFFSET = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+09:00"
DATA_LOADER = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000"


@pytest.mark.parametrize("name", SALESFORCE)
def test_salesforce_files_begin_with_one_byte_order_mark(company, name: str) -> None:
    content = (company.directory / "salesforce" / f"{name}.csv").read_bytes()
    assert content.startswith(b'\xef\xbb\xbf"Id"')
    assert content.count(b"\xef\xbb\xbf") == 1
    table = company.csv(f"salesforce/{name}.csv")
    assert table["Id"].str.fullmatch(r"[0-9A-Za-z]{18}").all()
    assert table["Id"].is_unique


@pytest.mark.parametrize(
    "name", ["marketo/leads.csv", "marketo/activities.csv", "web/visits.csv", "product/usage.csv",
             "billing/contracts.csv", "consents/consents.csv"],
)  # fmt: skip
def test_other_files_are_plain_utf8(company, name: str) -> None:
    content = (company.directory / name).read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf")
    content.decode("utf-8")


def test_the_till_writes_shift_jis_with_half_width_kana(company) -> None:
    content = (company.directory / "shop" / "pos.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    assert b"\r\n" in content
    table = company.csv("shop/pos.csv")
    assert table["氏名カナ"].str.fullmatch(r"[ｦ-ﾟ ]+").all()
    assert table["購入日時"].str.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d").all()


def test_times_have_the_form_of_each_vendor(company) -> None:
    assert company.csv("marketo/leads.csv")["createdAt"].str.fullmatch(ISO_Z).all()
    assert company.csv("marketo/activities.csv")["activityDate"].str.fullmatch(ISO_Z).all()
    assert company.csv("web/visits.csv")["occurred_at"].str.fullmatch(ISO_Z).all()
    assert company.csv("product/usage.csv")["occurred_at"].str.fullmatch(OFFSET).all()
    assert company.csv("consents/consents.csv")["at"].str.fullmatch(OFFSET).all()
    for name in ("Lead", "OpportunityHistory", "Task"):
        assert company.csv(f"salesforce/{name}.csv")["CreatedDate"].str.fullmatch(DATA_LOADER).all()


def test_the_card_workbook_has_dates_and_no_clock_of_today(company) -> None:
    path = company.directory / "tradefair" / "cards.xlsx"
    rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
    head = "会社名 部署 役職 氏名 フリガナ メールアドレス 電話番号 住所 展示会名 受領日 登録日 担当者"
    assert list(rows[0]) == head.split()
    assert all(row[9] <= row[10] for row in rows[1:])
    assert any((row[10] - row[9]).days > 14 for row in rows[1:])
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time[:3] for entry in archive.infolist()} == {(2026, 10, 1)}


def test_the_readme_lists_every_file_with_its_rows(company) -> None:
    text = (company.directory / "README.md").read_text(encoding="utf-8")
    files = {str(path.relative_to(company.directory)) for path in company.directory.rglob("*") if path.is_file()}
    assert set(company.summary.files) == files - {"README.md"}
    for name, rows in company.summary.files.items():
        assert f"| {name} |" in text
        if name.endswith(".csv"):
            assert len(company.csv(name)) == rows


def test_activities_are_json_in_order_and_of_known_types(company) -> None:
    activities = company.csv("marketo/activities.csv")
    assert activities["marketoGUID"].is_unique
    assert activities["activityDate"].is_monotonic_increasing
    details = activities["attributes"].map(json.loads)
    types = activities["activityTypeId"]
    assert set(types) == {"1", "2", "6", "7", "8", "9", "10", "11", "12", "13", "46", "104"}
    assert details[types == "1"].map(lambda d: d["Webpage URL"].startswith("/")).all()
    assert details[types == "11"].map(lambda d: d["Link"].startswith("https://")).all()
    assert details[types == "2"].map(lambda d: d["Munchkin Cookie"].startswith("_mch-")).all()
    assert details[types == "104"].map(lambda d: d["New Status"] == "Attended").all()


def test_the_change_log_ends_at_the_snapshot(company) -> None:
    leads = company.csv("marketo/leads.csv").set_index("id")
    activities = company.csv("marketo/activities.csv")
    changes = activities[activities["activityTypeId"] == "13"]
    details = pd.DataFrame(changes["attributes"].map(json.loads).tolist(), index=changes["leadId"])
    # The name of the field is the activity's primary attribute.
    details["name"] = changes["primaryAttributeValue"].to_numpy()
    assert {"email", "leadStatus", "interestProduct", "contractDepartment", "unsubscribed"} <= set(details["name"])
    assert (details["Old Value"] != details["New Value"]).all()
    for (lead, name), group in details.groupby([details.index, "name"]):
        assert group["New Value"].iloc[-1] == leads.loc[lead, name]
        assert (group["Old Value"].iloc[1:].to_numpy() == group["New Value"].iloc[:-1].to_numpy()).all()


def points_at(company, source: str, column: str, target: str, key: str) -> None:
    values = company.csv(source)[column]
    values = values[values != ""]
    assert len(values) > 0
    assert values.isin(company.csv(target)[key]).all(), f"{source}.{column}"


@pytest.mark.parametrize(
    ("source", "column", "target", "key"),
    [
        ("marketo/activities.csv", "leadId", "marketo/leads.csv", "id"),
        ("marketo/leads.csv", "sfdcLeadId", "salesforce/Lead.csv", "Id"),
        ("marketo/leads.csv", "sfdcContactId", "salesforce/Contact.csv", "Id"),
        ("salesforce/Lead.csv", "ConvertedContactId", "salesforce/Contact.csv", "Id"),
        ("salesforce/Lead.csv", "ConvertedAccountId", "salesforce/Account.csv", "Id"),
        ("salesforce/Lead.csv", "ConvertedOpportunityId", "salesforce/Opportunity.csv", "Id"),
        ("salesforce/Lead.csv", "OwnerId", "salesforce/User.csv", "Id"),
        ("salesforce/Contact.csv", "AccountId", "salesforce/Account.csv", "Id"),
        ("salesforce/Opportunity.csv", "AccountId", "salesforce/Account.csv", "Id"),
        ("salesforce/Opportunity.csv", "CampaignId", "salesforce/Campaign.csv", "Id"),
        ("salesforce/Opportunity.csv", "OwnerId", "salesforce/User.csv", "Id"),
        ("salesforce/OpportunityContactRole.csv", "OpportunityId", "salesforce/Opportunity.csv", "Id"),
        ("salesforce/OpportunityContactRole.csv", "ContactId", "salesforce/Contact.csv", "Id"),
        ("salesforce/OpportunityHistory.csv", "OpportunityId", "salesforce/Opportunity.csv", "Id"),
        ("salesforce/CampaignMember.csv", "CampaignId", "salesforce/Campaign.csv", "Id"),
        ("salesforce/CampaignMember.csv", "LeadId", "salesforce/Lead.csv", "Id"),
        ("salesforce/CampaignMember.csv", "ContactId", "salesforce/Contact.csv", "Id"),
        ("billing/contracts.csv", "account_id", "salesforce/Account.csv", "Id"),
        ("product/usage.csv", "account_no", "billing/contracts.csv", "contract_id"),
    ],
)
def test_references_hold(company, source: str, column: str, target: str, key: str) -> None:
    points_at(company, source, column, target, key)


def test_tasks_belong_to_a_lead_or_a_contact(company) -> None:
    who = company.csv("salesforce/Task.csv")["WhoId"]
    ids = pd.concat([company.csv("salesforce/Lead.csv")["Id"], company.csv("salesforce/Contact.csv")["Id"]])
    assert who.isin(ids).all()


def test_opportunities_agree_with_their_history(company) -> None:
    deals = company.csv("salesforce/Opportunity.csv").set_index("Id")
    history = company.csv("salesforce/OpportunityHistory.csv")
    last = history.groupby("OpportunityId")["StageName"].last()
    assert (last == deals.loc[last.index, "StageName"]).all()
    assert len(last) == len(deals)
    assert ((deals["IsWon"] == "true") == (deals["StageName"] == "受注")).all()
    assert ((deals["LossReason__c"] != "") == (deals["StageName"] == "失注")).all()
