"""Each section of a source's mapping, turned into rows of the staging tables that all sources share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from core.source_settings import (
    AccountsSection,
    CampaignsSection,
    ConsentsSection,
    ContractsSection,
    CustomField,
    DealPeopleSection,
    DealsSection,
    DealStagesSection,
    EventsSection,
    HistorySection,
    LinksSection,
    PeopleSection,
    SourceSettings,
    StaffSection,
)
from customers.connectors.raw import RawSource, literal
from customers.mapping.section_query import NO_MOMENT, NO_TEXT, SectionQuery

_NODE = "system VARCHAR, source_id VARCHAR"
_KNOWN = "recorded_at TIMESTAMPTZ, recorded_assumed BOOLEAN"
STAGING = {
    "records": f"source VARCHAR, file VARCHAR, line BIGINT, {_NODE}, created_at TIMESTAMPTZ, recorded_at TIMESTAMPTZ",
    "field_values": f"source VARCHAR, {_NODE}, field VARCHAR, value VARCHAR, is_key BOOLEAN, kind VARCHAR, "
    f"known_at VARCHAR, occurred_at TIMESTAMPTZ, {_KNOWN}",
    "field_changes": f"{_NODE}, field VARCHAR, old_value VARCHAR, new_value VARCHAR, occurred_at TIMESTAMPTZ, {_KNOWN}",
    "links": "source VARCHAR, left_system VARCHAR, left_id VARCHAR, right_system VARCHAR, right_id VARCHAR, "
    "linked_at TIMESTAMPTZ, rule VARCHAR",
    "events": f"file VARCHAR, line BIGINT, event_id VARCHAR, {_NODE}, channel VARCHAR, "
    f"type VARCHAR, occurred_at TIMESTAMPTZ, {_KNOWN}, amount DOUBLE, url VARCHAR, properties VARCHAR, is_bot BOOLEAN",
    "accounts": "system VARCHAR, account_id VARCHAR, name VARCHAR, domain VARCHAR, industry VARCHAR, "
    "employees DOUBLE, created_at TIMESTAMPTZ, source VARCHAR",
    "deals": "source VARCHAR, deal_id VARCHAR, system VARCHAR, account_id VARCHAR, owner_id VARCHAR, "
    "campaign_id VARCHAR, outcome VARCHAR, opened_at TIMESTAMPTZ, closed_at TIMESTAMPTZ, closed_known_at TIMESTAMPTZ, "
    "recorded_at TIMESTAMPTZ, amount DOUBLE, lost_reason VARCHAR",
    "deal_stages": "deal_id VARCHAR, stage VARCHAR, outcome VARCHAR, entered_at TIMESTAMPTZ, "
    "recorded_at TIMESTAMPTZ, amount DOUBLE",
    "deal_people": f"source VARCHAR, deal_id VARCHAR, {_NODE}, role VARCHAR, recorded_at TIMESTAMPTZ",
    "contracts": f"source VARCHAR, contract_id VARCHAR, {_NODE}, account_id VARCHAR, plan VARCHAR, "
    "started_at TIMESTAMPTZ, ends_at TIMESTAMPTZ, renews_at TIMESTAMPTZ, cancelled_at TIMESTAMPTZ, "
    "recurring_amount DOUBLE, recorded_at TIMESTAMPTZ, terms_recorded_at TIMESTAMPTZ",
    "campaigns": "campaign_id VARCHAR, name VARCHAR, channel VARCHAR, cost DOUBLE, started_at TIMESTAMPTZ, "
    "ended_at TIMESTAMPTZ",
    "staff": "staff_id VARCHAR, name VARCHAR, email VARCHAR, team VARCHAR, daily_capacity DOUBLE",
    "consents": f"source VARCHAR, {_NODE}, purpose VARCHAR, granted BOOLEAN, decided_at TIMESTAMPTZ, "
    "recorded_at TIMESTAMPTZ",
}
"""Blank `recorded_at`, `linked_at` and `decided_at` stand for the time of the export, known only when all was read."""

CHANNELS = {
    "web_visit": "web",
    "form_fill": "web",
    "email_sent": "email",
    "email_delivered": "email",
    "email_open": "email",
    "email_click": "email",
    "email_bounced": "email",
    "unsubscribe": "email",
    "webinar_attended": "event",
    "trade_fair": "event",
    "call": "sales",
    "meeting": "sales",
    "task": "sales",
    "product_use": "product",
    "purchase": "shop",
}


def create_staging(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the empty tables that the sections of all sources are read into, in the schema `staged`."""
    connection.execute("CREATE SCHEMA staged")
    for table, columns in STAGING.items():
        connection.execute(f"CREATE TABLE staged.{table} ({columns})")


