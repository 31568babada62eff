"""The list of who overwrote whom, person by person."""

from collections.abc import Sequence
from typing import Any

import pytest

from customers.conflicts import CONFLICT_COLUMNS, FieldConflicts, field_conflicts
from tests.customers.conftest import Company
from tests.customers.test_customers_golden_records import source

FIELDS = {"email": "email", "company": "company", "phone": "phone"}
MA = """id,email,company,phone,created
m1,taro@alpha.example.jp,アルファ,03-1234-5678,2025-03-01T00:00:00Z
m2,taro@alpha.example.jp,ベータ,03-1234-5678,2025-04-01T00:00:00Z
m3,hanako@beta.example.jp,ベータ,,2025-04-01T00:00:00Z
"""
CRM = """id,email,company,phone,created
c1,taro@alpha.example.jp,オメガ,03-1111-2222,2025-01-01T00:00:00Z
c3,hanako@beta.example.jp,ベータ,03-1111-3333,2025-01-01T00:00:00Z
"""


@pytest.fixture
def two_systems(company: Company) -> Company:
    company.write("ma.csv", MA)
    company.write("crm.csv", CRM)
    company.sources = [source("ma", "ma", fields=FIELDS), source("crm", "crm", fields=FIELDS)]
    return company


def conflicts(company: Company, *fields: str, **extra: Any) -> tuple[FieldConflicts, list[dict[str, Any]]]:
    company.extra = {"timezone": "Asia/Tokyo", **extra}
    company.unify()
    found = field_conflicts(company.settings(), company.workspace, fields)
    return found, [dict(zip(CONFLICT_COLUMNS, row, strict=True)) for row in found.rows]


def told(rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("kept_system", "kept_id", "kept_value", "lost_system", "lost_id", "lost_value", "reason")
    return [tuple(row[name] for name in names) for row in rows]


def test_the_winner_stands_beside_each_value_that_lost(two_systems: Company) -> None:
    found, rows = conflicts(two_systems, "company", survivorship={"default": ["crm", "ma"]})
    assert told(rows) == [
        ("crm", "c1", "オメガ", "ma", "m2", "ベータ", "system"),
        ("crm", "c1", "オメガ", "ma", "m1", "アルファ", "system"),
    ]
    assert (found.found, found.people, found.left_out) == (2, 1, 0)
    assert rows[0]["customer_id"] == two_systems.who("crm", "c1")
    assert rows[0]["lost_valid_from"] == "2025-04-01T09:00:00+09"
    (golden,) = [
        row["company"] for row in two_systems.rows("customers") if row["customer_id"] == rows[0]["customer_id"]
    ]
    assert golden == "オメガ"


def test_without_an_order_the_newest_overwrites(two_systems: Company) -> None:
    _, rows = conflicts(two_systems, "company", "phone")
    assert told(rows) == [
        ("ma", "m2", "ベータ", "ma", "m1", "アルファ", "newer"),
        ("ma", "m2", "ベータ", "crm", "c1", "オメガ", "newer"),
        ("ma", "m2", "+81312345678", "crm", "c1", "+81311112222", "newer"),
    ]


def test_a_refuted_value_is_said_to_be_so(two_systems: Company) -> None:
    two_systems.write("calls.csv", "id,who,kind,at\ne1,c1,wrong_number,2025-05-01T00:00:00Z\n")
    events = {"id": "id", "person": "who", "type": "kind", "occurred_at": "at"}
    calls = {"name": "calls", "system": "crm", "path": "{home}/exports/calls.csv", "events": events}
    two_systems.sources.append(calls)
    rule = {"default": ["crm"], "proofs": {"phone": {"refuted_by": ["wrong_number"]}}}
    _, rows = conflicts(two_systems, "phone", survivorship=rule)
    assert told(rows) == [("ma", "m2", "+81312345678", "crm", "c1", "+81311112222", "refuted")]


def test_an_emptied_value_loses_nothing(two_systems: Company) -> None:
    people = two_systems.sources[1]["people"]
    history = {"person": "id", "field": {"constant": "company"}, "old": "old", "new": "new", "changed_at": "at"}
    two_systems.write("changes.csv", "id,old,new,at\nc1,オメガ,,2025-02-01T00:00:00Z\n")
    two_systems.write("crm.csv", CRM.replace("オメガ", ""))
    changed = {"name": "changes", "system": "crm", "path": "{home}/exports/changes.csv", "history": history}
    two_systems.sources = [
        two_systems.sources[0],
        {**two_systems.sources[1], "people": {**people, "known_at": "history"}},
        changed,
    ]
    _, rows = conflicts(two_systems, "company", survivorship={"default": ["ma"]})
    assert told(rows) == [("ma", "m2", "ベータ", "ma", "m1", "アルファ", "newer")]


def test_people_who_refused_profiling_are_left_out(two_systems: Company) -> None:
    found, rows = conflicts(two_systems, "company", consent={"profiling": False})
    assert (found.found, found.people, found.left_out, rows) == (0, 0, 2, [])
