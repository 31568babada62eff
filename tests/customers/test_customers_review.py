"""Why two records are one person or not, which pairs need a look, and answers that come back."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from core.clock import FixedClock
from core.errors import SourceError
from customers.decisions import decisions_in_force, pair_of, read_decisions
from customers.review.answers import record_answers
from customers.review.explanation import explain_pair, explain_person
from customers.review.link_path import Step, strongest_path
from customers.review.obstacles import Obstacle
from customers.review.pairs import doubtful_pairs
from customers.suppression import Key
from tests.customers.conftest import LEAD_SOURCE, Company, at
from tests.customers.test_customers_decisions import COUPLE, HEADER, LATER, decide, decision, lead

CLOCK = FixedClock(at("2025-09-01T00:00:00"))


def card(number: object) -> Key:
    return Key("fair", str(number))


def mailbox(address: str) -> Key:
    return Key("email", address)


def explained(company: Company, left: Key, right: Key) -> Any:
    settings = company.settings()
    return explain_pair(settings, company.workspace, read_decisions(settings, company.workspace), left, right)


def obstacles(company: Company, left: Key, right: Key) -> dict[str, Obstacle]:
    found = explained(company, left, right)
    assert not found.one_person
    assert found.steps == ()
    return {obstacle.kind: obstacle for obstacle in found.obstacles}


def pairs(company: Company, limit: int = 1000) -> list[dict[str, Any]]:
    settings = company.settings()
    chosen = doubtful_pairs(settings, company.workspace, read_decisions(settings, company.workspace), limit)
    return [dict(zip(chosen.columns, row, strict=True)) for row in chosen.rows]


def answer(company: Company, *rows: dict[str, str]) -> Any:
    return record_answers(
        company.settings(), company.workspace, "list.csv", enumerate(rows, start=2), "suzuki", clock=CLOCK
    )


def row(one: Key, other: Key, verdict: str, **more: str) -> dict[str, str]:
    return {
        "decision": verdict, "left_system": one.system, "left_id": one.id, "right_system": other.system,
        "right_id": other.id, **more,
    }  # fmt: skip


def together(company: Company) -> int:
    """A card whose mailbox differs from its lead's and that was found all the same."""
    return next(n for n in range(4, 240, 8) if company.who("fair", str(n)) == company.who("crm", str(n)))


def test_a_path_names_each_link_from_one_record_to_the_other(fair: Company) -> None:
    fair.unify()
    found = explained(fair, mailbox("u0@firm0.example.jp"), card(0))
    assert found.one_person
    assert [(step.left, step.right, step.rule) for step in found.steps] == [
        (mailbox("u0@firm0.example.jp"), card(0), "email")
    ]
    number = together(fair)
    found = explained(fair, card(number), lead(number))
    (step,) = found.steps
    assert (step.left, step.right, step.rule) == (card(number), lead(number), "similar")
    assert found.since == step.linked_at == at("2025-06-01T00:00:00")
    said = {agreement.field: agreement for agreement in step.agreements}
    assert {said[field].agreement for field in ("family_name", "given_name", "company", "phone")} == {"equal"}
    assert all(said[field].bits > 0 for field in ("family_name", "given_name", "company", "phone"))
    assert said["email"].agreement == "different"
    assert said["email"].bits < 0
    assert [abs(agreement.bits) for agreement in step.agreements] == sorted(
        (abs(agreement.bits) for agreement in step.agreements), reverse=True
    )


def test_a_person_is_told_by_all_records_and_the_links_that_hold_them(fair: Company) -> None:
    fair.unify()
    number = together(fair)
    found = explain_person(fair.workspace, (), str(fair.who("crm", str(number))))
    keys = {member.key for member in found.members}
    assert {lead(number), card(number), mailbox(f"u{number}@firm{number // 3}.example.jp")} <= keys
    # A tree: one link fewer than nodes.
    assert len(found.steps) == len(keys) - 1
    assert found.apart == ()


def test_a_colleague_is_kept_apart_by_their_name_and_a_telephone_that_joins_nobody(fair: Company) -> None:
    fair.unify()
    found = obstacles(fair, card(999), lead(4))
    assert found["names"].values[0].startswith("大久保")
    assert found["shared"].field == "phone"
    assert not {"decided", "cut"} & found.keys()


def test_strangers_have_nothing_in_common(couple: Company) -> None:
    couple.unify()
    assert obstacles(couple, lead(1), lead(9)).keys() == {"nothing"}


@pytest.fixture
def couple(company: Company) -> Company:
    company.write("leads.csv", HEADER + COUPLE + LATER)
    company.sources = [LEAD_SOURCE]
    company.extra = {"identity": {"similar": {"enabled": False}}}
    return company


