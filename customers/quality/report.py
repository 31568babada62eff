"""The job: read the published tables once each and say how good they are."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.errors import MissingStageError
from core.storage import Workspace, connect_duckdb
from customers.quality.consents import ConsentQuality, assess_consents
from customers.quality.events import EventQuality, assess_events
from customers.quality.fields import FieldQuality, SystemRecords, assess_fields, count_records
from customers.quality.identities import IdentityQuality, assess_identities
from customers.quality.sources import SourceQuality, assess_sources


@dataclass(frozen=True)
class QualityReport:
    """How good a generation of the unified tables is.

    `data_until` (UTC) is how far the data reach; ages are counted up to it, since the clock of whoever reads the report
    says nothing about the data. `generation` names what was read.
    """

    generation: str
    data_until: datetime
    sources: tuple[SourceQuality, ...]
    systems: tuple[SystemRecords, ...]
    fields: tuple[FieldQuality, ...]
    identities: IdentityQuality
    events: EventQuality
    consents: ConsentQuality


def assess_quality(workspace: Workspace, timezone: str) -> QualityReport:
    """Assess the unified tables in force; only counts, names of fields and files, and ids of people are told.

    Args:
        workspace: where they are published.
        timezone: decides what a day is.

    Raises:
        MissingStageError: nothing was unified yet, or only by an earlier release.
    """
    folder = workspace.current("customers")
    manifest = workspace.manifest("customers") or {}
    if not workspace.table_path("proofs").exists():
        raise MissingStageError(
            f"{folder} was made by an earlier release", "tables of this one", "run `kizashi unify` again"
        )
    data_until = datetime.fromisoformat(str(manifest["data_until"]))
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        systems = count_records(connection)
        return QualityReport(
            generation=str(manifest["generation"]),
            data_until=data_until,
            sources=assess_sources(connection, data_until.astimezone(ZoneInfo(timezone)).date()),
            systems=systems,
            fields=assess_fields(connection),
            identities=assess_identities(connection, manifest.get("run")),
            events=assess_events(connection),
            consents=assess_consents(connection),
        )
    finally:
        connection.close()
