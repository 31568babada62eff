"""What a run takes over from former ones is what it would have worked out: every cell of every table is the same."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.tables import TABLES
from customers.cache import erase_cache
from customers.kept_groups import KeptGroups
from customers.kept_people import KeptPeople
from customers.similar import current_index, erase_compared
from tests.customers.conftest import CARD_SOURCE, FAMILY, GIVEN, VISIT_SOURCE, Company

PARTS = 4
FIELDS = {"last_name": "last", "first_name": "first", "phone": "phone", "email": "email"}
SOURCES: list[dict[str, Any]] = [
    {
        "name": "leads",
        "system": "crm",
        "people": {
            "id": "id",
            "created_at": "typed",
            "known_at": "created",
            "fields": {**FIELDS, "company": {"column": "company", "known_at": "history"}, "account_id": "account"},
            "keys": [{"kind": "email", "column": "email"}],
        },
    },
    {**CARD_SOURCE, "name": "cards"},
    {**VISIT_SOURCE, "name": "visits"},
    {
        "name": "mails",
        "system": "crm",
        "events": {
            "id": "id",
            "person": [{"column": "who"}],
            "type": "type",
            "occurred_at": "at",
            "properties": {"url": "url", "campaign": "campaign"},
        },
    },
    {
        # Tells the visits of some people a second time.
        "name": "pages",
        "system": "ma",
        "events": {
            "id": "id",
            "person": [{"column": "mail", "key": "email"}],
            "type": {"constant": "web_visit"},
            "occurred_at": "at",
            "properties": {"url": "url"},
        },
    },
    {
        "name": "changes",
        "system": "crm",
        "history": {"person": "who", "field": {"constant": "company"}, "old": "old", "new": "new", "changed_at": "at"},
    },
    {
        "name": "accounts",
        "system": "crm",
        "accounts": {"id": "id", "name": "name", "domain": "site", "created_at": "created"},
    },
    {
        "name": "consents",
        "system": "crm",
        "consents": {"person": "who", "purpose": "purpose", "granted": "granted", "at": "at"},
    },
    {
        "name": "deals",
        "system": "crm",
        "deals": {"id": "id", "opened_at": "opened", "closed_at": "closed", "recorded_at": "recorded"},
    },
    {
        "name": "stages",
        "system": "crm",
        "deal_stages": {
            "deal": "deal",
            "stage": "stage",
            "entered_at": "at",
            "recorded_at": "recorded",
            "outcomes": {"Won": "won", "Lost": "lost"},
        },
    },
    {
        "name": "roles",
        "system": "crm",
        "deal_people": {"deal": "deal", "person": "who", "recorded_at": "recorded"},
    },
]
PROOFS = {"email": {"verified_by": ["email_click"], "refuted_by": ["email_bounced"]}}

STAGES: list[dict[str, Any]] = [
    {"name": name, "label": {"ja": name, "en": name}, "enter": enter}
    for name, enter in {
        "lead": [{"kind": "known"}],
        "keen": [
            {"kind": "events", "type": ["email_click", "web_visit"], "at_least": 2},
            {"kind": "field", "field": "company", "values": ["*1*"]},
        ],
        "in_talks": [{"kind": "deal", "when": "opened"}],
        "won": [{"kind": "deal", "when": "won"}],
    }.items()
]


def day(number: int) -> str:
    """A moment of the year 2025."""
    return f"2025-{number % 12 + 1:02d}-{number % 28 + 1:02d}T10:00:{number % 60:02d}Z"


def rows_of(random: np.random.Generator, part: int) -> dict[str, tuple[str, list[str]]]:
    """The header and some rows of each file's part; records of one part may be told by another one too."""
    told: dict[str, tuple[str, list[str]]] = {
        "leads": ("id,email,last,first,company,phone,account,typed", []),
        "cards": ("id,email,last,first,company,phone,typed", []),
        "visits": ("event_id,cookie,login,url,at,recorded", []),
        "mails": ("id,who,type,url,campaign,at", []),
        "pages": ("id,mail,url,at", []),
        "changes": ("who,old,new,at", []),
        "accounts": ("id,name,site,created", []),
        "consents": ("who,purpose,granted,at", []),
        "deals": ("id,outcome,opened,closed,recorded", []),
        "stages": ("deal,stage,at,recorded", []),
        "roles": ("deal,who,recorded", []),
    }
    for number in range(part * 15, part * 15 + 20):
        firm = number // 3
        last, first = FAMILY[number % 15], GIVEN[int(random.integers(3)) + number % 12]
        mail, company = f"u{number}@firm{firm}.example.jp", f"株式会社第{firm}商事"
        phone = f"03-5{number:03d}-{1000 + number}"
        account = f"A{firm}" if random.random() < 0.1 else ""
        typed = day(number)
        told["leads"][1].append(f"{number},{mail},{last},{first},{company},{phone},{account},{typed}")
        if number % 3 == 0:
            other = mail if random.random() < 0.5 else f"m{number}@mail.example.com"
            told["cards"][1].append(f"{number},{other},{last},{first},{company},{phone},{day(number + 3)}")
        login = mail if random.random() < 0.4 else ""
        told["visits"][1].append(f"v{number},k{number // 2},{login},/p{number},{day(number)},{day(number)}")
        if random.random() < 0.6:
            told["pages"][1].append(f"g{number},{mail},/p{number},{day(number)}")
        for click in range(int(random.integers(4))):
            kind = random.choice(["email_click", "email_open", "email_delivered", "email_bounced"])
            seconds = f"2025-06-{number % 28 + 1:02d}T10:00:{click:02d}Z"
            told["mails"][1].append(f"e{number}-{part}-{click},{number},{kind},/l{click},c1,{seconds}")
        if random.random() < 0.2:
            told["changes"][1].append(f"{number},,{company},{day(number + 5)}")
        if random.random() < 0.3:
            told["accounts"][1].append(f"A{firm},第{firm}商事,firm{firm}.example.jp,{day(firm)}")
        if random.random() < 0.3:
            told["consents"][1].append(f"{number},profiling,{random.choice(['yes', 'no'])},{day(number + 7)}")
        if random.random() < 0.4:
            outcome = random.choice(["", "won", "lost"])
            told["deals"][1].append(f"D{firm},{outcome},{day(firm)},{day(firm + 6)},{day(firm)}")
            told["stages"][1].append(f"D{firm},{random.choice(['Talk', 'Won', 'Lost'])},{day(number)},{day(number)}")
            told["roles"][1].append(f"D{firm},{number},{day(number)}")
    for _, rows in told.values():
        random.shuffle(rows)
    return told


