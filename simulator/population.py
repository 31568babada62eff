"""Who exists: companies, their buying units and people, with profiles, ways of arrival and contact details."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import vocabulary as words
from simulator.causal_model import fit_class
from simulator.chain import Units
from simulator.oracle import MAX_MEMBERS

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

WEB_SOURCES = (0, 1, 3)
"""Lead sources in which the person gave the address in a form: web, webinar, advertisement."""
TRADE_SHOW = 2
NEVER = np.int64(10**6)
"""A day that does not come."""


@dataclass(frozen=True)
class Accounts:
    """Companies; all arrays have one entry per company."""

    name: list[str]
    alternative_name: list[str]
    domain: list[str]
    industry: Ints
    employees: Ints
    prefecture: Ints
    revenue: Ints
    has_gateway: Flags
    shared_mailbox: Flags


@dataclass(frozen=True)
class People:
    """People who give their name within the history; those after `known_count` browse and never do.

    Day numbers count from the first day of the history. `unit` and `account` are positions.
    """

    known_count: int
    account: Ints
    unit: Ints
    is_companion: Flags
    department: Ints
    department_number: Ints
    rank: Ints
    title: Ints
    source: Ints
    surname: Ints
    given: Ints
    free_mail: Flags
    email: list[str]
    phone: list[str]
    by_form: Flags
    is_old: Flags
    is_veteran: Flags
    first_day: Ints
    known_day: Ints
    known_second: Ints
    unsubscribed_day: Ints
    unit_count: int
    fit: NDArray[np.float64]


def draw_accounts(people: Ints, locale: str, random: np.random.Generator) -> Accounts:
    """Companies, given how many people of each are in the database.

    Args:
        people: number of people per company.
        locale: `ja` or `en`, the language of names.
        random: the stream to draw from.
    """
    count = len(people)
    combinations = len(words.COMPANY_REGIONS) * len(words.COMPANY_STEMS) * len(words.COMPANY_TRADES)
    picked = random.permutation(combinations)[np.arange(count) % combinations]
    form = random.choice(len(words.COMPANY_FORMS), count, p=[0.45, 0.40, 0.08, 0.07])
    names: list[str] = []
    alternatives: list[str] = []
    domains: list[str] = []
    for index, (code, form_code) in enumerate(zip(picked.tolist(), form.tolist(), strict=True)):
        region = words.COMPANY_REGIONS[code % len(words.COMPANY_REGIONS)]
        code //= len(words.COMPANY_REGIONS)
        stem = words.COMPANY_STEMS[code % len(words.COMPANY_STEMS)]
        trade = words.COMPANY_TRADES[code // len(words.COMPANY_STEMS)]
        again = index // combinations
        number = str(again + 1) if again else ""
        kanji = f"{region[0]}{stem[0]}{trade[0]}{number}"
        roman = f"{region[1]} {stem[1]} {trade[1]} {number}".strip().title()
        japanese, english = words.COMPANY_FORMS[form_code]
        names.append(japanese.format(kanji) if locale == "ja" else english.format(roman))
        other = f"㈲{kanji}" if form_code == 3 else f"（株）{kanji}"
        alternatives.append(other if locale == "ja" else roman.upper())
        domains.append(f"{stem[1]}-{region[1]}{trade[1]}{number}.co.jp")
    employees = np.exp(random.normal(4.4, 1.5, count) + 0.35 * np.log(people)).astype(np.int64) + 3
    return Accounts(
        name=names,
        alternative_name=alternatives,
        domain=domains,
        industry=random.choice(
            len(words.INDUSTRIES), count, p=[0.20, 0.16, 0.15, 0.08, 0.07, 0.07, 0.07, 0.05, 0.11, 0.04]
        ),
        employees=np.minimum(employees, 90_000),
        prefecture=random.choice(
            len(words.PREFECTURES), count, p=np.array([34, 9, 12, 8, 5, 4, 4, 4, 5, 3, 2, 2, 2, 1, 1, 1, 2, 1]) / 100
        ),
        revenue=(employees * np.exp(random.normal(16.6, 0.5, count))).astype(np.int64) // 1_000_000 * 1_000_000,
        has_gateway=random.random(count) < 0.12,
        shared_mailbox=(people >= 2) & (random.random(count) < 0.06),
    )


def draw_people(
    customers: int, history_days: int, locale: str, random: np.random.Generator
) -> tuple[Accounts, People, Units]:
    """The whole market of the company.

    Args:
        customers: people who are known at the export.
        history_days: length of the history in days.
        locale: language of names.
        random: the stream to draw from.
    """
    total = customers + round(0.2 * customers)
    sizes = np.minimum(
        random.geometric(0.42, total) + (random.random(total) < 0.03) * random.integers(2, 25, total), 40
    )
    accounts_needed = int(np.searchsorted(np.cumsum(sizes), total)) + 1
    order = random.permutation(np.repeat(np.arange(accounts_needed), sizes[:accounts_needed])[:total])
    # The known ones lie together by company; the anonymous ones follow.
    account = np.concatenate([np.sort(order[:customers]), order[customers:]])
    accounts = draw_accounts(np.maximum(np.bincount(order[:customers], minlength=accounts_needed), 1), locale, random)

    is_companion = _draw_companions(account, customers, random)
    unit = np.cumsum(~is_companion) - 1
    unit_count = int(unit[-1]) + 1
    primary = np.flatnonzero(~is_companion)

    in_account = np.arange(unit_count) - np.searchsorted(account[primary], account[primary], side="left")
    in_account[unit[customers:]] = 0
    start = random.integers(0, len(words.DEPARTMENTS), accounts_needed)
    unit_department = (start[account[primary]] + in_account) % len(words.DEPARTMENTS)
    unit_department_number = in_account // len(words.DEPARTMENTS)

    rank = random.choice(len(words.RANKS), total, p=[0.40, 0.18, 0.22, 0.13, 0.07])
    title = (random.random(total) * np.array([len(titles) for titles, _, _ in words.RANKS])[rank]).astype(np.int64)
    source = random.choice(len(words.LEAD_SOURCES), total, p=[0.36, 0.12, 0.17, 0.14, 0.07, 0.14])
    free_mail = random.random(total) < 0.08
    is_old = random.random(total) < 0.38
    by_form = np.isin(source, WEB_SOURCES)

    # Arrivals: companions follow their primary within two months, so that they are there when a deal is made.
    known_day = np.where(is_old, -random.integers(1, 900, total), random.integers(0, history_days, total))
    pause = random.integers(0, 26, total) * (random.random(total) < 0.65)
    first_day = np.where(is_old | ~by_form, np.maximum(known_day, 0), np.maximum(known_day - pause, 0))
    follow = np.minimum(np.maximum(known_day[primary][unit], 0) + random.integers(0, 60, total), history_days - 1)
    known_day = np.where(is_companion, follow, known_day)
    first_day = np.where(is_companion, follow, first_day)
    is_old &= ~is_companion
    anonymous = np.arange(total) >= customers
    first_day = np.where(anonymous, random.integers(0, history_days, total), first_day)
    known_day = np.where(anonymous, NEVER, known_day)
    is_old &= ~anonymous
    leads_others = np.append(is_companion[1:], False)
    is_veteran = is_old & ~leads_others & (random.random(total) < 0.06)
    # Their deals were won up to two years before the history, so they were known for longer.
    known_day = np.where(is_veteran, known_day - 900, known_day)
    unsubscribed_day = np.floor(np.maximum(known_day, 0) + 1 + random.exponential(3_000, total)).astype(np.int64)

    fit = _fit(accounts, account, rank, source, free_mail)
    surname = random.integers(0, len(words.SURNAMES), total)
    given = random.integers(0, len(words.GIVEN_NAMES), total)
    people = People(
        known_count=customers,
        account=account,
        unit=unit,
        is_companion=is_companion,
        department=unit_department[unit],
        department_number=unit_department_number[unit],
        rank=rank,
        title=title,
        source=source,
        surname=surname,
        given=given,
        free_mail=free_mail,
        email=_emails(accounts, account, surname, given, free_mail),
        phone=_phones(accounts, account, random),
        by_form=by_form,
        is_old=is_old,
        is_veteran=is_veteran,
        first_day=first_day,
        known_day=known_day,
        known_second=random.integers(9 * 3600, 19 * 3600, total),
        unsubscribed_day=unsubscribed_day,
        unit_count=unit_count,
        fit=fit,
    )
    units = Units(
        first_day=first_day[primary],
        known_day=known_day[primary],
        fit_class=fit_class(fit[primary]),
        arrival=np.where(is_old[primary], 0, np.where(by_form[primary], 1, 2)).astype(np.int8),
        is_veteran=is_veteran[primary],
    )
    return accounts, people, units


def _draw_companions(account: Ints, customers: int, random: np.random.Generator) -> Flags:
    """Who shares the buying unit of the person before: about one in nine with a colleague in front."""
    companion = random.random(len(account)) < 0.11
    companion[0] = False
    companion[1:] &= account[1:] == account[:-1]
    companion[customers:] = False
    place = np.arange(len(account))
    behind_primary = place - np.maximum.accumulate(np.where(companion, 0, place))
    companion &= behind_primary % MAX_MEMBERS != 0
    return companion


def _fit(accounts: Accounts, account: Ints, rank: Ints, source: Ints, free_mail: Flags) -> NDArray[np.float64]:
    bounds = np.array([lower for lower, _ in words.SIZE_EFFECTS])
    size = np.searchsorted(bounds, accounts.employees, side="right") - 1
    fit: NDArray[np.float64] = (
        np.array([effect for _, _, effect in words.INDUSTRIES])[accounts.industry[account]]
        + np.array([effect for _, effect in words.SIZE_EFFECTS])[size[account]]
        + np.array([effect for _, _, effect in words.RANKS])[rank]
        + np.array([effect for _, _, effect in words.LEAD_SOURCES])[source]
        + words.FREE_MAIL_EFFECT * free_mail
    )
    return fit


def _emails(accounts: Accounts, account: Ints, surname: Ints, given: Ints, free_mail: Flags) -> list[str]:
    taken: dict[str, int] = {}
    emails: list[str] = []
    for row in range(len(account)):
        family = words.SURNAMES[surname[row]][2]
        first = words.GIVEN_NAMES[given[row]][2]
        if free_mail[row]:
            local, domain = f"{family}.{first}", words.FREE_MAIL_DOMAINS[(row * 7) % len(words.FREE_MAIL_DOMAINS)]
        else:
            local, domain = f"{first[0]}.{family}", accounts.domain[account[row]]
        address = f"{local}@{domain}"
        number = taken.get(address, 0) + 1
        taken[address] = number
        emails.append(address if number == 1 else f"{local}{number}@{domain}")
    return emails


def _phones(accounts: Accounts, account: Ints, random: np.random.Generator) -> list[str]:
    number = random.integers(0, 10**8, len(account))
    mobile = random.random(len(account)) < 0.45
    phones: list[str] = []
    for row, (digits, is_mobile) in enumerate(zip(number.tolist(), mobile.tolist(), strict=True)):
        if is_mobile:
            phones.append(f"090-{digits // 10_000:04d}-{digits % 10_000:04d}")
        else:
            area = words.AREA_CODES[accounts.prefecture[account[row]]]
            middle = digits // 10_000 % 10 ** (6 - len(area))
            phones.append(f"{area}-{middle:0{6 - len(area)}d}-{digits % 10_000:04d}")
    return phones
