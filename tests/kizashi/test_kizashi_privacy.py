"""Forgetting somebody: every byte of the workspace is searched before and after. Refusing: every list is."""

import csv
import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from core.database import Base, open_database
from core.errors import NotFoundError
from core.progress import SilentProgress
from core.storage import connect_duckdb
from customers.decisions import Decision, pair_of, read_decisions, record_decisions
from customers.suppression import Key
from features.retrieval import online_features
from kizashi import forget as job
from kizashi import forget_places
from kizashi.export import export_scores, export_segment
from kizashi.forget import forget_people
from kizashi.lifecycle_delta import export_delta
from kizashi.people import find_customer
from kizashi.pipeline import unify_stage
from kizashi.review_file import write_review
from serving.availability import Database
from serving.directory import Directory, Reference
from serving.online import OnlineStore
from tests.kizashi.conftest import CLOCK, Ran, raise_alert
from training.training_set import load_training_set


def identifiers(ran: Ran, customer_id: str) -> tuple[set[str], set[str]]:
    """By what a person can be recognised in any text, and, in a cell of a table, by what besides (short ids)."""
    connection = connect_duckdb()
    ran.workspace.tables(connection)
    keys = connection.execute(
        "SELECT DISTINCT system, source_id FROM identities WHERE customer_id = $1", [customer_id]
    ).fetchall()
    told = connection.execute(
        """SELECT DISTINCT value FROM attributes WHERE customer_id = $1 AND value IS NOT NULL
        AND field IN ('email', 'phone', 'full_name', 'full_name_kana')
        AND value NOT IN (SELECT value FROM attributes WHERE customer_id <> $1 AND value IS NOT NULL)
        UNION SELECT full_name FROM customers WHERE customer_id = $1
        UNION SELECT old_id FROM identity_changes WHERE new_id = $1
        UNION SELECT event_id FROM events WHERE customer_id = $1""",
        [customer_id],
    ).fetchall()
    connection.close()
    words = {customer_id, *(value for (value,) in told), *(source_id for _, source_id in keys)}
    words |= {f"{system}:{source_id}" for system, source_id in keys}
    return {word for word in words if len(word) > 8 or not word.isascii()}, {source_id for _, source_id in keys}


def cells(path: Path) -> Iterable[Any]:
    """The values of a file that is a table, one by one."""
    if path.suffix == ".parquet":
        for row in pq.read_table(path).to_pylist():
            yield from row.values()
    elif path.suffix == ".xlsx":
        for line in pd.read_excel(path, header=None, dtype=str).itertuples(index=False):
            yield from line
    elif path.suffix == ".csv":
        encoding = "cp932" if path.name == "review.csv" else "utf-8-sig"
        with path.open(encoding=encoding, newline="") as file:
            for record in csv.reader(file):
                yield from record
    elif path.read_bytes().startswith(b"SQLite format 3"):
        connection = sqlite3.connect(path)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):
                yield from row
        connection.close()


def traces(ran: Ran, words: set[str], short: set[str]) -> set[str]:
    """Files, and tables of the database, that speak of the person; sources are the company's own."""
    found = set()
    for path in sorted(ran.workspace.home.rglob("*")):
        name = str(path.relative_to(ran.workspace.home))
        if not path.is_file() or name.startswith("exports/"):
            continue
        content = path.read_bytes()
        texts = {cell for cell in cells(path) if isinstance(cell, str)}
        everything = "\n".join(texts) + content.decode("utf-8", errors="ignore")
        if not short.isdisjoint(texts) or any(word in everything for word in words):
            found.add(name)
    if ran.settings.database_url:
        engine = open_database(ran.settings, ran.workspace)
        with engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                rows = connection.execute(select(table)).all()
                if any(word in str(rows) for word in words):
                    found.add(f"database/{table.name}")
        engine.dispose()
    return found


def decide_about(ran: Ran, customer_id: str, other_id: str) -> None:
    """A decision about one of the person's records, and a list for review that names them."""
    one, other = (
        next(Key(row["system"], row["source_id"]) for row in keys_of(ran, someone) if row["system"] == "salesforce")
        for someone in (customer_id, other_id)
    )
    engine = open_database(ran.settings, ran.workspace)
    record_decisions(engine, [Decision(pair_of(one, other), "different", "suzuki", CLOCK.now())])
    engine.dispose()
    for name in ("review.csv", "review.xlsx"):
        columns = ("decision", "left_id", "left_customer_id", "right_id", "right_customer_id")
        rows = [("", other.id, other_id, one.id, customer_id), ("", other.id, other_id, "x", "c_x")]
        write_review(ran.workspace.path(name), columns, rows)
    # As Excel saves it in Japanese.
    path = ran.workspace.path("review.csv")
    path.write_bytes(path.read_text(encoding="utf-8-sig").replace("decision", "判断").encode("cp932"))


