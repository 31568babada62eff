"""Nothing that a system learned later changes who was who, or what was known, before."""

from datetime import datetime

import duckdb
import pytest

from core.storage import Workspace


def known_before(workspace: Workspace, moment: datetime) -> dict[str, list[tuple[object, ...]]]:
    """All that an as-of question at `moment` can see, people named by the nodes that they hold."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        workspace.tables(connection)
        connection.execute(
            """CREATE TABLE owned AS SELECT system, source_id, customer_id FROM identities
            WHERE linked_at < ? AND (ended_at IS NULL OR ended_at >= ?)""",
            [moment, moment],
        )
        people = connection.execute(
            """SELECT string_agg(system || '/' || source_id, ' ' ORDER BY system, source_id), customer_id
            FROM owned GROUP BY customer_id ORDER BY ALL"""
        ).fetchall()
        visible = {"people": people}
        for table, occurred, drop in (
            ("attributes", "occurred_at", "customer_id"),
            ("events", "occurred_at", "customer_id"),
            ("deal_stages", "entered_at", ""),
        ):
            dropped = f"EXCLUDE ({drop})" if drop else ""
            visible[table] = connection.execute(
                f"SELECT * {dropped} FROM {table} WHERE {occurred} < ? AND recorded_at < ? ORDER BY ALL",
                [moment, moment],
            ).fetchall()
        visible["deal_people"] = connection.execute(
            "SELECT deal_id, system, source_id, role FROM deal_people WHERE recorded_at < ? ORDER BY ALL", [moment]
        ).fetchall()
        return visible


def test_a_later_login_does_not_reach_back(small_company, moment):
    small_company.unify()
    before, after = moment("2025-01-20T10:00:05"), moment("2025-01-20T10:00:06")
    lead, cookie = ("crm", "1"), ("cookie", "k1")
    assert small_company.who(*cookie, before) != small_company.who(*lead, before)
    assert small_company.who(*cookie, after) == small_company.who(*lead, after)
    # The cookie was known first, so the person goes by its id, and the lead's own id still leads there.
    (change,) = [row for row in small_company.rows("identity_changes") if row["reason"] == "source_link"]
    assert change["old_id"] == small_company.who(*lead, before)
    assert change["new_id"] == small_company.who(*cookie)
    assert change["changed_at"] == before
    kinds = {row["customer_id"]: row["kind"] for row in small_company.rows("customers")}
    assert sorted(kinds.values()) == ["anonymous", "known", "known"]


def test_intervals_of_a_node_follow_one_another(small_company):
    small_company.unify()
    rows = [row for row in small_company.rows("identities") if row["source_id"] == "1"]
    assert [row["ended_at"] for row in rows[:-1]] == [row["linked_at"] for row in rows[1:]]
    assert rows[-1]["ended_at"] is None


def test_late_rows_in_a_small_company(small_company, moment):
    small_company.unify()
    cut = moment("2025-02-15T00:00:00")
    before = known_before(small_company.workspace, cut)
    exports = small_company.home / "exports"
    with (exports / "visits.csv").open("a") as visits:
        visits.write("v8,k2,taro@alpha.example.jp,/,2025-01-02T10:00:00Z,2025-02-20T10:00:00Z\n")
        visits.write("v9,k0,hanako@beta.example.jp,/,2025-01-01T10:00:00Z,2025-03-20T10:00:00Z\n")
    with (exports / "leads.csv").open("a") as leads:
        leads.write("3,taro@alpha.example.jp,山田,太郎,アルファ,2025-02-16T00:00:00Z,2025-02-16T00:00:00Z\n")
    small_company.workspace = Workspace(small_company.home / "fresh")
    small_company.unify()
    assert known_before(small_company.workspace, cut) == before
    assert small_company.who("cookie", "k2") == small_company.who("crm", "3") == small_company.who("crm", "1")


HISTORY = """person,field,old,new,changed
1,email,taro@old.example.jp,taro@alpha.example.jp,2025-03-01T00:00:00Z
1,status,New,Talking,2025-02-01T00:00:00Z
1,status,Talking,Customer,2025-05-01T00:00:00Z
"""


@pytest.fixture
def with_history(company):
    company.write(
        "leads.csv",
        "id,email,status,note,created\n"
        "1,taro@alpha.example.jp,Customer,signed,2025-01-01T00:00:00Z\n"
        "2,taro@old.example.jp,New,,2025-04-01T00:00:00Z\n",
    )
    company.write("changes.csv", HISTORY)
    company.sources = [
        {
            "name": "leads",
            "system": "crm",
            "path": "{home}/exports/leads.csv",
            "people": {
                "id": "id",
                "created_at": "created",
                "known_at": "history",
                "fields": {"email": "email", "lead_status": "status"},
                "custom": {"note": {"column": "note", "type": "category", "known_at": "export"}},
                "keys": [{"kind": "email", "column": "email"}],
            },
        },
        {
            "name": "changes",
            "system": "crm",
            "path": "{home}/exports/changes.csv",
            "history": {
                "person": "person",
                "field": {"column": "field", "map": {"status": "lead_status"}},
                "old": "old",
                "new": "new",
                "changed_at": "changed",
            },
        },
    ]
    return company


def test_a_change_log_rolls_values_back(with_history, moment):
    with_history.unify()
    values = [
        (row["value"], row["occurred_at"])
        for row in with_history.rows("attributes")
        if row["field"] == "lead_status" and row["source_id"] == "1"
    ]
    assert values == [
        # The record is a month older, but the log is not: what stood there before nobody can tell.
        ("New", moment("2025-01-31T23:59:59.999999")),
        ("Talking", moment("2025-02-01T00:00:00")),
        ("Customer", moment("2025-05-01T00:00:00")),
    ]
    notes = [row for row in with_history.rows("attributes") if row["field"] == "note"]
    assert [(row["value"], row["recorded_at"]) for row in notes] == [("signed", moment("2025-05-01T00:00:00"))]


def test_an_old_address_still_leads_to_the_person(with_history, moment):
    with_history.unify()
    assert with_history.who("crm", "1") == with_history.who("crm", "2")
    early = moment("2025-02-15T00:00:00")
    assert with_history.who("email", "taro@old.example.jp", early) == with_history.who("crm", "1", early)
    assert with_history.who("email", "taro@alpha.example.jp", early) is None
    (customer,) = with_history.rows("customers")
    assert customer["email"] == "taro@old.example.jp", "record 2 is the newest to name an address"


def test_a_snapshot_that_its_log_does_not_explain_is_known_since_the_export(with_history, moment):
    leads = with_history.home / "exports" / "leads.csv"
    leads.write_text(leads.read_text().replace("Customer", "Lost"))
    with_history.sources[0]["exported_at"] = "2025-06-01T00:00:00Z"
    with_history.unify()
    rows = [row for row in with_history.rows("attributes") if row["field"] == "lead_status" and row["value"] == "Lost"]
    assert [row["recorded_at"] for row in rows] == [moment("2025-06-01T00:00:00")]
