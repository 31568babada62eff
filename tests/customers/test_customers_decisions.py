"""Decisions of people in the database, and what a run makes of them."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from core.database import open_database
from core.errors import ConfigurationError
from core.storage import connect_duckdb
from customers.decisions import (
    Decision,
    conflicts_among,
    count_decisions,
    decisions_fingerprint,
    decisions_in_force,
    forget_decisions,
    pair_of,
    read_decisions,
    record_decisions,
)
from customers.erasure import keys_to_suppress, known_by
from customers.suppression import Key, SuppressionList
from kizashi.people import find_customer
from scoring.lineage import merged_into
from tests.customers.conftest import LEAD_SOURCE, at

DECIDED = at("2025-03-10T00:00:00")
HEADER = "id,email,last,first,company,created,updated\n"
# Two leads with the mailbox of a household, and a third one of its own.
COUPLE = (
    "1,home@alpha.example.jp,,,,2025-01-10T00:00:00Z,2025-01-10T00:00:00Z\n"
    "2,home@alpha.example.jp,,,,2025-02-01T00:00:00Z,2025-02-01T00:00:00Z\n"
    "3,jiro@beta.example.jp,,,,2025-02-02T00:00:00Z,2025-02-02T00:00:00Z\n"
)
LATER = "9,saburo@gamma.example.jp,,,,2025-06-01T00:00:00Z,2025-06-01T00:00:00Z\n"
SAME_SYSTEM: dict[str, Any] = {
    "name": "same",
    "system": "crm",
    "path": "{home}/exports/same.csv",
    "links": {"left": {"column": "one"}, "right": {"column": "other"}, "linked_at": "at", "rule": "conversion"},
}


def lead(source_id: object) -> Key:
    return Key("crm", str(source_id))


def decision(one: Key, other: Key, verdict: Any, moment: Any = DECIDED, by: str = "suzuki") -> Decision:
    return Decision(pair_of(one, other), verdict, by, moment)


def decide(company: Any, *given: Decision) -> int:
    settings = company.settings()
    engine = open_database(settings, company.workspace)
    try:
        return record_decisions(engine, given)
    finally:
        engine.dispose()


@pytest.fixture
def couple(company: Any) -> Any:
    company.write("leads.csv", HEADER + COUPLE + LATER)
    company.sources = [LEAD_SOURCE]
    company.extra = {"identity": {"similar": {"enabled": False}}}
    return company


def changes(company: Any) -> list[tuple[str, str, str]]:
    return [(row["kind"], row["old_id"], row["new_id"]) for row in company.rows("identity_changes")]


def test_what_is_decided_is_kept_once_and_can_be_taken_back(company: Any, database_url: str | None) -> None:
    company.extra = {"database_url": database_url} if database_url else {}
    company.sources = [LEAD_SOURCE]
    settings, workspace = company.settings(), company.workspace
    assert read_decisions(settings, workspace) == []
    same, other = decision(lead(1), lead(2), "same"), decision(lead("住所=1"), lead("'3"), "different")
    assert decide(company, same, other) == 2
    later = DECIDED + timedelta(hours=1)
    assert decide(company, decision(lead(2), lead(1), "same", later, "sato"), other) == 0
    assert decisions_in_force(read_decisions(settings, workspace)) == {same.pair: same, other.pair: other}
    before = decisions_fingerprint(read_decisions(settings, workspace))
    # A clock that went back does not let the older word win.
    assert decide(company, decision(lead(1), lead(2), "withdrawn", DECIDED - timedelta(days=1))) == 1
    assert decisions_in_force(read_decisions(settings, workspace)) == {other.pair: other}
    assert decide(company, decision(lead(1), lead(2), "withdrawn", later)) == 0
    assert decide(company, decision(lead(7), lead(8), "withdrawn", later)) == 0
    assert decisions_fingerprint(read_decisions(settings, workspace)) != before


def test_forgetting_deletes_every_decision_that_names_a_record(company: Any, database_url: str | None) -> None:
    company.extra = {"database_url": database_url} if database_url else {}
    company.sources = [LEAD_SOURCE]
    pairs = itertools.combinations(range(5), 2)
    decide(company, *(decision(lead(one), lead(other), "different") for one, other in pairs))
    engine = open_database(company.settings(), company.workspace)
    try:
        gone = [lead(0), lead(1), Key("web", "2")]
        assert count_decisions(engine, gone) == forget_decisions(engine, gone) == 7
        assert count_decisions(engine, gone) == forget_decisions(engine, gone) == 0
    finally:
        engine.dispose()
    left = {key.id for one in read_decisions(company.settings(), company.workspace) for key in one.pair}
    assert left == {"2", "3", "4"}


def test_a_decision_for_one_person_yields_to_those_against_it_and_to_older_ones() -> None:
    told = [
        decision(lead(1), lead(2), "same", DECIDED),
        decision(lead(2), lead(3), "same", DECIDED + timedelta(days=1)),
        decision(lead(1), lead(3), "different", DECIDED + timedelta(days=2)),
        decision(lead(3), lead(4), "same", DECIDED + timedelta(days=3)),
    ]
    (conflict,) = conflicts_among(decisions_in_force(told))
    assert (conflict.same, conflict.different) == (told[1], told[2])
    assert conflicts_among(decisions_in_force(told[:2])) == []


def test_one_mailbox_is_divided_from_the_decision_on(couple: Any, moment: Any) -> None:
    couple.unify()
    joined = couple.who("crm", "1")
    assert couple.who("crm", "2") == joined
    decide(couple, decision(lead(1), lead(2), "different"))
    couple.unify()
    apart = couple.who("crm", "2")
    assert couple.who("crm", "1") == couple.who("email", "home@alpha.example.jp") == joined
    assert apart not in (joined, None)
    assert couple.who("crm", "2", DECIDED) == joined
    assert couple.who("crm", "2", DECIDED + timedelta(microseconds=1)) == apart
    (split,) = [row for row in couple.rows("identity_changes") if row["kind"] == "split"]
    assert (split["old_id"], split["new_id"], split["changed_at"]) == (joined, apart, DECIDED)
    assert (split["reason"], split["run"]) == ("decision", "run-2")
    links = {(row["left_id"], row["right_id"]): row["state"] for row in couple.rows("identity_links")}
    assert links["1", "home@alpha.example.jp"] == "joined"
    assert links["2", "home@alpha.example.jp"] == "decision"
    assert {row["customer_id"]: row["records"] for row in couple.rows("customers")}[apart] == 1
    before = {name: couple.rows(name) for name in ("identities", "identity_changes", "identity_links", "customers")}
    couple.unify()
    assert {name: couple.rows(name) for name in before} == before


def test_a_decision_after_the_exports_counts_from_their_end_until_newer_ones_come(couple: Any) -> None:
    couple.write("leads.csv", HEADER + COUPLE)
    couple.unify()
    joined = couple.who("crm", "1")
    decide(couple, decision(lead(1), lead(2), "different"))
    until = couple.unify().data_until
    assert until < DECIDED
    apart = couple.who("crm", "2")
    assert couple.who("crm", "2", until) == joined
    assert couple.who("crm", "2", until + timedelta(seconds=1)) == apart != joined
    couple.write("leads.csv", HEADER + COUPLE + LATER)
    couple.unify()
    assert couple.who("crm", "2") == apart
    assert couple.who("crm", "2", DECIDED) == joined
    assert [change for change in changes(couple) if change[0] == "split"] == [("split", joined, apart)]


def test_ids_resolve_through_a_merge_a_split_and_a_merge_again(couple: Any) -> None:
    decide(couple, decision(lead(1), lead(3), "same"))
    couple.unify()
    elder, younger = couple.who("crm", "1"), couple.who("crm", "3", DECIDED)
    assert couple.who("crm", "3") == elder != younger
    assert ("merge", younger, elder) in changes(couple)
    assert find_customer(couple.workspace, younger) == elder
    assert merged_into(couple.workspace)[younger] == elder
    decide(couple, decision(lead(1), lead(3), "withdrawn", DECIDED + timedelta(days=1)))
    couple.unify()
    assert couple.who("crm", "3") == younger
    assert find_customer(couple.workspace, younger) == younger
    assert find_customer(couple.workspace, elder) == elder
    assert younger not in merged_into(couple.workspace)
    assert known_by(couple.workspace, elder).customer_ids == (elder,)
    decide(couple, decision(lead(1), lead(3), "same", DECIDED + timedelta(days=2)))
    couple.unify()
    assert couple.who("crm", "3") == elder
    assert find_customer(couple.workspace, younger) == elder
    assert merged_into(couple.workspace)[younger] == elder
    assert [change[0] for change in changes(couple) if younger in change] == ["merge", "split", "merge"]


def test_decisions_outlive_exports_without_the_record(couple: Any) -> None:
    decide(couple, decision(lead(1), lead(2), "different"), decision(lead(2), lead(3), "same"))
    couple.write("leads.csv", HEADER + LATER)
    couple.unify()
    couple.write("leads.csv", HEADER + "".join(reversed((COUPLE + LATER).splitlines(keepends=True))))
    couple.unify()
    assert couple.who("crm", "2") == couple.who("crm", "3") != couple.who("crm", "1")


def test_conflicting_decisions_are_counted(couple: Any) -> None:
    decide(couple, decision(lead(1), lead(2), "different"), decision(lead(1), lead(3), "same"))
    assert couple.unify().conflicts == 0
    decide(couple, decision(lead(2), lead(3), "same", DECIDED + timedelta(days=1)))
    assert couple.unify().conflicts == 1
    assert couple.who("crm", "3") == couple.who("crm", "1") != couple.who("crm", "2")
    links = {(row["left_id"], row["right_id"]): row["state"] for row in couple.rows("identity_links")}
    assert (links["1", "3"], links["2", "3"]) == ("joined", "decision")


def test_a_decision_makes_other_features_of_the_same_exports(couple: Any) -> None:
    couple.unify()
    first = couple.workspace.current("customers").name.rpartition("-")[0]
    decide(couple, decision(lead(1), lead(2), "different"))
    couple.unify()
    assert couple.workspace.current("customers").name.rpartition("-")[0] != first


def test_who_was_told_apart_stays_when_the_other_one_is_forgotten(couple: Any) -> None:
    """The system calls both one record; without the decision forgetting one would erase both."""
    couple.sources = [LEAD_SOURCE, SAME_SYSTEM]
    couple.write("same.csv", "one,other,at\n1,3,2025-02-03T00:00:00Z\n")
    couple.unify()
    assert couple.who("crm", "1") == couple.who("crm", "3")
    decide(couple, decision(lead(1), lead(3), "different"))
    couple.unify()
    person = known_by(couple.workspace, couple.who("crm", "1"))
    assert ("crm", "3") not in person.keys
    suppressed = SuppressionList(couple.workspace)
    suppressed.add(keys_to_suppress(couple.workspace, person, person), "r1")
    engine = open_database(couple.settings(), couple.workspace)
    forget_decisions(engine, person.keys)
    engine.dispose()
    couple.unify()
    assert couple.who("crm", "1") is None
    assert couple.who("crm", "3") is not None


def test_a_decision_about_somebody_found_to_be_forgotten_is_erased(couple: Any) -> None:
    decide(couple, decision(lead(3), lead(9), "different", by="sato-3"), decision(lead(1), lead(9), "different"))

    def stored() -> bytes:
        return b"".join(path.read_bytes() for path in sorted(couple.home.glob("app.db*")))

    assert b"sato-3" in stored()
    SuppressionList(couple.workspace).add([Key("email", "jiro@beta.example.jp")], "r1")
    couple.unify()
    (left,) = read_decisions(couple.settings(), couple.workspace)
    assert left.pair == pair_of(lead(1), lead(9))
    assert b"sato-3" not in stored()


def test_a_source_cannot_pass_its_links_off_as_decisions(couple: Any) -> None:
    couple.sources = [LEAD_SOURCE, SAME_SYSTEM | {"links": {**SAME_SYSTEM["links"], "rule": "decision"}}]
    couple.write("same.csv", "one,other,at\n1,3,2025-02-03T00:00:00Z\n")
    with pytest.raises(ConfigurationError, match=r"source same: links.rule cannot be 'decision'"):
        couple.unify()


def test_links_of_every_kind_are_published(small_company: Any) -> None:
    small_company.unify()
    connection = connect_duckdb()
    small_company.workspace.tables(connection)
    found = connection.execute(
        "SELECT left_system, right_system, rule, state FROM identity_links ORDER BY ALL"
    ).fetchall()
    connection.close()
    assert found == [
        ("cookie", "email", "source_link", "joined"),
        ("crm", "email", "email", "joined"),
        ("crm", "email", "email", "joined"),
    ]
