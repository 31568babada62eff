"""Marketo's activity log, as the bulk activity extract gives it: one row per activity, details as JSON.

Rows are held as numbers until they are written: millions of them are turned into text chunk by chunk.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import vocabulary
from simulator.columns import constant, joined, numbered, stamp_z, words
from simulator.export_marketo import STATUSES, deal_of_customer, interest_at_first
from simulator.export_web import PageViews
from simulator.files import CHUNK_ROWS, write_csv_chunks
from simulator.moments import DAY
from simulator.people_columns import changed_emails, cookies, first_emails, local
from simulator.population import NEVER, WEB_SOURCES, Ints
from simulator.salesforce_ids import contact_ids, lead_ids
from simulator.traps import TrapList
from simulator.world import CLICK, FORM, NO_TIME, OPEN, WEBINAR, World

FILE = "marketo/activities.csv"
VISIT, FILL_FORM, SEND, DELIVERED, BOUNCED, UNSUBSCRIBE, OPEN_EMAIL, CLICK_EMAIL = 1, 2, 6, 7, 8, 9, 10, 11
NEW_LEAD, CHANGE_VALUE, INTERESTING, PROGRESSION = 12, 13, 46, 104
MAIL_LINKS = ["/pricing", "/case-studies/it", "/blog/invoice-rules", "/products/expense", "/compare", "/company"]
NEWSLETTER_SECOND = 10 * 3600
WELCOME = 239
"""Number of the mail that greets new people; newsletters count from one, zero is the one before the history."""


@dataclass
class ActivityRows:
    """Activities as numbers.

    Lists of equally long arrays: second, type, lead, asset (meaning by type), detail (meaning by type), bot.
    """

    second: list[Ints] = field(default_factory=list)
    kind: list[Ints] = field(default_factory=list)
    lead: list[Ints] = field(default_factory=list)
    asset: list[Ints] = field(default_factory=list)
    detail: list[Ints] = field(default_factory=list)
    bot: list[Ints] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    changed_names: list[str] = field(default_factory=list)

    def add(
        self,
        kind: int,
        second: Ints,
        lead: Ints,
        asset: Ints | int = 0,
        detail: Ints | int = 0,
        *,
        bot: bool = False,
    ) -> None:
        """Adds activities of one type."""
        shape = second.shape
        self.second.append(second)
        self.kind.append(np.full(shape, kind))
        self.lead.append(lead)
        self.asset.append(np.broadcast_to(np.asarray(asset, dtype=np.int64), shape))
        self.detail.append(np.broadcast_to(np.asarray(detail, dtype=np.int64), shape))
        self.bot.append(np.full(shape, int(bot)))

    def add_change(self, name: str, second: Ints, lead: Ints, old: list[str], new: list[str], reason: str) -> None:
        """Adds entries of the data value log; the text of each is made here, there are few of them."""
        first = len(self.changes)
        source = "Salesforce" if reason == "CRM sync" else "Marketo"
        for before, after in zip(old, new, strict=True):
            self.changes.append(
                json.dumps(
                    {
                        "Old Value": before,
                        "New Value": after,
                        "Reason": reason,
                        "Source": source,
                    },
                    ensure_ascii=False,
                )
            )
            self.changed_names.append(name)
        self.add(CHANGE_VALUE, second, lead, 0, first + np.arange(len(old)))


def write_activities(world: World, views: PageViews, directory: Path, traps: TrapList) -> dict[str, int]:
    """Writes marketo/activities.csv, ordered by time; returns rows by file."""
    rows = ActivityRows()
    _web(world, views, rows)
    _forms_and_webinars(world, rows)
    _newsletters(world, rows)
    _lead_changes(world, rows)
    inside = np.concatenate(rows.second)
    order = np.lexsort((np.concatenate(rows.lead), np.concatenate(rows.kind), inside))
    order = order[(inside[order] >= 0) & (inside[order] < world.end)]
    second, kind, lead, asset, detail, bot = (
        np.concatenate(parts)[order] for parts in (rows.second, rows.kind, rows.lead, rows.asset, rows.detail, rows.bot)
    )
    bots = np.flatnonzero(bot)
    traps.add(
        "bot_click",
        FILE,
        row_id=_guids(bots),
        person=_person_of_lead(world, lead[bots]),
        occurred=second[bots],
        known=second[bots],
    )

    def chunks() -> Iterator[dict[str, pa.Array]]:
        for low in range(0, max(len(order), 1), CHUNK_ROWS):
            part = slice(low, low + CHUNK_ROWS)
            value, attributes = _texts(world, rows, kind[part], lead[part], asset[part], detail[part], second[part])
            length = len(kind[part])
            yield {
                "marketoGUID": _guids(low + np.arange(length)),
                "leadId": pc.cast(pa.array(lead[part]), pa.string()),
                "activityDate": stamp_z(second[part] + world.epoch),
                "activityTypeId": pc.cast(pa.array(kind[part]), pa.string()),
                "campaignId": numbered("", 1_000 + asset[part] % 100, 4),
                "primaryAttributeValueId": pc.cast(pa.array(asset[part] + 1), pa.string()),
                "primaryAttributeValue": value,
                "attributes": attributes,
            }

    return {FILE: write_csv_chunks(directory / FILE, chunks())}


def _guids(number: Ints) -> pa.Array:
    return numbered("k", number, 12)


def _person_of_lead(world: World, lead: Ints) -> Ints:
    owner = np.zeros(len(world.lead_id) + len(world.duplicate_lead_id), dtype=np.int64)
    owner[world.lead_id - 100_001] = np.arange(len(world.lead_id))
    owner[world.duplicate_lead_id - 100_001] = world.duplicates.person
    return owner[lead - 100_001]


def _lead_of(world: World, person: Ints, second: Ints, random: np.random.Generator) -> Ints:
    """The record under which Marketo logs: a fifth goes to a person's duplicate once there is one."""
    row = np.full(len(world.people.unit), -1, dtype=np.int64)
    row[world.duplicates.person] = np.arange(len(world.duplicates.person))
    mine = row[person]
    split = (mine >= 0) & (random.random(len(person)) < 0.2)
    split &= second > world.duplicates.created[np.maximum(mine, 0)] if len(world.duplicates.person) else False
    return np.where(split, world.duplicate_lead_id[mine] if len(row) and split.any() else 0, world.lead_id[person])


