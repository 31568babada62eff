"""People on the suppression list do not come back, whatever the exports of tomorrow say."""

import json
import stat
from typing import Any

import pytest

from core.errors import ConfigurationError, TableError
from core.tables import SOURCES
from customers.forgotten import keys_in
from customers.suppression import KEY_VARIABLE, Key, SuppressionList

HEADER = "id,email,last,first,company,created,updated\n"
TARO = "1,taro@alpha.example.jp,山田,太郎,㈱アルファ,2025-01-10T00:00:00Z,2025-01-10T00:00:00Z\n"
HANAKO = "2,hanako@beta.example.jp,佐藤,花子,ベータ(株),2025-02-01T00:00:00Z,2025-02-01T00:00:00Z\n"
TARO_KEYS = [Key("crm", "1"), Key("email", "taro@alpha.example.jp")]
CALLS = {
    "name": "calls",
    "system": "crm",
    "path": "{home}/exports/calls.csv",
    "events": {"id": "call", "person": {"column": "who"}, "type": {"constant": "call"}, "occurred_at": "at"},
}
PHONES = {
    "name": "cards",
    "system": "cards",
    "path": "{home}/exports/cards.csv",
    "timezone": "Asia/Tokyo",
    "people": {"id": "card", "created_at": "at", "fields": {"phone": "phone", "email": "mail"}},
}


def forgotten(company: Any, keys: list[Key] = TARO_KEYS) -> SuppressionList:
    suppressed = SuppressionList(company.workspace)
    suppressed.add(keys, "r1")
    return suppressed


def balance(company: Any) -> dict[str, tuple[int, int, int, int]]:
    """Rows in, published, quarantined and forgotten by source, as `sources` says."""
    return {
        row["source"]: (row["rows"], row["published"], row["quarantined"], row["forgotten"])
        for row in company.rows("sources")
    }


def published_text(company: Any) -> str:
    folder = company.workspace.current("customers")
    return json.dumps([company.rows(path.stem) for path in sorted(folder.glob("*.parquet"))], default=str)


def test_the_list_recognises_keys_and_tells_nobody_who_is_on_it(company: Any) -> None:
    forgotten(company)
    read = SuppressionList(company.workspace)
    assert [read.receipt_of(key) for key in (*TARO_KEYS, Key("crm", "2"))] == ["r1", "r1", None]
    folder = company.workspace.path("suppression")
    assert "taro" not in (folder / "list.json").read_text()
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    before = (folder / "list.json").read_bytes()
    read.add(TARO_KEYS, "another receipt")
    assert (folder / "list.json").read_bytes() == before


