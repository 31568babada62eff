"""Records without a common key enter identity resolution, each since its own time."""

import numpy as np
import pytest

from tests.customers.conftest import FAMILY


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


@pytest.fixture
def homes(company):
    """Couples at home, and lists on which some of them wrote their address in another way, months later."""
    random = np.random.default_rng(6)
    # Many given names: with few, a namesake in the same household would be likely enough.
    given_names = [first + second for first in "健直大翔拓裕美陽和達久洋雄恵真" for second in "一樹輔太也子咲平介郎"]
    towns = ["神南", "恵比寿西", "富ケ谷", "千駄ヶ谷", "道玄坂", "上原", "西原", "幡ヶ谷", "初台", "代々木"]
    leads, lists = [], []
    for home in range(120):
        family, town = FAMILY[random.integers(15)], towns[random.integers(10)]
        chome, number = random.integers(1, 3), f"{random.integers(1, 40)}-{random.integers(1, 30)}"
        first, second = random.choice(given_names, 2, replace=False)
        street = f"東京都渋谷区{town}{chome}-{number}"
        for place, given in enumerate((first, second)):
            leads.append((2 * home + place, family, given, street, f"03-5{home:03d}-1234", "2025-01-10T00:00:00Z"))
        if home % 3 == 0:
            other = town.replace("ヶ", "が").replace("ケ", "が")
            written = f"渋谷区{other}{'一二三'[chome - 1]}丁目{number.replace('-', '番')}号"
            lists.append((2 * home, family, first, written, "", "2025-06-01T00:00:00Z"))
    for name, rows in (("leads", leads), ("lists", lists)):
        lines = [",".join(map(str, row)) for row in rows]
        company.write(f"{name}.csv", "\n".join(["id,last,first,address,phone,typed", *lines]) + "\n")
    people = {
        "id": "id",
        "created_at": "typed",
        "known_at": "created",
        "fields": {"last_name": "last", "first_name": "first", "address": "address", "phone": "phone"},
    }
    company.sources = [
        {"name": name, "system": name, "path": f"{{home}}/exports/{name}.csv", "people": people}
        for name in ("leads", "lists")
    ]
    return company


def test_one_address_written_in_two_ways_is_evidence(homes):
    homes.unify()
    listed = [2 * home for home in range(0, 120, 3)]
    found = [number for number in listed if homes.who("lists", str(number)) == homes.who("leads", str(number))]
    assert len(found) >= 0.9 * len(listed)


def test_couples_at_one_address_stay_two_people(homes):
    homes.unify()
    people = {(row["system"], row["source_id"]): row["customer_id"] for row in homes.rows("identities")}
    united = [home for home in range(120) if people["leads", str(2 * home)] == people["leads", str(2 * home + 1)]]
    assert united == []