def _web(world: World, views: PageViews, rows: ActivityRows) -> None:
    random = world.random(41)
    seen = views.in_marketo
    person, second = views.person[seen], views.second[seen]
    lead = _lead_of(world, person, second, random)
    rows.add(VISIT, second, lead, views.page[seen], random.integers(0, len(vocabulary.BROWSERS), len(lead)))
    price = vocabulary.PAGES.index(vocabulary.PRICING_PAGES[0])
    moment = (views.page[seen] == price) & (random.random(len(lead)) < 0.25)
    rows.add(INTERESTING, second[moment] + 5, lead[moment], 0)


def _forms_and_webinars(world: World, rows: ActivityRows) -> None:
    random = world.random(42)
    forms = np.flatnonzero(world.traces.kind == FORM)
    person, second = world.trace_person[forms], world.trace_second[forms]
    by_second_browser = world.cookies.second_form[person] == forms
    # The record must own the browser that the form reports, or a merge would tie the duplicate to it.
    rows.add(
        FILL_FORM,
        second,
        world.lead_id[person],
        random.integers(0, len(vocabulary.FORMS), len(forms)),
        person * 2 + by_second_browser,
    )
    known = np.arange(world.people.known_count)
    new = known[(world.people.known_day[known] >= 0) & (world.people.known_day[known] < NEVER)]
    by_form = new[world.people.by_form[new]]
    form = np.where(world.people.source[by_form] == 1, 4, by_form % 4)
    rows.add(FILL_FORM, world.known_moment[by_form] + 1, world.lead_id[by_form], form, by_form * 2)
    rows.add(NEW_LEAD, world.known_moment[new], world.lead_id[new], world.people.source[new])
    rows.add(NEW_LEAD, world.duplicates.created, world.duplicate_lead_id, world.people.source[world.duplicates.person])

    webinars = np.flatnonzero(world.traces.kind == WEBINAR)
    person, second = world.trace_person[webinars], world.trace_second[webinars]
    program = np.searchsorted(world.as_of_days, second // DAY, side="right")
    lead = _lead_of(world, person, second, random)
    rows.add(PROGRESSION, second, lead, program, 0)
    noted = random.random(len(webinars)) < 0.5
    rows.add(INTERESTING, second[noted] + 60, lead[noted], 1)


def _newsletters(world: World, rows: ActivityRows) -> None:
    random = world.random(43)
    known = np.arange(world.people.known_count)
    gateway = world.accounts.has_gateway[world.people.account]
    new = known[world.people.known_day[known] >= 0]
    rows.add(SEND, world.known_moment[new] + 60, world.lead_id[new], WELCOME)
    rows.add(DELIVERED, world.known_moment[new] + 75, world.lead_id[new], WELCOME)
    for number, day in enumerate(world.newsletters.tolist(), start=1):
        get = known[(world.people.known_day[known] < day) & (world.people.unsubscribed_day[known] > day)]
        sent = np.full(len(get), day * DAY + NEWSLETTER_SECOND)
        lead = world.lead_id[get]
        rows.add(SEND, sent, lead, number)
        delivered = sent + random.integers(2, 280, len(get))
        fails = random.random(len(get)) < 0.012
        rows.add(BOUNCED, delivered[fails], lead[fails], number)
        rows.add(DELIVERED, delivered[~fails], lead[~fails], number)
        scanned = np.flatnonzero(gateway[get] & ~fails & (random.random(len(get)) < 0.5))
        rows.add(OPEN_EMAIL, delivered[scanned] + 1, lead[scanned], number, 3, bot=True)
        for link in range(len(MAIL_LINKS)):
            clicked = scanned[random.random(len(scanned)) < 0.8]
            rows.add(
                CLICK_EMAIL,
                delivered[clicked] + 1 + random.integers(0, 12, len(clicked)),
                lead[clicked],
                number,
                link,
                bot=True,
            )
    for trace, kind in ((OPEN, OPEN_EMAIL), (CLICK, CLICK_EMAIL)):
        chosen = np.flatnonzero(world.traces.kind == trace)
        second = world.trace_second[chosen]
        mailing = _last_mailing(world, world.trace_person[chosen], second)
        limit = len(MAIL_LINKS) if kind == CLICK_EMAIL else len(vocabulary.BROWSERS)
        lead = _lead_of(world, world.trace_person[chosen], second, random)
        rows.add(kind, second, lead, mailing, random.integers(0, limit, len(chosen)))
    gone = known[(world.people.unsubscribed_day[known] < world.calendar.history_days)]
    second = world.people.unsubscribed_day[gone] * DAY + 20 * 3600
    rows.add(UNSUBSCRIBE, second, world.lead_id[gone], _last_mailing(world, gone, second))
    rows.add_change(
        "unsubscribed", second + 1, world.lead_id[gone], ["false"] * len(gone), ["true"] * len(gone), "Unsubscribe link"
    )


def _last_mailing(world: World, person: Ints, second: Ints) -> Ints:
    """The newsletter that a person had last got: before the first one, the welcome or an issue before the history."""
    mailing = np.searchsorted(world.newsletters, second // DAY, side="right")
    sent = np.append(0, world.newsletters)[mailing]
    return np.where((world.people.known_day[person] >= sent) & (world.people.known_day[person] >= 0), WELCOME, mailing)


def _lead_changes(world: World, rows: ActivityRows) -> None:
    """The data value log: what changes in leads.csv within the history leaves its old and new value, by column name."""
    changed = np.flatnonzero(world.email_changed != NO_TIME)
    rows.add_change(
        "email",
        world.email_changed[changed],
        world.lead_id[changed],
        first_emails(world, changed).to_pylist(),
        changed_emails(world, changed).to_pylist(),
        "Form Fill",
    )
    _status_changes(world, rows)
    customer_deal = deal_of_customer(world)
    won = np.flatnonzero((customer_deal >= 0) & (np.arange(len(customer_deal)) < world.people.known_count))
    won = won[~world.deals.is_veteran[customer_deal[won]]]
    closed = world.deals.closed[customer_deal[won]]
    departments = local(world, vocabulary.DEPARTMENTS)
    rows.add_change(
        "contractDepartment",
        closed + 120,
        world.lead_id[won],
        [""] * len(won),
        [departments[number] for number in world.people.department[won]],
        "Sales completed the record",
    )
    products = [*local(world, vocabulary.PRODUCTS), ""]
    before, after = interest_at_first(won), world.deals.product[customer_deal[won]]
    moved = before != after
    rows.add_change(
        "interestProduct",
        closed[moved] + 120,
        world.lead_id[won[moved]],
        [products[number] for number in before[moved]],
        [products[number] for number in after[moved]],
        "Sales completed the record",
    )
    for name, since, write_ids in (
        ("sfdcLeadId", world.crm_lead_created, lead_ids),
        ("sfdcContactId", world.contact_created, contact_ids),
    ):
        who = np.flatnonzero(since != NO_TIME)
        rows.add_change(
            name, since[who] + 30, world.lead_id[who], [""] * len(who), write_ids(who).to_pylist(), "CRM sync"
        )


def _status_changes(world: World, rows: ActivityRows) -> None:
    """LeadStatus follows the deals: talks begin with the contact role, and end lost or as a customer."""
    deal, person = world.role_deal, world.role_person
    closed = world.deals.closed[deal]
    ended = closed != -1
    second = np.concatenate([world.role_created + 45, closed[ended] + 90])
    status = np.concatenate(
        [np.ones(len(deal), dtype=np.int64), np.where(world.deals.last_stage[deal[ended]] == 3, 3, 2)]
    )
    who = np.concatenate([person, person[ended]])
    order = np.lexsort((status, second, who))
    who, second, status = who[order], second[order], status[order]
    before = np.where(np.append(False, who[1:] == who[:-1]), np.append(0, status[:-1]), 0)
    moved = before != status
    rows.add_change(
        "leadStatus",
        second[moved],
        world.lead_id[who[moved]],
        [STATUSES[number] for number in before[moved]],
        [STATUSES[number] for number in status[moved]],
        "CRM sync",
    )


def _texts(
    world: World, rows: ActivityRows, kind: Ints, lead: Ints, asset: Ints, detail: Ints, second: Ints
) -> tuple[pa.Array, pa.Array]:
    """The main value and the JSON attributes of each row."""
    japanese = world.locale == "ja"
    mails = [f"月刊クモノ通信 {n:02d}" if japanese else f"Kumono Monthly {n:02d}" for n in range(WELCOME)]
    mails.append("ご登録ありがとうございます" if japanese else "Welcome")
    programs = [f"月例ウェビナー {n + 1:02d}" if japanese else f"Monthly Webinar {n + 1:02d}" for n in range(240)]
    moments = ["料金ページを閲覧", "ウェビナーに参加"] if japanese else ["Viewed pricing", "Attended webinar"]
    forms = local(world, vocabulary.FORMS)
    sources = ["Web form fillout" if number in WEB_SOURCES else "List import" for number in range(6)]
    places: list[Ints] = []
    values: list[pa.Array] = []
    attributes: list[pa.Array] = []
    for number in np.unique(kind).tolist():
        here = np.flatnonzero(kind == number)
        a, d, who = asset[here], detail[here], lead[here]
        if number == VISIT:
            value = words(vocabulary.PAGES, a)
            text = joined(
                '{"Webpage URL": "',
                value,
                '", "Client IP Address": "',
                _addresses(who),
                '", "User Agent": "',
                words(vocabulary.BROWSERS, d),
                '", "Query Parameters": "", "Referrer URL": ""}',
            )
        elif number == FILL_FORM:
            value = words(forms, a)
            text = joined(
                '{"Webpage URL": "/form", "Client IP Address": "',
                _addresses(who),
                '", "Form Fields": "',
                value,
                '", "Munchkin Cookie": "',
                cookies(d),
                '"}',
            )
        elif number in (OPEN_EMAIL, CLICK_EMAIL):
            value = words(mails, a)
            link = joined('"Link": "', vocabulary.SITE, words(MAIL_LINKS, d), '", ') if number == CLICK_EMAIL else ""
            browser = (d + who) % len(vocabulary.BROWSERS)
            text = joined(
                "{",
                link,
                '"Campaign Run ID": "',
                numbered("", a, 3),
                '", "Is Mobile Device": ',
                words(["false", "true"], (browser == 2).astype(np.int64)),
                ', "User Agent": "',
                words(vocabulary.BROWSERS, browser),
                '"}',
            )
        elif number in (SEND, DELIVERED, UNSUBSCRIBE):
            value = words(mails, a)
            text = joined('{"Campaign Run ID": "', numbered("", a, 3), '", "Mailing ID": "', numbered("", a, 4), '"}')
        elif number == BOUNCED:
            value = words(mails, a)
            text = constant('{"Category": "2", "Details": "550 5.1.1 User unknown"}', len(here))
        elif number == NEW_LEAD:
            value = constant("", len(here))
            created = pc.utf8_slice_codeunits(stamp_z(second[here] + world.epoch), 0, 10)
            text = joined('{"Created Date": "', created, '", "Source Type": "', words(sources, a), '"}')
        elif number == CHANGE_VALUE:
            value = words(rows.changed_names, d)
            text = words(rows.changes, d)
        elif number == INTERESTING:
            value = words(["Web", "Event"], a)
            text = joined('{"Description": "', words(moments, a), '", "Source": "Smart campaign"}')
        else:
            value = words(programs, a)
            text = constant('{"New Status": "Attended", "Old Status": "Registered", "Success": true}', len(here))
        places.append(here)
        values.append(value)
        attributes.append(text)
    back = pa.array(np.argsort(np.concatenate(places), kind="stable")) if places else pa.array([], pa.int64())
    return (
        pa.concat_arrays(values).take(back) if values else pa.array([], pa.string()),
        pa.concat_arrays(attributes).take(back) if attributes else pa.array([], pa.string()),
    )


def _addresses(lead: Ints) -> pa.Array:
    return joined(numbered("203.0.", lead // 250 % 250, 1), numbered(".", lead % 250, 1))
