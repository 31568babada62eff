"""Who stands behind a record: the database and the online store say the same, and forgotten people are gone."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.cleansing.email import normalise_email
from features.store import apply_definitions
from serving.availability import AwayError, Database
from serving.directory import Directory, Reference, candidates, publish_directory
from serving.online import OnlineStore

NO_DATABASE = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def directories(served: Any) -> tuple[Directory, Directory]:
    """One that reads the database, one that has only the online store."""
    online = OnlineStore(served.settings, served.workspace)
    away = Database(served.settings.model_copy(update={"database_url": NO_DATABASE}), served.workspace)
    return Directory(Database(served.settings, served.workspace), online), Directory(away, online)


def everybody(served: Any) -> list[Reference]:
    identities = served.workspace.read_table("identities").to_pylist()
    own = [Reference("kizashi", row["customer_id"]) for row in served.workspace.read_table("customers").to_pylist()]
    strangers = [Reference("marketo", "nobody"), Reference("kizashi", "c_of_forgotten"), Reference("", "")]
    return [*(Reference(row["system"], row["source_id"]) for row in identities), *own, *strangers]


def test_both_stores_say_the_same(served: Any) -> None:
    references = everybody(served)
    from_database, from_online = (directory.find(references) for directory in directories(served))
    assert from_database == from_online
    assert len(from_database) == len(references) - 3
    states = {person.state for person in from_database.values()}
    assert states == {"known", "anonymous", "excluded"}
    scored = {row["customer_id"] for row in served.scores}
    assert {person.customer_id for person in from_database.values() if "lead" in person.models} == scored


def test_forgotten_people_are_gone_from_both(own_served: Any, forget: Callable[[Any, str], None]) -> None:
    customer = own_served.scores[0]["customer_id"]
    asked = [Reference("marketo", own_served.record_of(customer)), Reference("kizashi", customer)]
    asked.append(Reference("email", f"person{int(customer[2:])}@example.jp"))
    before = directories(own_served)[0].find(everybody(own_served))
    forget(own_served, customer)
    apply_definitions(own_served.settings, own_served.workspace)
    publish_directory(own_served.settings, own_served.workspace)
    for directory in directories(own_served):
        assert directory.find(asked) == {}
        left = {reference: person for reference, person in before.items() if reference not in asked}
        assert directory.find(list(before)) == left


def test_publishing_again_changes_nothing(own_served: Any) -> None:
    before = [directory.find(everybody(own_served)) for directory in directories(own_served)]
    apply_definitions(own_served.settings, own_served.workspace)
    first = publish_directory(own_served.settings, own_served.workspace)
    assert publish_directory(own_served.settings, own_served.workspace) == first
    assert [directory.find(everybody(own_served)) for directory in directories(own_served)] == before
    assert first.records == len(before[0]) + 1  # and the id that was merged away


def test_with_neither_store_nobody_can_be_found(own_served: Any) -> None:
    own_served.workspace.path("feast").rename(own_served.workspace.path("lost"))
    with pytest.raises(AwayError):
        directories(own_served)[1].find([Reference("marketo", "m1")])


@given(
    st.from_regex(
        r"[a-zA-Z][a-zA-Z0-9._]{0,8}[a-z0-9](\+[a-z]{1,5})?@[a-zA-Z]{1,8}\.(co\.jp|com)", fullmatch=True
    ).filter(lambda text: ".." not in text)
)
def test_addresses_are_written_as_the_unified_tables_hold_them(address: str) -> None:
    unified = normalise_email(address)
    assert unified is not None
    assert candidates(Reference("email", address)) == (Reference("email", unified),)