def spoil_a_row(ran: Ran, customer_id: str) -> None:
    """A faulty row about the person and a broken line with their address: both go to quarantine."""
    (email,) = {row["source_id"] for row in keys_of(ran, customer_id) if row["system"] == "email"}
    path = ran.workspace.path("exports", "consents", "consents.csv")
    path.write_text(
        path.read_text(encoding="utf-8") + f"{email},marketing,true,no time,form\n{email},too,few\n", encoding="utf-8"
    )


def keys_of(ran: Ran, customer_id: str) -> list[dict[str, Any]]:
    rows = ran.workspace.read_table("identities").to_pylist()
    return [row for row in rows if row["customer_id"] == customer_id and row["ended_at"] is None]


def resolved(ran: Ran, references: list[Reference]) -> list[dict[Reference, Any]]:
    """What lookups find, in the database and in the online store."""
    online = OnlineStore(ran.settings, ran.workspace)
    away = ran.settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    answers = []
    for settings in (ran.settings, away):
        database = Database(settings, ran.workspace)
        answers.append(Directory(database, online).find(references))
        database.close()
    return answers


def test_nothing_is_left_of_the_person_and_no_export_brings_them_back(
    own_ran: Callable[..., Ran], database_url: str | None
) -> None:
    ran = own_ran(database_url)
    customer, other = ran.people()
    spoil_a_row(ran, customer)
    decide_about(ran, customer, other)
    ran.run()
    export_delta(ran.settings, ran.workspace, "marketo", ran.workspace.path("delta.csv"), clock=CLOCK, confirm=True)
    words, short = identifiers(ran, customer)
    raise_alert(ran, customer, next(word for word in words if "@" in word))
    references = [Reference(row["system"], row["source_id"]) for row in keys_of(ran, customer)]
    references.append(Reference("kizashi", customer))
    for answer in resolved(ran, references):
        assert len(answer) == len(references)
    before = traces(ran, words, short)
    kinds = {name.split("/")[0] for name in before}
    assert kinds == {
        "cache",
        "customers",
        "matching",
        "features",
        "feast",
        "scores",
        "segments",
        "scores.csv",
        "best.xlsx",
        "best.parquet",
        "review.csv",
        "review.xlsx",
        "training_sets",
        "delta.csv",
    } | ({"database"} if database_url else {"app.db"})
    others = len(ran.workspace.read_table("customers"))

    (receipt,) = forget_people(ran.settings, ran.workspace, [customer], clock=CLOCK).forgotten

    assert traces(ran, words, short) == set()
    assert resolved(ran, references) == [{}, {}]
    assert len(ran.workspace.read_table("customers")) == others - 1
    assert find_customer(ran.workspace, other) == other
    told = json.loads(receipt.path.read_text(encoding="utf-8"))
    assert told["places"]["tables/quarantine"] == 2
    assert told["places"]["exported lists"] == 5 + told["places"]["database/lifecycle_told"]
    assert told["places"]["database/identity_decisions"] == 1
    assert read_decisions(ran.settings, ran.workspace) == []
    assert "判断" in ran.workspace.path("review.csv").read_text(encoding="cp932")
    assert other in ran.workspace.path("review.csv").read_text(encoding="cp932")
    assert set(told["places"]) >= {
        *(
            "tables/events",
            "tables/attributes",
            "tables/identity_links",
            "tables/lifecycle",
            "features/profile",
            "features/online people",
            "features/online records",
        ),
        *("scores/lead/scores", "segments/best/members"),
        *("database/answers", "database/outbox", "database/person_records"),
    }
    assert told["keys"]["email"] >= 1
    assert {"marketo", "salesforce", "cookie", "phone"} <= set(told["keys"])

    # The same exports, and a new record with the address in another form.
    (email,) = {reference.id for reference in references if reference.system == "email"}
    leads = ran.workspace.path("exports", "marketo", "leads.csv")
    with leads.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    new = dict(zip(header, rows[0], strict=True)) | {"id": "99999901", "email": email.upper(), "phone": ""}
    new |= {name: "新顔" for name in ("lastName", "firstName", "kanaLastName", "kanaFirstName") if name in new}
    with leads.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(new.values())
    unified = ran.run().unified
    assert unified.forgotten > 3
    # Exported lists are the user's; the run made the rest anew.
    assert traces(ran, words | {"99999901"}, short) == set()
    assert resolved(ran, references) == [{}, {}]
    again = forget_people(ran.settings, ran.workspace, [customer, f"marketo:{99999901}"], clock=CLOCK)
    assert again.forgotten == ()
    assert again.already == (receipt.receipt, "learned")


