"""Product usage and the contracts behind it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import vocabulary
from simulator.columns import blank_where, constant, date_japan, joined, numbered, stamp_japan, words
from simulator.files import write_csv
from simulator.moments import DAY, office_seconds
from simulator.people_columns import (
    current_emails,
    first_emails,
    local,
)
from simulator.population import Ints
from simulator.salesforce_ids import account_ids
from simulator.traps import TrapList
from simulator.world import NO_TIME, TRIAL, World


def write_product(world: World, directory: Path, traps: TrapList) -> dict[str, int]:
    """Writes product/usage.csv: trials and customers, brought in by a nightly job, some of it days late."""
    random = world.random(53)
    usage = np.flatnonzero(world.traces.kind == TRIAL)
    usage = usage[np.lexsort((world.trace_person[usage], world.trace_second[usage]))]
    person, recorded = world.trace_person[usage], world.trace_second[usage]
    days_before = np.where(random.random(len(usage)) < 0.92, 1, random.integers(2, 9, len(usage)))
    occurred = (recorded // DAY - days_before) * DAY + office_seconds(len(usage), random)
    since = np.maximum(world.known_moment[person] + 60, 0)
    occurred = np.maximum(occurred, np.minimum(since, recorded))
    unit = world.people.unit[person]
    contract_of_unit = np.full(world.people.unit_count, -1, dtype=np.int64)
    contract_of_unit[world.deals.unit[world.contracts.deal]] = np.arange(len(world.contracts.deal))
    contract = contract_of_unit[unit]
    is_customer = (contract >= 0) & (
        recorded >= world.contracts.started[np.maximum(contract, 0)] if len(world.contracts.deal) else False
    )
    ids = numbered("u", np.arange(len(usage)), 10)
    late = np.flatnonzero(recorded // DAY - occurred // DAY >= 2)
    traps.add(
        "late_recorded",
        "product/usage.csv",
        row_id=ids.take(pa.array(late)),
        person=person[late],
        occurred=occurred[late],
        known=recorded[late],
    )
    feature = random.integers(0, len(vocabulary.FEATURES), len(usage))
    columns = {
        "event_id": ids,
        "login": first_emails(world, person),
        "account_no": blank_where(contract_numbers(np.maximum(contract, 0)), ~is_customer),
        "feature": words(vocabulary.FEATURES, feature),
        "action": words(["view", "create", "update"], random.integers(0, 3, len(usage))),
        "occurred_at": stamp_japan(occurred + world.epoch),
        "recorded_at": stamp_japan(recorded + world.epoch),
    }
    return {"product/usage.csv": write_csv(directory / "product" / "usage.csv", columns)}


def contract_numbers(contract: Ints) -> pa.Array:
    """Contract numbers, which the product also uses as account numbers."""
    return numbered("C", contract + 1, 6)


def write_billing(world: World, directory: Path) -> dict[str, int]:
    """Writes billing/contracts.csv."""
    contracts, deals = world.contracts, world.deals
    ended = contracts.cancelled != NO_TIME
    mailbox = world.accounts.shared_mailbox[deals.account[contracts.deal]] & (np.arange(len(ended)) % 2 == 0)
    shared = joined("info@", words(world.accounts.domain, deals.account[contracts.deal]))
    columns = {
        "contract_id": contract_numbers(np.arange(len(ended))),
        "account_id": account_ids(deals.account[contracts.deal]),
        "contact_email": pc.if_else(pa.array(mailbox), shared, current_emails(world, contracts.person)),
        "product": words(local(world, vocabulary.PRODUCTS), deals.product[contracts.deal]),
        "plan": words(local(world, vocabulary.PLANS), deals.plan[contracts.deal]),
        "start_date": date_japan(contracts.started + world.epoch),
        "renewal_date": date_japan(contracts.renewal + world.epoch),
        "cancelled_at": blank_where(stamp_japan(np.where(ended, contracts.cancelled, 0) + world.epoch), ~ended),
        "mrr": pc.cast(pa.array(deals.amount[contracts.deal] // 12), pa.string()),
        "currency": constant("JPY", len(ended)),
    }
    return {"billing/contracts.csv": write_csv(directory / "billing" / "contracts.csv", columns)}