def test_decisions_are_named_with_who_and_what_they_cut(couple: Company) -> None:
    decide(couple, decision(lead(1), lead(2), "different"), decision(lead(2), lead(3), "same"))
    couple.unify()
    found = obstacles(couple, lead(3), lead(1))
    assert found["decided"].decision == decision(lead(1), lead(2), "different")
    assert found["cut"].step is not None
    assert (found["cut"].step.left, found["cut"].step.right) == (lead(2), mailbox("home@alpha.example.jp"))
    (step,) = explained(couple, lead(3), lead(2)).steps
    assert step.decision == decision(lead(2), lead(3), "same")
    decide(couple, decision(lead(1), lead(3), "same", at("2025-03-11T00:00:00")))
    couple.unify()
    # The newer decision does not hold.
    overruled = obstacles(couple, lead(1), lead(3))["overruled"]
    assert overruled.decision == decision(lead(1), lead(3), "same", at("2025-03-11T00:00:00"))


def test_names_and_values_that_are_nobodys_own_are_said(company: Company) -> None:
    company.write(
        "leads.csv",
        "id,email,last,first,phone,created\n"
        "1,home@alpha.example.jp,山田,太郎,03-1234-5678,2025-01-10T00:00:00Z\n"
        "2,home@alpha.example.jp,佐藤,花子,03-1234-5678,2025-01-11T00:00:00Z\n"
        "3,info@beta.example.jp,鈴木,,000-0000-0000,2025-01-12T00:00:00Z\n"
        "4,info@beta.example.jp,鈴木,,000-0000-0000,2025-01-13T00:00:00Z\n",
    )
    people = LEAD_SOURCE["people"] | {
        "fields": {"email": "email", "last_name": "last", "first_name": "first", "phone": "phone"}
    }
    company.sources = [LEAD_SOURCE | {"people": people}]
    company.unify()
    found = obstacles(company, lead(1), lead(2))
    assert found["contradicted"].step is not None
    assert found["contradicted"].step.rule == "email"
    assert found["names"].values == ("山田 太郎", "佐藤 花子")
    found = obstacles(company, lead(3), lead(4))
    assert found["role_mailbox"].values == ("info@beta.example.jp",)
    assert "names" not in found


def test_the_strongest_path_is_taken_before_the_shortest() -> None:
    a, b, c, d = (lead(name) for name in "abcd")
    known = at("2025-01-01T00:00:00")

    def link(left: Key, right: Key, rule: str) -> Step:
        return Step(left, right, rule, 1.0, known, "joined")

    steps = [link(a, d, "similar"), link(a, b, "login"), link(c, b, "email"), link(d, c, "email"), link(a, c, "email")]
    assert [(step.left.id, step.right.id) for step in strongest_path(steps, a, d)] == [("a", "c"), ("c", "d")]
    assert strongest_path(steps, a, lead("z")) == ()


def test_doubtful_pairs_lie_near_the_bar_on_both_sides_and_decided_ones_are_gone(fair: Company) -> None:
    fair.extra = {"identity": {"similar": {"least_probability": 0.999}}}
    fair.unify()
    listed = pairs(fair)
    assert {entry["now"] for entry in listed} == {"same", "different"}
    for entry in listed:
        one = fair.who(entry["left_system"], entry["left_id"])
        other = fair.who(entry["right_system"], entry["right_id"])
        assert (one, other) == (entry["left_customer_id"], entry["right_customer_id"])
        assert (entry["now"] == "same") == (one == other) == (entry["probability"] >= 0.999)
    # Nobody is asked twice about the same two people.
    apart = [
        frozenset((entry["left_customer_id"], entry["right_customer_id"]))
        for entry in listed
        if entry["now"] == "different"
    ]
    assert len(apart) == len(set(apart))
    first, rest = listed[0], listed[1:]
    assert {first["last_name_left"], first["last_name_right"], first["company_left"]} - {None}
    assert first["decision"] is first["decided_by"] is None
    answer(fair, {**{name: str(value or "") for name, value in first.items()}, "decision": "別人"})
    assert [entry["left_record"] + entry["right_record"] for entry in pairs(fair)] == [
        entry["left_record"] + entry["right_record"] for entry in rest
    ]
    assert len(pairs(fair, 2)) == 2


def test_who_refused_profiling_is_on_no_list(fair: Company) -> None:
    fair.extra = {"identity": {"similar": {"least_probability": 0.999}}}
    fair.unify()
    before = pairs(fair)
    (refused, *_) = [entry for entry in before if entry["left_system"] == "crm"]
    fair.write("consents.csv", f"id,granted,at\n{refused['left_id']},false,2025-07-01T00:00:00Z\n")
    fair.sources = [
        *fair.sources,
        {
            "name": "consents",
            "system": "crm",
            "path": "{home}/exports/consents.csv",
            "consents": {
                "person": {"column": "id"},
                "purpose": {"constant": "profiling"},
                "granted": "granted",
                "at": "at",
            },
        },
    ]
    fair.unify()
    settings = fair.settings()
    chosen = doubtful_pairs(settings, fair.workspace, (), 1000)
    kept = list(chosen.rows)
    assert chosen.left_out >= 1
    assert chosen.found == len(kept) + chosen.left_out
    place = chosen.columns.index("left_id")
    assert refused["left_id"] not in {entry[place] for entry in kept if entry[place - 1] == "crm"}


