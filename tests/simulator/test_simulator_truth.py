"""The truth against the files: who is who, who was won, what was planted, and nothing before its time."""

import numpy as np
import pandas as pd
import pytest

SYSTEM_KEYS = {
    "marketo": ("marketo/leads.csv", "id"),
    "salesforce_lead": ("salesforce/Lead.csv", "Id"),
    "salesforce_contact": ("salesforce/Contact.csv", "Id"),
    "web": ("web/visits.csv", "cookie"),
    "product": ("product/usage.csv", "login"),
    "shop": ("shop/pos.csv", "会員番号"),
    "billing": ("billing/contracts.csv", "contract_id"),
}


def moments(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column, utc=True)


def owner(company, system: str) -> pd.Series:
    records = company.truth("records")
    records = records[records["system"] == system]
    return records.set_index("source_id")["person_id"]


@pytest.mark.parametrize("system", sorted(SYSTEM_KEYS))
def test_every_source_record_has_one_owner(company, system: str) -> None:
    name, key = SYSTEM_KEYS[system]
    owners = owner(company, system)
    assert owners.index.is_unique
    in_file = set(company.csv(name)[key])
    assert in_file <= set(owners.index)
    if system not in ("web", "shop"):  # a browser or a member card may never have been used
        assert set(owners.index) == in_file


def test_every_card_has_an_owner_with_its_address(company) -> None:
    cards = pd.read_excel(company.directory / "tradefair" / "cards.xlsx")
    owners = owner(company, "tradefair")
    assert owners.index.tolist() == [str(row + 2) for row in range(len(cards))]
    email = company.truth("people").set_index("person_id")["email"]
    assert (cards["メールアドレス"].to_numpy() == email.loc[owners].to_numpy()).all()


def test_every_known_person_has_a_marketo_record_with_an_address(company) -> None:
    people = company.truth("people")
    assert set(owner(company, "marketo")) == set(people.loc[people["is_known"], "person_id"])
    assert (company.csv("marketo/leads.csv")["email"] != "").all()


def test_about_one_in_ten_has_a_duplicate(company) -> None:
    counts = owner(company, "marketo").value_counts()
    assert 0.05 < (counts > 1).mean() < 0.15
    assert counts.max() == 2


def test_wins_can_be_read_from_the_files(company) -> None:
    """A person is won on the close date of a won opportunity in which the person has a role."""
    deals = company.csv("salesforce/Opportunity.csv").set_index("Id")
    roles = company.csv("salesforce/OpportunityContactRole.csv")
    roles["person_id"] = owner(company, "salesforce_contact").loc[roles["ContactId"]].to_numpy()
    roles["closed"] = deals.loc[roles["OpportunityId"], "CloseDate"].to_numpy()
    roles["won"] = deals.loc[roles["OpportunityId"], "IsWon"].to_numpy() == "true"
    won_at = roles[roles["won"]].groupby("person_id")["closed"].min()
    won_at = pd.to_datetime(won_at).dt.tz_localize("Asia/Tokyo")
    oracle = company.truth("oracle")
    day = oracle["person_id"].map(won_at)
    as_of = oracle["as_of"].dt.tz_convert("Asia/Tokyo")
    assert ((day.isna() | (day >= as_of)) == oracle["eligible"]).all()
    mature = oracle[oracle["mature"]]
    inside = (day >= as_of) & (day < as_of + pd.Timedelta(days=90))
    assert (inside[mature.index] == mature["won_in_horizon"]).all()
    assert mature["won_in_horizon"].sum() > 50


def test_the_oracle_has_one_row_per_known_person_and_month_start(company) -> None:
    oracle = company.truth("oracle")
    assert not oracle.duplicated(["person_id", "as_of"]).any()
    local = oracle["as_of"].dt.tz_convert("Asia/Tokyo")
    assert (local.dt.day == 1).all()
    assert (local.dt.hour == 0).all()
    assert oracle["as_of"].nunique() == 24
    eligible = oracle[oracle["eligible"]]
    assert eligible["probability"].between(0, 1, inclusive="neither").all()
    assert not oracle.loc[~oracle["eligible"], "won_in_horizon"].any()
    known_at = company.truth("people").set_index("person_id")["known_at"]
    assert (oracle["person_id"].map(known_at) < oracle["as_of"]).all()


