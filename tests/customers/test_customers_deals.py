"""Deals with and without a stage history, and the people in them."""

import pytest


@pytest.fixture
def crm(company):
    company.write(
        "deals.csv",
        "id,who,stage,opened,closed,amount,why\n"
        "D1,1,Closed Won,2025-01-01T00:00:00Z,2025-02-01,100,\n"
        "D2,2,Closed Lost,2025-01-05T00:00:00Z,2025-03-01,200,price\n"
        "D3,,Proposal,2025-02-01T00:00:00Z,2025-12-31,300,\n",
    )
    company.write(
        "stages.csv",
        "deal,stage,entered,recorded\n"
        "D1,Qualified,2025-01-01T00:00:00Z,2025-01-01T00:00:00Z\n"
        "D1,Closed Won,2025-01-30T00:00:00Z,2025-02-10T00:00:00Z\n",
    )
    deals = {
        "name": "deals",
        "system": "crm",
        "timezone": "UTC",
        "path": "{home}/exports/deals.csv",
        "deals": {
            "id": "id",
            "person": "who",
            "opened_at": "opened",
            "closed_at": "closed",
            "outcome": {"column": "stage", "map": {"Closed Won": "won", "Closed Lost": "lost"}, "otherwise": "open"},
            "amount": "amount",
            "lost_reason": "why",
        },
    }
    stages = {
        "name": "stages",
        "system": "crm",
        "path": "{home}/exports/stages.csv",
        "deal_stages": {
            "deal": "deal",
            "stage": "stage",
            "entered_at": "entered",
            "recorded_at": "recorded",
            "outcomes": {"Closed Won": "won", "Closed Lost": "lost"},
        },
    }
    company.sources = [deals, stages]
    return company


def stages_of(company, deal):
    return [
        (row["stage"], row["outcome"], f"{row['entered_at']:%m-%d}", f"{row['recorded_at']:%m-%d}")
        for row in company.rows("deal_stages")
        if row["deal_id"] == deal
    ]


def test_every_deal_has_its_stages_in_both_times(crm):
    crm.unify()
    assert stages_of(crm, "D1") == [
        ("Qualified", "open", "01-01", "01-01"),
        ("Closed Won", "won", "01-30", "02-10"),
    ]
    assert stages_of(crm, "D2") == [("open", "open", "01-05", "01-05"), ("lost", "lost", "03-01", "03-01")]
    assert stages_of(crm, "D3") == [("open", "open", "02-01", "02-01")]


def test_deals_as_they_stand(crm):
    summary = crm.unify()
    deals = {row["deal_id"]: row for row in crm.rows("deals")}
    assert [deals[name]["outcome"] for name in ("D1", "D2", "D3")] == ["won", "lost", "open"]
    assert f"{deals['D1']['closed_at']:%m-%d}" == "01-30", "the history knows the moment"
    assert deals["D3"]["closed_at"] is None, "a planned closing is no closing"
    assert (deals["D2"]["lost_reason"], deals["D1"]["lost_reason"]) == ("price", None)
    assert f"{summary.data_until:%Y-%m-%d}" == "2025-03-01", (
        "the closed deal's day counts, the open deal's plan does not"
    )
    people = [(row["deal_id"], row["source_id"], row["customer_id"]) for row in crm.rows("deal_people")]
    assert people == [("D1", "1", crm.who("crm", "1")), ("D2", "2", crm.who("crm", "2"))]


def test_a_closing_day_without_a_history_is_known_at_its_end(crm):
    crm.sources[0]["exported_at"] = "2026-01-01"
    crm.unify()
    assert stages_of(crm, "D2")[-1] == ("lost", "lost", "03-01", "03-02")


def test_the_history_alone_tells_the_outcome(crm):
    del crm.sources[0]["deals"]["outcome"]
    crm.unify()
    assert [row["outcome"] for row in crm.rows("deals")] == ["won", "open", "open"]


def test_an_outcome_that_is_none(crm):
    crm.sources[0]["deals"]["outcome"] = "stage"
    summary = crm.unify()
    assert summary.quarantined == 3
    assert {row["reason"] for row in crm.rows("quarantine")} == {"outcome: neither open nor won nor lost"}