@dataclass
class SectionRows:
    """A section's typed rows in the DuckDB table `table`, and how the good ones enter the staging tables."""

    name: str
    table: str
    inserts: list[str]


def map_section(
    connection: duckdb.DuckDBPyConnection,
    source: SourceSettings,
    raw: RawSource,
    name: str,
    exported_at: datetime | None,
) -> SectionRows:
    """Read one section's rows; nothing enters the staging tables yet."""
    section = source.sections()[name]
    query = SectionQuery(raw, source, section, exported_at)
    rows = SectionRows(name, f"section_{source.name}_{name}", [])
    columns = _MAPPINGS[name](query, section, source, rows)
    query.write(connection, rows.table, columns)
    return rows


def _insert(rows: SectionRows, target: str, columns: dict[str, str], where: str = "true") -> None:
    listed, values = ", ".join(columns), ", ".join(columns.values())
    rows.inserts.append(f"INSERT INTO staged.{target} ({listed}) SELECT {values} FROM {rows.table} WHERE {where}")


def _insert_same(rows: SectionRows, target: str, names: list[str], where: str = "true") -> None:
    _insert(rows, target, {name: name for name in names}, where)


def _content_id(query: SectionQuery) -> str:
    """An id from the whole row, for rows that have none of their own: equal rows get equal ids."""
    listed = ", ".join(query.raw.columns.values())
    query.texts["t_content"] = f"substr(sha256(to_json([{listed}])::VARCHAR), 1, 16)"
    return "t_content"


def _record_id(query: SectionQuery, source: SourceSettings) -> str:
    """The id of the record that a row's `people` section describes."""
    own = source.people.id if source.people else None
    return query.text("id", own, required=True) if own else _content_id(query)


def _people(query: SectionQuery, section: PeopleSection, source: SourceSettings, rows: SectionRows) -> dict[str, str]:
    created = query.moment("created_at", section.created_at)
    known, assumed = query.known("recorded_at", section.recorded_at, created)
    columns = {
        "source": literal(source.name),
        "system": literal(source.system),
        "source_id": _record_id(query, source),
        "created_at": created,
        "recorded_at": known,
        "recorded_assumed": assumed,
    }
    entries: list[tuple[str, str, str, str, str]] = []
    for place, (name, field) in enumerate(section.fields.items()):
        columns[f"f{place}"] = query.text(f"f{place}", field)
        entries.append((name, f"f{place}", "false", "text", field.known_at or section.known_at))
    for place, (name, custom) in enumerate(section.custom.items()):
        column = f"u{place}"
        columns[column] = _custom_value(query, column, custom)
        entries.append((name, column, "false", custom.type, custom.known_at or section.known_at))
    for place, key in enumerate(section.keys):
        text = query.text(f"k{place}", key)
        columns[f"k{place}"] = text if key.separator is None else f"string_split({text}, {literal(key.separator)})"
        entries.append(
            (key.kind, f"k{place}", "true", "list" if key.separator else "text", key.known_at or section.known_at)
        )
    _insert_same(rows, "records", ["source", "file", "line", "system", "source_id", "created_at", "recorded_at"])
    for field_name, column, is_key, kind, known_at in entries:
        value = f"trim(unnest({column}))" if kind == "list" else column
        # A record without a time of its own is known from the export on, whatever was declared.
        exported = known_at == "export"
        _insert(
            rows,
            "field_values",
            {
                "source": "source",
                "system": "system",
                "source_id": "source_id",
                "field": literal(field_name),
                "value": value,
                "is_key": is_key,
                "kind": literal("text" if kind == "list" else kind),
                "known_at": literal(known_at),
                "occurred_at": "created_at",
                "recorded_at": NO_MOMENT if exported else "recorded_at",
                "recorded_assumed": "true" if exported else "recorded_assumed",
            },
            f"{column} IS NOT NULL" if known_at != "history" else "true",
        )
    return columns


