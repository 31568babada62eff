"""Excel, Parquet and SQL give the same rows as a CSV file; the mapping language does what it says."""

import sqlite3
from datetime import UTC, datetime

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = [
    {
        "id": 17,
        "email": "Taro@Alpha.example.jp",
        "last": "山田",
        "first": "太郎",
        "company": "㈱ｱﾙﾌｧ",
        "created": "2025-01-10T00:00:00Z",
        "updated": None,
    },
    {
        "id": 18,
        "email": None,
        "last": "佐藤",
        "first": "花子",
        "company": "ベータ",
        "created": "2025-02-01T00:00:00Z",
        "updated": None,
    },
]


def people(company) -> list[tuple[str | None, ...]]:
    rows = company.rows("customers")
    assert company.who("crm", "17") is not None
    return sorted((row["email"] or "", row["last_name"], row["company"]) for row in rows)


EXPECTED = [("", "佐藤", "ベータ"), ("taro@alpha.example.jp", "山田", "株式会社アルファ")]


def test_excel(small_company):
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "people"
    sheet.append(list(ROWS[0]))
    for row in ROWS:
        sheet.append([float(row["id"]), *list(row.values())[1:]])
    (small_company.home / "exports").mkdir(exist_ok=True)
    book.save(small_company.home / "exports" / "leads.xlsx")
    source = {**small_company.sources[0], "format": "excel", "path": "{home}/exports/leads.xlsx", "sheet": "people"}
    small_company.sources = [source]
    small_company.unify()
    assert people(small_company) == EXPECTED


def test_parquet_with_ids_that_became_floats(small_company):
    table = pa.table(
        {
            "id": pa.array([17.0, 18.0]),
            "email": [row["email"] for row in ROWS],
            "last": [row["last"] for row in ROWS],
            "first": [row["first"] for row in ROWS],
            "company": [row["company"] for row in ROWS],
            "created": pa.array(
                [datetime(2025, 1, 10, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)], pa.timestamp("ns", tz="UTC")
            ),
        }
    )
    pq.write_table(table, small_company.home / "exports" / "leads.parquet")
    source = {**small_company.sources[0], "format": "parquet", "path": "{home}/exports/leads.parquet"}
    small_company.sources = [source]
    small_company.unify()
    assert people(small_company) == EXPECTED


def test_sql(small_company, monkeypatch, tmp_path):
    with sqlite3.connect(tmp_path / "crm.db") as database:
        pd.DataFrame(ROWS).to_sql("leads", database, index=False)
    database.close()
    monkeypatch.setenv("CRM_URL", f"sqlite:///{tmp_path}/crm.db")
    source = {**small_company.sources[0], "format": "sql", "url_env": "CRM_URL", "query": "SELECT * FROM leads"}
    small_company.sources = [source]
    summary = small_company.unify()
    assert people(small_company) == EXPECTED
    assert summary.sources[0].rows == 2


@pytest.fixture
def log(company):
    company.write(
        "log.csv",
        "kind,who,mail,at,sum,attributes\n"
        'A,1,,2025-01-01T00:00:00Z,"￥1,200","{""Page"": ""/x"", ""Agent"": ""Firefox""}"\n'
        "B,,Taro@Alpha.example.jp,2025-01-02T00:00:00Z,,no json\n"
        "C,2,,2025-01-03T00:00:00Z,7,\n"
        "X,2,,2025-01-04T00:00:00Z,,\n",
    )
    company.sources = [
        {
            "name": "log",
            "system": "shop",
            "path": "{home}/exports/log.csv",
            "events": {
                "where": {"kind": ["A", "B", "C"]},
                "person": [{"column": "who"}, {"column": "mail", "key": "email"}],
                "type": {"column": "kind", "map": {"A": "web_visit", "B": "call"}, "otherwise": "purchase"},
                "occurred_at": "at",
                "amount": "sum",
                "properties": {
                    "url": {"column": "attributes", "json_key": ["Link", "Page"]},
                    "agent": {"column": "attributes", "json_key": "Agent"},
                },
            },
        }
    ]
    return company


def test_maps_conditions_alternatives_and_json(log):
    log.unify()
    events = log.rows("events")
    assert [event["type"] for event in events] == ["web_visit", "call", "purchase"]
    assert [event["channel"] for event in events] == ["web", "sales", "shop"]
    assert [(event["system"], event["source_id"]) for event in events] == [
        ("shop", "1"),
        ("email", "taro@alpha.example.jp"),
        ("shop", "2"),
    ]
    assert [event["amount"] for event in events] == [1200.0, None, 7.0]
    assert events[0]["url"] == "/x"
    assert events[0]["properties"] == '{"agent":"Firefox"}'
    assert events[1]["properties"] is None


def test_a_condition_may_look_into_json(log):
    log.sources[0]["events"]["where"] = {"attributes[Agent]": ["Firefox"]}
    assert log.unify().events == 1


def test_ids_from_content_do_not_depend_on_the_place_in_the_file(log):
    log.unify()
    before = {row["event_id"] for row in log.rows("events")}
    path = log.home / "exports" / "log.csv"
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *reversed(rows)]))
    log.unify()
    assert {row["event_id"] for row in log.rows("events")} == before


def test_custom_fields_and_times_of_knowing(small_company, moment):
    source = small_company.sources[0] = {**small_company.sources[0]}
    source["people"] = {
        **source["people"],
        "custom": {
            "plan_size": {"column": "company", "type": "category"},
            "typed_in_later": {"column": "last", "type": "category", "known_at": "export"},
        },
    }
    summary = small_company.unify()
    known = {(row["field"], row["source_id"]): row["recorded_at"] for row in small_company.rows("attributes")}
    assert known["plan_size", "1"] == moment("2025-01-10T00:00:00")
    assert known["typed_in_later", "1"] == summary.data_until
    source["exported_at"] = "2026-01-01T00:00:00Z"
    small_company.unify()
    known = {(row["field"], row["source_id"]): row["recorded_at"] for row in small_company.rows("attributes")}
    assert known["typed_in_later", "1"] == moment("2026-01-01T00:00:00")