def test_nobody_leaves_anything_before_arriving(company) -> None:
    people = company.truth("people").set_index("person_id")
    activities = company.csv("marketo/activities.csv")
    who = owner(company, "marketo").loc[activities["leadId"]]
    created = moments(company.csv("marketo/leads.csv").set_index("id")["createdAt"])
    assert (moments(activities["activityDate"]).to_numpy() >= created.loc[activities["leadId"]].to_numpy()).all()
    assert (created.loc[activities["leadId"]].to_numpy() >= people.loc[who, "known_at"].to_numpy()).all()
    for name, key, system, column in (
        ("web/visits.csv", "cookie", "web", "occurred_at"),
        ("product/usage.csv", "login", "product", "occurred_at"),
        ("salesforce/Lead.csv", "Id", "salesforce_lead", "CreatedDate"),
        ("salesforce/Contact.csv", "Id", "salesforce_contact", "CreatedDate"),
    ):
        table = company.csv(name)
        who = owner(company, system).loc[table[key]]
        arrived = people.loc[who, "arrived_at"].to_numpy()
        assert (moments(table[column]).to_numpy() >= arrived).all(), name


def test_nothing_is_recorded_before_it_occurred(company) -> None:
    for name in ("web/visits.csv", "product/usage.csv"):
        table = company.csv(name)
        assert (moments(table["recorded_at"]) >= moments(table["occurred_at"])).all()
    history = company.csv("salesforce/OpportunityHistory.csv")
    assert (moments(history["CreatedDate"]) >= moments(history["StageEnteredOn__c"])).all()
    ordered = history.sort_values(["OpportunityId", "CreatedDate", "Id"])
    before = ordered.groupby("OpportunityId")["StageEnteredOn__c"].shift()
    assert (before.isna() | (ordered["StageEnteredOn__c"] >= before)).all()
    tasks = company.csv("salesforce/Task.csv")
    recorded_day = moments(tasks["CreatedDate"]).dt.tz_convert("Asia/Tokyo").dt.strftime("%Y-%m-%d")
    assert (tasks["ActivityDate"] <= recorded_day).all()
    assert (tasks["ActivityDate"] < recorded_day).mean() > 0.3
    planted = company.truth("traps").dropna(subset=["occurred_at", "known_at"])
    assert (planted["known_at"] >= planted["occurred_at"]).all()


def test_a_named_browser_is_in_the_log_only_under_its_owner_and_the_rest_stays_anonymous(company) -> None:
    people = company.truth("people").set_index("person_id")
    cookies = company.csv("web/visits.csv")["cookie"].unique()
    known = people.loc[owner(company, "web").loc[cookies], "is_known"]
    assert 0.2 < (~known).mean() < 0.8
    records = company.truth("records")
    web = records[records["system"] == "web"]
    anonymous = ~people.loc[web["person_id"], "is_known"].to_numpy()
    assert web.loc[anonymous, "linked_at"].isna().all()
    assert web.loc[~anonymous, "linked_at"].notna().all()


@pytest.mark.parametrize(
    ("kind", "file", "column", "key"),
    [
        ("after_the_deal", "marketo/leads.csv", "leadStatus", "id"),
        ("after_the_deal", "marketo/leads.csv", "interestProduct", "id"),
        ("after_the_deal", "marketo/leads.csv", "contractDepartment", "id"),
        ("after_the_deal", "marketo/leads.csv", "sfdcContactId", "id"),
        ("after_the_deal", "salesforce/Lead.csv", "BANT_Score__c", "Id"),
        ("after_the_deal", "salesforce/Contact.csv", "ContractSignedBy__c", "Id"),
        ("after_the_deal", "salesforce/Account.csv", "Type", "Id"),
        ("late_recorded", "salesforce/Task.csv", "", "Id"),
        ("late_recorded", "salesforce/OpportunityHistory.csv", "", "Id"),
        ("late_recorded", "product/usage.csv", "", "event_id"),
        ("late_identity_link", "web/visits.csv", "cookie", "cookie"),
        ("bot_click", "marketo/activities.csv", "", "marketoGUID"),
        ("shared_mailbox", "marketo/leads.csv", "email", "id"),
        ("duplicate_record", "marketo/leads.csv", "", "id"),
    ],
)
def test_each_trap_is_planted_in_rows_that_exist(company, kind: str, file: str, column: str, key: str) -> None:
    traps = company.truth("traps")
    mine = traps[(traps["kind"] == kind) & (traps["file"] == file) & (traps["column"] == column)]
    assert len(mine) >= 3
    table = company.csv(file)
    found = mine["row_id"].isin(table[key])
    # A second browser may have been tied to a name without a single visit in the log.
    assert found.mean() > 0.9 if kind == "late_identity_link" else found.all()
    if kind == "after_the_deal":
        filled = table.set_index(key).loc[mine["row_id"], column]
        assert (filled != "").all()
        if column in ("BANT_Score__c", "ContractSignedBy__c", "contractDepartment"):
            assert (table.loc[~table[key].isin(mine["row_id"]), column] == "").all()


