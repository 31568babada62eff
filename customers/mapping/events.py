"""The section `events`: what people did, or what was done to them."""

from core.source_settings import EventsSection, SourceSettings
from customers.connectors.raw import literal
from customers.mapping.section_query import NO_TEXT, SectionQuery
from customers.mapping.staging import KNOWN, NODE, SectionRows, content_id, insert_same, record_id

TABLES = {
    "events": f"file VARCHAR, line BIGINT, event_id VARCHAR, {NODE}, channel VARCHAR, "
    f"type VARCHAR, occurred_at TIMESTAMPTZ, {KNOWN}, amount DOUBLE, url VARCHAR, properties VARCHAR, is_bot BOOLEAN, "
    "user_agent VARCHAR",
}
CHANNELS = {
    "web_visit": "web",
    "form_fill": "web",
    "email_sent": "email",
    "email_delivered": "email",
    "email_open": "email",
    "email_click": "email",
    "email_bounced": "email",
    "email_soft_bounced": "email",
    "unsubscribe": "email",
    "webinar_attended": "event",
    "trade_fair": "event",
    "call": "sales",
    "meeting": "sales",
    "task": "sales",
    "product_use": "product",
    "purchase": "shop",
    "support_ticket": "support",
    "business_card": "sales",
}


def map_events(
    query: SectionQuery, section: EventsSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    """Things that people did, or that were done to them."""
    if section.person:
        system, source_id = query.person("person", section.person)
    else:
        system, source_id = literal(source.system), record_id(query, source)
    kind = query.text("type", section.type, required=True)
    cases = " ".join(f"WHEN {literal(name)} THEN {literal(channel)}" for name, channel in CHANNELS.items())
    derived = f"CASE {kind} {cases} ELSE 'other' END"
    channel = f"coalesce({query.text('channel', section.channel)}, {derived})"
    occurred = query.moment("occurred_at", section.occurred_at, required=True)
    known, assumed = query.known("recorded_at", section.recorded_at, occurred)
    own_id = query.text("event_id", section.id, required=True) if query.has(section.id) else content_id(query)
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
        "user_agent": query.text("user_agent", section.user_agent),
    }
    insert_same(rows, "events", ["file", "line", *columns])
    skew = f"INTERVAL {round(source.clock_skew_seconds * 1_000_000)} MICROSECONDS"
    early = f"coalesce(m_recorded_at < {occurred} - {skew}, false)" if section.recorded_at else "false"
    return {**columns, "early": early}
