"""Which events verify or refute a value, since when, and what that changes."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError
from core.settings import ProofSettings, SurvivorshipSettings
from core.storage import connect_duckdb
from customers.proofs import build_proofs
from tests.customers.conftest import Company, at

OLD, NEW = "taro@old.example.jp", "taro@new.example.jp"
RULES = {"email": {"verified_by": ["email_click"], "refuted_by": ["email_bounced"]}}
EVENT = {
    "type": "kind",
    "id": "id",
    "occurred_at": "at",
    "recorded_at": "recorded",
    "is_bot": "bot",
}


def source(system: str) -> dict[str, Any]:
    return {
        "name": system,
        "system": system,
        "path": "{home}/exports/" + system + ".csv",
        "people": {
            "id": "id",
            "created_at": "created",
            "known_at": "created",
            "fields": {"email": "mail", "last_name": "last"},
            "keys": [{"kind": "login", "column": "login"}],
        },
    }


@pytest.fixture
def two_addresses(company: Company) -> Company:
    """One person whom the CRM knows by the old address, and marketing automation by a newer one."""
    head = "id,mail,last,login,created\n"
    company.write("crm.csv", head + f"c1,{OLD},山田,taro,2025-01-01T00:00:00Z\n")
    company.write("ma.csv", head + f"m1,{NEW},山田,taro,2025-02-01T00:00:00Z\n")
    mails = {"name": "mails", "system": "ma", "path": "{home}/exports/mails.csv"}
    person = [
        {"column": "who"},
        {"column": "address", "key": "email"},
        {"column": "crm", "system": "crm"},
    ]
    company.sources = [source("crm"), source("ma"), {**mails, "events": {**EVENT, "person": person}}]
    company.extra = {"survivorship": {"default": ["crm", "ma"], "proofs": RULES}}
    return company


def mails(company: Company, *rows: str) -> list[tuple[str, bool, datetime]]:
    """What is proved of which address since when, for events `who,address,crm,kind,at,recorded,bot`."""
    lines = [f"e{number},{row}" for number, row in enumerate((*rows, "m1,,,web_visit,2025-12-01T00:00:00Z,,"))]
    company.write("mails.csv", "id,who,address,crm,kind,at,recorded,bot\n" + "\n".join(lines) + "\n")
    company.unify()
    return [(row["value"], row["verified"], row["recorded_at"]) for row in company.rows("proofs")]


def address(company: Company) -> str:
    (customer,) = [row for row in company.rows("customers") if row["last_name"]]
    return str(customer["email"])


def test_an_address_that_bounces_loses_to_any_other(two_addresses: Company) -> None:
    assert mails(two_addresses) == []
    assert address(two_addresses) == OLD
    bounced = ",,c1,email_bounced,2025-03-01T00:00:00Z,2025-03-02T00:00:00Z,"
    assert mails(two_addresses, bounced) == [(OLD, False, at("2025-03-02T00:00:00"))]
    assert address(two_addresses) == NEW
    both = (bounced, "m1,,,email_bounced,2025-03-03T00:00:00Z,,")
    mails(two_addresses, *both)
    assert address(two_addresses) == OLD, "among refuted values the order of systems decides, and none is no better"


def test_an_event_of_the_address_itself_speaks_of_it_wherever_it_is_held(two_addresses: Company) -> None:
    told = mails(two_addresses, f",{OLD.upper()},,email_bounced,2025-03-01T00:00:00Z,,")
    assert told == [(OLD, False, at("2025-03-01T00:00:00"))]
    assert address(two_addresses) == NEW


def test_the_last_event_decides_and_only_changes_are_written(two_addresses: Company) -> None:
    told = mails(
        two_addresses,
        ",,c1,email_bounced,2025-03-01T00:00:00Z,,",
        ",,c1,email_bounced,2025-03-05T00:00:00Z,,",
        ",,c1,email_click,2025-04-01T00:00:00Z,,",
        # Told late of an earlier time.
        ",,c1,email_bounced,2025-03-20T00:00:00Z,2025-05-01T00:00:00Z,",
    )
    assert told == [(OLD, False, at("2025-03-01T00:00:00")), (OLD, True, at("2025-04-01T00:10:00"))]
    assert address(two_addresses) == OLD


def test_a_verified_value_goes_before_systems_where_that_is_wanted(two_addresses: Company) -> None:
    click = "m1,,,email_click,2025-03-01T00:00:00Z,,"
    mails(two_addresses, click)
    assert address(two_addresses) == OLD
    rules = {"email": {**RULES["email"], "before_systems": True}}
    two_addresses.extra = {"survivorship": {"default": ["crm", "ma"], "proofs": rules}}
    mails(two_addresses, click)
    assert address(two_addresses) == NEW


def test_what_a_machine_clicked_proves_nothing(two_addresses: Company) -> None:
    assert mails(two_addresses, "m1,,,email_click,2025-03-01T00:00:00Z,,yes") == []


def test_a_value_that_became_known_later_is_proved_from_then_on(two_addresses: Company) -> None:
    people = two_addresses.sources[0]["people"]
    two_addresses.sources[0] = {
        **two_addresses.sources[0],
        "exported_at": "2025-06-01T00:00:00Z",
        "people": {**people, "known_at": "export"},
    }
    told = mails(two_addresses, ",,c1,email_bounced,2025-03-01T00:00:00Z,,")
    assert told == [(OLD, False, at("2025-06-01T00:00:00"))]


def test_an_event_speaks_of_the_address_of_its_time(two_addresses: Company) -> None:
    with (two_addresses.home / "exports" / "crm.csv").open("a") as file:
        file.write("c1,taro@newest.example.jp,山田,taro,2025-05-01T00:00:00Z\n")
    told = mails(two_addresses, ",,c1,email_bounced,2025-03-01T00:00:00Z,,")
    assert [value for value, _, _ in told] == [OLD]


def test_proofs_of_what_is_no_field_are_refused(two_addresses: Company) -> None:
    two_addresses.extra = {"survivorship": {"proofs": {"mail": {}}}}
    with pytest.raises(ConfigurationError, match=r"proofs\.mail is no field"):
        mails(two_addresses)


# Values: record, value, hours of occurrence and of record; events: record, kind, the same, hours until a machine's.
HOURS = st.integers(0, 8)
HELD = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), HOURS, HOURS), max_size=5)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from(["good", "bad"]), HOURS, HOURS, st.sampled_from([None, 0, 0.1, 2])
    ),
    max_size=6,
)


def proofs(held: list[tuple[Any, ...]], events: list[tuple[Any, ...]], until: datetime) -> set[tuple[Any, ...]]:
    """What a run over all that was recorded until a moment says."""

    def moment(*hours: float) -> datetime:
        return at("2025-01-01T00:00:00") + timedelta(hours=sum(hours))

    with connect_duckdb(threads=1) as connection:
        connection.execute("CREATE TABLE horizon AS SELECT ?::TIMESTAMPTZ AS data_until", [until])
        connection.execute(
            "CREATE TABLE published_attributes (system VARCHAR, source_id VARCHAR, field VARCHAR, value VARCHAR, "
            "occurred_at TIMESTAMPTZ, recorded_at TIMESTAMPTZ)"
        )
        connection.execute(
            "CREATE TABLE published_events (event_id VARCHAR, customer_id VARCHAR, system VARCHAR, source_id VARCHAR, "
            "type VARCHAR, occurred_at TIMESTAMPTZ, recorded_at TIMESTAMPTZ, is_bot BOOLEAN, bot_since TIMESTAMPTZ)"
        )
        for record, value, hour, late in held:
            if moment(hour, late) <= until:
                row = ["s", record, "phone", value, moment(hour), moment(hour, late)]
                connection.execute("INSERT INTO published_attributes VALUES (?, ?, ?, ?, ?, ?)", row)
        for number, (record, kind, hour, late, machine) in enumerate(events):
            if moment(hour, late) <= until:
                since = None if machine is None or (found := moment(hour, late, machine)) > until else found
                row = [str(number), "p", "s", record, kind, moment(hour), moment(hour, late), since is not None, since]
                connection.execute("INSERT INTO published_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        rule = ProofSettings(verified_by=("good",), refuted_by=("bad",))
        settings = SimpleNamespace(survivorship=SurvivorshipSettings(proofs={"phone": rule}))
        build_proofs(connection, settings)  # type: ignore[arg-type]  # only survivorship is read
        return set(connection.execute("SELECT value, verified, recorded_at FROM proofs").fetchall())


@given(HELD, EVENTS, st.integers(0, 17))
def test_what_becomes_known_later_changes_no_proof(
    held: list[tuple[Any, ...]], events: list[tuple[Any, ...]], hour: int
) -> None:
    cut = at("2025-01-01T00:00:00") + timedelta(hours=hour)
    today = proofs(held, events, at("2026-01-01T00:00:00"))
    assert proofs(held, events, cut) == {row for row in today if row[2] <= cut}
