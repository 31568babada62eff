"""Which of several decisions about a permission holds."""

from typing import Any

import pytest

LEADS = "id,email,created,opt_in\n1,taro@alpha.example.jp,2025-01-01T00:00:00Z,{held}\n"
CHOICES = "mail,granted,at\n"
MAIL = "taro@alpha.example.jp"


@pytest.fixture
def two_systems(company: Any) -> Any:
    """A marketing tool that holds a flag without a date, and a system of dated decisions."""
    about = {"purpose": {"constant": "marketing"}}
    company.sources = [
        {
            "name": "leads",
            "system": "ma",
            "path": "{home}/exports/leads.csv",
            "exported_at": "2025-06-01T00:00:00Z",
            "people": {
                "id": "id",
                "created_at": "created",
                "fields": {"email": "email"},
                "keys": [{"kind": "email", "column": "email"}],
            },
            "consents": {**about, "person": {"column": "id"}, "granted": "opt_in"},
        },
        {
            "name": "choices",
            "system": "crm",
            "path": "{home}/exports/choices.csv",
            "consents": {**about, "person": {"column": "mail", "key": "email"}, "granted": "granted", "at": "at"},
        },
    ]
    return company


def allowed(company: Any, held: str, *decisions: tuple[str, str]) -> bool:
    company.write("leads.csv", LEADS.format(held=held))
    company.write("choices.csv", CHOICES + "".join(f"{MAIL},{granted},{at}\n" for granted, at in decisions))
    company.unify()
    (customer,) = company.rows("customers")
    return bool(customer["consent_marketing"])


NO, YES = ("no", "2025-03-01T00:00:00Z"), ("yes", "2025-02-01T00:00:00Z")


@pytest.mark.parametrize(
    ("held", "decisions", "expected"),
    [
        ("yes", [YES], True),
        # The flag is exported every night, and is newer than any decision: it revokes none.
        ("yes", [NO], False),
        ("yes", [NO, YES], False),
        ("no", [YES], False),
        # What the person decided later, and says so with a date, holds.
        ("yes", [NO, ("yes", "2025-04-01T00:00:00Z")], True),
        ("no", [NO, ("yes", "2025-04-01T00:00:00Z")], False),
        ("yes", [NO, ("yes", "2025-03-01T00:00:00Z")], False),
    ],
)
def test_only_a_dated_later_decision_revokes_a_refusal(
    two_systems: Any, held: str, decisions: list[tuple[str, str]], expected: bool
) -> None:
    assert allowed(two_systems, held, *decisions) is expected
