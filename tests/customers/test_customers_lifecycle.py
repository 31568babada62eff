"""Stages of people in companies that can be counted by hand."""

import pytest


def day(text):
    return f"2025-{text}T00:00:00Z"


@pytest.fixture
def firm(company):
    """Builds a company from rows: leads, events, deals with their stages, statuses with their history."""

    def build(leads=(), events=(), deals=(), stages=(), roles=(), changes=(), lifecycle=None, links=(), consents=()):
        def write(name, header, rows):
            company.write(f"{name}.csv", "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")

        write("leads", "id,email,status,created", leads)
        write("events", "id,who,key,type,url,at,recorded,bot,campaign", events)
        write("deals", "id,outcome,opened,closed,recorded", deals)
        write("stages", "deal,stage,entered,recorded", stages)
        write("roles", "deal,who,recorded", roles)
        write("changes", "who,field,old,new,changed", changes)
        write("links", "left,right,at", links)
        write("consents", "who,purpose,granted,at", consents)
        crm = {"system": "crm", "exported_at": day("12-31")}
        company.sources = [
            crm | {"name": "leads", "path": "{home}/exports/leads.csv", "people": {
                "id": "id", "created_at": "created", "known_at": "created",
                "fields": {"email": "email", "lead_status": {"column": "status", "known_at": "history"}},
                "keys": [{"kind": "email", "column": "email"}]}},
            crm | {"name": "events", "path": "{home}/exports/events.csv", "events": {
                "id": "id", "person": [{"column": "who"}, {"column": "key", "key": "cookie"}], "type": "type",
                "occurred_at": "at", "recorded_at": "recorded", "is_bot": "bot",
                "properties": {"url": "url", "campaign": "campaign"}}},
            crm | {"name": "deals", "path": "{home}/exports/deals.csv", "deals": {
                "id": "id", "opened_at": "opened", "closed_at": "closed", "recorded_at": "recorded"}},
            crm | {"name": "stages", "path": "{home}/exports/stages.csv", "deal_stages": {
                "deal": "deal", "stage": "stage", "entered_at": "entered", "recorded_at": "recorded",
                "outcomes": {"Won": "won", "Lost": "lost"}}},
            crm | {"name": "roles", "path": "{home}/exports/roles.csv", "deal_people": {
                "deal": "deal", "person": "who", "recorded_at": "recorded"}},
            crm | {"name": "changes", "path": "{home}/exports/changes.csv", "history": {
                "person": "who", "field": {"column": "field", "map": {"status": "lead_status"}}, "old": "old",
                "new": "new", "changed_at": "changed"}},
            crm | {"name": "links", "path": "{home}/exports/links.csv", "links": {
                "left": "left", "right": {"column": "right", "key": "cookie"}, "linked_at": "at"}},
            crm | {"name": "consents", "path": "{home}/exports/consents.csv", "consents": {
                "person": "who", "purpose": "purpose", "granted": "granted", "at": "at"}},
        ]  # fmt: skip
        company.extra = {"identity": {"similar": {"enabled": False}}}
        if lifecycle is not None:
            company.extra["lifecycle"] = lifecycle
        company.unify()
        return company

    return build


def story(company, source_id="1", known=False):
    """The stages of a record's person: name, day of entry (and of knowledge), and by what."""
    person = company.who("crm", source_id)
    rows = [row for row in company.rows("lifecycle") if row["customer_id"] == person]
    return [
        " ".join(
            [row["stage"], f"{row['entered_at']:%m-%d}", *([f"{row['recorded_at']:%m-%d}"] if known else []),
             row["rule"]]
        )
        for row in sorted(rows, key=lambda row: row["recorded_at"])
    ]  # fmt: skip


LEAD = ("1", "taro@alpha.example.jp", "", day("01-01"))


def event(number, kind, at, recorded=None, who="1", url="", bot="", campaign="", key=""):
    return (f"e{number}", who, key, kind, url, day(at), day(recorded or at), bot, campaign)


def test_the_way_from_lead_to_won(firm):
    company = firm(
        leads=[LEAD],
        events=[event(1, "form_fill", "02-01"), event(2, "webinar_attended", "02-20"), event(3, "meeting", "03-01")],
        deals=[("D1", "", day("03-10"), "", day("03-10"))],
        stages=[("D1", "Qualified", day("03-10"), day("03-10")), ("D1", "Won", day("04-20"), day("04-22"))],
        roles=[("D1", "1", day("03-11"))],
    )
    assert story(company, known=True) == [
        "lead 01-01 01-01 known",
        "mql 02-20 02-20 interest",
        "sql 03-01 03-01 meeting",
        "in_talks 03-10 03-11 deal_opened",
        "won 04-20 04-22 deal_won",
    ]
    rows = company.rows("lifecycle")
    assert [row["left_at"] for row in rows[:-1]] == [row["entered_at"] for row in rows[1:]]
    assert [row["left_recorded_at"] for row in rows[:-1]] == [row["recorded_at"] for row in rows[1:]]
    assert (rows[-1]["left_at"], rows[-1]["deal_id"], rows[0]["deal_id"]) == (None, "D1", None)