def test_a_field_filled_after_the_deal_gives_the_outcome_away(company) -> None:
    leads = company.csv("marketo/leads.csv")
    people = company.truth("people").set_index("person_id")
    won = people.loc[owner(company, "marketo").loc[leads["id"]], "won_at"].notna().to_numpy()
    filled = (leads["contractDepartment"] != "").to_numpy()
    assert won[filled].mean() == 1.0
    assert won[~filled].mean() < 0.1


def test_a_second_browser_shows_who_later_filled_in_a_form(company) -> None:
    traps = company.truth("traps")
    late = traps[traps["kind"] == "late_identity_link"].set_index("row_id")["known_at"]
    visits = company.csv("web/visits.csv")
    visits = visits[visits["cookie"].isin(late.index)]
    early = moments(visits["occurred_at"]).to_numpy() < late.loc[visits["cookie"]].to_numpy()
    assert 0.1 < early.mean() < 0.9


def test_gateways_click_within_seconds_and_people_do_not(company) -> None:
    activities = company.csv("marketo/activities.csv")
    bots = set(company.truth("traps").query("kind == 'bot_click'")["row_id"])
    activities["at"] = moments(activities["activityDate"])
    delivered = activities[activities["activityTypeId"] == "7"][["leadId", "primaryAttributeValue", "at"]]
    clicks = activities[activities["activityTypeId"] == "11"]
    joined = clicks.merge(delivered, on=["leadId", "primaryAttributeValue"], suffixes=("", "_delivered"))
    seconds = (joined["at"] - joined["at_delivered"]).dt.total_seconds()
    is_bot = joined["marketoGUID"].isin(bots)
    assert is_bot.sum() > 100
    assert seconds[is_bot].between(0, 30).all()
    assert (seconds[~is_bot] > 300).all()


def test_shared_mailboxes_hide_several_people(company) -> None:
    shared = company.truth("shared_mailboxes")
    assert (shared.groupby("email")["person_id"].nunique() >= 2).all()
    assert shared["email"].str.startswith("info@").all()
    leads = company.csv("marketo/leads.csv")
    assert set(shared["email"]) == set(leads.loc[leads["email"].str.startswith("info@"), "email"])


def test_refusals_and_opt_outs_are_on_record(company) -> None:
    consents = company.csv("consents/consents.csv")
    refused = consents[(consents["purpose"] == "profiling") & (consents["granted"] == "false")]
    people = company.truth("people")
    assert len(refused) == people["profiling_refused_at"].notna().sum()
    assert 0.003 < len(refused) / people["is_known"].sum() < 0.04
    out = consents[(consents["purpose"] == "marketing") & (consents["granted"] == "false")]
    leads = company.csv("marketo/leads.csv")
    assert len(out) == (leads["unsubscribed"] == "true").sum() > 0


def test_customers_of_old_are_no_leads(company) -> None:
    people = company.truth("people")
    veterans = people.loc[people["was_customer_before"], "person_id"]
    assert len(veterans) > 0
    oracle = company.truth("oracle")
    assert not oracle.loc[oracle["person_id"].isin(veterans), "eligible"].any()


def test_volume_is_near_fifty_events_a_person(company) -> None:
    assert 35 < company.summary.events / company.summary.people < 90


def test_probabilities_order_the_outcomes(company) -> None:
    oracle = company.truth("oracle").query("eligible")
    top = oracle["probability"] >= oracle["probability"].quantile(0.9)
    lift = oracle.loc[top, "won_in_horizon"].mean() / oracle["won_in_horizon"].mean()
    assert 3 < lift < 8
    assert np.isfinite(oracle["probability"]).all()
