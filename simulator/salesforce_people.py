"""Salesforce users, accounts, leads and contacts."""

import numpy as np
import pyarrow as pa

from simulator import vocabulary
from simulator.columns import (
    blank_where,
    constant,
    date_japan,
    joined,
    salesforce_id,
    words,
)
from simulator.people_columns import (
    companies,
    current_emails,
    departments,
    given_names,
    local,
    stable_share,
    surnames,
    titles,
)
from simulator.population import Ints
from simulator.salesforce_ids import (
    OPPORTUNITY,
    USER,
    account_ids,
    contact_ids,
    lead_ids,
    moment,
    owner_of_person,
    staff_emails,
)
from simulator.traps import TrapList
from simulator.world import NO_TIME, World


def users(world: World) -> dict[str, pa.Array]:
    """Salespeople, with team and daily capacity."""
    number = np.arange(world.staff_count)
    form = 0 if world.locale == "ja" else 2
    names = [
        f"{vocabulary.SURNAMES[(11 * n) % 60][form].title()} {vocabulary.GIVEN_NAMES[(7 * n) % 48][form].title()}"
        for n in number.tolist()
    ]
    return {
        "Id": salesforce_id(USER, number),
        "Name": pa.array(names),
        "Email": pa.array(staff_emails(world.staff_count)),
        "Team__c": words(local(world, vocabulary.TEAMS), number % len(vocabulary.TEAMS)),
        "DailyCapacity__c": words(["8", "10", "12", "15"], number % 4),
        "IsActive": constant("true", len(number)),
    }


def _known_accounts(world: World) -> Ints:
    """Companies of which the CRM has a lead, a contact or a deal."""
    in_crm = (world.crm_lead_created != NO_TIME) | (world.contact_created != NO_TIME)
    return np.unique(np.concatenate([world.people.account[in_crm], world.deals.account]))


def crm_accounts(world: World, traps: TrapList) -> dict[str, pa.Array]:
    """Companies of which the CRM has a lead, a contact or a deal."""
    account = _known_accounts(world)
    won_at = np.full(len(world.accounts.name), NO_TIME)
    won = world.deals.last_stage == 3
    won_at[world.deals.account[won][::-1]] = world.deals.closed[won][::-1]
    customer = won_at[account] != NO_TIME
    earliest = np.full(len(world.accounts.name), world.end)
    for seconds in (world.crm_lead_created, world.contact_created):
        present = seconds != NO_TIME
        np.minimum.at(earliest, world.people.account[present], seconds[present])
    np.minimum.at(earliest, world.deals.account, world.deals.opened)
    traps.add(
        "after_the_deal",
        "salesforce/Account.csv",
        column="Type",
        row_id=account_ids(account[customer]),
        known=won_at[account[customer]],
    )
    return {
        "Id": account_ids(account),
        "Name": words(world.accounts.name, account),
        "Website": joined("https://www.", words(world.accounts.domain, account), "/"),
        "Industry": words(local(world, vocabulary.INDUSTRIES), world.accounts.industry[account]),
        "NumberOfEmployees": pa.array(world.accounts.employees[account]).cast(pa.string()),
        "AnnualRevenue": pa.array(world.accounts.revenue[account]).cast(pa.string()),
        "BillingState": words(local(world, vocabulary.PREFECTURES), world.accounts.prefecture[account]),
        "Type": words(["Prospect", "Customer"], customer.astype(np.int64)),
        "CreatedDate": moment(world, earliest[account]),
        "LastModifiedDate": moment(world, np.maximum(earliest[account], won_at[account])),
    }


def closing_of_person(world: World) -> tuple[Ints, Ints, Ints]:
    """For each person: first deal, last closing second, and last stage; -1 or `NO_TIME` without one."""
    count = len(world.people.unit)
    first = np.full(count, -1, dtype=np.int64)
    order = np.argsort(-world.role_created, kind="stable")
    first[world.role_person[order]] = world.role_deal[order]
    closed_at = np.full(count, NO_TIME)
    stage = np.full(count, -1, dtype=np.int64)
    roles = np.flatnonzero(world.deals.closed[world.role_deal] != -1)
    roles = roles[np.argsort(world.deals.closed[world.role_deal[roles]], kind="stable")]
    closed_at[world.role_person[roles]] = world.deals.closed[world.role_deal[roles]]
    stage[world.role_person[roles]] = world.deals.last_stage[world.role_deal[roles]]
    return first, closed_at, stage


