"""Deals as a CRM sees them: openings, stages with both times, wins and losses, read off the paths of the units."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import vocabulary as words
from simulator.causal_model import CLOSED_WON, NO_DEAL, QUALIFIED
from simulator.moments import DAY
from simulator.population import NEVER, Accounts, Ints, People

WON_STAGE, LOST_STAGE = 3, 4
"""Positions in `vocabulary.STAGE_NAMES`; open stages are 0, 1, 2."""


@dataclass(frozen=True)
class Deals:
    """One entry per opportunity, ordered by opening.

    Attributes:
        unit: buying unit; account: its company.
        opened: second of the first record.
        closed: second of the last closing, -1 while open.
        last_stage: position in `vocabulary.STAGE_NAMES`.
        amount: yen as last entered. product, plan, owner, loss_reason, campaign: positions; -1 is none.
        is_veteran: won before the history began.
    """

    unit: Ints
    account: Ints
    opened: Ints
    closed: Ints
    last_stage: Ints
    amount: Ints
    product: Ints
    plan: Ints
    owner: Ints
    loss_reason: Ints
    is_revival: NDArray[np.bool_]
    is_veteran: NDArray[np.bool_]


@dataclass(frozen=True)
class StageEntries:
    """One entry per stage entered, ordered by record time.

    Attributes:
        deal: position in `Deals`.
        stage: position in `vocabulary.STAGE_NAMES`.
        recorded: second at which it was entered into the CRM; occurred: second at which the seller says it happened.
        amount: yen at that time.
    """

    deal: Ints
    stage: Ints
    recorded: Ints
    occurred: Ints
    amount: Ints


def won_days(paths: NDArray[np.int8], won_state: int) -> Ints:
    """Day on which each unit is won, `NEVER` when it is not; zero for customers of old."""
    won = paths == won_state
    return np.where(won.any(axis=0), won.argmax(axis=0), NEVER)


def read_deals(
    stages: NDArray[np.int8],
    history_days: int,
    people: People,
    accounts: Accounts,
    staff_count: int,
    random: np.random.Generator,
) -> tuple[Deals, StageEntries]:
    """Deals and stage entries within the history.

    Args:
        stages: visible stage of every unit and day, negative before a unit exists.
        history_days: only days before this one are exported.
        people: to find a unit's company and veterans.
        accounts: sizes decide amounts.
        staff_count: number of salespeople; each unit has one owner.
        random: the stream to draw from.

    Returns:
        Times are seconds since midnight in Tokyo of the first day.
    """
    shown = np.maximum(stages[:history_days], NO_DEAL)
    day, unit = np.nonzero(shown[1:] != shown[:-1])
    day = day + 1
    before, after = shown[day - 1, unit], shown[day, unit]
    order = np.lexsort((day, unit))
    day, unit, before, after = day[order], unit[order], before[order], after[order]

    opens = (before == NO_DEAL) & (after >= QUALIFIED)
    # A lost deal is taken up again in a new opportunity, or, in three of ten cases, by reopening the old one.
    same_unit = np.append(False, unit[1:] == unit[:-1])
    reopens = opens & same_unit & (random.random(len(day)) < 0.3)
    deal = np.cumsum(opens & ~reopens) - 1
    stage = np.where(after == NO_DEAL, LOST_STAGE, np.where(after == CLOSED_WON, WON_STAGE, after - 1)).astype(np.int64)
    recorded = day * DAY + random.integers(9 * 3600, 18 * 3600, len(day))
    delay = np.where(random.random(len(day)) < 0.55, 0, random.integers(1, 9, len(day))) * DAY
    first_known = np.full(people.unit_count, NEVER * DAY)
    moment_known = np.maximum(people.known_day, 0) * DAY + people.known_second + 600
    np.minimum.at(first_known, people.unit, moment_known)
    occurred = np.where(stage >= WON_STAGE, recorded, recorded - delay)
    previous = np.where(same_unit, np.append(0, recorded[:-1]) + 60, first_known[unit])
    occurred = np.maximum(occurred, np.minimum(previous, recorded))

    count = int(deal[-1]) + 1 if len(deal) else 0
    first = np.flatnonzero(opens & ~reopens)
    last = np.append(first[1:], len(day))[: len(first)] - 1
    veteran_units = np.unique(people.unit[people.is_veteran])
    deal_unit = np.concatenate([unit[first], veteran_units])
    account_of_unit = np.zeros(people.unit_count, dtype=np.int64)
    account_of_unit[people.unit] = people.account
    account = account_of_unit[deal_unit]
    total = len(deal_unit)
    size = np.log1p(accounts.employees[account])
    plan = np.clip(np.rint((size - 4.4) / 1.6 + random.normal(0, 0.6, total) + 0.7), 0, 2).astype(np.int64)
    price = np.array([monthly for _, _, monthly in words.PLANS])[plan]
    first_amount = (price * 12 * np.exp(random.normal(0, 0.35, total))).astype(np.int64) // 10_000 * 10_000
    final_amount = (first_amount * random.uniform(0.75, 1.15, total)).astype(np.int64) // 10_000 * 10_000

    veteran_closed = -random.integers(20, 700, len(veteran_units)) * DAY + 15 * 3600
    veteran_opened = veteran_closed - random.integers(20, 120, len(veteran_units)) * DAY
    veteran_deal = count + np.arange(len(veteran_units))
    entry_deal = np.concatenate([deal, veteran_deal, veteran_deal])
    entry_stage = np.concatenate(
        [stage, np.zeros(len(veteran_units), np.int64), np.full(len(veteran_units), WON_STAGE, np.int64)]
    )
    last_stage = np.concatenate([stage[last] if count else stage, np.full(len(veteran_units), WON_STAGE)])
    entry_recorded = np.concatenate([recorded, veteran_opened, veteran_closed])
    closed = np.concatenate([np.where(stage[last] >= WON_STAGE, recorded[last], -1), veteran_closed])
    opened = np.concatenate([recorded[first], veteran_opened])
    deals = Deals(
        unit=deal_unit,
        account=account,
        opened=opened,
        closed=closed,
        last_stage=last_stage,
        amount=final_amount,
        product=random.integers(0, len(words.PRODUCTS), total),
        plan=plan,
        owner=deal_unit % staff_count,
        loss_reason=np.where(last_stage == LOST_STAGE, random.integers(0, len(words.LOSS_REASONS), total), -1),
        is_revival=np.concatenate([same_unit[first], np.zeros(len(veteran_units), dtype=bool)]),
        is_veteran=np.arange(total) >= count,
    )
    entries = StageEntries(
        deal=entry_deal,
        stage=entry_stage,
        recorded=entry_recorded,
        occurred=np.concatenate([occurred, veteran_opened, veteran_closed]),
        amount=np.where(entry_stage == 0, first_amount[entry_deal], final_amount[entry_deal]),
    )
    return _ordered(deals, entries)


def _ordered(deals: Deals, entries: StageEntries) -> tuple[Deals, StageEntries]:
    """Both tables in the order in which a CRM numbers them: by first record."""
    order = np.lexsort((deals.unit, deals.opened))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    sorted_deals = Deals(**{name: values[order] for name, values in vars(deals).items()})
    deal = place[entries.deal]
    by_time = np.lexsort((entries.stage, deal, entries.recorded))
    moved = {name: values[by_time] for name, values in vars(entries).items() if name != "deal"}
    return sorted_deals, StageEntries(deal=deal[by_time], **moved)
