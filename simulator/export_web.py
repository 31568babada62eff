"""The first-party web log: anonymous and known browsing by cookie. Decides which page views Marketo sees instead."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator import vocabulary
from simulator.causal_model import TRACES
from simulator.columns import blank_where, joined, numbered, stamp_z, words
from simulator.files import write_csv
from simulator.moments import DAY, office_seconds
from simulator.people_columns import cookies, first_emails
from simulator.population import Flags, Ints
from simulator.traps import TrapList
from simulator.world import NO_TIME, TRIAL, World

SECOND_BROWSER_VISITS_PER_DAY = 0.02
REFERRERS = ["", "https://www.google.com/", "https://www.bing.com/", "https://t.co/", "https://news.kumono.example/"]
UTMS = [("", "", ""), ("google", "cpc", "brand"), ("yahoo", "cpc", "generic"), ("newsletter", "email", "monthly")]


@dataclass(frozen=True)
class PageViews:
    """All page views of the traces: whose, when, which page, and whether Marketo's tracker wrote them down."""

    person: Ints
    second: Ints
    page: Ints
    in_marketo: Flags


def page_views(world: World) -> PageViews:
    """Chooses pages and the system that saw each view.

    Marketo sees a view only of a known lead; the web log only views of a browser that is tied to a name or that will be
    tied by the form which makes its owner known. So each view is on record, under the person, in exactly one place.
    """
    random = world.random(31)
    kinds = [
        (TRACES.index("page"), 0, len(vocabulary.GENERAL_PAGES)),
        (TRACES.index("pricing"), len(vocabulary.GENERAL_PAGES), len(vocabulary.PRICING_PAGES)),
        (
            TRACES.index("compare"),
            len(vocabulary.GENERAL_PAGES) + len(vocabulary.PRICING_PAGES),
            len(vocabulary.COMPARE_PAGES),
        ),
    ]
    rows = np.flatnonzero(np.isin(world.traces.kind, [kind for kind, _, _ in kinds]))
    person, second = world.trace_person[rows], world.trace_second[rows]
    page = np.zeros(len(rows), dtype=np.int64)
    for kind, first, length in kinds:
        of_kind = world.traces.kind[rows] == kind
        page[of_kind] = first + random.integers(0, length, int(of_kind.sum()))
    linked = world.cookies.linked[person]
    before_known = second < world.known_moment[person]
    tied = (linked != NO_TIME) & (second >= linked)
    return PageViews(person, second, page, ~before_known & (~tied | (random.random(len(rows)) < 0.5)))


def write_web(world: World, views: PageViews, directory: Path, traps: TrapList) -> dict[str, int]:
    """Writes web/visits.csv; returns rows by file."""
    random = world.random(32)
    logged = np.flatnonzero(~views.in_marketo)
    main_code = views.person[logged] * 2
    second_person, second_second = _second_browser(world, random)
    person = np.concatenate([views.person[logged], second_person])
    code = np.concatenate([main_code, second_person * 2 + 1])
    second = np.concatenate([views.second[logged], second_second])
    page = np.concatenate([views.page[logged], random.integers(0, len(vocabulary.GENERAL_PAGES), len(second_person))])
    order = np.lexsort((code, second))
    person, code, second, page = person[order], code[order], second[order], page[order]

    trials = world.traces.kind == TRIAL
    first_use = np.full(len(world.people.unit), world.end)
    np.minimum.at(first_use, world.trace_person[trials], world.trace_second[trials])
    signed_in = (second > first_use[person]) & (code % 2 == 0) & (random.random(len(second)) < 0.08)
    has_second = np.flatnonzero(world.cookies.second_form >= 0)
    traps.add(
        "late_identity_link",
        "web/visits.csv",
        column="cookie",
        row_id=cookies(has_second * 2 + 1),
        person=has_second,
        known=world.cookies.second_linked[has_second],
    )
    later = np.flatnonzero(
        (world.cookies.linked[: world.people.known_count] != NO_TIME)
        & (world.people.known_day[: world.people.known_count] >= 0)
    )
    traps.add(
        "identity_link",
        "web/visits.csv",
        column="cookie",
        row_id=cookies(later * 2),
        person=later,
        known=world.cookies.linked[later],
    )
    referrer = np.where(random.random(len(second)) < 0.5, 0, random.integers(1, len(REFERRERS), len(second)))
    utm = np.where(random.random(len(second)) < 0.75, 0, random.integers(1, len(UTMS), len(second)))
    rows = write_csv(
        directory / "web" / "visits.csv",
        {
            "event_id": numbered("w", np.arange(len(second)), 10),
            "cookie": cookies(code),
            "login": blank_where(first_emails(world, person), ~signed_in),
            "url": joined(vocabulary.SITE, words(vocabulary.PAGES, page)),
            "referrer": words(REFERRERS, referrer),
            "utm_source": words([source for source, _, _ in UTMS], utm),
            "utm_medium": words([medium for _, medium, _ in UTMS], utm),
            "utm_campaign": words([campaign for _, _, campaign in UTMS], utm),
            "occurred_at": stamp_z(second + world.epoch),
            "recorded_at": stamp_z(second + random.integers(1, 90, len(second)) + world.epoch),
        },
    )
    return {"web/visits.csv": rows}


def _second_browser(world: World, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Views on second browsers: at one rate for all and at all times, so that only the later link tells anything."""
    person = np.flatnonzero(world.cookies.second_form >= 0)
    first = np.maximum(world.people.first_day[person], 0)
    length = world.calendar.history_days - first
    number = random.poisson(SECOND_BROWSER_VISITS_PER_DAY * length)
    who = np.repeat(person, number)
    day = np.repeat(first, number) + (random.random(len(who)) * np.repeat(length, number)).astype(np.int64)
    return who, day * DAY + office_seconds(len(who), random)