def _custom_value(query: SectionQuery, label: str, custom: CustomField) -> str:
    """SQL for a custom field's value as text that its type can be read from again."""
    if custom.type == "number":
        return f"{query.number(label, custom)}::VARCHAR"
    if custom.type == "boolean":
        return f"{query.flag(label, custom)}::VARCHAR"
    if custom.type == "date":
        return f"strftime({query.moment(label, custom, fact=False)}, '%Y-%m-%dT%H:%M:%SZ')"
    return query.text(label, custom)


def _history(query: SectionQuery, section: HistorySection, source: SourceSettings, rows: SectionRows) -> dict[str, str]:
    system, source_id = query.person("person", section.person)
    changed = query.moment("changed_at", section.changed_at, required=True)
    known, assumed = query.known("recorded_at", section.recorded_at, changed)
    _insert_same(
        rows,
        "field_changes",
        ["system", "source_id", "field", "old_value", "new_value", "occurred_at", "recorded_at", "recorded_assumed"],
    )
    return {
        "system": system,
        "source_id": source_id,
        "field": query.text("field", section.field, required=True),
        "old_value": query.text("old", section.old),
        "new_value": query.text("new", section.new),
        "occurred_at": changed,
        "recorded_at": known,
        "recorded_assumed": assumed,
    }


def _links(query: SectionQuery, section: LinksSection, source: SourceSettings, rows: SectionRows) -> dict[str, str]:
    left_system, left_id = query.person("left", section.left, required=False)
    right_system, right_id = query.person("right", section.right, required=False)
    linked = query.moment("linked_at", section.linked_at)
    known = query.known("", None, linked)[0] if section.linked_at else NO_MOMENT
    names = ["source", "left_system", "left_id", "right_system", "right_id", "rule"]
    # The same pair is usually seen in many rows (each visit of a logged-in browser): the first says since when.
    grouped = f"GROUP BY {', '.join(names)}, linked_at IS NULL"
    rows.inserts.append(
        f"INSERT INTO staged.links ({', '.join(names)}, linked_at) SELECT {', '.join(names)}, min(linked_at) "
        f"FROM {rows.table} WHERE left_id IS NOT NULL AND right_id IS NOT NULL {grouped}"
    )
    return {
        "source": literal(source.name),
        "left_system": left_system,
        "left_id": left_id,
        "right_system": right_system,
        "right_id": right_id,
        "linked_at": known,
        "rule": literal(section.rule),
    }


def _events(query: SectionQuery, section: EventsSection, source: SourceSettings, rows: SectionRows) -> dict[str, str]:
    if section.person:
        system, source_id = query.person("person", section.person)
    else:
        system, source_id = literal(source.system), _record_id(query, source)
    kind = query.text("type", section.type, required=True)
    cases = " ".join(f"WHEN {literal(name)} THEN {literal(channel)}" for name, channel in CHANNELS.items())
    derived = f"CASE {kind} {cases} ELSE 'other' END"
    channel = f"coalesce({query.text('channel', section.channel)}, {derived})"
    occurred = query.moment("occurred_at", section.occurred_at, required=True)
    known, assumed = query.known("recorded_at", section.recorded_at, occurred)
    own_id = query.text("event_id", section.id, required=True) if section.id else _content_id(query)
    given = {
        name: query.text(f"p{place}", column)
        for place, (name, column) in enumerate(section.properties.items())
        if name != "url"
    }
    properties = NO_TEXT
    if given:
        blank = " AND ".join(f"{text} IS NULL" for text in given.values())
        pairs = ", ".join(f"{literal(name)}, {text}" for name, text in given.items())
        properties = f"CASE WHEN {blank} THEN NULL ELSE json_object({pairs})::VARCHAR END"
    columns = {
        "event_id": f"{literal(source.name + ':')} || {own_id}",
        "system": system,
        "source_id": source_id,
        "channel": channel,
        "type": kind,
        "occurred_at": occurred,
        "recorded_at": known,
        "recorded_assumed": assumed,
        "amount": query.number("amount", section.amount),
        "url": query.text("url", section.properties.get("url")),
        "properties": properties,
        "is_bot": query.flag("is_bot", section.is_bot, "false"),
    }
    _insert_same(rows, "events", ["file", "line", *columns])
    return columns


