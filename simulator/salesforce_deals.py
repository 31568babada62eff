"""Salesforce opportunities, contact roles, stage history and logged calls."""

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
from simulator.moments import DAY
from simulator.people_columns import (
    local,
)
from simulator.salesforce_campaigns import campaign_at
from simulator.salesforce_ids import (
    CAMPAIGN,
    HISTORY,
    OPPORTUNITY,
    ROLE,
    TASK,
    USER,
    account_ids,
    contact_ids,
    lead_ids,
    moment,
    owner_of_person,
)
from simulator.traps import TrapList
from simulator.world import CALL, NO_TIME, World


def opportunities(world: World) -> dict[str, pa.Array]:
    """Deals as they stand at the export."""
    deals = world.deals
    number = np.arange(len(deals.unit))
    closed = deals.closed != -1
    expected = np.where(closed, deals.closed, deals.opened + 60 * DAY)
    first_member = np.zeros(world.people.unit_count, dtype=np.int64)
    backwards = np.arange(len(world.people.unit))[::-1]
    first_member[world.people.unit[backwards]] = backwards
    source = world.people.source[first_member[deals.unit]]
    kinds = np.array(["Advertisement", "Webinar", "Trade Show", "Advertisement", "", ""])
    campaign = np.full(len(number), -1, dtype=np.int64)
    for kind in ("Advertisement", "Webinar", "Trade Show"):
        rows = kinds[source] == kind
        campaign[rows] = campaign_at(world, kind, deals.opened[rows] // DAY)
    last = np.full(len(number), NO_TIME)
    np.maximum.at(last, world.entries.deal, world.entries.recorded)
    revival = words(["", " 再商談" if world.locale == "ja" else " (revived)"], deals.is_revival.astype(np.int64))
    product = words(local(world, vocabulary.PRODUCTS), deals.product)
    probability = np.array(vocabulary.STAGE_PROBABILITIES)[deals.last_stage]
    return {
        "Id": salesforce_id(OPPORTUNITY, number),
        "AccountId": account_ids(deals.account),
        "Name": joined(words(world.accounts.name, deals.account), " ", product, revival),
        "StageName": words(local(world, vocabulary.STAGE_NAMES), deals.last_stage),
        "Amount": pa.array(deals.amount).cast(pa.string()),
        "Probability": pa.array(probability).cast(pa.string()),
        "CloseDate": date_japan(expected + world.epoch),
        "IsClosed": words(["false", "true"], closed.astype(np.int64)),
        "IsWon": words(["false", "true"], (deals.last_stage == 3).astype(np.int64)),
        "LeadSource": words([entry[0] for entry in vocabulary.LEAD_SOURCES], source),
        "CampaignId": blank_where(salesforce_id(CAMPAIGN, np.maximum(campaign, 0)), campaign < 0),
        "OwnerId": salesforce_id(USER, deals.owner),
        "LossReason__c": words(local(world, vocabulary.LOSS_REASONS), deals.loss_reason),
        "CreatedDate": moment(world, deals.opened),
        "LastModifiedDate": moment(world, last),
    }


def contact_roles(world: World) -> dict[str, pa.Array]:
    """Who takes part in which deal."""
    order = np.lexsort((world.role_person, world.role_deal, world.role_created))
    deal, person = world.role_deal[order], world.role_person[order]
    first = ~world.people.is_companion[person]
    return {
        "Id": salesforce_id(ROLE, np.arange(len(order))),
        "OpportunityId": salesforce_id(OPPORTUNITY, deal),
        "ContactId": contact_ids(person),
        "Role": words(["Influencer", "Decision Maker"], first.astype(np.int64)),
        "IsPrimary": words(["false", "true"], first.astype(np.int64)),
        "CreatedDate": moment(world, world.role_created[order]),
    }


def stage_history(world: World, traps: TrapList) -> dict[str, pa.Array]:
    """Stages entered: when the CRM was told, and when the seller says it happened."""
    entries = world.entries
    number = np.arange(len(entries.deal))
    ids = salesforce_id(HISTORY, number)
    late = np.flatnonzero(entries.recorded - entries.occurred >= DAY // 2)
    traps.add(
        "late_recorded",
        "salesforce/OpportunityHistory.csv",
        row_id=ids.take(pa.array(late)),
        occurred=entries.occurred[late],
        known=entries.recorded[late],
    )
    probability = np.array(vocabulary.STAGE_PROBABILITIES)[entries.stage]
    expected = np.where(entries.stage >= 3, entries.recorded, world.deals.opened[entries.deal] + 60 * DAY)
    return {
        "Id": ids,
        "OpportunityId": salesforce_id(OPPORTUNITY, entries.deal),
        "StageName": words(local(world, vocabulary.STAGE_NAMES), entries.stage),
        "Amount": pa.array(entries.amount).cast(pa.string()),
        "Probability": pa.array(probability).cast(pa.string()),
        "CloseDate": date_japan(expected + world.epoch),
        "CreatedDate": moment(world, entries.recorded),
        "StageEnteredOn__c": moment(world, entries.occurred),
        "CreatedById": salesforce_id(USER, world.deals.owner[entries.deal]),
    }


def tasks(world: World, traps: TrapList) -> dict[str, pa.Array]:
    """Calls and visits, some logged days later."""
    random = world.random(23)
    calls = np.flatnonzero(world.traces.kind == CALL)
    calls = calls[np.lexsort((world.trace_person[calls], world.trace_second[calls]))]
    person, recorded = world.trace_person[calls], world.trace_second[calls]
    delay = np.where(random.random(len(calls)) < 0.55, 0, random.integers(1, 11, len(calls))) * DAY
    since = np.maximum(world.known_moment[person], 0)
    # Logged days later; never said to have happened before the person was known.
    occurred = np.where(delay > 0, np.maximum(recorded - delay, np.minimum(since + 600, recorded)), recorded)
    contact = world.contact_created[person]
    as_contact = (contact != NO_TIME) & (contact <= recorded)
    as_lead = ~as_contact & (world.crm_lead_created[person] != NO_TIME)
    ids = salesforce_id(TASK, np.arange(len(calls)))
    late = np.flatnonzero(recorded - occurred >= DAY)
    traps.add(
        "late_recorded",
        "salesforce/Task.csv",
        row_id=ids.take(pa.array(late)),
        person=person[late],
        occurred=occurred[late],
        known=recorded[late],
    )
    who = pa.compute.if_else(pa.array(as_contact), contact_ids(person), lead_ids(person))
    subjects = ["電話", "訪問", "オンライン商談"] if world.locale == "ja" else ["Call", "Visit", "Online meeting"]
    return {
        "Id": ids,
        "WhoId": blank_where(who, ~(as_contact | as_lead)),
        "Subject": words(subjects, random.integers(0, 3, len(calls))),
        "Type": constant("Call", len(calls)),
        "Status": constant("Completed", len(calls)),
        "ActivityDate": date_japan(occurred + world.epoch),
        "CallDurationInSeconds": pa.array(random.integers(60, 2_400, len(calls))).cast(pa.string()),
        "CreatedDate": moment(world, recorded),
        "LastModifiedDate": moment(world, recorded),
        "OwnerId": salesforce_id(USER, owner_of_person(world, person)),
    }