def test_answers_become_decisions_once_and_join_or_divide_in_the_next_run(fair: Company) -> None:
    fair.unify()
    number = together(fair)
    alone = next(n for n in range(4, 240, 8) if n != number)
    rows = [
        row(lead(number), card(number), " Ｄｉｆｆｅｒｅｎｔ "),
        row(card(999), lead(alone), "同一", decided_by="sato"),
        row(lead(1), lead(2), ""),
    ]
    done = answer(fair, *rows)
    assert (done.rows, done.recorded, done.unchanged, done.blank, done.conflicts) == (3, 2, 0, 1, ())
    again = answer(fair, *rows)
    assert (again.recorded, again.unchanged) == (0, 2)
    stored = decisions_in_force(read_decisions(fair.settings(), fair.workspace))
    assert {(one.verdict, one.decided_by, one.decided_at) for one in stored.values()} == {
        ("different", "suzuki", CLOCK.now()),
        ("same", "sato", CLOCK.now()),
    }
    fair.unify()
    assert fair.who("crm", str(number)) != fair.who("fair", str(number))
    assert fair.who("crm", str(alone)) == fair.who("fair", "999")


def test_a_record_is_known_by_its_mark_where_a_spreadsheet_spoiled_its_id(couple: Company) -> None:
    couple.write("leads.csv", HEADER + COUPLE.replace("\n2,", "\n0042,"))
    couple.unify()
    marks = {
        key: "r_" + hashlib.sha256(f"{key.system}\x1f{key.id}".encode()).hexdigest()[:16]
        for key in (lead(1), lead("0042"))
    }
    spoiled = row(lead(1), lead(42), "different", left_record=marks[lead(1)], right_record=marks[lead("0042")])
    assert answer(couple, spoiled).recorded == 1
    (pair,) = decisions_in_force(read_decisions(couple.settings(), couple.workspace))
    assert pair == pair_of(lead(1), lead("0042"))
    with pytest.raises(SourceError, match="row 2: right_record and right_id name two records"):
        answer(couple, {**spoiled, "right_id": "3"})


def test_faults_are_named_by_row_all_at_once_and_nothing_is_stored(couple: Company) -> None:
    couple.unify()
    with pytest.raises(SourceError) as caught:
        answer(
            couple,
            row(lead(1), lead(2), "same"),
            row(lead(1), lead(2), "maybe"),
            row(lead(1), lead("nobody"), "same"),
            row(lead(3), lead(3), "same"),
            row(lead(2), lead(1), "different"),
            row(lead(3), lead(9), "same", decided_by="x" * 129),
        )
    told = caught.value.sentence
    for part in (
        "row 3: decision 'maybe', expected same (同一), different (別人), withdraw (取消) or blank",
        "row 4: nobody is known as 'crm/nobody'",
        "row 5: both sides are the same record",
        "row 6: says different of the pair that row 2 calls same",
        "row 7: decided_by is longer than 128 characters",
        "nothing was stored",
    ):
        assert part in told
    assert "list.csv has 5 faults" in told
    assert read_decisions(couple.settings(), couple.workspace) == []


def test_many_faults_are_counted_not_listed(couple: Company) -> None:
    couple.unify()
    with pytest.raises(SourceError, match=r"row 21: .*further rows: 5 faults"):
        answer(couple, *(row(lead(1), lead(2), "?") for _ in range(25)))


def test_a_conflict_is_reported_with_the_decision_that_forbids_it(couple: Company) -> None:
    couple.unify()
    answer(couple, row(lead(1), lead(2), "different"), row(lead(1), lead(3), "same"))
    done = answer(couple, row(lead(2), lead(3), "same", decided_by="sato"))
    (conflict,) = done.conflicts
    assert conflict.same.pair in {pair_of(lead(1), lead(3)), pair_of(lead(2), lead(3))}
    assert conflict.different.pair == pair_of(lead(1), lead(2))
    withdrawn = answer(couple, row(lead(1), lead(2), "取消"))
    assert (withdrawn.recorded, withdrawn.conflicts) == (1, ())
    assert CLOCK.now() + timedelta(microseconds=1) == max(
        one.decided_at for one in read_decisions(couple.settings(), couple.workspace)
    )
