"""The sections `people`, `history`, `links` and `consents`: who somebody is and what they permit."""

from core.source_settings import (
    ConsentsSection,
    CustomField,
    HistorySection,
    LinksSection,
    PeopleSection,
    SourceSettings,
)
from customers.connectors.raw import literal
from customers.mapping.section_query import NO_MOMENT, SectionQuery
from customers.mapping.staging import KNOWN, NODE, SectionRows, insert, insert_same, record_id

TABLES = {
    "records": f"source VARCHAR, file VARCHAR, line BIGINT, {NODE}, created_at TIMESTAMPTZ, recorded_at TIMESTAMPTZ",
    "field_values": f"source VARCHAR, {NODE}, field VARCHAR, value VARCHAR, is_key BOOLEAN, kind VARCHAR, "
    f"known_at VARCHAR, occurred_at TIMESTAMPTZ, {KNOWN}",
    "field_changes": f"{NODE}, field VARCHAR, old_value VARCHAR, new_value VARCHAR, occurred_at TIMESTAMPTZ, {KNOWN}",
    "links": "source VARCHAR, left_system VARCHAR, left_id VARCHAR, right_system VARCHAR, right_id VARCHAR, "
    "linked_at TIMESTAMPTZ, rule VARCHAR",
    "consents": f"source VARCHAR, {NODE}, purpose VARCHAR, granted BOOLEAN, decided_at TIMESTAMPTZ, "
    "recorded_at TIMESTAMPTZ",
}


def map_people(
    query: SectionQuery, section: PeopleSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    """Records of people, and the values of their fields."""
    created = query.moment("created_at", section.created_at)
    known, assumed = query.known("recorded_at", section.recorded_at, created)
    columns = {
        "source": literal(source.name),
        "system": literal(source.system),
        "source_id": record_id(query, source),
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
    insert_same(rows, "records", ["source", "file", "line", "system", "source_id", "created_at", "recorded_at"])
    for field_name, column, is_key, kind, known_at in entries:
        value = f"trim(unnest({column}))" if kind == "list" else column
        # A record without a time of its own is known from the export on, whatever was declared.
        exported = known_at == "export"
        insert(
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


def map_history(
    query: SectionQuery, section: HistorySection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    """Changes of people's fields."""
    system, source_id = query.person("person", section.person)
    changed = query.moment("changed_at", section.changed_at, required=True)
    known, assumed = query.known("recorded_at", section.recorded_at, changed)
    insert_same(
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


def map_links(query: SectionQuery, section: LinksSection, source: SourceSettings, rows: SectionRows) -> dict[str, str]:
    """Records that are one person."""
    left_system, left_id = query.person("left", section.left, required=False)
    right_system, right_id = query.person("right", section.right, required=False)
    linked = query.moment("linked_at", section.linked_at)
    known = query.known("", None, linked)[0] if section.linked_at else NO_MOMENT
    names = ["source", "left_system", "left_id", "right_system", "right_id", "rule"]
    # The same pair is usually seen in many rows (each visit of a logged-in browser): the first says since when.
    grouped = f"GROUP BY {', '.join(names)}, linked_at IS NULL"
    listed = ", ".join(names)
    rows.inserts.append(
        f"INSERT INTO fresh.links (file_no, {listed}, linked_at) SELECT {rows.file_no}, {listed}, min(linked_at) "
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


def map_consents(
    query: SectionQuery, section: ConsentsSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    """Permissions given and withdrawn."""
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
    insert_same(rows, "consents", list(columns))
    return columns
