"""How good the data are, against small companies whose figures can be counted by hand."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import MissingStageError
from core.storage import Workspace
from customers.quality.consents import ConsentDisagreement, PurposeConsents, SystemConsents
from customers.quality.events import BotRule, SourcePair
from customers.quality.fields import Disagreement, FieldQuality, SystemField
from customers.quality.identities import LinkRule, SystemOverlap
from customers.quality.report import QualityReport, assess_quality
from customers.quality.sources import SourceQuality
from tests.customers.conftest import CARD_SOURCE, LEAD_SOURCE, VISIT_SOURCE, Company

# Two systems know three people by their address; the cards hold two records of one, other companies, bad telephones.
LEADS = """id,email,last,first,company,phone,created,secret
1,taro@alpha.example.jp,山田,太郎,アルファ,03-1234-5678,2025-01-10T00:00:00Z,x
2,hanako@beta.example.jp,佐藤,花子,ベータ,none,2025-02-01T00:00:00Z,x
3,jiro@gamma.example.jp,鈴木,次郎,,,2025-02-02T00:00:00Z,x
4,broken@gamma.example.jp,鈴木,三郎,,,yesterday,x
"""
CARDS = """id,email,last,first,company,phone,typed
a,taro@alpha.example.jp,山田,太郎,オメガ,03-1234-5678,2025-03-01T00:00:00Z
b,taro@alpha.example.jp,山田,太郎,シグマ,03-1234-5678,2025-04-01T00:00:00Z
c,hanako@beta.example.jp,佐藤,花子,ベータ,090-1234-5678,2025-03-01T00:00:00Z
"""
PEOPLE = {"fields": LEAD_SOURCE["people"]["fields"] | {"phone": "phone"}}


@pytest.fixture
def two_systems(company: Company) -> Company:
    company.write("leads.csv", LEADS)
    company.write("cards.csv", CARDS)
    company.sources = [LEAD_SOURCE | {"people": LEAD_SOURCE["people"] | PEOPLE}, CARD_SOURCE]
    return company


def report(company: Company, **extra: Any) -> QualityReport:
    company.extra |= extra
    company.unify()
    return assess_quality(company.workspace, "Asia/Tokyo")


def source(of: QualityReport, name: str) -> SourceQuality:
    return next(source for source in of.sources if source.source == name)


def field(of: QualityReport, name: str) -> FieldQuality:
    return next(field for field in of.fields if field.field == name)


def test_every_row_is_accounted_for(two_systems: Company) -> None:
    leads = source(report(two_systems), "leads")
    assert (leads.rows, leads.published, leads.quarantined, leads.forgotten) == (4, 3, 1, 0)
    assert leads.adds_up
    assert leads.quarantined_share == 0.25
    assert [(reason.rows, reason.file, reason.line) for reason in leads.reasons] == [(1, "leads.csv", 5)]
    assert "yesterday" not in leads.reasons[0].reason
    assert leads.unused_columns == ("secret",)


def test_rows_that_are_missing_are_told(two_systems: Company) -> None:
    report(two_systems)
    path = two_systems.workspace.table_path("sources")
    table = pq.read_table(path)
    place = table.column_names.index("rows")
    pq.write_table(table.set_column(place, table.schema.field("rows"), pa.array([3, 7], pa.int64())), path)
    quarantine = two_systems.workspace.table_path("quarantine")
    pq.write_table(pq.read_table(quarantine).slice(0, 0), quarantine)
    damaged = assess_quality(two_systems.workspace, "Asia/Tokyo")
    leads, cards = source(damaged, "leads"), source(damaged, "cards")
    assert (cards.unexplained, cards.unlisted, cards.adds_up) == (0, 0, True)
    assert (leads.unexplained, leads.unlisted, leads.adds_up) == (3, 1, False)


def test_fields_are_counted_by_system_and_in_the_golden_record(two_systems: Company) -> None:
    found = report(two_systems)
    assert [(system.system, system.records) for system in found.systems] == [("crm", 3), ("fair", 3)]
    company = field(found, "company")
    assert company.golden == 2
    assert [(system.system, system.filled, system.unreadable) for system in company.systems] == [
        ("crm", 2, 0),
        ("fair", 3, 0),
    ]
    phone = field(found, "phone")
    assert (phone.golden, phone.filled, phone.unreadable) == (2, 4, 1)
    assert phone.unreadable_share == 0.2
    assert not any(told.field.endswith("_unreadable") for told in found.fields)


@pytest.mark.parametrize(("order", "won"), [(["crm", "fair"], (1, 0)), (["fair", "crm"], (0, 1))])
def test_conflicts_say_who_won(two_systems: Company, order: list[str], won: tuple[int, int]) -> None:
    company = field(report(two_systems, survivorship={"default": order}), "company")
    # Of the two people in both systems one has another company on the newer of the two cards.
    assert (company.compared, company.conflicts, company.conflict_share) == (2, 1, 0.5)
    assert company.disagreements == (Disagreement("crm", "fair", 2, 1, *won),)
    assert company.systems == (SystemField("crm", 2, 0, 1, won[0]), SystemField("fair", 3, 0, 1, won[1]))
    assert field(report(two_systems), "last_name").conflicts == 0


def test_records_people_and_duplicates_are_counted(two_systems: Company) -> None:
    identities = report(two_systems).identities
    assert (identities.records, identities.known, identities.anonymous) == (6, 3, 0)
    assert identities.records_per_person == ((1, 1), (2, 1), (3, 1))
    assert [person.records for person in identities.largest] == [3, 2]
    assert identities.people_over(2) == 1
    assert identities.overlaps == (
        SystemOverlap("crm", "crm", 0, 0),
        SystemOverlap("crm", "fair", 2, 0),
        SystemOverlap("fair", "fair", 1, 1),
    )


def test_refused_links_and_the_changes_of_the_last_run_are_counted(small_company: Company) -> None:
    first = report(small_company).identities
    assert (first.merges, first.splits) == (1, 0)
    assert LinkRule("source_link", 1, 0, 0, 0) in first.links
    # A cookie that two people of different names log in from belongs to the first of them.
    small_company.write(
        "visits.csv",
        "event_id,cookie,login,url,at,recorded\n"
        "v1,k1,,/pricing,2025-01-05T10:00:00Z,2025-01-05T10:00:05Z\n"
        "v2,k1,taro@alpha.example.jp,/help,2025-01-20T10:00:00Z,2025-01-20T10:00:05Z\n"
        "v3,k1,hanako@beta.example.jp,/,2025-03-01T10:00:00Z,2025-03-01T10:00:05Z\n",
    )
    second = report(small_company).identities
    assert LinkRule("source_link", 1, 0, 1, 0) in second.links
    assert (second.merges, second.splits) == (0, 0)


def test_events_sent_twice_and_events_from_the_future_are_counted(small_company: Company) -> None:
    visit = "{},k1,,/pricing,2025-01-{:02}T10:00:00Z,2025-01-{:02}T10:00:05Z\n"
    rows = [visit.format(name, day, day) for name, day in (("a", 5), ("a", 5), ("a", 6), ("b", 7), ("c", 31))]
    small_company.write("visits.csv", "event_id,cookie,login,url,at,recorded\n" + "".join(rows))
    small_company.sources = [LEAD_SOURCE, VISIT_SOURCE | {"exported_at": "2025-01-30T00:00:00Z"}]
    found = report(small_company)
    (visits,) = found.events.sources
    assert (visits.source, visits.read, visits.repeated, visits.future) == ("visits", 4, 2, 1)
    assert (found.events.events, found.events.repeated, found.events.future) == (2, 2, 1)
    assert visits.read - visits.repeated == found.events.events


def test_clocks_that_run_ahead_and_plans_are_told_apart(small_company: Company) -> None:
    visit = "{},k1,,/pricing,2025-01-{},2025-01-{}\n"
    rows = [
        visit.format("a", "30T00:00:04Z", "30T00:00:04Z"),
        visit.format("b", "30T00:00:06Z", "30T00:00:06Z"),
        visit.format("early", "20T10:00:00Z", "19T10:00:00Z"),
        visit.format("nearly", "20T10:00:03Z", "20T10:00:00Z"),
    ]
    small_company.write("visits.csv", "event_id,cookie,login,url,at,recorded\n" + "".join(rows))
    exported = VISIT_SOURCE | {"exported_at": "2025-01-30T00:00:00Z"}
    small_company.sources = [LEAD_SOURCE, exported | {"clock_skew_seconds": 5}]
    found = report(small_company).events
    assert (found.events, found.future, found.early) == (3, 1, 1)
    times = {row["event_id"]: (row["occurred_at"], row["recorded_at"]) for row in small_company.rows("events")}
    end = datetime(2025, 1, 30, tzinfo=UTC)
    assert times["visits:a"] == (end, end), "no later than its export, which knows it"
    planned = datetime(2025, 1, 20, 10, tzinfo=UTC)
    assert times["visits:early"] == (planned, planned)
    small_company.sources = [LEAD_SOURCE, exported]
    strict = report(small_company).events
    assert (strict.events, strict.future, strict.early) == (2, 2, 2)


def test_events_told_twice_and_the_rules_of_bots_are_counted(publish_tables: Callable[..., Workspace]) -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC)
    late = at + timedelta(seconds=1)
    told = {"customer_id": "c_1", "system": "ma", "source_id": "1", "occurred_at": at, "recorded_at": at}
    told |= {"channel": "email", "type": "t", "recorded_assumed": False, "is_bot": False}
    found = assess_quality(
        publish_tables(
            events=[
                {**told, "event_id": "ma:1"},
                {**told, "event_id": "cep:1", "duplicate_of": "ma:1"},
                {**told, "event_id": "cep:2", "duplicate_of": "ma:1"},
                {**told, "event_id": "ma:2", "is_bot": True, "bot_since": at, "bot_rule": "burst"},
                {**told, "event_id": "ma:3", "is_bot": True, "bot_since": late, "bot_rule": "burst"},
            ]
        ),
        "Asia/Tokyo",
    ).events
    assert found.pairs == (SourcePair("ma", "cep", 2),)
    assert found.rules == (BotRule("burst", 2, 1),)
    assert (found.events, found.bots, found.told_twice) == (5, 2, 2)


def test_permissions_are_counted_by_purpose_and_system(publish_tables: Callable[..., Workspace]) -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC)

    def decision(person: int, system: str, granted: bool, day: int) -> dict[str, Any]:
        record = {"customer_id": f"c_{person}", "system": system, "source_id": str(person), "purpose": "marketing"}
        when = at + timedelta(days=day)
        return {**record, "granted": granted, "decided_at": when, "recorded_at": when}

    people = [
        {"customer_id": f"c_{n}", "kind": "known" if n < 5 else "anonymous", "records": 1, "first_seen_at": at}
        | {"consent_marketing": n in (1, 4), "consent_profiling": True, "consent_transfer": False}
        for n in range(1, 6)
    ]
    decisions = [
        decision(1, "ma", False, 1), decision(1, "ma", True, 2), decision(1, "crm", True, 1),
        decision(2, "ma", True, 1), decision(2, "crm", False, 1),
        decision(3, "ma", False, 1), decision(5, "ma", True, 1),
    ]  # fmt: skip
    found = assess_quality(publish_tables(customers=people, consents=decisions), "Asia/Tokyo").consents
    assert found.purposes == (
        PurposeConsents("marketing", 1, 2, 1, 2),
        PurposeConsents("profiling", 0, 0, 4, 4),
        PurposeConsents("transfer", 0, 0, 4, 0),
    )
    assert found.systems == (SystemConsents("marketing", "crm", 1, 1), SystemConsents("marketing", "ma", 2, 1))
    assert found.disagreements == (ConsentDisagreement("marketing", "crm", "ma", 2, 1, 1),)


def test_bots_are_counted_by_channel(publish_tables: Callable[..., Workspace]) -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC)
    given = {"customer_id": "c_1", "system": "ma", "source_id": "1", "occurred_at": at, "recorded_at": at}
    events = [
        {**given, "event_id": f"x:{n}", "channel": channel, "type": "t", "recorded_assumed": False, "is_bot": bot}
        for n, (channel, bot) in enumerate([("email", True), ("email", False), ("email", False), ("web", False)])
    ]
    found = assess_quality(publish_tables(events=events), "Asia/Tokyo").events
    assert [(channel.channel, channel.events, channel.bots) for channel in found.channels] == [
        ("email", 3, 1),
        ("web", 1, 0),
    ]
    assert (found.events, found.bots) == (4, 1)


def days(*, pauses: list[int]) -> list[dict[str, Any]]:
    """Days with a fact, so far apart."""
    day, rows = date(2025, 1, 1), []
    for pause in [0, *pauses]:
        day += timedelta(days=pause)
        rows.append({"source": "s", "section": "events", "day": day, "facts": 2, "repeated": 0, "early": 0})
    return rows


@pytest.mark.parametrize(
    ("pauses", "silent", "stalled"),
    [
        ([1, 1, 1, 1, 3] * 4, 3, False),
        ([1, 1, 1, 1, 3] * 4, 4, True),
        # Too short a history to say what is usual.
        ([1, 1, 1, 1, 3] * 3, 40, False),
        # What was usual long ago is usual no longer.
        ([90, 90, 90, 90, *[1] * 365], 2, True),
        ([*[1] * 20, 30, *[1] * 20], 29, False),
    ],
)
def test_a_source_stands_still_by_its_own_pace(
    publish_tables: Callable[..., Workspace], pauses: list[int], silent: int, stalled: bool
) -> None:
    rows = days(pauses=pauses)
    until = datetime(2025, 1, 1, 3, tzinfo=UTC) + timedelta(days=sum(pauses) + silent)
    sources = [
        {"source": "s", "file": "s.csv", "rows": 1, "published": 1, "quarantined": 0, "forgotten": 0,
         "fingerprint": "f"}
    ]  # fmt: skip
    workspace = publish_tables(data_until=until, source_days=rows, sources=sources)
    fresh = assess_quality(workspace, "Asia/Tokyo").sources[0].freshness
    assert fresh is not None
    assert (fresh.silent_days, fresh.stalled) == (silent, stalled)
    assert (fresh.newest, fresh.facts, fresh.days) == (rows[-1]["day"], 2 * len(rows), len(rows))


def test_a_day_is_the_business_day(small_company: Company) -> None:
    report(small_company, timezone="Asia/Tokyo")
    in_tokyo = [row["day"] for row in small_company.rows("source_days") if row["source"] == "leads"]
    small_company.extra["timezone"] = "America/New_York"
    small_company.unify()
    in_new_york = [row["day"] for row in small_company.rows("source_days") if row["source"] == "leads"]
    assert in_tokyo == [date(2025, 1, 10), date(2025, 2, 1)]
    assert in_new_york == [date(2025, 1, 9), date(2025, 1, 31)]


def test_tables_of_an_earlier_release_are_refused(small_company: Company) -> None:
    report(small_company)
    small_company.workspace.table_path("proofs").unlink()
    with pytest.raises(MissingStageError, match="kizashi unify"):
        assess_quality(small_company.workspace, "Asia/Tokyo")


def test_nothing_at_all_is_assessed(publish_tables: Callable[..., Workspace]) -> None:
    found = assess_quality(publish_tables(), "Asia/Tokyo")
    assert (found.sources, found.fields, found.events.events, found.identities.records) == ((), (), 0, 0)