def crm_leads(world: World, traps: TrapList) -> dict[str, pa.Array]:
    """Leads; what sales fills in at the close is planted here."""
    person = np.flatnonzero(world.crm_lead_created != NO_TIME)
    first_deal, closed_at, last_stage = (values[person] for values in closing_of_person(world))
    created = world.crm_lead_created[person]
    converted_at = world.contact_created[person]
    converted = converted_at != NO_TIME
    scored = closed_at != NO_TIME
    random = world.random(21)
    bant = np.where(last_stage == 3, random.integers(70, 101, len(person)), random.integers(5, 60, len(person)))
    for column, rows, known in (
        ("BANT_Score__c", scored, closed_at),
        ("IsConverted", converted, converted_at),
        ("Status", converted, converted_at),
    ):
        traps.add(
            "after_the_deal",
            "salesforce/Lead.csv",
            column=column,
            row_id=lead_ids(person[rows]),
            person=person[rows],
            known=known[rows],
        )
    status = np.where(converted, 2, (stable_share(person, 3) < 0.5).astype(np.int64))
    employees = pa.array(world.accounts.employees[world.people.account[person]]).cast(pa.string())
    modified = np.maximum.reduce([created, converted_at, closed_at])
    return {
        "Id": lead_ids(person),
        "CreatedDate": moment(world, created),
        "LastModifiedDate": moment(world, modified),
        "IsConverted": words(["false", "true"], converted.astype(np.int64)),
        "ConvertedDate": blank_where(date_japan(np.where(converted, converted_at, 0) + world.epoch), ~converted),
        "ConvertedContactId": blank_where(contact_ids(person), ~converted),
        "ConvertedAccountId": blank_where(account_ids(world.people.account[person]), ~converted),
        "ConvertedOpportunityId": blank_where(salesforce_id(OPPORTUNITY, np.maximum(first_deal, 0)), ~converted),
        "LastName": surnames(world, person),
        "FirstName": given_names(world, person),
        "Email": current_emails(world, person),
        "Phone": words(world.people.phone, person),
        "Company": companies(world, person),
        "Title": titles(world, person),
        "Department__c": departments(world, person),
        "Industry": words(local(world, vocabulary.INDUSTRIES), world.accounts.industry[world.people.account[person]]),
        "NumberOfEmployees": blank_where(employees, stable_share(person, 4) < 0.08),
        "State": words(local(world, vocabulary.PREFECTURES), world.accounts.prefecture[world.people.account[person]]),
        "LeadSource": words([source[0] for source in vocabulary.LEAD_SOURCES], world.people.source[person]),
        "Status": words(["Open - Not Contacted", "Working - Contacted", "Closed - Converted"], status),
        "OwnerId": salesforce_id(USER, owner_of_person(world, person)),
        "BANT_Score__c": blank_where(pa.array(bant).cast(pa.string()), ~scored),
    }


def crm_contacts(world: World, traps: TrapList) -> dict[str, pa.Array]:
    """Contacts: people of deals."""
    person = np.flatnonzero(world.contact_created != NO_TIME)
    _, closed_at, last_stage = (values[person] for values in closing_of_person(world))
    signed = last_stage == 3
    traps.add(
        "after_the_deal",
        "salesforce/Contact.csv",
        column="ContractSignedBy__c",
        row_id=contact_ids(person[signed]),
        person=person[signed],
        known=closed_at[signed],
    )
    name = joined(surnames(world, person), " ", given_names(world, person))
    return {
        "Id": contact_ids(person),
        "AccountId": account_ids(world.people.account[person]),
        "CreatedDate": moment(world, world.contact_created[person]),
        "LastModifiedDate": moment(world, np.maximum(world.contact_created[person], closed_at)),
        "LastName": surnames(world, person),
        "FirstName": given_names(world, person),
        "Email": current_emails(world, person),
        "Phone": words(world.people.phone, person),
        "Title": titles(world, person),
        "Department": departments(world, person),
        "LeadSource": words([source[0] for source in vocabulary.LEAD_SOURCES], world.people.source[person]),
        "OwnerId": salesforce_id(USER, owner_of_person(world, person)),
        "ContractSignedBy__c": blank_where(name, ~signed),
    }