STEPS = (
    *("_forget_records", "erase_online", "rewrite_generation", "erase_from_tables", "erase_from_features"),
    *("_remove_leftovers", "forget_answers", "scrub_sqlite", "_write_receipt"),
)


def test_a_killed_command_is_finished_by_the_next_one(
    own_ran: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = own_ran()
    customer, other = ran.people()
    words, short = identifiers(ran, customer)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for step in STEPS:
        with monkeypatch.context() as patched:
            patched.setattr(job if step == "_write_receipt" else forget_places, step, killed)
            # From the second time on it is not found any more, but still on its way.
            with pytest.raises(KeyboardInterrupt):
                forget_people(ran.settings, ran.workspace, [customer], clock=CLOCK)
        assert not list(ran.workspace.path("receipts").glob("*.json"))
    # Whomever the next command is about, it finishes that one first.
    done = forget_people(ran.settings, ran.workspace, [other, customer], clock=CLOCK)
    assert traces(ran, words, short) == set()
    receipts = [json.loads(path.read_text()) for path in ran.workspace.path("receipts").glob("*.json")]
    assert len(receipts) == 2
    assert all(receipt["places"]["tables/customers"] == 1 for receipt in receipts)
    assert (len(done.forgotten), len(done.already)) == (1, 1)


def test_nobody_is_forgotten_where_somebody_is_unknown(own_ran: Callable[..., Ran]) -> None:
    ran = own_ran()
    customer, _ = ran.people()
    generations = {path: path.read_bytes() for path in ran.workspace.home.rglob("current.json")}
    with pytest.raises(NotFoundError, match=r"nobody is known as 'marketo:none', 'c_none'.*nobody was forgotten"):
        forget_people(ran.settings, ran.workspace, [customer, "marketo:none", "c_none"], clock=CLOCK)
    assert {path: path.read_bytes() for path in ran.workspace.home.rglob("current.json")} == generations
    assert not ran.workspace.path("forgetting", "pending.json").exists()


def decide(ran: Ran, email: str, granted: str, days: int) -> None:
    at = (ran.workspace.as_of() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with ran.workspace.path("exports", "consents", "consents.csv").open("a", encoding="utf-8") as file:
        file.write(f'"{email}","profiling","{granted}","{at}","privacy_desk"\n')


def exported(ran: Ran, customer: str) -> set[str]:
    """The exported lists that hold the person."""
    out = ran.workspace.path("out.parquet")
    export_scores(ran.workspace, "lead", out)
    found = {"scores"} if customer in set(pd.read_parquet(out)["customer_id"]) else set()
    export_segment(ran.settings, ran.workspace, "best", out)
    return found | ({"segment"} if customer in set(pd.read_parquet(out)["customer_id"]) else set())


def published(ran: Ran, customer: str) -> set[str]:
    """Where else the person appears."""
    lists = {name: ran.workspace.current(stage) / file for name, stage, file in PUBLISHED}
    found = {name for name, path in lists.items() if customer in set(pd.read_parquet(path)["customer_id"])}
    trained = load_training_set(ran.settings, ran.workspace, "lead").spine
    online = online_features(ran.settings, ran.workspace, "lead_v1", [customer]).to_pylist()
    found |= {"training"} if customer in set(trained["person"]) else set()
    return found | ({"online"} if online[0]["as_of"] is not None else set())


PUBLISHED = (("scores", "scores/lead", "scores.parquet"), ("segment", "segments/best", "members.parquet"))


def state(ran: Ran, customer: str) -> str:
    database = Database(ran.settings, ran.workspace)
    (person,) = (
        Directory(database, OnlineStore(ran.settings, ran.workspace)).find([Reference("kizashi", customer)]).values()
    )
    database.close()
    return person.state


def test_a_refusal_reaches_every_list_and_a_later_permission_too(own_ran: Callable[..., Ran]) -> None:
    ran = own_ran()
    customer = next(person for person in ran.people() if "training" in published(ran, person))
    keys = ran.workspace.read_table("identities").to_pylist()
    (email, *_) = [row["source_id"] for row in keys if (row["customer_id"], row["system"]) == (customer, "email")]
    assert published(ran, customer) == {"scores", "segment", "training", "online"}
    assert exported(ran, customer) == {"scores", "segment"}
    assert state(ran, customer) == "known"
    decide(ran, email, "false", 1)
    unify_stage(ran.settings, ran.workspace, clock=CLOCK, progress=SilentProgress())
    # Scores and segments are yesterday's; nobody is handed out against what is known today.
    assert exported(ran, customer) == set()
    ran.run()
    assert published(ran, customer) == exported(ran, customer) == set()
    assert state(ran, customer) == "excluded"
    decide(ran, email, "true", 1)
    ran.run()
    assert published(ran, customer) >= {"scores", "segment", "online"}
    assert exported(ran, customer) == {"scores", "segment"}
