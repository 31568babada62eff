"""Marketo: leads as the bulk lead extract gives them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import vocabulary
from simulator.columns import blank_where, constant, joined, stamp_z, words
from simulator.files import write_csv
from simulator.people_columns import (
    companies,
    cookies,
    current_emails,
    given_names,
    local,
    mailbox_emails,
    stable_share,
    surnames,
    titles,
)
from simulator.population import Ints
from simulator.salesforce_ids import contact_ids, lead_ids
from simulator.traps import TrapList
from simulator.world import NO_TIME, World

FILE = "marketo/leads.csv"
STATUSES = ("New", "In Talks", "Lost", "Customer")


def status_of_person(world: World) -> tuple[Ints, Ints]:
    """Position in `STATUSES` at the export, and the second since when; `NO_TIME` when it never changed."""
    count = len(world.people.unit)
    status = np.zeros(count, dtype=np.int64)
    since = np.full(count, NO_TIME)
    order = np.argsort(world.role_created, kind="stable")
    status[world.role_person[order]] = 1
    since[world.role_person[order]] = world.role_created[order]
    closed = world.deals.closed[world.role_deal]
    rows = np.flatnonzero(closed != -1)
    rows = rows[np.argsort(closed[rows], kind="stable")]
    rows = rows[closed[rows] >= since[world.role_person[rows]]]
    status[world.role_person[rows]] = np.where(world.deals.last_stage[world.role_deal[rows]] == 3, 3, 2)
    since[world.role_person[rows]] = closed[rows]
    return status, since


def deal_of_customer(world: World) -> Ints:
    """The won deal of each person, -1 without one."""
    deal = np.full(len(world.people.unit), -1, dtype=np.int64)
    won = world.deals.last_stage[world.role_deal] == 3
    deal[world.role_person[won]] = world.role_deal[won]
    return deal


def interest_at_first(person: Ints) -> Ints:
    """The product named in the first form, as a position in `vocabulary.PRODUCTS`; -1 where none was named."""
    product = (stable_share(person, 11) * len(vocabulary.PRODUCTS)).astype(np.int64)
    return np.where(stable_share(person, 12) < 0.4, -1, product)


def write_leads(world: World, directory: Path, traps: TrapList) -> dict[str, int]:
    """Writes marketo/leads.csv: one row per person and one per duplicate record."""
    people, duplicates = world.people, world.duplicates
    known = np.arange(people.known_count)
    person = np.concatenate([known, duplicates.person])
    is_duplicate = np.arange(len(person)) >= len(known)
    lead_id = np.concatenate([world.lead_id, world.duplicate_lead_id])
    created = np.concatenate([world.known_moment[known], duplicates.created])
    variant = np.concatenate([np.full(len(known), -1), duplicates.kind])

    status, since = (values[person] for values in status_of_person(world))
    customer_deal = deal_of_customer(world)[person]
    # What sales fills in at the close goes to the first record; the duplicate stays as it was.
    customer = (customer_deal >= 0) & ~is_duplicate
    won_at = np.where(customer, world.deals.closed[np.maximum(customer_deal, 0)], NO_TIME)
    contact = np.where(is_duplicate, NO_TIME, world.contact_created[person])
    crm_lead = np.where(is_duplicate, NO_TIME, world.crm_lead_created[person])
    status = np.where(is_duplicate, 0, status)
    since = np.where(is_duplicate, NO_TIME, since)
    product = np.where(customer, world.deals.product[np.maximum(customer_deal, 0)], interest_at_first(person))
    ids = pc.cast(pa.array(lead_id), pa.string())
    for column, rows, moment in (
        ("leadStatus", status > 0, since),
        ("interestProduct", customer & (product != interest_at_first(person)), won_at),
        ("contractDepartment", customer, won_at),
        ("sfdcContactId", contact != NO_TIME, contact),
    ):
        traps.add(
            "after_the_deal",
            FILE,
            column=column,
            row_id=ids.filter(pa.array(rows)),
            person=person[rows],
            known=moment[rows],
        )
    shared = world.shared_mailbox[person] & ~is_duplicate
    traps.add("shared_mailbox", FILE, column="email", row_id=ids.filter(pa.array(shared)), person=person[shared])
    traps.add(
        "duplicate_record",
        FILE,
        row_id=ids.filter(pa.array(is_duplicate)),
        person=duplicates.person,
        known=duplicates.created,
    )

    account = people.account[person]
    unsubscribed = (people.unsubscribed_day[person] < world.calendar.history_days) & ~is_duplicate
    updated = np.maximum.reduce([created, since, won_at, np.where(is_duplicate, NO_TIME, world.email_changed[person])])
    order = np.argsort(lead_id, kind="stable")
    columns = {
        "id": ids,
        "email": _emails(world, person, variant),
        "firstName": _by_variant(world, person, variant, given=True),
        "lastName": _by_variant(world, person, variant, given=False),
        "kanaLastName": blank_where(surnames(world, person, 1), stable_share(lead_id, 1) < 0.35),
        "kanaFirstName": blank_where(given_names(world, person, 1), stable_share(lead_id, 1) < 0.35),
        "company": companies(world, person),
        "title": titles(world, person),
        "industry": blank_where(
            words(local(world, vocabulary.INDUSTRIES), world.accounts.industry[account]),
            stable_share(lead_id, 2) < 0.05,
        ),
        "numberOfEmployees": blank_where(
            pc.cast(pa.array(world.accounts.employees[account]), pa.string()), stable_share(lead_id, 3) < 0.06
        ),
        "annualRevenue": blank_where(
            pc.cast(pa.array(world.accounts.revenue[account]), pa.string()), stable_share(lead_id, 4) < 0.5
        ),
        "phone": _phones(world, person, lead_id),
        "state": words(local(world, vocabulary.PREFECTURES), world.accounts.prefecture[account]),
        "country": constant("日本" if world.locale == "ja" else "Japan", len(person)),
        "leadSource": words([source[0] for source in vocabulary.LEAD_SOURCES], people.source[person]),
        "leadStatus": words(STATUSES, status),
        "unsubscribed": words(["false", "true"], unsubscribed.astype(np.int64)),
        "interestProduct": words(local(world, vocabulary.PRODUCTS), product),
        "contractDepartment": words(
            local(world, vocabulary.DEPARTMENTS), np.where(customer, people.department[person], -1)
        ),
        "sfdcLeadId": blank_where(lead_ids(person), crm_lead == NO_TIME),
        "sfdcContactId": blank_where(contact_ids(person), contact == NO_TIME),
        "cookies": _cookies(world, person, is_duplicate),
        "createdAt": stamp_z(created + world.epoch),
        "updatedAt": stamp_z(updated + world.epoch),
    }
    return {FILE: write_csv(directory / FILE, {name: column.take(pa.array(order)) for name, column in columns.items()})}


def _cookies(world: World, person: Ints, is_duplicate: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pa.Array:
    main = (world.cookies.linked[person] != NO_TIME) & ~is_duplicate
    second = (world.cookies.second_form[person] >= 0) & ~is_duplicate
    more = blank_where(joined(";", cookies(person * 2 + 1)), ~second)
    return blank_where(pc.binary_join_element_wise(cookies(person * 2), pc.fill_null(more, ""), ""), ~main)


def _emails(world: World, person: Ints, variant: Ints) -> pa.Array:
    """Addresses as typed. Duplicates: the same in other letters, with a slip, or another one of the same person."""
    own = mailbox_emails(world, person).to_pylist()
    current = current_emails(world, person).to_pylist()
    share = stable_share(person, 6)
    for row in np.flatnonzero(variant >= 0).tolist():
        address = current[row]
        local_part, domain = address.split("@")
        if variant[row] == 0:
            own[row] = (
                address.upper()
                if share[row] < 0.4
                else vocabulary.full_width_ascii(address)
                if share[row] < 0.7
                else f" {address} "
            )
        elif variant[row] == 1:
            own[row] = (
                f"{local_part[:-1]}@{domain}" if share[row] < 0.5 else f"{local_part}@{domain.replace('.', ',', 1)}"
            )
        else:
            own[row] = f"{local_part}.{int(share[row] * 90 + 10)}@{vocabulary.FREE_MAIL_DOMAINS[row % 5]}"
    return pa.array(own, pa.string())


def _by_variant(world: World, person: Ints, variant: Ints, *, given: bool) -> pa.Array:
    """Names: kanji as a rule, in duplicates often romaji or half-width kana."""
    write = given_names if given else surnames
    table = vocabulary.GIVEN_NAMES if given else vocabulary.SURNAMES
    chosen = world.people.given[person] if given else world.people.surname[person]
    half = words([vocabulary.half_width_kana(name[1]) for name in table], chosen)
    usual = write(world, person)
    share = stable_share(person, 7)
    romaji = pa.array((variant >= 0) & (share < 0.35))
    kana = pa.array((variant >= 0) & (share >= 0.35) & (share < 0.6))
    return pc.if_else(romaji, write(world, person, 2), pc.if_else(kana, half, usual))


def _phones(world: World, person: Ints, lead_id: Ints) -> pa.Array:
    plain = words(world.people.phone, person)
    share = stable_share(lead_id, 8)
    without = pc.replace_substring(plain, "-", "")
    abroad = joined("+81-", pc.utf8_slice_codeunits(plain, 1))
    wide = pa.array([vocabulary.full_width_ascii(text) for text in world.people.phone], pa.string()).take(
        pa.array(person)
    )
    result = pc.if_else(pa.array(share < 0.12), without, plain)
    result = pc.if_else(pa.array((share >= 0.12) & (share < 0.18)), abroad, result)
    result = pc.if_else(pa.array((share >= 0.18) & (share < 0.24)), wide, result)
    return blank_where(result, share > 0.88)
