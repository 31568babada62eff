"""Salesforce campaigns with their costs, and who answered them."""

import numpy as np
import pyarrow as pa

from simulator import vocabulary
from simulator.columns import (
    blank_where,
    constant,
    date_japan,
    salesforce_id,
)
from simulator.moments import DAY
from simulator.people_columns import (
    local,
)
from simulator.population import Ints
from simulator.salesforce_ids import CAMPAIGN, MEMBER, contact_ids, lead_ids, moment
from simulator.world import NO_TIME, WEBINAR, World


def _campaign_frame(world: World) -> tuple[list[str], list[str], Ints, Ints, Ints]:
    """Name, type, start day, end day and cost of each campaign: a webinar and adverts a month, a fair a quarter."""
    random = world.random(22)
    names: list[str] = []
    kinds: list[str] = []
    starts: list[int] = []
    lengths: list[int] = []
    costs: list[int] = []
    japanese = world.locale == "ja"
    for number, day in enumerate([0, *world.as_of_days.tolist()]):
        if day >= world.calendar.history_days:
            continue
        label = f"{number + 1:02d}"
        names.append(f"月例ウェビナー {label}" if japanese else f"Monthly Webinar {label}")
        kinds.append("Webinar")
        names.append(f"検索広告 {label}" if japanese else f"Search Ads {label}")
        kinds.append("Advertisement")
        starts += [day, day]
        lengths += [27, 27]
        costs += [int(random.integers(80, 200)) * 1_000, int(random.integers(400, 900)) * 1_000]
        if number % 3 == 0:
            names.append(f"{local(world, vocabulary.TRADE_FAIRS)[number // 3 % 4]} {label}")
            kinds.append("Trade Show")
            starts.append(day + 9)
            lengths.append(2)
            costs.append(int(random.integers(2_500, 6_000)) * 1_000)
    return names, kinds, np.array(starts), np.array(starts) + np.array(lengths), np.array(costs)


def campaigns(world: World) -> dict[str, pa.Array]:
    """Campaigns with cost."""
    names, kinds, starts, ends, costs = _campaign_frame(world)
    return {
        "Id": salesforce_id(CAMPAIGN, np.arange(len(names))),
        "Name": pa.array(names),
        "Type": pa.array(kinds),
        "Status": constant("Completed", len(names)),
        "StartDate": date_japan(starts * DAY + world.epoch),
        "EndDate": date_japan(ends * DAY + world.epoch),
        "ActualCost": pa.array(costs).cast(pa.string()),
        "CreatedDate": moment(world, (starts - 20) * DAY + 10 * 3600),
    }


def campaign_at(world: World, kind: str, day: Ints) -> Ints:
    """The campaign of a kind that had last begun on a day; -1 before the first one."""
    _, kinds, starts, _, _ = _campaign_frame(world)
    chosen = np.flatnonzero(np.array(kinds) == kind)
    place = np.searchsorted(starts[chosen], day, side="right") - 1
    return np.where(place < 0, -1, chosen[np.maximum(place, 0)])


def campaign_members(world: World) -> dict[str, pa.Array]:
    """Who answered which campaign."""
    webinar = np.flatnonzero(world.traces.kind == WEBINAR)
    person = world.trace_person[webinar]
    second = world.trace_second[webinar] + 1_800
    campaign = campaign_at(world, "Webinar", second // DAY)
    known = world.known_moment[: world.people.known_count]
    arrivals = np.flatnonzero((known >= 0) & np.isin(world.people.source[: len(known)], (2, 3)))
    kind = np.where(world.people.source[arrivals] == 2, 1, 0)
    by_arrival = np.where(
        kind == 1,
        campaign_at(world, "Trade Show", world.arrival_day[arrivals]),
        campaign_at(world, "Advertisement", known[arrivals] // DAY),
    )
    person = np.concatenate([person, arrivals])
    second = np.concatenate([second, known[arrivals] + 900])
    campaign = np.concatenate([campaign, by_arrival])
    lead = world.crm_lead_created[person]
    contact = world.contact_created[person]
    as_contact = (contact != NO_TIME) & (contact <= second)
    as_lead = ~as_contact & (lead != NO_TIME) & (lead <= second)
    kept = np.flatnonzero((campaign >= 0) & (as_contact | as_lead) & (second < world.end))
    kept = kept[np.lexsort((person[kept], second[kept]))]
    # One membership per person and campaign, as the CRM enforces.
    _, first = np.unique(person[kept] * 10_000 + campaign[kept], return_index=True)
    kept = kept[np.sort(first)]
    return {
        "Id": salesforce_id(MEMBER, np.arange(len(kept))),
        "CampaignId": salesforce_id(CAMPAIGN, campaign[kept]),
        "LeadId": blank_where(lead_ids(person[kept]), ~as_lead[kept]),
        "ContactId": blank_where(contact_ids(person[kept]), ~as_contact[kept]),
        "Status": constant("Responded", len(kept)),
        "CreatedDate": moment(world, second[kept]),
    }