def change_something(company: Company, random: np.random.Generator) -> None:
    """A file comes, goes or is another one; some days the settings change, some days nothing does."""
    for _ in range(int(random.integers(4))):
        part = int(random.integers(PARTS))
        name, (header, rows) = list(rows_of(random, part).items())[int(random.integers(len(SOURCES)))]
        path = company.home / "exports" / f"{name}{part}.csv"
        if path.exists() and random.random() < 0.4 and name != "leads":
            path.unlink()
        elif rows:
            company.write(path.name, "\n".join([header, *rows]) + "\n")
    if random.random() < 0.3:
        company.extra = {
            **company.extra,
            "lifecycle": {"stages": STAGES[: int(random.integers(2, len(STAGES) + 1))]},
            "survivorship": {
                "default": [str(name) for name in random.permutation(["crm", "fair"])],
                "proofs": PROOFS if random.random() < 0.5 else {},
            },
            "identity": {"similar": {"enabled": bool(random.random() < 0.7), "least_records": 20}},
        }
    if random.random() < 0.2:
        rules = {"bots": {"burst_links": int(random.integers(2, 4))}, "duplicates": {"enabled": random.random() < 0.7}}
        company.extra = {**company.extra, "events": rules}


def every_table(company: Company) -> dict[str, list[dict[str, Any]]]:
    return {name: company.rows(name) for name in TABLES}


def with_nothing_kept(company: Company, erase: Callable[[Any], None], home: Path) -> dict[str, list[dict[str, Any]]]:
    """What the next run of a company would publish if what was kept was not."""
    other = Company(home)
    shutil.copytree(company.home, home)
    other.sources, other.extra, other.runs = company.sources, company.extra, company.runs
    erase(other.workspace)
    other.unify()
    found = every_table(other)
    shutil.rmtree(home)
    return found


def new_company(home: Path, random: np.random.Generator) -> Company:
    company = Company(home)
    company.sources = [source | {"path": f"{{home}}/exports/{source['name']}*.csv", "optional": True}
                       for source in SOURCES]  # fmt: skip
    company.extra = {
        "identity": {"similar": {"least_records": 20}},
        "survivorship": {"default": ["crm", "fair"], "proofs": PROOFS},
        "lifecycle": {"stages": STAGES},
    }
    for part in range(2):
        for name, (header, rows) in rows_of(random, part).items():
            company.write(f"{name}{part}.csv", "\n".join([header, *rows]) + "\n")
    return company


