"""Which values survive, what people allow, which company they belong to, and that ids stay."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.settings import ProofSettings, SurvivorshipSettings
from core.storage import connect_duckdb
from customers.cleansing.company import company_key, tidy_company
from customers.cleansing.email import normalise_email
from customers.cleansing.name import comparable_name, names_agree, tidy_name
from customers.cleansing.phone import normalise_phone
from customers.cleansing.text import normalise_number, tidy_text
from customers.survivorship import build_golden_fields


def source(name: str, system: str, **people: Any) -> dict[str, Any]:
    return {
        "name": name,
        "system": system,
        "path": "{home}/exports/" + name + ".csv",
        "people": {
            "id": "id",
            "created_at": "created",
            "known_at": "created",
            "keys": [{"kind": "email", "column": "email"}],
            **people,
        },
    }


@pytest.fixture
def two_systems(company):
    fields = {"email": "email", "company": "company", "title": "title", "phone": "phone"}
    company.write(
        "ma.csv",
        "id,email,company,title,phone,created\n"
        "m1,Taro@Alpha.example.jp,アルファ(株),,03-1234-5678,2025-03-01T00:00:00Z\n"
        "m2,taro@alpha.example.jp,㈱アルファ商事,営業部長,,2025-04-01T00:00:00Z\n",
    )
    company.write(
        "crm.csv",
        "id,email,company,title,phone,created\n"
        "c1,taro@alpha.example.jp,株式会社アルファ本社,,０３－１１１１－２２２２,2025-01-01T00:00:00Z\n",
    )
    company.sources = [source("ma", "ma", fields=fields), source("crm", "crm", fields=fields)]
    return company


def test_the_newest_value_wins_and_blank_never_does(two_systems):
    two_systems.unify()
    (customer,) = two_systems.rows("customers")
    assert customer["company"] == "株式会社アルファ商事"
    assert (customer["title"], customer["rank"], customer["department"]) == ("営業部長", "director", "sales")
    assert customer["phone"] == "+81312345678"
    assert (customer["records"], customer["mail_kind"]) == (3, "business")
    kept = {row["value"] for row in two_systems.rows("attributes") if row["field"] == "company"}
    assert kept == {"アルファ株式会社", "株式会社アルファ商事", "株式会社アルファ本社"}


def test_the_order_of_systems_goes_before_recency_field_by_field(two_systems):
    two_systems.extra = {"survivorship": {"default": ["crm"], "fields": {"phone": ["ma", "crm"]}}}
    two_systems.unify()
    (customer,) = two_systems.rows("customers")
    assert customer["company"] == "株式会社アルファ本社"
    assert customer["title"] == "営業部長", "crm has no title, so the next system's survives"
    assert customer["phone"] == "+81312345678"


ATTRIBUTES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([None, "x", "y", "z"]), st.integers(0, 3), st.integers(0, 3)),
    min_size=1,
    max_size=8,
)
PROOFS = st.dictionaries(st.tuples(st.sampled_from("xyz"), st.integers(0, 5)), st.booleans(), max_size=4)


@settings(max_examples=60, deadline=None)
@given(ATTRIBUTES, PROOFS, st.permutations(["a", "b"]), st.booleans())
def test_survivorship_is_the_least_by_proof_and_place_then_the_newest(rows, proofs, order, ahead):
    class Order:
        survivorship = SurvivorshipSettings(
            default=tuple(order), proofs={"company": ProofSettings(before_systems=ahead)}
        )

    with connect_duckdb(threads=1) as connection:
        connection.execute(
            """CREATE TABLE attributes (customer_id VARCHAR, system VARCHAR, source_id VARCHAR, field VARCHAR,
            value VARCHAR, occurred_at TIMESTAMPTZ, recorded_at TIMESTAMPTZ)"""
        )
        connection.execute(
            "CREATE TABLE proofs (field VARCHAR, value VARCHAR, verified BOOLEAN, recorded_at TIMESTAMPTZ)"
        )
        connection.executemany(
            "INSERT INTO attributes VALUES ('p', ?, 'r', 'company', ?, make_timestamptz(?), make_timestamptz(?))",
            [list(row) for row in rows],
        )
        for (value, time), verified in proofs.items():
            connection.execute(
                "INSERT INTO proofs VALUES ('company', ?, ?, make_timestamptz(?))", [value, verified, time]
            )
        build_golden_fields(connection, Order)  # type: ignore[arg-type]  # only survivorship is read
        found = connection.execute("SELECT value FROM golden_fields").fetchall()
    proved = {value: verified for (value, _), verified in sorted(proofs.items(), key=lambda proof: proof[0][1])}
    ranked = sorted(
        (
            proved.get(value) is False,
            ahead and not proved.get(value, False),
            order.index(system) if system in order else 99,
            not proved.get(value, False),
            -occurred,
            -recorded,
            system,
            value,
        )
        for system, value, occurred, recorded in rows
        if value is not None
    )
    assert found == ([(ranked[0][-1],)] if ranked else [])


def test_an_id_never_changes_when_an_older_record_turns_up(two_systems):
    two_systems.unify()
    (before,) = two_systems.rows("customers")
    crm = two_systems.home / "exports" / "crm.csv"
    with crm.open("a") as file:
        file.write("c0,TARO@alpha.example.jp,アルファ,,,2024-01-01T00:00:00Z\n")
    two_systems.unify()
    (after,) = two_systems.rows("customers")
    assert after["customer_id"] == before["customer_id"]
    assert after["records"] == 4
    assert two_systems.who("crm", "c0") == before["customer_id"]


def test_an_id_that_is_gone_still_resolves(two_systems):
    apart = [{**entry, "people": {**entry["people"], "keys": []}} for entry in two_systems.sources]
    joined, two_systems.sources = two_systems.sources, apart
    two_systems.unify()
    old = {row["customer_id"] for row in two_systems.rows("customers")}
    assert len(old) == 3
    two_systems.sources = joined
    two_systems.unify()
    (customer,) = two_systems.rows("customers")
    changes = {row["old_id"]: row["new_id"] for row in two_systems.rows("identity_changes")}
    for customer_id in old - {customer["customer_id"]}:
        assert changes[customer_id] == customer["customer_id"]
    runs = {row["source_id"]: row["run"] for row in two_systems.rows("identities") if row["ended_at"] is None}
    assert runs["c1"] == "run-1"
    assert runs["m1"] == "run-2"


def test_people_at_a_role_s_mailbox_stay_apart_and_may_all_withdraw(company):
    company.write(
        "ma.csv",
        "id,email,created\n"
        "1,info@alpha.example.jp,2025-01-01T00:00:00Z\n"
        "2,INFO@alpha.example.jp,2025-01-02T00:00:00Z\n"
        "3,taro@alpha.example.jp,2025-01-03T00:00:00Z\n",
    )
    company.write(
        "choices.csv",
        "mail,purpose,granted,at\n"
        "taro@alpha.example.jp,marketing,true,2025-02-01T00:00:00Z\n"
        "taro@alpha.example.jp,profiling,no,2025-02-01T00:00:00Z\n"
        "taro@alpha.example.jp,profiling,yes,2025-02-01T00:00:00Z\n"
        "taro@alpha.example.jp,transfer,no,2025-02-01T00:00:00Z\n"
        "taro@alpha.example.jp,transfer,yes,2025-02-02T00:00:00Z\n"
        "info@alpha.example.jp,profiling,false,2025-02-01T00:00:00Z\n",
    )
    company.sources = [
        source("ma", "ma", fields={"email": "email"}),
        {
            "name": "choices",
            "system": "choices",
            "path": "{home}/exports/choices.csv",
            "consents": {
                "person": {"column": "mail", "key": "email"},
                "purpose": "purpose",
                "granted": "granted",
                "at": "at",
            },
        },
    ]
    company.unify()
    assert len({company.who("ma", "1"), company.who("ma", "2"), company.who("ma", "3")}) == 3
    consent = {
        row["customer_id"]: (row["consent_marketing"], row["consent_profiling"], row["consent_transfer"])
        for row in company.rows("customers")
    }
    assert consent[company.who("ma", "3")] == (True, False, True), "the newest wins, and among equals the refusal"
    assert consent[company.who("ma", "1")] == consent[company.who("ma", "2")] == (False, False, False)


def test_persons_find_their_company(company):
    company.write(
        "crm_accounts.csv",
        "id,name,site,created\nA1,㈱アルファ,https://www.alpha.example.jp/about,2025-02-01T00:00:00Z\n",
    )
    company.write(
        "ma.csv",
        "id,email,company,account,created\n"
        "1,taro@alpha.example.jp,,,2025-01-01T00:00:00Z\n"
        "2,jiro@gmail.com,アルファ 株式会社,,2025-03-01T00:00:00Z\n"
        "3,saburo@beta.example.jp,アルファ,A9,2025-03-01T00:00:00Z\n"
        "4,shiro@beta.example.jp,,,2025-03-01T00:00:00Z\n"
        "5,goro@gmail.com,,,2025-03-01T00:00:00Z\n",
    )
    company.sources = [
        source("ma", "ma", fields={"email": "email", "company": "company", "account_id": "account"}),
        {
            "name": "crm_accounts",
            "system": "crm",
            "path": "{home}/exports/crm_accounts.csv",
            "accounts": {"id": "id", "name": "name", "domain": "site", "created_at": "created"},
        },
    ]
    company.unify()
    account = {row["customer_id"]: row["account_id"] for row in company.rows("customers")}
    assert [account[company.who("ma", str(number))] for number in range(1, 6)] == [
        "A1",
        "A1",
        "A9",
        "domain:beta.example.jp",
        None,
    ]
    in_time = [
        (row["value"], row["recorded_at"].isoformat())
        for row in company.rows("attributes")
        if row["field"] == "account_id" and row["source_id"] == "1"
    ]
    assert in_time == [
        ("domain:alpha.example.jp", "2025-01-01T00:00:00+00:00"),
        ("A1", "2025-02-01T00:00:00+00:00"),
    ]
    accounts = {row["account_id"]: row for row in company.rows("accounts")}
    assert accounts["A1"]["domain"] == "alpha.example.jp"
    assert accounts["A1"]["name"] == "株式会社アルファ"
    assert accounts["A1"]["normalised_name"] == "アルファ"


@given(st.text(max_size=30))
def test_cleansing_twice_is_cleansing_once(text):
    for cleanse in (tidy_text, tidy_name, tidy_company, normalise_email, normalise_phone, normalise_number):
        once = cleanse(text)
        if once is not None:
            assert cleanse(once) == once, cleanse.__name__


def test_spellings_of_one_company_share_a_key():
    spellings = ["㈱みらい商事", "株式会社 ミライ商事", "ミライ商事(株)", "（株）ﾐﾗｲ商事", "ミライ商事"]
    assert {company_key(spelling) for spelling in spellings} == {"ミライ商事"}
    assert company_key("Mirai Inc.") == company_key("MIRAI, Co., Ltd.") == company_key("株式会社mirai")
    assert company_key("Cosmo Corp") != company_key("smo")


@pytest.mark.parametrize(
    ("left", "right", "agree"),
    [
        (("山田", "太郎"), ("山田", "太郎"), True),
        (("髙橋", "健"), ("高橋", "健"), True),
        (("山田", "太郎"), ("鈴木", "太郎"), True),  # married
        (("山田", "太郎"), ("山田", "花子"), False),
        (("山田", "太郎"), ("佐藤", "次郎"), False),
        (("太郎", "山田"), ("山田", "太郎"), True),
        (("Yamada", "Taro"), ("ヤマダ", "タロウ"), True),
        (("Yamada", "T."), ("Yamada", "Taro"), True),
        (("Yamada", "Taro"), ("Yamada", "Hanako"), False),
        (("山田", None), ("佐藤", None), False),
        (("山田", "太郎"), (None, None), None),
        (("山田", "太郎"), ("Yamada", "Taro"), None),
    ],
)
def test_names_speak_for_or_against_one_person(left, right, agree):
    for one, other in ((left, right), (right, left)):
        assert names_agree(comparable_name(*one), comparable_name(*other)) is agree
