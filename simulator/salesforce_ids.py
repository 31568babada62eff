"""Record ids and stamps of the made-up Salesforce, and who looks after whom."""

import pyarrow as pa

from simulator import vocabulary
from simulator.columns import (
    salesforce_id,
    stamp_salesforce,
)
from simulator.population import Ints
from simulator.world import World

LEAD, CONTACT, ACCOUNT, OPPORTUNITY, ROLE, HISTORY, CAMPAIGN, MEMBER, TASK, USER = (
    "00Q", "003", "001", "006", "00K", "008", "701", "00v", "00T", "005",
)  # fmt: skip
"""Key prefixes of the objects."""


def lead_ids(person: Ints) -> pa.Array:
    """Salesforce Lead ids of people."""
    return salesforce_id(LEAD, person + 100_000)


def contact_ids(person: Ints) -> pa.Array:
    """Salesforce Contact ids of people."""
    return salesforce_id(CONTACT, person + 100_000)


def account_ids(account: Ints) -> pa.Array:
    """Salesforce Account ids of companies."""
    return salesforce_id(ACCOUNT, account + 500_000)


def moment(world: World, seconds: Ints) -> pa.Array:
    """Seconds of the history in the form of the CRM."""
    return stamp_salesforce(seconds + world.epoch)


def staff_emails(count: int) -> list[str]:
    """Addresses of the salespeople."""
    return [
        f"{vocabulary.GIVEN_NAMES[(7 * n) % 48][2]}.{vocabulary.SURNAMES[(11 * n) % 60][2]}{n}@kumono.example"
        for n in range(count)
    ]


def owner_of_person(world: World, person: Ints) -> Ints:
    """Each buying unit is looked after by one salesperson."""
    return world.people.unit[person] % world.staff_count