@pytest.mark.parametrize("seed", range(3))
def test_every_day_every_cell_is_as_it_would_be_with_nothing_kept(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    company = new_company(tmp_path / "home", random)
    company.unify()
    for _ in range(6):
        change_something(company, random)
        anew = with_nothing_kept(company, erase_cache, tmp_path / "other")
        company.unify()
        now = every_table(company)
        for name in TABLES:
            assert now[name] == anew[name], name
    assert current_index(company.workspace) is not None


def test_most_days_leave_the_events_of_most_people_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    company = new_company(tmp_path / "home", np.random.default_rng(7))
    found: list[tuple[int, int]] = []
    find_new = KeptGroups.find_new

    def noted(groups: KeptGroups, connection: Any, *given: Any) -> None:
        find_new(groups, connection, *given)
        rows = connection.execute("SELECT (SELECT count(*) FROM kept_events), (SELECT count(*) FROM first_copies)")
        found.extend(rows.fetchall())

    monkeypatch.setattr(KeptGroups, "find_new", noted)
    company.unify()
    company.unify()
    company.write("mails9.csv", "id,who,type,url,campaign,at\nz1,12,email_click,/,c1,2025-12-20T10:00:00Z\n")
    company.unify()
    # The same rows in another order, in a file of another name.
    path = company.home / "exports" / "mails0.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.unlink()
    company.write("mails7.csv", "\n".join([header, *sorted(rows)]) + "\n")
    company.unify()
    company.extra["events"] = {"bots": {"burst_links": 2}}
    company.unify()
    (first, everything), (again, _), (one, more), (same, _), (settings, _) = found
    assert first == everything == more - 1
    # Those whose events were told twice are looked at every day.
    assert again == same < everything / 2
    assert again < one < again + 10
    assert settings == more


def test_events_of_a_file_that_is_gone_are_gone(tmp_path: Path) -> None:
    company = new_company(tmp_path / "home", np.random.default_rng(7))
    company.write("mails9.csv", "id,who,type,url,campaign,at\nz1,12,email_click,/,c1,2025-12-20T10:00:00Z\n")
    company.unify()
    assert "mails:z1" in {row["event_id"] for row in company.rows("events")}
    (company.home / "exports" / "mails9.csv").unlink()
    company.unify()
    assert "mails:z1" not in {row["event_id"] for row in company.rows("events")}


def test_new_rows_leave_most_people_and_their_golden_records_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = new_company(tmp_path / "home", np.random.default_rng(7))
    asked: list[tuple[int, int]] = []
    add_known = KeptPeople.add_known

    def noted(people: KeptPeople, connection: Any) -> None:
        rows = connection.execute("SELECT (SELECT count(*) FROM new_people), (SELECT count(*) FROM people_marks)")
        asked.extend(rows.fetchall())
        add_known(people, connection)

    monkeypatch.setattr(KeptPeople, "add_known", noted)
    company.unify()
    company.unify()
    company.write("leads9.csv", "id,email,last,first,company,phone,account,typed\n900,x@y.example.jp,,,,,," + day(9))
    company.unify()
    # A first name that one record tells in another way.
    path = company.home / "exports" / "leads0.csv"
    header, first, *rest = path.read_text(encoding="utf-8").splitlines()
    cells = first.split(",")
    path.write_text("\n".join([header, ",".join([*cells[:3], "別名", *cells[4:]]), *rest]) + "\n", encoding="utf-8")
    company.unify()
    (first_new, first_all), (again, _), (one, everybody), (changed, _) = asked
    assert first_new == first_all == everybody - 1
    assert (again, one) == (0, 1)
    assert 1 <= changed <= 2
    who = company.who("crm", cells[0])
    assert {row["first_name"] for row in company.rows("customers") if row["customer_id"] == who} == {"別名"}


def test_a_permission_that_changes_shows_in_a_golden_record_that_does_not(tmp_path: Path) -> None:
    company = new_company(tmp_path / "home", np.random.default_rng(7))
    company.unify()
    who = company.who("crm", "3")
    for purpose, granted in (("transfer", "yes"), ("transfer", "no")):
        company.write(f"consents8{granted}.csv", f"who,purpose,granted,at\n3,{purpose},{granted},{day(11 + 16)}\n")
        company.unify()
        now = {row["customer_id"]: row["consent_transfer"] for row in company.rows("customers")}
        assert now[who] is (granted == "yes")


def test_forgetting_what_was_compared_changes_no_cell(tmp_path: Path) -> None:
    company = new_company(tmp_path / "home", np.random.default_rng(7))
    company.unify()

    def erase(workspace: Any) -> None:
        erase_cache(workspace)
        erase_compared(workspace)

    anew = with_nothing_kept(company, erase, tmp_path / "other")
    company.unify()
    now = every_table(company)
    assert {name for name in TABLES if now[name] != anew[name]} == set()


def test_what_is_proved_of_a_value_changes_the_golden_record_of_a_person_of_whom_nothing_else_is_new(
    tmp_path: Path,
) -> None:
    company = new_company(tmp_path / "home", np.random.default_rng(7))
    company.extra["survivorship"]["proofs"] = {"phone": {"refuted_by": ["email_bounced"]}}
    mail = "u700@firm7.example.jp"
    head = "id,email,last,first,company,phone"
    company.write("leads7.csv", f"{head},account,typed\n700,{mail},佐藤,花子,,03-5555-0700,,{day(1)}\n")
    company.write("cards7.csv", f"{head},typed\n700,{mail},佐藤,花子,,03-5555-0799,{day(2)}\n")
    company.unify()

    def phone() -> set[str]:
        who = company.who("crm", "700")
        return {row["phone"] for row in company.rows("customers") if row["customer_id"] == who}

    before = phone()
    company.write("mails8.csv", "id,who,type,url,campaign,at\nz1,700,email_bounced,/,c1,2025-12-20T10:00:00Z\n")
    anew = with_nothing_kept(company, erase_cache, tmp_path / "other")
    company.unify()
    assert phone() != before
    assert company.rows("customers") == anew["customers"]
