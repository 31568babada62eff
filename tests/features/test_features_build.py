"""As-of building on worlds small enough to know the answers."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from core.errors import MissingStageError, TableError
from core.feature_settings import SignalSettings
from core.source_settings import Label
from core.storage import Workspace
from features import service_schema
from features.build import build_features

T = datetime(2025, 6, 1, 12, tzinfo=UTC)
NODE = {"system": "ma", "source_id": "1", "customer_id": "c_1"}


def link(customer="c_1", system="ma", source_id="1", linked_at=T - timedelta(days=400), ended_at=None):
    return {
        "system": system,
        "source_id": source_id,
        "customer_id": customer,
        "rule": "new",
        "probability": 1.0,
        "linked_at": linked_at,
        "ended_at": ended_at,
        "run": "r",
    }


def event(number, before, kind="web_visit", late=timedelta(0), **more):
    return {
        "event_id": str(number),
        **NODE,
        "channel": "web",
        "type": kind,
        "occurred_at": T - before,
        "recorded_at": T - before + late,
        "recorded_assumed": False,
        "is_bot": False,
        **more,
    }


def attribute(field, value, before=timedelta(days=1), late=timedelta(0), **more):
    return {
        **NODE,
        "field": field,
        "value": value,
        "occurred_at": T - before,
        "recorded_at": T - before + late,
        "recorded_assumed": False,
        **more,
    }


@pytest.fixture
def row(feature_settings, publish_tables, view_rows, moments_table):
    """Build one moment of one person and return all features by name."""

    def build(customer="c_1", at=T, **tables):
        workspace = publish_tables(**{"identities": [link()], **tables})
        summary = build_features(feature_settings, workspace, moments_table([(customer, at)]))
        found = {}
        for view in summary.views:
            found |= view_rows(workspace, view).to_pylist()[0]
        return found

    return build


def test_windows_are_half_open_and_exact(row):
    day, tick = timedelta(days=1), timedelta(microseconds=1)
    found = row(events=[event(1, day), event(2, day + tick), event(3, timedelta(0)), event(4, tick)])
    # [t - 1 day, t): the event exactly a day ago counts, the one at t does not.
    assert found["events_count_1d"] == 2
    assert found["events_count_7d"] == 3
    assert found["events_days_since"] == pytest.approx(1 / 86_400_000_000)


def test_what_is_recorded_later_is_not_seen(row):
    late = [
        event(1, timedelta(hours=5), late=timedelta(hours=5)),
        event(2, timedelta(hours=5), late=timedelta(hours=4)),
    ]
    assert row(events=late)["events_count_1d"] == 1


def test_bots_and_passive_events_are_no_activity(row):
    found = row(
        events=[
            event(1, timedelta(hours=1), is_bot=True),
            event(2, timedelta(hours=2), "email_delivered"),
            event(3, timedelta(hours=3), "email_open"),
        ]
    )
    assert (found["events_count_1d"], found["email_sent_count_1d"], found["email_open_count_1d"]) == (1, 1, 1)
    assert found["email_open_rate_30d"] == 1.0
    assert found["email_click_rate_30d"] == 0.0


def test_signals_match_all_given_lists_and_ignore_letter_case_of_addresses(row):
    found = row(
        events=[
            event(1, timedelta(hours=1), url="https://x.example/Pricing/plans"),
            event(2, timedelta(hours=2), url="/blog"),
            event(3, timedelta(hours=3), "form_fill", url="/pricing"),
            event(4, timedelta(hours=4)),
        ]
    )
    assert (found["pricing_page_count_1d"], found["web_visit_count_1d"], found["form_fill_count_1d"]) == (1, 3, 1)
    assert found["distinct_types_30d"] == 2
    assert found["distinct_topics_30d"] == 3


def test_a_signal_may_go_by_any_name_of_a_campaign(feature_settings, publish_tables, view_rows, moments_table):
    spring = SignalSettings(label=Label(ja="春", en="spring"), campaign=("*spring*", "701"))
    features = feature_settings.features.model_copy(update={"signals": {"spring": spring}})
    settings = feature_settings.model_copy(update={"features": features})
    told = [{"campaign": "700"}, {"campaign": "701"}, {"utm_campaign": "SPRING-2025"}, {"campaign": "702"}, {}]
    workspace = publish_tables(
        identities=[link()],
        events=[event(n, timedelta(hours=n + 1), properties=json.dumps(names)) for n, names in enumerate(told)],
        campaigns=[{"campaign_id": "700", "name": "Spring fair"}, {"campaign_id": "702", "name": "Autumn fair"}],
    )
    summary = build_features(settings, workspace, moments_table([("c_1", T)]))
    assert view_rows(workspace, "engagement").to_pylist()[0]["spring_count_1d"] == 3
    # No page is named: people without a name may have shown it too, but not everybody of whom it is counted did.
    assert "spring_count_1d" not in service_schema(settings, "lookalike_v1").names
    assert summary.moments == 1


def test_active_days_are_days_of_the_business_time_zone(row):
    tokyo = timezone(timedelta(hours=9))
    # 23:50 and 00:10 in Tokyo: two days there, one in UTC.
    evening = datetime(2025, 5, 30, 23, 50, tzinfo=tokyo)
    found = row(events=[event(1, T - evening), event(2, T - evening - timedelta(minutes=20))])
    assert found["active_days_7d"] == 2
    # 30 May 2025 was a Friday, and nobody works at that hour.
    assert found["weekend_share_30d"] == 0.5
    assert found["working_hours_share_30d"] == 0.0


def test_momentum_compares_with_the_longer_window(row):
    found = row(events=[event(n, timedelta(days=n, hours=1)) for n in range(7)] + [event(9, timedelta(days=20))])
    assert found["momentum_1d_7d"] == pytest.approx(1.0)
    assert found["momentum_7d_30d"] == pytest.approx((7 / 7) / (8 / 30))
    assert row(events=[])["momentum_7d_30d"] is None


def test_heat_halves_in_a_week(row):
    found = row(events=[event(1, timedelta(days=7)), event(2, timedelta(days=14))])
    assert found["activity_heat"] == pytest.approx(0.75, abs=1e-9)


def test_nothing_known_is_a_row_of_zeros_and_blanks(row):
    found = row(customer="c_nobody")
    assert found["events_count_30d"] == 0
    assert found["records"] == 0
    assert found["activity_heat"] == 0.0
    assert found["events_days_since"] is None
    assert found["industry"] is None
    assert found["open_deals"] == 0


def test_a_later_merge_does_not_lend_the_past(row):
    merged_at = T - timedelta(days=2)
    cookie = [
        link("c_2", "cookie", "k", ended_at=merged_at),
        link("c_1", "cookie", "k", linked_at=merged_at),
    ]
    visits = [event(1, timedelta(days=5), system="cookie", source_id="k")]
    before, after = merged_at, merged_at + timedelta(microseconds=1)
    world = {"identities": [link(), *cookie], "events": visits}
    assert row("c_1", before, **world)["events_count_30d"] == 0
    assert row("c_2", before, **world)["events_count_30d"] == 1
    assert row("c_1", after, **world)["events_count_30d"] == 1
    assert row("c_2", after, **world)["events_count_30d"] == 0
    assert row("c_1", after, **world)["devices"] == 1


def test_survivorship_prefers_systems_then_recency_and_never_blanks(row):
    both = [link(), link(system="crm", source_id="9")]
    crm = {"system": "crm", "source_id": "9"}
    found = row(
        identities=both,
        attributes=[
            attribute("rank", "manager", timedelta(days=9), **crm),
            attribute("rank", "staff", timedelta(days=1)),
            attribute("industry", "food", timedelta(days=9)),
            attribute("industry", "it", timedelta(days=1), **crm),
            attribute("department", "sales", timedelta(days=9), **crm),
            attribute("department", "it", timedelta(days=8), **crm),
            attribute("department", " ", timedelta(days=1), **crm),
            attribute("prefecture", "tokyo", timedelta(days=1), late=timedelta(days=1)),
        ],
    )
    assert found["rank"] == "manager"
    assert found["industry"] == "food"
    assert found["department"] == "it"
    assert found["prefecture"] is None


def test_colleagues_and_the_company(row):
    others = [link(f"c_{n}", "ma", str(n)) for n in (2, 3, 4, 5)] + [link("c_2", "cookie", "k")]
    two = {"source_id": "2", "customer_id": "c_2"}
    opened = T - timedelta(days=9)
    found = row(
        identities=[link(), *others],
        attributes=[
            attribute("account_id", "firm"),
            attribute("account_id", "firm", **two),
            # Said, but not yet written down; and another company.
            attribute("account_id", "firm", late=timedelta(days=3), source_id="3", customer_id="c_3"),
            attribute("account_id", "other", source_id="4", customer_id="c_4"),
            # A colleague who does nothing.
            attribute("account_id", "firm", source_id="5", customer_id="c_5"),
        ],
        events=[
            event(1, timedelta(days=1)),
            event(2, timedelta(days=2), **two),
            event(3, timedelta(days=3), system="cookie", source_id="k", url="/pricing"),
            event(4, timedelta(days=31), **two),
            event(5, timedelta(days=1), source_id="3", customer_id="c_3"),
        ],
        deals=[{"deal_id": "d", "system": "crm", "outcome": "won", "opened_at": opened, "recorded_at": opened}],
        deal_stages=[stage("d", "lost", "lost", timedelta(days=2))],
        deal_people=[{"deal_id": "d", **NODE, **two, "recorded_at": opened}],
    )
    assert (found["colleagues"], found["colleagues_active_30d"]) == (2, 1)
    assert (found["colleague_events_30d"], found["colleague_intent_30d"]) == (2, 1)
    assert (found["company_open_deals"], found["company_won_deals"], found["company_lost_deals"]) == (0, 0, 1)
    assert found["deals_before"] == 0
    assert row(attributes=[])["colleagues"] is None


def test_mail_kind_and_consent(row):
    found = row(
        attributes=[
            attribute("mail_kind", "free", timedelta(days=5)),
            attribute("mail_kind", "business"),
        ],
        consents=[
            {
                **NODE,
                "purpose": "marketing",
                "granted": True,
                "decided_at": T - timedelta(days=2),
                "recorded_at": T - timedelta(days=2),
            },
            {**NODE, "purpose": "marketing", "granted": False, "decided_at": T, "recorded_at": T},
            {
                **NODE,
                "purpose": "transfer",
                "granted": False,
                "decided_at": T - timedelta(days=1),
                "recorded_at": T - timedelta(days=1),
            },
        ],
    )
    assert found["mail_kind"] == "business"
    assert found["marketing_consent"] == "granted"


def test_custom_fields_by_type(row):
    found = row(
        attributes=[
            attribute("Budget", "1,250.5"),
            attribute("plan", "gold"),
            attribute("member", "Yes"),
            attribute("renewal", (T - timedelta(days=3)).isoformat()),
        ]
    )
    assert found["custom_budget"] == 1250.5
    assert found["custom_plan"] == "gold"
    assert found["custom_member"] == 1
    assert found["custom_renewal"] == pytest.approx(3.0)
    unreadable = row(attributes=[attribute("Budget", "inf"), attribute("member", "?"), attribute("renewal", "soon")])
    assert unreadable["custom_budget"] is unreadable["custom_member"] is unreadable["custom_renewal"] is None


def stage(deal, name, outcome, before, late=timedelta(0), amount=None):
    at = T - before
    entry = {"deal_id": deal, "stage": name, "outcome": outcome, "entered_at": at, "recorded_at": at + late}
    return {**entry, "amount": amount}


def test_deals_as_they_stood(row):
    def deal(name, days):
        opened = T - timedelta(days=days)
        return {"deal_id": name, "system": "crm", "outcome": "won", "opened_at": opened, "recorded_at": opened}

    def part(name, before=timedelta(days=50), **more):
        return {"deal_id": name, **NODE, "recorded_at": T - before, **more}

    found = row(
        identities=[link(), link("c_2", "ma", "2")],
        deals=[deal("lost", 50), deal("now", 20), deal("later", 1)],
        deal_stages=[
            stage("lost", "opened", "open", timedelta(days=50)),
            stage("lost", "lost", "lost", timedelta(days=40)),
            stage("now", "opened", "open", timedelta(days=20), amount=10.0),
            stage("now", "offer", "open", timedelta(days=5), amount=12.5),
            # Won already, but nobody has written it down.
            stage("now", "won", "won", timedelta(days=1), late=timedelta(days=2)),
            stage("later", "won", "won", timedelta(hours=1)),
        ],
        deal_people=[
            part("lost"),
            part("now"),
            part("now", source_id="2", customer_id="c_2"),
            part("later", timedelta(0)),
        ],
    )
    assert (found["open_deals"], found["deal_stage"], found["stages_passed"]) == (1, "offer", 2)
    assert (found["days_in_stage"], found["deal_age_days"], found["deal_amount"]) == (5.0, 20.0, 12.5)
    assert (found["won_before"], found["lost_before"], found["days_since_lost"]) == (0, 1, 40.0)
    assert (found["deals_before"], found["deal_contacts"], found["days_since_won"]) == (2, 2, None)


def test_every_moment_has_one_row_in_every_view_in_order(
    feature_settings, publish_tables, view_rows, moments_table, monkeypatch
):
    monkeypatch.setattr("features.people_as_of.BATCH_MOMENTS", 2)
    workspace = publish_tables(identities=[link()], events=[event(1, timedelta(days=1))])
    asked = [("c_2", T), ("c_1", T), ("c_1", T - timedelta(days=9)), ("c_1", T), ("c_0", T)]
    summary = build_features(feature_settings, workspace, moments_table(asked))
    assert (summary.moments, summary.customers) == (4, 3)
    for view in summary.views:
        rows = view_rows(workspace, view)
        keys = list(zip(rows["customer_id"].to_pylist(), rows["as_of"].to_pylist(), strict=True))
        assert keys == sorted(set(asked))


def test_two_builds_are_equal_byte_for_byte(feature_settings, publish_tables, random_world, moments_table, tmp_path):
    world = random_world(3)
    asked = moments_table([(f"c_{n:03d}", T) for n in range(25)])
    first = publish_tables(home=tmp_path / "a", **{k: list(v) for k, v in world.items()})
    second = publish_tables(home=tmp_path / "b", **{k: list(reversed(v)) for k, v in world.items()})
    one = build_features(feature_settings, first, asked)
    two = build_features(feature_settings, second, asked.take(pa.array(range(24, -1, -1))))
    assert one == two
    for view in one.views:
        left, right = (w.current("features") / f"{view}.parquet" for w in (first, second))
        assert left.read_bytes() == right.read_bytes()


def test_refusals(feature_settings, publish_tables, moments_table, tmp_path):
    with pytest.raises(MissingStageError, match="holds no customers"):
        build_features(feature_settings, Workspace(tmp_path / "empty"), moments_table([("c_1", T)]))
    workspace = publish_tables(identities=[link()])
    with pytest.raises(TableError, match="no moments"):
        build_features(feature_settings, workspace, moments_table([]))
    with pytest.raises(TableError, match="lack"):
        build_features(feature_settings, workspace, pa.table({"customer_id": ["c_1"]}))
    naive = pa.table({"customer_id": ["c_1"], "as_of": pa.array([datetime(2025, 1, 1)])})  # noqa: DTZ001 - the fault under test
    with pytest.raises(TableError, match="time zone"):
        build_features(feature_settings, workspace, naive)
    assert workspace.manifest("features") is None