def test_machines_and_old_interest_qualify_nobody(firm):
    company = firm(
        leads=[LEAD],
        events=[
            event(1, "form_fill", "02-01"),
            event(2, "form_fill", "02-02", bot="true"),
            # Exactly 90 days after the first: the window is half-open.
            event(3, "form_fill", "05-02"),
            event(4, "form_fill", "06-01"),
        ],
    )
    assert story(company) == ["lead 01-01 known", "mql 06-01 interest"]


def test_a_late_event_counts_from_when_it_is_known(firm):
    company = firm(
        leads=[LEAD],
        events=[
            event(1, "form_fill", "02-01"),
            event(2, "form_fill", "02-10", recorded="04-01"),
            event(3, "meeting", "03-01"),
        ],
    )
    # In March nobody could call the person an MQL; in April the person is past it.
    assert story(company) == ["lead 01-01 known", "sql 03-01 meeting"]


def test_pricing_pages_and_properties(firm):
    rules = [{"kind": "events", "properties": {"campaign": ["spring*"]}, "url": ["*/PRICE*"], "at_least": 2}]
    stages = [
        {"name": "lead", "label": {"ja": "a", "en": "a"}, "enter": [{"kind": "known"}]},
        {"name": "keen", "label": {"ja": "b", "en": "b"}, "enter": rules},
    ]
    visits = [
        event(1, "web_visit", "02-01", url="https://x.example/price/a", campaign="Spring 25"),
        event(2, "web_visit", "02-02", url="https://x.example/price/a", campaign="autumn"),
        event(3, "web_visit", "02-03", url="https://x.example/about", campaign="spring 25"),
        event(4, "web_visit", "06-04", url="https://x.example/price", campaign="spring 25"),
    ]
    company = firm(leads=[LEAD], events=visits, lifecycle={"stages": stages})
    assert story(company) == ["lead 01-01 lead_1", "keen 06-04 keen_1"]


def test_lost_then_active_then_in_talks_again(firm):
    company = firm(
        leads=[LEAD],
        events=[
            event(1, "form_fill", "01-20"),
            # The day before the loss, told weeks after it.
            event(2, "web_visit", "03-31", recorded="05-01"),
            event(3, "web_visit", "05-05"),
            event(4, "form_fill", "05-06"),
            event(5, "form_fill", "05-07"),
        ],
        deals=[("D1", "", day("02-01"), "", day("02-01")), ("D2", "", day("06-01"), "", day("06-01"))],
        stages=[("D1", "Lost", day("04-01"), day("04-01")), ("D2", "Offer", day("06-01"), day("06-01"))],
        roles=[("D1", "1", day("02-01")), ("D2", "1", day("06-01"))],
    )
    assert story(company) == [
        "lead 01-01 known",
        "in_talks 02-01 deal_opened",
        "lost 04-01 deal_lost",
        "recycled 05-05 activity",
        # Two forms since the loss; the one of January belongs to the former round.
        "mql 05-07 interest",
        "in_talks 06-01 deal_opened",
    ]


def test_lost_only_when_nothing_is_open_and_won_stays_won(firm):
    roles = [("D1", "1", day("02-01")), ("D2", "1", day("02-01")), ("D3", "1", day("06-01"))]
    company = firm(
        leads=[LEAD],
        deals=[(name, "", day(opened), "", day(opened)) for name, opened in
               (("D1", "02-01"), ("D2", "02-02"), ("D3", "06-01"))],
        stages=[
            ("D1", "Lost", day("03-01"), day("03-01")),
            ("D2", "Won", day("04-01"), day("04-01")),
            ("D3", "Lost", day("07-01"), day("07-01")),
        ],
        roles=roles,
    )  # fmt: skip
    assert story(company) == ["lead 01-01 known", "in_talks 02-01 deal_opened", "won 04-01 deal_won"]


def test_a_win_that_is_taken_back(firm):
    moves = [("Won", "03-01"), ("Offer", "03-10"), ("Lost", "04-01")]
    company = firm(
        leads=[LEAD],
        deals=[("D1", "", day("02-01"), "", day("02-01"))],
        stages=[("D1", name, day(at), day(at)) for name, at in moves],
        roles=[("D1", "1", day("02-01"))],
    )
    assert story(company)[1:] == [
        "in_talks 02-01 deal_opened", "won 03-01 deal_won", "in_talks 03-10 deal_reopened", "lost 04-01 deal_lost",
    ]  # fmt: skip


