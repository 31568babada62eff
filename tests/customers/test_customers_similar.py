"""Records without a common key enter identity resolution, each since its own time."""

import numpy as np
import pytest

from tests.customers.conftest import LEAD_SOURCE

CARD_SOURCE = {
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


@pytest.fixture
def fair(company):
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


def test_a_card_with_another_mailbox_finds_its_lead_when_it_was_typed(fair, moment):
    fair.unify()
    typed = moment("2025-06-01T00:00:00")
    found = [number for number in range(4, 240, 8) if fair.who("fair", str(number)) == fair.who("crm", str(number))]
    assert len(found) >= 27
    rows = [row for row in fair.rows("identities") if row["rule"] == "similar"]
    assert len(rows) >= 27
    assert all(row["linked_at"] == typed for row in rows)
    assert all(0.95 <= row["probability"] < 1 for row in rows)


def test_a_colleague_at_the_same_switchboard_is_somebody_else(fair):
    fair.unify()
    assert fair.who("fair", "999") not in {fair.who("crm", str(number)) for number in range(240)}


def test_switched_off_only_keys_unite(fair):
    fair.extra = {"identity": {"similar": {"enabled": False}}}
    fair.unify()
    assert not [row for row in fair.rows("identities") if row["rule"] == "similar"]
    assert fair.who("fair", "4") != fair.who("crm", "4")
    assert fair.who("fair", "8") == fair.who("crm", "8")


def test_too_few_records_teach_nothing(fair):
    fair.extra = {"identity": {"similar": {"least_records": 100_000}}}
    fair.unify()
    assert fair.who("fair", "4") != fair.who("crm", "4")


def test_ids_stay_over_runs(fair):
    fair.unify()
    before = fair.rows("identities")
    fair.unify()
    assert fair.rows("identities") == before