def _accounts(
    query: SectionQuery, section: AccountsSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    created = query.moment("created_at", section.created_at)
    columns = {
        "system": literal(source.system),
        "account_id": query.text("account_id", section.id, required=True),
        "name": query.text("name", section.name, required=True),
        "domain": query.text("domain", section.domain),
        "industry": query.text("industry", section.industry),
        "employees": query.number("employees", section.employees),
        "created_at": query.known("", None, created)[0] if section.created_at else NO_MOMENT,
        "source": literal(source.name),
    }
    _insert_same(rows, "accounts", list(columns))
    return columns


def _deals(query: SectionQuery, section: DealsSection, source: SourceSettings, rows: SectionRows) -> dict[str, str]:
    opened = query.moment("opened_at", section.opened_at, required=True)
    # An expected closing day of an open deal may lie in the future.
    closed = query.moment("closed_at", section.closed_at, fact=False)
    columns = {
        "source": literal(source.name),
        "deal_id": query.text("deal_id", section.id, required=True),
        "system": literal(source.system),
        "account_id": query.text("account", section.account),
        "owner_id": query.text("owner", section.owner),
        "campaign_id": query.text("campaign", section.campaign),
        "outcome": query.text("outcome", section.outcome),
        "opened_at": opened,
        "closed_at": closed,
        "closed_known_at": query.known("", None, closed)[0] if section.closed_at else NO_MOMENT,
        "recorded_at": query.known("recorded_at", section.recorded_at, opened)[0],
        "amount": query.number("amount", section.amount),
        "lost_reason": query.text("lost_reason", section.lost_reason),
    }
    query.faults.append(
        "CASE WHEN t_outcome NOT IN ('open', 'won', 'lost') THEN 'outcome: neither open nor won nor lost' END"
        if section.outcome
        else NO_TEXT
    )
    _insert_same(rows, "deals", list(columns))
    if section.person:
        system, source_id = query.person("person", section.person, required=False)
        columns |= {"person_system": system, "person_id": source_id}
        _insert(
            rows,
            "deal_people",
            {
                "source": literal(source.name),
                "deal_id": "deal_id",
                "system": "person_system",
                "source_id": "person_id",
                "recorded_at": "recorded_at",
            },
            "person_id IS NOT NULL",
        )
    return columns


def _deal_stages(
    query: SectionQuery, section: DealStagesSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    entered = query.moment("entered_at", section.entered_at, required=True)
    stage = query.text("stage", section.stage, required=True)
    ends = " ".join(f"WHEN {literal(name)} THEN {literal(outcome)}" for name, outcome in section.outcomes.items())
    columns = {
        "deal_id": query.text("deal", section.deal, required=True),
        "stage": stage,
        "outcome": f"CASE {stage} {ends} ELSE 'open' END" if ends else "'open'",
        "entered_at": entered,
        "recorded_at": query.known("recorded_at", section.recorded_at, entered)[0],
        "amount": query.number("amount", section.amount),
    }
    _insert_same(rows, "deal_stages", list(columns))
    return columns


def _deal_people(
    query: SectionQuery, section: DealPeopleSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    system, source_id = query.person("person", section.person)
    recorded = query.moment("recorded_at", section.recorded_at)
    columns = {
        "source": literal(source.name),
        "deal_id": query.text("deal", section.deal, required=True),
        "system": system,
        "source_id": source_id,
        "role": query.text("role", section.role),
        "recorded_at": query.known("", None, recorded)[0] if section.recorded_at else NO_MOMENT,
    }
    _insert_same(rows, "deal_people", list(columns))
    return columns


def _contracts(
    query: SectionQuery, section: ContractsSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    system, source_id = query.person("person", section.person, required=False) if section.person else (NO_TEXT, NO_TEXT)
    started = query.moment("started_at", section.started_at, required=True, fact=False)
    recorded = query.known("recorded_at", section.recorded_at, started)[0]
    columns = {
        "source": literal(source.name),
        "contract_id": query.text("contract_id", section.id, required=True) if section.id else _content_id(query),
        "system": system,
        "source_id": source_id,
        "account_id": query.text("account", section.account),
        "plan": query.text("plan", section.plan),
        "started_at": started,
        "ends_at": query.moment("ends_at", section.ends_at, fact=False),
        "renews_at": query.moment("renews_at", section.renews_at, fact=False),
        "cancelled_at": query.moment("cancelled_at", section.cancelled_at, fact=False),
        "recurring_amount": query.number("recurring_amount", section.recurring_amount),
        "recorded_at": recorded,
        "terms_recorded_at": recorded if section.terms_known_at == "created" else NO_MOMENT,
    }
    _insert_same(rows, "contracts", list(columns))
    return columns


def _campaigns(
    query: SectionQuery, section: CampaignsSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    columns = {
        "campaign_id": query.text("campaign_id", section.id, required=True),
        "name": query.text("name", section.name, required=True),
        "channel": query.text("channel", section.channel),
        "cost": query.number("cost", section.cost),
        "started_at": query.moment("started_at", section.started_at, fact=False),
        "ended_at": query.moment("ended_at", section.ended_at, fact=False),
    }
    _insert_same(rows, "campaigns", list(columns))
    return columns


def _staff(query: SectionQuery, section: StaffSection, source: SourceSettings, rows: SectionRows) -> dict[str, str]:
    columns = {
        "staff_id": query.text("staff_id", section.id, required=True),
        "name": query.text("name", section.name, required=True),
        "email": query.text("email", section.email),
        "team": query.text("team", section.team),
        "daily_capacity": query.number("daily_capacity", section.daily_capacity),
    }
    _insert_same(rows, "staff", list(columns))
    return columns


def _consents(
    query: SectionQuery, section: ConsentsSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    system, source_id = query.person("person", section.person)
    decided = query.moment("at", section.at, required=section.at is not None)
    granted = query.flag("granted", section.granted)
    purpose = query.text("purpose", section.purpose, required=True)
    query.faults += [
        "CASE WHEN t_granted IS NULL THEN 'granted is blank' END",
        f"CASE WHEN {purpose} NOT IN ('marketing', 'profiling', 'transfer') THEN 'purpose: none of the three' END",
    ]
    columns = {
        "source": literal(source.name),
        "system": system,
        "source_id": source_id,
        "purpose": purpose,
        "granted": granted,
        "decided_at": decided,
        "recorded_at": query.known("recorded_at", section.recorded_at, decided)[0] if section.at else NO_MOMENT,
    }
    _insert_same(rows, "consents", list(columns))
    return columns


# Each entry takes its own kind of section, which the key names.
_Mapping = Callable[[SectionQuery, Any, SourceSettings, SectionRows], dict[str, str]]
_MAPPINGS: dict[str, _Mapping] = {
    "people": _people,
    "history": _history,
    "links": _links,
    "events": _events,
    "accounts": _accounts,
    "deals": _deals,
    "deal_stages": _deal_stages,
    "deal_people": _deal_people,
    "contracts": _contracts,
    "campaigns": _campaigns,
    "staff": _staff,
    "consents": _consents,
}
