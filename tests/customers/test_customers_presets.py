"""Each preset reads a small file in its vendor's own format, through the whole job."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from core.settings import PRESET_DIRECTORY

FILES = Path(__file__).parent / "vendor_files"


def source(file: str, preset: str | None = None, **declared: Any) -> dict[str, Any]:
    name = file.split(".")[0]
    return {"name": name, "preset": preset or name, "path": str(FILES / file), **declared}


MARKETO = [source("marketo_leads.csv"), source("marketo_activities.csv")]
SALESFORCE = [
    source("salesforce_lead.csv", people={"fields": {"lead_status": {"column": "Status", "known_at": "history"}}}),
    source("salesforce_lead_history.csv"),
    source("salesforce_contact.csv", people={"fields": {"title": {"column": "Title", "known_at": "history"}}}),
    source("salesforce_contact_history.csv"),
    source("salesforce_opportunity.csv", timezone="Asia/Tokyo"),
    source("salesforce_opportunity_field_history.csv"),
]
ELOQUA = [
    source("eloqua_contacts.csv"),
    {**source("eloqua_activities_*.csv", "eloqua_activities"), "name": "eloqua_activities"},
]
VIEWS = ("sent", "open", "click", "bounce", "unsubscribe", "subscribers")
MARKETING_CLOUD = [source(f"marketing_cloud_{view}.csv") for view in VIEWS]
BRAZE = [
    source("braze_users.jsonl"),
    source("braze_opens.jsonl", "braze_event", events={"type": {"constant": "email_open"}}),
    source("braze_custom.jsonl", "braze_event", events={"type": "name"}),
    source("braze_purchase.jsonl"),
    source("braze_unsubscribe.jsonl"),
]
HUBSPOT = [
    source("hubspot_contacts.csv", timezone="Asia/Tokyo"),
    source("hubspot_deals.csv", timezone="Asia/Tokyo"),
]
ZENDESK = [source("zendesk_users.jsonl"), source("zendesk_tickets.jsonl")]
CDP = [source("cdp_customers.csv", encoding="shift_jis"), source("cdp_events.csv", encoding="shift_jis")]
TILL = [source("pos_sales.csv", encoding="cp932")]
CARDS = [source("eight_cards.csv"), source("sansan_cards.csv"), source("trade_fair_list.xlsx")]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read(company, sources):
    company.sources = sources
    summary = company.unify()
    assert company.rows("quarantine") == []
    return {report.source: report.unused_columns for report in summary.sources}


def events(company) -> list[tuple[str, str, datetime]]:
    return [(row["source_id"], row["type"], row["occurred_at"]) for row in company.rows("events")]


def people(company, *fields: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[field] for field in fields) for row in company.rows("customers"))


def history(company, field: str) -> list[tuple[str | None, datetime]]:
    found = [(row["value"], row["recorded_at"]) for row in company.rows("attributes") if row["field"] == field]
    return sorted(found, key=lambda change: change[1])


def refusals(company) -> set[tuple[str, datetime]]:
    return {(row["source_id"], row["recorded_at"]) for row in company.rows("consents") if not row["granted"]}


def test_every_preset_is_run_on_a_vendor_file_or_by_the_demonstration():
    demo = yaml.safe_load(Path("conf/demo.yaml").read_text(encoding="utf-8"))["sources"]
    here = (MARKETO, SALESFORCE, ELOQUA, MARKETING_CLOUD, BRAZE, HUBSPOT, ZENDESK, CDP, TILL, CARDS)
    run = {entry["preset"] for entries in (demo, *here) for entry in entries if "preset" in entry}
    assert run == {path.stem for path in PRESET_DIRECTORY.glob("*.yaml")}


def test_marketo_empty_fields_are_the_word_null(company):
    unused = read(company, MARKETO)
    assert unused == {"marketo_leads": ("updatedAt",), "marketo_activities": ("primaryAttributeValueId",)}
    assert people(company, "email", "company", "industry") == [("taro@alpha.example.jp", "株式会社アルファ", None)]
    assert events(company) == [
        ("5414087", "webinar_attended", utc("2025-02-13 14:06:20")),
        ("5414087", "web_visit", utc("2025-02-14")),
    ]
    assert company.rows("events")[1]["url"] == "/pricing"
    just_before = utc("2025-02-14 23:59:59.999999")
    assert history(company, "lead_status") == [("New", just_before), ("MQL", utc("2025-02-15"))]
    # A changed value is no id of another system's record.
    assert {row["system"] for row in company.rows("identities")} == {"marketo", "email"}


def test_salesforce_field_histories(company):
    read(company, SALESFORCE)
    just_before = utc("2025-01-31 23:59:59.999999")
    assert history(company, "lead_status") == [
        ("Open - Not Contacted", just_before),
        ("Working - Contacted", utc("2025-02-01")),
    ]
    assert people(company, "email", "lead_status")[0] == ("hanako@beta.example.jp", "Working - Contacted")
    assert history(company, "title") == [("課長", utc("2025-02-01")), ("部長", utc("2025-02-20"))]
    stages = [(row["stage"], row["outcome"], row["entered_at"]) for row in company.rows("deal_stages")]
    assert stages == [
        ("open", "open", utc("2025-02-01")),
        ("Proposal/Price Quote", "open", utc("2025-02-10")),
        ("Closed Won", "won", utc("2025-03-20")),
    ]
    assert company.rows("deals")[0]["closed_at"] == utc("2025-03-20")


def test_eloqua(company):
    unused = read(company, ELOQUA)
    assert unused["eloqua_contacts"] == ("UpdatedAt", "C_Salesperson")
    visitor = "6f8dbb1c-0000-4000-8000-000000000001"
    assert events(company) == [
        (visitor, "web_visit", utc("2025-01-09 12:00")),
        ("101", "email_delivered", utc("2025-01-10 00:00")),
        ("102", "email_bounced", utc("2025-01-10 00:02")),
        ("101", "email_open", utc("2025-01-10 01:00")),
        ("101", "email_click", utc("2025-01-10 01:01")),
        ("101", "unsubscribe", utc("2025-01-11 00:00")),
    ]
    # The click in the mail told whose browser it is; before that nobody knew.
    assert company.who("cookie", visitor) == company.who("eloqua", "101")
    assert company.who("cookie", visitor, utc("2025-01-10 01:00")) != company.who("eloqua", "101")
    assert ("101", utc("2025-01-11")) in refusals(company)
    assert {person for person, _ in refusals(company)} == {"101", "102"}


def test_marketing_cloud_keeps_central_standard_time_all_year(company):
    read(company, MARKETING_CLOUD)
    assert events(company) == [
        ("K1", "email_delivered", utc("2025-03-04 15:05:07")),
        ("K2", "email_delivered", utc("2025-03-04 15:05:08")),
        ("K2", "email_bounced", utc("2025-03-04 15:06:00")),
        ("K1", "email_open", utc("2025-03-04 18:30:00")),
        ("K1", "email_click", utc("2025-03-04 18:31:00")),
        ("K1", "email_open", utc("2025-03-05 00:30:00")),
        ("K1", "email_soft_bounced", utc("2025-03-05 15:06:00")),
        ("K1", "unsubscribe", utc("2025-03-06 06:00:00")),
    ]
    assert {row["channel"] for row in company.rows("events")} == {"email"}
    assert people(company, "email", "first_seen_at") == [
        ("hanako@beta.example.jp", utc("2025-01-02 09:04:05")),
        ("taro@alpha.example.jp", utc("2025-01-02 09:04:05")),
    ]
    assert ("K1", utc("2025-03-06 06:00")) in refusals(company)


def test_braze(company):
    unused = read(company, BRAZE)
    assert unused["braze_users"] == ("external_id", "custom_attributes", "custom_events")
    assert events(company) == [
        ("b1", "email_open", utc("2025-03-04 11:05:07")),
        ("b1", "quote_requested", utc("2025-03-04 11:06:40")),
        ("b1", "purchase", utc("2025-03-04 11:08:20")),
        ("b1", "email_open", utc("2025-03-05 11:05:07")),
        ("b1", "unsubscribe", utc("2025-03-06 11:05:07")),
    ]
    assert [row["amount"] for row in company.rows("events")] == [None, None, 1980.5, None, None]
    consents = {company.who("braze", user): user for user in ("b1", "b2", "b3")}
    marketing = {consents[row["customer_id"]]: row["consent_marketing"] for row in company.rows("customers")}
    # Nothing is said about b3: no consent.
    assert marketing == {"b1": False, "b2": True, "b3": False}


def test_braze_files_that_were_converted_to_parquet(company):
    frame = pd.read_json(FILES / "braze_opens.jsonl", lines=True, convert_dates=False)
    path = company.home / "exports" / "event_type=users.messages.email.Open" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    frame.to_parquet(path)
    opens = {**BRAZE[1], "format": "parquet", "path": "{home}/exports/event_type=users.messages.email.Open/*.parquet"}
    read(company, [opens])
    assert [at for _, _, at in events(company)] == [utc("2025-03-04 11:05:07"), utc("2025-03-05 11:05:07")]


def test_hubspot_several_people_in_one_deal(company):
    read(company, HUBSPOT)
    assert people(company, "email", "first_seen_at") == [
        ("hanako@beta.example.jp", utc("2025-01-11 00:30")),
        ("taro@alpha.example.jp", utc("2025-01-10 00:30")),
    ]
    deals = [(row["deal_id"], row["outcome"], row["closed_at"], row["amount"]) for row in company.rows("deals")]
    assert deals == [("901", "won", utc("2025-03-01 01:00"), 500000.0), ("902", "open", None, None)]
    assert sorted((row["deal_id"], row["source_id"]) for row in company.rows("deal_people")) == [
        ("901", "51"),
        ("901", "52"),
    ]
    # The status is today's: known since the export.
    assert history(company, "lead_status") == [("New", utc("2025-03-01 01:00"))]


def test_zendesk_tickets_say_nothing_that_came_later(company):
    unused = read(company, ZENDESK)
    assert {"status", "priority", "tags", "satisfaction_rating"} <= set(unused["zendesk_tickets"])
    (ticket,) = company.rows("events")
    assert (ticket["channel"], ticket["type"]) == ("support", "support_ticket")
    assert ticket["properties"] == '{"subject":"解約したい","via":"web"}'
    assert people(company, "email") == [("taro@alpha.example.jp",)]


def test_cdp_in_shift_jis(company):
    unused = read(company, CDP)
    assert unused == {"cdp_customers": ("会員ランク",), "cdp_events": ()}
    assert people(company, "full_name", "full_name_kana", "company") == [
        ("髙橋 一郎", "タカハシ イチロウ", "株式会社ガンマ")
    ]
    assert events(company) == [
        ("k9", "web_visit", utc("2025-01-31 01:00")),
        ("C001", "web_visit", utc("2025-02-01 01:00")),
        ("C001", "purchase", utc("2025-02-02 03:00")),
        ("C001", "来店予約", utc("2025-02-03 03:00")),
    ]
    assert company.rows("events")[2]["amount"] == 12800.0


def test_cdp_with_column_names_of_its_own(company):
    company.write("events.csv", "会員,行動,時刻\nC001,閲覧,2025-02-01 10:00:00\n")
    entry = {
        "name": "cdp_events",
        "preset": "cdp_events",
        "path": "{home}/exports/events.csv",
        "events": {"person": "会員", "type": {"column": "行動"}, "occurred_at": "時刻"},
        "links": {"left": "会員", "linked_at": "時刻"},
    }
    read(company, [entry])
    assert events(company) == [("C001", "web_visit", utc("2025-02-01 01:00"))]


def test_till_sales_without_a_member_are_left_out(company):
    unused = read(company, TILL)
    assert unused == {"pos_sales": ("担当",)}
    (sale,) = company.rows("events")
    assert (sale["source_id"], sale["amount"], sale["occurred_at"]) == ("M1", 3300.0, utc("2025-02-01 09:00"))


def test_business_cards_and_a_trade_fair_list(company):
    unused = read(company, CARDS)
    assert unused["trade_fair_list"] == ("アンケート",)
    assert people(company, "email", "title") == [
        ("hanako@beta.example.jp", "課長"),
        ("ichiro@gamma.example.jp", "主任"),
        ("taro@alpha.example.jp", "部長"),
    ]
    # Exchanged on a day, and known at its end, or at the end of the day on which somebody typed the card in.
    assert sorted((row["type"], row["occurred_at"], row["recorded_at"]) for row in company.rows("events")) == [
        ("business_card", utc("2025-02-09 15:00"), utc("2025-02-10 15:00")),
        ("business_card", utc("2025-02-09 15:00"), utc("2025-02-17 15:00")),
        ("trade_fair", utc("2025-02-04 15:00"), utc("2025-02-20 15:00")),
    ]
