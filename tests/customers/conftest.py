"""Small companies written as files, and the job run over them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.settings import load_settings
from core.storage import Workspace
from customers.unify import UnifySummary, unify_customers

LEADS = """id,email,last,first,company,created,updated
1,taro@alpha.example.jp,山田,太郎,㈱アルファ,2025-01-10T00:00:00Z,2025-01-10T00:00:00Z
2,hanako@beta.example.jp,佐藤,花子,ベータ(株),2025-02-01T00:00:00Z,2025-02-01T00:00:00Z
"""
VISITS = """event_id,cookie,login,url,at,recorded
v1,k1,,/pricing,2025-01-05T10:00:00Z,2025-01-05T10:00:05Z
v2,k1,taro@alpha.example.jp,/help,2025-01-20T10:00:00Z,2025-01-20T10:00:05Z
v3,k2,,/,2025-03-01T10:00:00Z,2025-03-01T10:00:05Z
"""
LEAD_SOURCE: dict[str, Any] = {
    "name": "leads",
    "system": "crm",
    "path": "{home}/exports/leads.csv",
    "people": {
        "id": "id",
        "created_at": "created",
        "known_at": "created",
        "fields": {"email": "email", "last_name": "last", "first_name": "first", "company": "company"},
        "keys": [{"kind": "email", "column": "email"}],
    },
}
VISIT_SOURCE: dict[str, Any] = {
    "name": "visits",
    "system": "web",
    "path": "{home}/exports/visits.csv",
    "events": {
        "id": "event_id",
        "person": [{"column": "cookie", "key": "cookie"}],
        "type": {"constant": "web_visit"},
        "occurred_at": "at",
        "recorded_at": "recorded",
        "properties": {"url": "url"},
    },
    "links": {
        "left": {"column": "cookie", "key": "cookie"},
        "right": {"column": "login", "key": "email"},
        "linked_at": "recorded",
    },
}

CARD_SOURCE: dict[str, Any] = {
    "name": "cards",
    "system": "fair",
    "path": "{home}/exports/cards.csv",
    "people": {
        "id": "id",
        "created_at": "typed",
        "known_at": "created",
        "fields": {
            "last_name": "last",
            "first_name": "first",
            "company": "company",
            "phone": "phone",
            "email": "email",
        },
        "keys": [{"kind": "email", "column": "email"}],
    },
}
FAMILY = [
    *[
        "佐藤",
        "鈴木",
        "高橋",
        "田中",
        "伊藤",
        "渡辺",
        "山本",
        "中村",
        "小林",
        "加藤",
        "吉田",
        "山田",
        "松本",
        "井上",
        "木村",
    ]
]
GIVEN = [
    "太郎",
    "花子",
    "健一",
    "直樹",
    "大輔",
    "翔太",
    "拓也",
    "裕子",
    "美咲",
    "陽子",
    "和也",
    "達也",
    "久美子",
    "洋介",
    "雄太",
]


class Company:
    """A folder of exports and the sources that read them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.workspace = Workspace(home)
        self.sources: list[dict[str, Any]] = []
        self.extra: dict[str, Any] = {}
        self.runs = 0

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.home / "exports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def settings(self) -> Any:
        path = self.home / "company.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        configuration = {"name": "company", "home": str(self.home), "sources": self.sources, **self.extra}
        path.write_text(yaml.safe_dump(configuration, allow_unicode=True))
        return load_settings(path)

    def unify(self) -> UnifySummary:
        self.runs += 1
        return unify_customers(self.settings(), self.workspace, run=f"run-{self.runs}")

    def rows(self, table: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.workspace.read_table(table).to_pylist()
        return rows

    def who(self, system: str, source_id: str, at: datetime | None = None) -> str | None:
        """The person that a node belonged to, as `identities` says."""
        for row in self.rows("identities"):
            if (row["system"], row["source_id"]) == (system, source_id):
                began = at is None or row["linked_at"] < at
                lasts = row["ended_at"] is None or (at is not None and row["ended_at"] >= at)
                if began and lasts:
                    return str(row["customer_id"])
        return None


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """An empty company."""
    return Company(tmp_path / "home")


@pytest.fixture
def small_company(company: Company) -> Company:
    """Two leads and a web log in which one of them logs in."""
    company.write("leads.csv", LEADS)
    company.write("visits.csv", VISITS)
    company.sources = [LEAD_SOURCE, VISIT_SOURCE]
    return company


@pytest.fixture
def moment() -> Callable[[str], datetime]:
    return at


def write_fair(company: Company) -> Company:
    """240 leads, of whom 60 left a card months later: half of them with another mailbox, and a colleague's beside."""
    random = np.random.default_rng(5)
    leads, cards = [], []
    for number in range(240):
        last, first = FAMILY[random.integers(15)], GIVEN[random.integers(15)]
        firm, phone = f"株式会社第{number // 3}商事", f"03-5{number:03d}-{random.integers(1000, 9999)}"
        row = (last, first, firm, phone)
        leads.append((number, f"u{number}@firm{number // 3}.example.jp", *row, "2025-01-10T00:00:00Z"))
        if number % 4 == 0:
            mail = f"u{number}@firm{number // 3}.example.jp" if number % 8 == 0 else f"m{number * 37}@mail.example.com"
            cards.append((number, mail, *row, "2025-06-01T00:00:00Z"))
    # Somebody else of a company that is known, at its switchboard.
    cards.append(
        (999, "other@firm1.example.jp", "大久保", "凛", "株式会社第1商事", leads[4][5], "2025-06-01T00:00:00Z")
    )
    for name, rows in (("leads", leads), ("cards", cards)):
        lines = [",".join(map(str, row)) for row in rows]
        company.write(f"{name}.csv", "\n".join(["id,email,last,first,company,phone,typed", *lines]) + "\n")
    lead_people = CARD_SOURCE["people"] | {}
    company.sources = [LEAD_SOURCE | {"people": lead_people}, CARD_SOURCE]
    return company


@pytest.fixture
def fair(company: Company) -> Company:
    """A company that was at a fair."""
    return write_fair(company)