def test_a_stage_that_is_entered_late_does_not_move_the_deal_back(firm):
    company = firm(
        leads=[LEAD],
        deals=[("D1", "", day("02-01"), "", day("02-01"))],
        stages=[("D1", "Lost", day("04-01"), day("04-01")), ("D1", "Offer", day("03-01"), day("05-01"))],
        roles=[("D1", "1", day("02-01"))],
    )
    assert story(company)[1:] == ["in_talks 02-01 deal_opened", "lost 04-01 deal_lost"]


def test_statuses_and_their_history(firm):
    company = firm(
        leads=[("1", "a@alpha.example.jp", "Unqualified", day("01-01")), ("2", "b@b.example.jp", "mql", day("01-01"))],
        changes=[
            ("1", "status", "New", "SQL", day("02-01")),
            ("1", "status", "SQL", "Unqualified", day("03-01")),
        ],
        events=[event(1, "form_fill", "03-05")],
    )
    assert story(company) == [
        "lead 01-01 known", "sql 02-01 sql_status", "lost 03-01 disqualified", "recycled 03-05 activity",
    ]  # fmt: skip
    # A log that says nothing of record 2: what stands there is as old as the log.
    assert story(company, "2") == ["lead 01-01 known", "mql 02-01 mql_status"]


def test_a_disqualified_duplicate_does_not_lose_a_customer(firm):
    company = firm(
        leads=[LEAD, ("2", "taro@alpha.example.jp", "Unqualified", day("01-02"))],
        changes=[("2", "status", "New", "Unqualified", day("05-01"))],
        deals=[("D1", "", day("02-01"), "", day("02-01"))],
        stages=[("D1", "Won", day("03-01"), day("03-01"))],
        roles=[("D1", "1", day("02-01"))],
    )
    assert story(company)[-1] == "won 03-01 deal_won"


def test_the_stages_of_a_deal_by_name(firm):
    label = {"ja": "x", "en": "x"}
    stages = [
        {"name": "talk", "label": label, "enter": [{"kind": "deal", "when": "stage", "stages": ["qual*"]}]},
        {"name": "offer", "label": label, "enter": [{"kind": "deal", "when": "stage", "stages": ["Offer"]}]},
    ]
    company = firm(
        leads=[LEAD],
        deals=[("D1", "", day("02-01"), "", day("02-01"))],
        stages=[("D1", "Qualified", day("02-03"), day("02-03")), ("D1", "Offer", day("02-09"), day("02-09"))],
        roles=[("D1", "1", day("02-01"))],
        lifecycle={"stages": stages},
    )
    assert story(company) == ["talk 02-03 talk_1", "offer 02-09 offer_1"]


def test_visitors_have_no_stage_and_bring_their_past_along(firm):
    visits = [event(n, "web_visit", f"01-0{n}", who="", key="k1", url="/pricing") for n in (1, 2, 3)]
    others = [event(n + 5, "web_visit", f"01-0{n}", who="", key="k2", url="/pricing") for n in (1, 2, 3)]
    company = firm(
        leads=[("1", "taro@alpha.example.jp", "", day("02-01"))],
        events=visits + others,
        links=[("1", "k1", day("03-01"))],
    )
    assert company.who("cookie", "k1") == company.who("crm", "1")
    anonymous = company.who("cookie", "k2")
    assert anonymous not in {row["customer_id"] for row in company.rows("lifecycle")}
    # Of the visits nothing was known of this person before March.
    assert story(company, known=True) == ["lead 02-01 03-01 known", "mql 02-01 03-01 pricing_pages"]
    # The lead's own id, which the merge ended, keeps what was believed until then.
    ended = [row for row in company.rows("lifecycle") if row["customer_id"] != company.who("crm", "1")]
    assert [(row["stage"], f"{row['left_at']:%m-%d}", f"{row['left_recorded_at']:%m-%d}") for row in ended] == [
        ("lead", "03-01", "03-01")
    ]


def test_who_refuses_profiling_has_no_stage(firm):
    company = firm(
        leads=[LEAD, ("2", "b@b.example.jp", "", day("01-01"))],
        deals=[("D1", "", day("02-01"), "", day("02-01"))],
        roles=[("D1", "1", day("02-01")), ("D1", "2", day("02-01"))],
        consents=[("1", "profiling", "false", day("06-01"))],
    )
    assert story(company) == []
    assert story(company, "2") == ["lead 01-01 known", "in_talks 02-01 deal_opened"]


def test_without_stages_the_table_is_empty(firm):
    assert firm(leads=[LEAD], lifecycle={"stages": []}).rows("lifecycle") == []
