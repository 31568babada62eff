"""Everything that is true in the made-up company, before any system writes its own view of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from simulator.causal_model import KNOWN, STAGE_OF_STATE, TRACES, WEB, WON, build_dynamics
from simulator.chain import Calendar, Members, Traces, Units, draw_paths, draw_traces, exposure_windows
from simulator.deals import Deals, StageEntries, read_deals, won_days
from simulator.moments import (
    DAY,
    build_calendar,
    epoch_of_start,
    history_start,
    month_starts,
    newsletter_days,
    office_seconds,
)
from simulator.oracle import winning_chances
from simulator.population import NEVER, Accounts, Flags, Ints, People, draw_people

STAFF_COUNT_PER_PEOPLE = 400
NO_TIME = -(10**12)
"""A second that marks "never happened"."""

FORM, OPEN, CLICK, WEBINAR, TRIAL, CALL = (
    TRACES.index(name) for name in ("form", "open", "click", "webinar", "trial", "call")
)


@dataclass(frozen=True)
class Contracts:
    """One entry per won deal with a running or ended agreement. Times are seconds; `cancelled` may be `NO_TIME`."""

    deal: Ints
    person: Ints
    started: Ints
    renewal: Ints
    cancelled: Ints


@dataclass(frozen=True)
class Cookies:
    """Browsers. Each person has a main one and some have a second one, which proves to be theirs only later.

    Attributes:
        linked: second at which a form fill tied the main browser to the name, `NO_TIME` when it never did.
        second_linked: the same for the second browser; `NO_TIME` when there is none.
        second_form: position in the traces of the form fill that tied the second browser, -1 when there is none.
    """

    linked: Ints
    second_linked: Ints
    second_form: Ints


@dataclass(frozen=True)
class Duplicates:
    """Second Marketo records of people: whose, since when, and the kind (0 spelling, 1 typo, 2 other address)."""

    person: Ints
    created: Ints
    kind: Ints


@dataclass(frozen=True)
class World:
    """The truth. All seconds count from midnight in Tokyo of the first day; add `epoch` for Unix time."""

    seed: int
    locale: str
    start: date
    epoch: int
    calendar: Calendar
    accounts: Accounts
    people: People
    units: Units
    traces: Traces
    trace_second: Ints
    trace_person: Ints
    deals: Deals
    entries: StageEntries
    won_day: Ints
    as_of_days: Ints
    chances: NDArray[np.float32]
    newsletters: Ints
    staff_count: int
    known_moment: Ints
    arrival_day: Ints
    cookies: Cookies
    contracts: Contracts
    duplicates: Duplicates
    shared_mailbox: Flags
    email_changed: Ints
    profiling_refused: Ints
    role_deal: Ints
    role_person: Ints
    role_created: Ints
    contact_created: Ints
    crm_lead_created: Ints
    lead_id: Ints
    duplicate_lead_id: Ints

    @property
    def end(self) -> int:
        """Second of the export."""
        return self.calendar.history_days * DAY

    def random(self, part: int) -> np.random.Generator:
        """An own stream for each part, so that a change in one moves nothing in another."""
        return np.random.default_rng([self.seed, part])


def live(
    *, customers: int, months: int, seed: int, locale: str, until: date, progress: Callable[[str, float], None]
) -> World:
    """Draws the whole history of the company, and what the oracle thought at each month start."""
    start = history_start(until, months)
    calendar = build_calendar(start, until)
    days = calendar.history_days
    accounts, people, units = draw_people(customers, days, locale, np.random.default_rng([seed, 1]))
    progress("people", 0.1)

    dynamics = build_dynamics()
    paths = draw_paths(calendar, units, dynamics, np.random.default_rng([seed, 2]))
    won_day = won_days(paths, WON)[people.unit]
    people = _companions_come_before_the_win(people, won_day)
    members = _members(people, days)
    traces = draw_traces(calendar, paths, members, np.random.default_rng([seed, 3]))
    stages = np.where(paths < 0, np.int8(-1), STAGE_OF_STATE[np.maximum(paths, 0)])
    del paths
    progress("lives", 0.2)

    as_of_days = month_starts(start, days)
    chances = winning_chances(calendar, units, members, traces, stages, dynamics, as_of_days)
    progress("oracle", 0.4)

    staff_count = max(8, customers // STAFF_COUNT_PER_PEOPLE)
    deals, entries = read_deals(stages, days, people, accounts, staff_count, np.random.default_rng([seed, 4]))
    random = np.random.default_rng([seed, 5])
    known_moment = np.where(people.known_day < NEVER, people.known_day * DAY + people.known_second, NEVER * DAY)
    trace_second = traces.day.astype(np.int64) * DAY + _seconds_of_traces(traces, random)
    trace_person = traces.person.astype(np.int64)
    contracts = _contracts(deals, people, days, random)
    kept = _after_cancellation(traces, trace_person, trace_second, people, deals, contracts, random)
    traces = Traces(traces.person[kept], traces.day[kept], traces.kind[kept])
    trace_second, trace_person = trace_second[kept], trace_person[kept]

    role_deal, role_person, role_created = _contact_roles(deals, people, known_moment, days)
    contact_created = np.full(len(people.unit), NO_TIME)
    backwards = np.argsort(-role_created, kind="stable")
    contact_created[role_person[backwards]] = role_created[backwards]
    crm_lead_created = _crm_leads(people, known_moment, contact_created, traces, trace_second, random)
    duplicates = _duplicates(people, days, random)
    known = np.arange(customers)
    created = np.concatenate([known_moment[known], duplicates.created])
    numbers = np.empty(len(created), dtype=np.int64)
    numbers[np.argsort(created, kind="stable")] = 100_001 + np.arange(len(created))

    known_people = np.arange(len(people.unit)) < customers
    shared = known_people & accounts.shared_mailbox[people.account] & ~people.free_mail
    place = np.arange(len(shared)) - np.searchsorted(people.account[:customers], people.account, side="left")
    # The first colleagues answer the mailbox; whoever would be alone with it keeps an own address.
    shared &= place < 3
    alone = np.bincount(people.account[shared], minlength=len(accounts.name)) < 2
    shared &= ~alone[people.account]
    changes = known_people & ~shared & (random.random(len(shared)) < 0.03)
    earliest = np.maximum(people.known_day, 0) + 1
    change_day = earliest + (random.random(len(shared)) * np.maximum(days - earliest, 1)).astype(np.int64)
    changes &= change_day < days
    refuses = known_people & (random.random(len(shared)) < 0.02)
    refuse_day = earliest + (random.random(len(shared)) * np.maximum(days - earliest, 1)).astype(np.int64)
    refuses &= refuse_day < days
    card_delay = random.integers(3, 41, len(shared))
    return World(
        seed=seed,
        locale=locale,
        start=start,
        epoch=epoch_of_start(start),
        calendar=calendar,
        accounts=accounts,
        people=people,
        units=units,
        traces=traces,
        trace_second=trace_second,
        trace_person=trace_person,
        deals=deals,
        entries=entries,
        won_day=won_day,
        as_of_days=as_of_days,
        chances=chances,
        newsletters=newsletter_days(start, days),
        staff_count=staff_count,
        known_moment=known_moment,
        arrival_day=np.where(
            (people.source == 2) & (people.known_day >= 0) & known_people,
            np.maximum(people.known_day - card_delay, 0),
            np.minimum(people.first_day, people.known_day),
        ),
        cookies=_cookies(people, traces, trace_person, trace_second, known_moment, random),
        contracts=contracts,
        duplicates=duplicates,
        shared_mailbox=shared,
        email_changed=np.where(changes, change_day * DAY + 11 * 3600, NO_TIME),
        profiling_refused=np.where(refuses, refuse_day * DAY + 16 * 3600, NO_TIME),
        role_deal=role_deal,
        role_person=role_person,
        role_created=role_created,
        contact_created=contact_created,
        crm_lead_created=crm_lead_created,
        lead_id=numbers[:customers],
        duplicate_lead_id=numbers[customers:],
    )


def _companions_come_before_the_win(people: People, won_day: Ints) -> People:
    """A colleague appears at the latest on the day of the signature; nobody joins a buying unit that is already won."""
    late = people.is_companion & (people.known_day >= won_day)
    known_day = np.where(late, np.minimum(people.known_day, won_day), people.known_day)
    return replace(
        people,
        known_day=known_day,
        first_day=np.where(late, known_day, people.first_day),
        known_second=np.where(late, 8 * 3600, people.known_second),
    )


def _members(people: People, days: int) -> Members:
    start, end = exposure_windows(people.first_day, people.known_day, people.unsubscribed_day, days)
    # Without a form there is no browser to follow before the name is known.
    waits = ~people.by_form & (people.known_day < NEVER)
    start[waits, WEB] = start[waits, KNOWN]
    return Members(unit=people.unit, window_start=start, window_end=end)


def _seconds_of_traces(traces: Traces, random: np.random.Generator) -> Ints:
    second = office_seconds(len(traces.kind), random)
    mail = (traces.kind == OPEN) | (traces.kind == CLICK)
    second[mail] = random.integers(10 * 3600 + 1800, 21 * 3600, int(mail.sum()))
    call = traces.kind == CALL
    second[call] = random.integers(9 * 3600, 19 * 3600, int(call.sum()))
    usage = traces.kind == TRIAL  # a nightly job brings the usage of the days before
    second[usage] = random.integers(2 * 3600, 5 * 3600, int(usage.sum()))
    return second


def _cookies(
    people: People,
    traces: Traces,
    trace_person: Ints,
    trace_second: Ints,
    known_moment: Ints,
    random: np.random.Generator,
) -> Cookies:
    count = len(people.unit)
    forms = np.flatnonzero(traces.kind == FORM)
    first_form = np.full(count, NO_TIME)
    latest_first = forms[np.argsort(-trace_second[forms], kind="stable")]
    first_form[trace_person[latest_first]] = trace_second[latest_first]
    linked = np.where(people.by_form & (people.known_day >= 0) & (people.known_day < NEVER), known_moment, first_form)
    second_form = np.full(count, -1, dtype=np.int64)
    shuffled = forms[random.permutation(len(forms))]
    second_form[trace_person[shuffled]] = shuffled
    # The first form of someone without a main browser must tie the main one.
    usable = (second_form >= 0) & (random.random(count) < 0.3)
    usable &= (second_form < 0) | (trace_second[np.maximum(second_form, 0)] > linked)
    second_form = np.where(usable, second_form, -1)
    second_linked = np.where(
        usable, trace_second[np.maximum(second_form, 0)] if len(trace_second) else NO_TIME, NO_TIME
    )
    return Cookies(linked, second_linked, second_form)


def _contracts(deals: Deals, people: People, days: int, random: np.random.Generator) -> Contracts:
    won = np.flatnonzero(deals.last_stage == 3)
    started = (deals.closed[won] // DAY + random.integers(1, 15, len(won))) * DAY
    life = random.exponential(900, len(won)).astype(np.int64) + 60
    cancelled = started + life * DAY + 14 * 3600
    happened = cancelled < days * DAY
    years = np.maximum(1, np.ceil((np.where(happened, cancelled, days * DAY) - started) / (365 * DAY)))
    first_member = np.full(people.unit_count, -1, dtype=np.int64)
    backwards = np.arange(len(people.unit))[::-1]
    first_member[people.unit[backwards]] = backwards
    running = started < days * DAY
    return Contracts(
        deal=won[running],
        person=first_member[deals.unit[won]][running],
        started=started[running],
        renewal=(started + years.astype(np.int64) * 365 * DAY)[running],
        cancelled=np.where(happened, cancelled, NO_TIME)[running],
    )


def _after_cancellation(
    traces: Traces,
    trace_person: Ints,
    trace_second: Ints,
    people: People,
    deals: Deals,
    contracts: Contracts,
    random: np.random.Generator,
) -> Flags:
    """Usage fades in the two months before a cancellation and ends with it; other traces stay."""
    cancelled = np.full(people.unit_count, NEVER * DAY)
    ended = contracts.cancelled != NO_TIME
    cancelled[deals.unit[contracts.deal[ended]]] = contracts.cancelled[ended]
    until = cancelled[people.unit[trace_person]] - trace_second
    fading = (traces.kind == TRIAL) & (until < 60 * DAY)
    keep: Flags = ~fading | ((until > 0) & (random.random(len(trace_second)) < 0.35))
    return keep


def _contact_roles(deals: Deals, people: People, known_moment: Ints, days: int) -> tuple[Ints, Ints, Ints]:
    """Who takes part in which deal, and since when the CRM says so."""
    by_unit = np.argsort(people.unit[: people.known_count], kind="stable")
    bounds = np.searchsorted(people.unit[: people.known_count][by_unit], np.arange(people.unit_count + 1))
    size = bounds[deals.unit + 1] - bounds[deals.unit]
    deal = np.repeat(np.arange(len(deals.unit)), size)
    place = np.arange(len(deal)) - np.repeat(np.cumsum(size) - size, size)
    person = by_unit[bounds[deals.unit[deal]] + place]
    created = np.maximum(deals.opened[deal] + 120, known_moment[person] + 3600)
    closed = np.where(deals.closed < 0, days * DAY, deals.closed)
    closed = np.where(deals.is_veteran, deals.closed, closed)[deal]
    won = deals.last_stage[deal] == 3
    takes_part = (created < closed) | won
    created = np.where(won, np.minimum(created, closed - 60), created)
    takes_part &= created < days * DAY
    return deal[takes_part], person[takes_part], created[takes_part]


def _crm_leads(
    people: People,
    known_moment: Ints,
    contact_created: Ints,
    traces: Traces,
    trace_second: Ints,
    random: np.random.Generator,
) -> Ints:
    """Since when a person is a lead in the CRM: handed over at once, or when a seller first calls."""
    count = len(people.unit)
    at_once = (random.random(count) < 0.6) & (np.arange(count) < people.known_count)
    calls = np.flatnonzero(traces.kind == CALL)
    latest_first = calls[np.argsort(-trace_second[calls], kind="stable")]
    first_call = np.full(count, NO_TIME)
    first_call[traces.person[latest_first]] = trace_second[latest_first] - 300
    created = np.where(at_once, known_moment + 600, first_call)
    is_contact_already = (contact_created != NO_TIME) & (contact_created <= created)
    return np.where(is_contact_already, NO_TIME, created)


def _duplicates(people: People, days: int, random: np.random.Generator) -> Duplicates:
    person = np.flatnonzero(random.random(people.known_count) < 0.09)
    earliest = np.maximum(people.known_day[person], 0) + 1
    day = earliest + (random.random(len(person)) * np.maximum(days - earliest, 1)).astype(np.int64)
    inside = day < days
    second = day * DAY + office_seconds(len(person), random)
    kind = random.choice(3, len(person), p=[0.45, 0.25, 0.30])
    return Duplicates(person[inside], second[inside], kind[inside])
