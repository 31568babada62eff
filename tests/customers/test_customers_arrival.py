"""Rows that arrive bit by bit, in any order and as any files, make the people that they would make all at once."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from customers.cache import erase_cache
from customers.connectors.read import SourceFile, read_file
from customers.memory import Memory
from customers.similar import current_index, erase_compared
from tests.customers.conftest import CARD_SOURCE, LEAD_SOURCE, VISIT_SOURCE, Company, write_fair

FILES = {"leads": LEAD_SOURCE, "cards": CARD_SOURCE, "visits": VISIT_SOURCE}


def write_company(company: Company) -> dict[str, list[str]]:
    """A company that was at a fair, with a web log; gives the lines of each file, its header first."""
    write_fair(company)
    visits = ["event_id,cookie,login,url,at,recorded"]
    for number in range(0, 240, 3):
        login = f"u{number}@firm{number // 3}.example.jp" if number % 2 else ""
        visits.append(f"v{number},k{number // 2},{login},/,2025-07-01T10:00:00Z,2025-07-01T10:00:05Z")
    company.write("visits.csv", "\n".join(visits) + "\n")
    lines = {
        name: (company.home / "exports" / f"{name}.csv").read_text(encoding="utf-8").splitlines() for name in FILES
    }
    for name in FILES:
        (company.home / "exports" / f"{name}.csv").unlink()
    company.sources = [
        source | {"path": f"{{home}}/exports/{name}*.csv", "optional": True}
        | ({"people": CARD_SOURCE["people"]} if name == "leads" else {})
        for name, source in FILES.items()
    ]  # fmt: skip
    return lines


def people(company: Company) -> set[frozenset[tuple[str, str]]]:
    """Who is who today, whatever they are called."""
    found = defaultdict(set)
    for row in company.rows("identities"):
        if row["ended_at"] is None:
            found[row["customer_id"]].add((row["system"], row["source_id"]))
    return {frozenset(nodes) for nodes in found.values()}


def resolves(company: Company, customer_id: str) -> bool:
    """Whether an id that was given away leads to somebody of today."""
    now = {row["customer_id"] for row in company.rows("customers")}
    merged = {row["old_id"]: row["new_id"] for row in company.rows("identity_changes") if row["kind"] == "merge"}
    while customer_id not in now and customer_id in merged:
        customer_id = merged[customer_id]
    return customer_id in now


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_arrival_makes_the_same_people(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    company = Company(tmp_path / "home")
    lines = write_company(company)
    # The last part is small: what was learned before still holds, and nothing is learned again.
    parts = {name: random.choice(4, len(rows) - 1, p=[0.4, 0.3, 0.25, 0.05]) for name, rows in lines.items()}
    given: set[str] = set()
    for part in range(4):
        for name, (header, *rows) in lines.items():
            # Some systems send what is new, others everything again, in an order of their own.
            whole = name == "cards"
            chosen = [row for row, at in zip(rows, parts[name], strict=True) if (at <= part if whole else at == part)]
            random.shuffle(chosen)
            company.write(f"{name}{'' if whole else part}.csv", "\n".join([header, *chosen]) + "\n")
        company.unify()
        given |= {row["customer_id"] for row in company.rows("customers")}
    learned = current_index(company.workspace)
    assert learned is not None
    assert learned.next_row() > 250
    arrived = people(company)
    assert all(resolves(company, customer_id) for customer_id in given)

    # Nothing that was kept is used, but for what was learned.
    erase_cache(company.workspace)
    erase_compared(company.workspace)
    company.unify()
    assert people(company) == arrived

    at_once = Company(tmp_path / "other")
    write_company(at_once)
    for name, rows in lines.items():
        at_once.write(f"{name}.csv", "\n".join(rows) + "\n")
    at_once.unify()
    # Weights that were learned from everything differ a little; people who are made of keys do not.
    assert len(people(at_once) ^ arrived) <= 0.02 * len(arrived)


def test_the_same_people_are_made_with_and_without_what_was_kept(tmp_path: Path) -> None:
    company = Company(tmp_path / "home")
    for name, rows in write_company(company).items():
        company.write(f"{name}.csv", "\n".join(rows) + "\n")
    company.unify()
    tables = ("customers", "identities", "identity_links", "identity_pairs", "attributes", "events", "source_days")
    before = {table: company.rows(table) for table in tables}
    company.unify()
    assert {table: company.rows(table) for table in tables} == before
    erase_cache(company.workspace)
    erase_compared(company.workspace)
    company.unify()
    assert {table: company.rows(table) for table in tables} == before


def test_what_nobody_changed_is_not_read_again(small_company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def noted(connection: Any, source: Any, file: SourceFile, *rest: Any) -> Any:
        read.append(file.label)
        return read_file(connection, source, file, *rest)

    monkeypatch.setattr("customers.reading.read_file", noted)
    small_company.unify()
    assert read == ["leads.csv", "visits.csv"]
    before = small_company.rows("sources")
    read.clear()
    small_company.unify()
    assert read == []
    assert small_company.rows("sources") == before

    # Written again with the same content: its content tells that it is the same.
    path = small_company.home / "exports" / "leads.csv"
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    small_company.unify()
    assert read == []

    path.write_text(path.read_text(encoding="utf-8").replace("花子", "華子"), encoding="utf-8")
    small_company.unify()
    assert read == ["leads.csv"]
    assert {row["first_name"] for row in small_company.rows("customers")} == {"太郎", "華子", None}
    read.clear()

    small_company.sources[1] = small_company.sources[1] | {"delay_hours": 1}
    small_company.unify()
    assert read == ["visits.csv"]


def test_a_file_that_is_gone_takes_its_rows_with_it(small_company: Any) -> None:
    small_company.sources[1] = small_company.sources[1] | {"path": "{home}/exports/visits*.csv"}
    small_company.write(
        "visits2.csv",
        "event_id,cookie,login,url,at,recorded\nv9,k9,,/,2025-03-02T10:00:00Z,2025-03-02T10:00:05Z\n",
    )
    small_company.unify()
    assert small_company.who("cookie", "k9")
    (small_company.home / "exports" / "visits2.csv").unlink()
    summary = small_company.unify()
    assert summary.events == 3
    assert small_company.who("cookie", "k9") is None


def test_faulty_rows_of_unchanged_files_stay_in_quarantine(small_company: Any) -> None:
    path = small_company.home / "exports" / "visits.csv"
    path.write_text(path.read_text(encoding="utf-8") + "v8,k8,,/,no time,no time\n", encoding="utf-8")
    first = small_company.unify()
    second = small_company.unify()
    assert first.quarantined == second.quarantined == 1
    assert first.sources == second.sources
    assert [row["raw"] for row in small_company.rows("quarantine")] != []


def test_a_stray_time_in_one_file_is_judged_by_all_files_of_its_source(small_company: Any) -> None:
    header = "event_id,cookie,login,url,at,recorded\n"
    days = [f"2025-03-{number % 28 + 1:02d}T10:00" for number in range(150)]
    many = "".join(f"w{number},k{number},,/,{day}:00Z,{day}:05Z\n" for number, day in enumerate(days))
    small_company.sources[1] = small_company.sources[1] | {"path": "{home}/exports/visits*.csv"}
    small_company.write("visits2.csv", header + many)
    small_company.unify()
    small_company.write("visits3.csv", header + "x1,k1,,/,2205-03-01T10:00:00Z,2205-03-01T10:00:05Z\n")
    for _ in range(2):
        summary = small_company.unify()
        assert summary.quarantined == 1
        assert summary.data_until.year == 2025


def test_each_question_is_answered_once_in_all_runs(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(text: str) -> list[tuple[str | None, ...]]:
        asked.append(text)
        return [(text.upper(),)] if text != "none" else [(None,)]

    def ask(query: str, former: Path | None, folder: Path) -> list[tuple[str, ...]]:
        folder.mkdir()
        with duckdb.connect() as connection:
            memory = Memory(connection, former)
            memory.ask("upper_case", query, ("upper",), answer)
            memory.save(folder)
            return connection.execute("FROM upper_case ORDER BY ALL").fetchall()

    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    assert ask("SELECT unnest(['a', 'b', 'a', 'none']) AS text", None, one) == [("a", "A"), ("b", "B"), ("none", None)]
    assert asked == ["a", "b", "none"]
    assert ask("SELECT unnest(['b', 'c']) AS text", one, two) == [("b", "B"), ("c", "C")]
    assert asked == ["a", "b", "none", "c"]
    # What the second run did not ask for is still known, and so is what only it asked for.
    assert ask("SELECT unnest(['a', 'c', 'none']) AS text", two, three) == [("a", "A"), ("c", "C"), ("none", None)]
    assert asked == ["a", "b", "none", "c"]


def test_no_compared_row_is_kept_that_nobody_holds_any_more(fair: Any) -> None:
    def compared() -> set[str]:
        index = current_index(fair.workspace)
        assert index is not None
        with duckdb.connect() as connection:
            return {row[0] for row in connection.execute(f"SELECT email FROM {index.sql('rows')}").fetchall()}

    fair.unify()
    before = fair.rows("identities")
    path = fair.home / "exports" / "cards.csv"
    text = path.read_text(encoding="utf-8")
    kept, gone = text.splitlines()[:-1], text.splitlines()[-1]
    assert gone.split(",")[1] in compared()
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    fair.unify()
    assert gone.split(",")[1] not in compared()
    # What comes back is compared anew.
    path.write_text(text, encoding="utf-8")
    fair.unify()
    assert gone.split(",")[1] in compared()
    strip = [{name: value for name, value in row.items() if name != "run"} for row in fair.rows("identities")]
    assert strip == [{name: value for name, value in row.items() if name != "run"} for row in before]


def test_nothing_is_kept_of_a_file_that_is_gone_or_was_changed(small_company: Any) -> None:
    small_company.sources[1] = small_company.sources[1] | {"path": "{home}/exports/visits*.csv"}
    gone = small_company.write(
        "visits2.csv",
        "event_id,cookie,login,url,at,recorded\nv9,k9,,/gone,2025-03-02T10:00:00Z,2025-03-02T10:00:05Z\n",
    )
    small_company.unify()

    def kept(table: str, column: str) -> set[str]:
        path = small_company.workspace.current("cache") / f"{table}-*.parquet"
        with duckdb.connect() as connection:
            return {row[0] for row in connection.execute(f"SELECT DISTINCT {column} FROM '{path}'").fetchall()}

    assert "/gone" in kept("events", "url")
    assert "花子" in kept("field_values", "value")
    gone.unlink()
    leads = small_company.home / "exports" / "leads.csv"
    leads.write_text(leads.read_text(encoding="utf-8").replace("花子", "華子"), encoding="utf-8")
    small_company.unify()
    assert kept("events", "url") == {"/pricing", "/help", "/"}
    assert "花子" not in kept("field_values", "value")
    assert "華子" in kept("field_values", "value")
    for table, column in (("forms", "value"), ("person_names", "first_name")):
        assert "花子" not in kept(table, column)
        assert "太郎" in kept(table, column)
