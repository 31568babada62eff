"""Each section of a source's mapping, turned into rows of the staging tables that all sources share."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import duckdb

from core.source_settings import SourceSettings
from customers.connectors.raw import RawRows
from customers.mapping import business, deals, events, people
from customers.mapping.section_query import SectionQuery
from customers.mapping.staging import SectionRows

STAGING = people.TABLES | events.TABLES | deals.TABLES | business.TABLES
"""Blank `recorded_at`, `linked_at` and `decided_at` stand for the time of the export, known only when all was read."""

# Each entry takes its own kind of section, which the key names.
_Mapping = Callable[[SectionQuery, Any, SourceSettings, SectionRows], dict[str, str]]
_MAPPINGS: dict[str, _Mapping] = {
    "people": people.map_people,
    "history": people.map_history,
    "links": people.map_links,
    "consents": people.map_consents,
    "events": events.map_events,
    "deals": deals.map_deals,
    "deal_stages": deals.map_deal_stages,
    "deal_people": deals.map_deal_people,
    "accounts": business.map_accounts,
    "contracts": business.map_contracts,
    "campaigns": business.map_campaigns,
    "staff": business.map_staff,
}


def map_section(
    connection: duckdb.DuckDBPyConnection,
    source: SourceSettings,
    raw: RawRows,
    name: str,
    exported_at: datetime | None,
    file_no: int,
) -> SectionRows:
    """Read one section's rows of a file; nothing enters the staging tables yet."""
    section = source.sections()[name]
    query = SectionQuery(raw, source, section, exported_at)
    rows = SectionRows(name, f"section_{name}", file_no)
    columns = _MAPPINGS[name](query, section, source, rows)
    query.write(connection, rows.table, columns)
    return rows
