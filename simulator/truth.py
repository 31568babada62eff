"""Writes what is really so: who is who, what the oracle knew, the planted traps. For tests and benchmarks only."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from simulator import vocabulary
from simulator.causal_model import HORIZON_DAYS
from simulator.columns import words
from simulator.export_cards import card_rows
from simulator.export_product import contract_numbers
from simulator.export_shop import shop_members
from simulator.moments import DAY
from simulator.people_columns import (
    companies,
    cookies,
    current_emails,
    first_emails,
    given_names,
    mailbox_emails,
    surnames,
)
from simulator.population import NEVER, Flags, Ints
from simulator.salesforce_ids import contact_ids, lead_ids
from simulator.traps import TrapList
from simulator.world import NO_TIME, TRIAL, World


def write_truth(world: World, directory: Path, traps: TrapList) -> dict[str, int]:
    """Writes the Parquet files under truth/; returns rows by file."""
    folder = directory / "truth"
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "people": _people(world),
        "records": _records(world),
        "oracle": _oracle(world),
        "shared_mailboxes": _shared_mailboxes(world),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", coerce_timestamps="us")
    planted = pa.Table.from_pandas(traps.frame(), preserve_index=False)
    pq.write_table(planted, folder / "traps.parquet", coerce_timestamps="us")
    return {f"truth/{name}.parquet": table.num_rows for name, table in {**tables, "traps": planted}.items()}


def _moment(world: World, seconds: Ints, missing: Flags | None = None) -> pa.Array:
    values = (np.where(missing, 0, seconds) if missing is not None else seconds) + world.epoch
    return pa.array(values * 1_000_000, mask=missing).cast(pa.timestamp("us", "UTC"))


def _people(world: World) -> pa.Table:
    people = world.people
    person = np.arange(len(people.unit))
    anonymous = person >= people.known_count
    won = world.won_day < NEVER
    return pa.table(
        {
            "person_id": person,
            "account": people.account,
            "buying_unit": people.unit,
            "is_known": ~anonymous,
            "last_name": surnames(world, person),
            "first_name": given_names(world, person),
            "company": words(world.accounts.name, people.account),
            "email": first_emails(world, person),
            "current_email": current_emails(world, person),
            "industry": words([name for name, _, _ in vocabulary.INDUSTRIES], world.accounts.industry[people.account]),
            "employees": world.accounts.employees[people.account],
            "rank": people.rank,
            "lead_source": words([source for source, _, _ in vocabulary.LEAD_SOURCES], people.source),
            "free_mail": people.free_mail,
            "fit": people.fit,
            "arrived_at": _moment(world, np.minimum(world.arrival_day * DAY, world.known_moment)),
            "known_at": _moment(world, world.known_moment, anonymous),
            "won_at": _moment(world, world.won_day * DAY, ~won | anonymous),
            "was_customer_before": people.is_veteran,
            "profiling_refused_at": _moment(world, world.profiling_refused, world.profiling_refused == NO_TIME),
            "marketing_refused_at": _moment(
                world,
                people.unsubscribed_day * DAY + 20 * 3600,
                anonymous | (people.unsubscribed_day >= world.calendar.history_days),
            ),
        }
    )


def _records(world: World) -> pa.Table:
    """Every source record of every person, and since when the systems could know whose it is."""
    people, known = world.people, np.arange(world.people.known_count)
    person = np.arange(len(people.unit))
    leads = np.flatnonzero(world.crm_lead_created != NO_TIME)
    contacts = np.flatnonzero(world.contact_created != NO_TIME)
    main_browser = np.flatnonzero((person >= people.known_count) | (world.cookies.linked != NO_TIME))
    second_browser = np.flatnonzero(world.cookies.second_form >= 0)
    users = np.unique(world.trace_person[world.traces.kind == TRIAL])
    members = shop_members(world)
    cards, _, typed, _ = card_rows(world)
    contracts = world.contracts
    parts: list[tuple[str, pa.Array, Ints, Ints]] = [
        ("marketo", pa.array(world.lead_id).cast(pa.string()), known, world.known_moment[known]),
        (
            "marketo",
            pa.array(world.duplicate_lead_id).cast(pa.string()),
            world.duplicates.person,
            world.duplicates.created,
        ),
        ("salesforce_lead", lead_ids(leads), leads, world.crm_lead_created[leads]),
        ("salesforce_contact", contact_ids(contacts), contacts, world.contact_created[contacts]),
        ("web", cookies(main_browser * 2), main_browser, world.cookies.linked[main_browser]),
        ("web", cookies(second_browser * 2 + 1), second_browser, world.cookies.second_linked[second_browser]),
        ("product", first_emails(world, users), users, world.known_moment[users]),
        (
            "shop",
            words([f"{number + 500_000:07d}" for number in members.tolist()], np.arange(len(members))),
            members,
            world.known_moment[members],
        ),
        ("tradefair", pa.array([str(row + 2) for row in range(len(cards))], pa.string()), cards, typed * DAY),
        ("billing", contract_numbers(np.arange(len(contracts.deal))), contracts.person, contracts.started),
    ]
    return pa.concat_tables(
        [
            pa.table(
                {
                    "system": pa.repeat(pa.scalar(system), len(who)),
                    "source_id": ids,
                    "person_id": who,
                    "linked_at": _moment(world, since, since == NO_TIME),
                }
            )
            for system, ids, who, since in parts
        ]
    )


def _oracle(world: World) -> pa.Table:
    """One row per person known by a month start; eligible ones were not yet won, and have a probability."""
    known_day = world.people.known_day[: world.people.known_count]
    won_day = world.won_day[: world.people.known_count]
    unit = world.people.unit[: world.people.known_count]
    refused = world.profiling_refused[: world.people.known_count]
    tables = []
    for index, day in enumerate(world.as_of_days.tolist()):
        person = np.flatnonzero(known_day < day)
        eligible = won_day[person] >= day
        chance = np.where(eligible, world.chances[index, unit[person]], 0.0)
        tables.append(
            pa.table(
                {
                    "person_id": person,
                    "as_of": _moment(world, np.full(len(person), day * DAY)),
                    "probability": chance,
                    "won_in_horizon": eligible & (won_day[person] < day + HORIZON_DAYS),
                    "eligible": eligible,
                    "mature": np.full(len(person), day + HORIZON_DAYS <= world.calendar.history_days),
                    "profiling_refused": (refused[person] != NO_TIME) & (refused[person] < day * DAY),
                }
            )
        )
    return pa.concat_tables(tables)


def _shared_mailboxes(world: World) -> pa.Table:
    person = np.flatnonzero(world.shared_mailbox)
    return pa.Table.from_pandas(
        pd.DataFrame(
            {
                "email": mailbox_emails(world, person).to_pylist(),
                "person_id": person,
                "company": companies(world, person).to_pylist(),
            }
        ),
        preserve_index=False,
    )
