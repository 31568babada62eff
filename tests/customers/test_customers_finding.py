"""A record that no export holds yet finds its person."""

from typing import Any

import pytest

from core.errors import ConfigurationError, MissingStageError
from customers.cache import erase_cache
from customers.finding import PersonFinder
from customers.similar import erase_compared


@pytest.fixture
def finder(fair: Any) -> PersonFinder:
    fair.unify()
    return PersonFinder(fair.settings(), fair.workspace)


def lead(fair: Any, number: int) -> dict[str, str]:
    """A lead's row as the exports hold it, but for its id and its time."""
    lines = (fair.home / "exports" / "leads.csv").read_text(encoding="utf-8").splitlines()
    names, values = lines[0].split(","), lines[number + 1].split(",")
    fields = {"last": "last_name", "first": "first_name"}
    told = {fields.get(name, name): value for name, value in zip(names, values, strict=True)}
    return {name: value for name, value in told.items() if name not in ("id", "typed")}


def test_a_mailbox_finds_its_person_however_it_is_written(fair: Any, finder: PersonFinder) -> None:
    (found, *_) = finder.find({"email": " U7@Firm2.example.jp"})
    assert (found.customer_id, found.rule, found.joins) == (fair.who("crm", "7"), "email", True)


def test_a_likeness_finds_what_the_next_run_would_join(fair: Any, finder: PersonFinder) -> None:
    for number in (1, 2, 3, 50, 111):
        asked = lead(fair, number) | {"email": "somebody.new@mail.example.com"}
        (found, *_) = finder.find(asked)
        assert (found.customer_id, found.rule, found.joins) == (fair.who("crm", str(number)), "similar", True)
        lines = (fair.home / "exports" / "cards.csv").read_text(encoding="utf-8")
        row = ",".join([asked[name] for name in ("email", "last_name", "first_name", "company", "phone")])
        fair.write("cards.csv", lines + f"{2000 + number},{row},2025-08-01T00:00:00Z\n")
        fair.unify()
        assert fair.who("fair", str(2000 + number)) == found.customer_id
        record = ("fair", str(2000 + number))
        (linked,) = [row for row in fair.rows("identities") if (row["system"], row["source_id"]) == record]
        assert linked["rule"] == "similar"
        assert linked["probability"] == found.probability
        finder = PersonFinder(fair.settings(), fair.workspace)


def test_a_shared_mailbox_with_another_name_does_not_join(fair: Any, finder: PersonFinder) -> None:
    asked = {"email": "u7@firm2.example.jp", "last_name": "五十嵐", "first_name": "権左衛門"}
    (found, *_) = finder.find(asked)
    assert (found.rule, found.joins) == ("email", False)


def test_a_stranger_finds_nobody(finder: PersonFinder) -> None:
    assert (
        finder.find(
            {"email": "nobody@example.org", "last_name": "勅使河原", "first_name": "惣", "phone": "06-1234-5678"}
        )
        == []
    )


def test_what_cannot_be_asked_is_said(fair: Any, finder: PersonFinder) -> None:
    with pytest.raises(ConfigurationError, match="telephone is no field of a person"):
        finder.find({"telephone": "1"})
    with pytest.raises(ConfigurationError, match="email cannot be read"):
        finder.find({"email": "not an address"})


def test_after_everything_kept_was_erased_a_run_is_asked_for(fair: Any, finder: PersonFinder) -> None:
    erase_cache(fair.workspace)
    with pytest.raises(MissingStageError, match="run `kizashi run` once"):
        PersonFinder(fair.settings(), fair.workspace)
    erase_compared(fair.workspace)
    fair.unify()
    assert PersonFinder(fair.settings(), fair.workspace).find({"email": "u7@firm2.example.jp"})