@pytest.mark.parametrize("how", ["lost", "other file", "other variable", "short variable"])
def test_without_its_key_nothing_runs(small_company: Any, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    forgotten(small_company)
    key = small_company.workspace.path("suppression", "key")
    if how == "lost":
        key.unlink()
    elif how == "other file":
        key.write_text("x" * 64)
    else:
        monkeypatch.setenv(KEY_VARIABLE, "y" * (40 if how == "other variable" else 5))
    with pytest.raises(ConfigurationError, match=r"key of the suppression list|has 5 characters"):
        small_company.unify()
    assert small_company.workspace.manifest("customers") is None


def test_a_key_of_the_environment_leaves_no_file(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "k" * 32)
    forgotten(company)
    assert not company.workspace.path("suppression", "key").exists()
    assert SuppressionList(company.workspace).receipt_of(TARO_KEYS[0]) == "r1"


def test_the_same_exports_do_not_bring_them_back(small_company: Any) -> None:
    small_company.unify()
    assert "taro" in published_text(small_company)
    forgotten(small_company)
    summary = small_company.unify()
    assert balance(small_company) == {"leads": (2, 1, 0, 1), "visits": (3, 1, 0, 2)}
    assert (summary.forgotten, summary.quarantined, summary.known) == (3, 0, 1)
    text = published_text(small_company)
    assert "taro" not in text
    # The browser was his alone, and what he did in it before he logged in was his too.
    assert '"k1"' not in text
    assert "hanako" in text


def test_a_new_record_with_the_same_address_stays_away_for_good(small_company: Any) -> None:
    forgotten(small_company)
    new = TARO.replace("1,taro@", "77,Taro+news@")
    small_company.write("leads.csv", HEADER + new + HANAKO)
    small_company.write("calls.csv", "call,who,at\nc1,77,2025-03-01T00:00:00Z\nc2,2,2025-03-01T00:00:00Z\n")
    small_company.sources = [*small_company.sources, CALLS]
    small_company.unify()
    assert balance(small_company)["leads"] == (2, 1, 0, 1)
    assert balance(small_company)["calls"] == (2, 1, 0, 1)
    # Tomorrow the record bears another address: it is known by now.
    small_company.write("leads.csv", HEADER + new.replace("Taro+news", "yamada") + HANAKO)
    small_company.unify()
    assert balance(small_company)["leads"] == (2, 1, 0, 1)
    assert "yamada" not in published_text(small_company)


def test_faulty_rows_about_them_do_not_lie_in_quarantine(small_company: Any) -> None:
    forgotten(small_company)
    broken_time = TARO.replace("1,taro", "78,taro").replace("2025-01-10T", "2025-77-10T")
    unsplit = "1,taro@alpha.example.jp,too,few\n"
    other = HANAKO.replace("2025-02-01T", "2025-77-01T")
    small_company.write("leads.csv", HEADER + TARO + broken_time + unsplit + other + "9,oops\n")
    small_company.unify()
    assert balance(small_company)["leads"] == (5, 0, 2, 3)
    assert "taro" not in published_text(small_company)
    assert ["hanako" in row["raw"] for row in small_company.rows("quarantine")] == [True, False]


def test_a_colleague_who_shares_a_browser_or_a_telephone_stays(small_company: Any) -> None:
    forgotten(small_company, [*TARO_KEYS, Key("cookie", "k1"), Key("phone", "+81312345678")])
    visit = "v9,k1,hanako@beta.example.jp,/,2025-04-01T10:00:00Z,2025-04-01T10:00:05Z\n"
    visits = small_company.home / "exports" / "visits.csv"
    visits.write_text(visits.read_text() + visit)
    small_company.write(
        "cards.csv",
        "card,phone,mail,at\nx1,03-1234-5678,,2025-01-01\nx2,03-1234-5678,jiro@alpha.example.jp,2025-01-01\n",
    )
    small_company.sources = [*small_company.sources, PHONES]
    small_company.unify()
    assert balance(small_company) == {"leads": (2, 1, 0, 1), "visits": (4, 1, 0, 3), "cards": (2, 1, 0, 1)}
    assert small_company.who("email", "hanako@beta.example.jp") is not None
    assert small_company.who("cards", "x2") is not None
    assert small_company.who("cards", "x1") is None


def test_deals_of_a_company_stay_without_the_person(small_company: Any) -> None:
    forgotten(small_company)
    small_company.write(
        "deals.csv",
        "deal,account,who,at,state\nd1,a1,1,2025-03-01T00:00:00Z,open\nd2,,1,2025-03-01T00:00:00Z,open\n"
        "d3,,2,2025-03-01T00:00:00Z,open\n",
    )
    deals = {"id": "deal", "account": "account", "person": {"column": "who"}, "opened_at": "at", "outcome": "state"}
    small_company.sources = [
        *small_company.sources,
        {"name": "deals", "system": "crm", "path": "{home}/exports/deals.csv", "deals": deals},
    ]
    small_company.unify()
    assert [row["deal_id"] for row in small_company.rows("deals")] == ["d1", "d3"]
    assert [row["deal_id"] for row in small_company.rows("deal_people")] == ["d3"]


def test_rows_that_do_not_add_up_are_refused(small_company: Any) -> None:
    small_company.unify()
    table = small_company.workspace.read_table("sources").to_pandas()
    table["forgotten"] += 1
    import pyarrow as pa

    with pytest.raises(TableError, match=r"rows = published \+ quarantined \+ forgotten"):
        SOURCES.check(pa.Table.from_pandas(table, schema=SOURCES.arrow_schema, preserve_index=False))


def test_each_of_several_ids_in_one_column_is_looked_for():
    found = set(keys_in('{"contacts": "51; 52"}', {"contacts": "hubspot"}, False))
    assert {Key("hubspot", "51"), Key("hubspot", "52")} <= found
