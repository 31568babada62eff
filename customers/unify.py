"""The job: read the exports, map, cleanse, link records to people in time, let the best values survive, publish."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

import duckdb

from core.errors import ConfigurationError, Fault, SourceError, raise_faults
from core.logs import get_logger
from core.progress import Progress, SilentProgress
from core.settings import Settings
from core.storage import Workspace, connect_duckdb, fingerprint, limit_memory
from customers.accounts import build_accounts
from customers.attributes import attach_values
from customers.balance import SourceReport, balance_sources
from customers.bots import date_opens, mark_bots
from customers.cache import Cache
from customers.cleansing.email import mail_kind
from customers.connectors.raw import literal
from customers.consent import build_consent_now, build_consents
from customers.deals import build_deals
from customers.decisions import (
    Decision,
    conflicts_among,
    decisions_fingerprint,
    decisions_in_force,
    decisions_of_forgotten,
    read_decisions,
)
from customers.duplicates import mark_duplicates
from customers.erasure import erase_decisions
from customers.events import attach_events, keep_first_copies
from customers.forgotten import create_mentions, find_forgotten
from customers.kept_groups import KeptGroups
from customers.kept_people import KeptPeople
from customers.kept_records import KeptRecords
from customers.lifecycle.build import build_lifecycle, refuse_unknown_conditions
from customers.linking import link_people
from customers.mapping.functions import define_function, define_functions
from customers.mapping.moments import define_moments
from customers.memory import Memory
from customers.profiles import build_profiles
from customers.proofs import build_proofs
from customers.publish import write_tables
from customers.reading import Reader
from customers.record_states import build_record_states
from customers.similar import Holders
from customers.source_days import build_source_days
from customers.staging import Staging
from customers.suppression import SuppressionList
from customers.survivorship import GOLDEN_FIELDS, build_customers, build_golden_fields

log = get_logger("customers")

# While records are compared another DuckDB, and Python, need memory too.
_MEMORY_GB, _MEMORY_BESIDE_GB = 8.0, 3.0
_SETTINGS_USED = {"sources", "identity", "survivorship", "consent", "events", "as_of", "timezone"}
# Rules of links that no source makes.
_OWN_RULES = ("decision", "similar")
_RECORDED = {
    "records": "recorded_at",
    "field_changes": "recorded_at",
    "links": "linked_at",
    "events": "recorded_at",
    "deals": "recorded_at",
    "deal_stages": "recorded_at",
    "deal_people": "recorded_at",
    "consents": "recorded_at",
    "accounts": "created_at",
}


@dataclass(frozen=True)
class UnifySummary:
    """What a run of `unify_customers` made; times in UTC.

    `source_records` counts the records of people, `rows` all rows of all sources, `merges` the people who were known
    under two ids for some time and turned out to be one, `forgotten` the rows about people on the suppression list,
    `conflicts` the decisions for one person that others forbid.
    """

    customers: int
    known: int
    anonymous: int
    source_records: int
    rows: int
    quarantined: int
    events: int
    merges: int
    data_until: datetime
    as_of: datetime
    sources: tuple[SourceReport, ...]
    forgotten: int = 0
    conflicts: int = 0


def unify_customers(
    settings: Settings, workspace: Workspace, *, run: str, progress: Progress | None = None
) -> UnifySummary:
    """Read all sources and publish the unified tables as the stage `customers`.

    Args:
        settings: which sources there are and how they are mapped.
        workspace: where the tables are published; ids given away by its former generation are kept.
        run: names this run in `identities` and `identity_changes`.
        progress: shows how far the work is.

    Raises:
        ConfigurationError: a mapping names fields that do not exist.
        SourceError: files are missing, empty, in another encoding or lack columns; all faults at once, and nothing
            is written.
    """
    progress = progress or SilentProgress()
    _refuse_unknown_fields(settings)
    refuse_unknown_conditions(settings)
    cache = Cache(workspace)
    summary = _unify(settings, workspace, run, progress, cache)
    if summary is None:
        # Somebody who was forgotten turned up in what a former run read: it is read anew, without them.
        cache.drop()
        summary = _unify(settings, workspace, run, progress, cache)
    if summary is None:
        raise RuntimeError("rows of forgotten people were kept although nothing was kept")
    return summary


def _unify(settings: Settings, workspace: Workspace, run: str, progress: Progress, cache: Cache) -> UnifySummary | None:
    """The whole job, or None where what was kept of former runs must not be used."""
    suppressed = SuppressionList(workspace)
    with _engine(workspace) as (connection, scratch):
        staging = Staging(connection, cache.folder)
        memory = Memory(connection, cache.folder)
        records = KeptRecords(workspace, cache.beside_tables)
        people = KeptPeople(workspace, cache.beside_tables)
        groups = KeptGroups(workspace, cache.beside_tables)
        Reader(connection, staging, settings, scratch, mentions=bool(suppressed)).read(progress)
        data_until, as_of = _set_horizon(connection, settings)
        if suppressed:
            find_forgotten(connection, settings.sources, suppressed)
            if staging.keeps_gone():
                return None
            staging.leave_out_gone()
        decisions = _decisions(settings, workspace, suppressed)
        reports = balance_sources(connection)
        with progress.task("link people", 4) as advance:
            keep_first_copies(connection)
            _date_undated_rows(connection)
            build_profiles(connection, settings, memory, records)
            lost = staging.lost_files()
            build_record_states(connection, memory, records, prune=lost)
            advance()
            build_accounts(connection, memory)
            advance()
            limit_memory(connection, _MEMORY_BESIDE_GB)
            resolved = link_people(
                connection, settings.identity, workspace, run, decisions, records, cache.folder, prune=lost
            )
            limit_memory(connection, _MEMORY_GB)
            advance()
            date_opens(connection)
            build_deals(connection)
            build_consents(connection)
            build_consent_now(connection, settings)
            people.find_changed(connection, records.meaning)
            groups.find_new(connection, settings, staging)
            mark_bots(connection, settings.events.bots)
            mark_duplicates(connection, settings.sources, settings.events.duplicates)
            attach_events(connection, groups.known_events)
            attach_values(connection, records, groups.known_values)
            _attach_contracts(connection)
            build_source_days(connection, settings.timezone)
            build_proofs(connection, settings)
            rows = people.find_new(connection, settings)
            build_golden_fields(connection, settings, f"(FROM {rows} SEMI JOIN new_people USING (customer_id))")
            build_customers(connection)
            people.add_known(connection)
            build_lifecycle(connection, settings.lifecycle.stages, groups.known_stages)
            advance()
        mark = fingerprint(
            settings.model_dump_json(
                include={"sources", "identity", "survivorship", "consent", "events", "as_of", "timezone"}
            ),
            settings.lifecycle.stages,
            *(f"{report.source}/{report.file}" for report in reports),
            *_file_fingerprints(connection),
            *((decisions_fingerprint(decisions),) if decisions else ()),
        )
        manifest: dict[str, object] = {
            "run": run,
            "data_until": data_until.isoformat(),
            "as_of": as_of.isoformat(),
            "fingerprint": mark,
            "decided_until": max((decision.decided_at.isoformat() for decision in decisions), default=""),
        }
        with workspace.publish("customers", mark, manifest) as folder:
            counts = write_tables(connection, folder, progress)
            manifest["counts"] = counts
        ((known, source_records, merges, refused),) = connection.execute(
            """SELECT (SELECT count(*) FROM customers WHERE kind = 'known'),
                      (SELECT count(*) FROM (SELECT DISTINCT system, source_id FROM staged.records)),
                      (SELECT count(*) FROM identity_changes WHERE kind = 'merge'),
                      (SELECT count(*) FROM link_states WHERE state = 'names')"""
        ).fetchall()
        if lost:
            memory.forget_unused()
        # Last: from here on the former run's files are gone.
        kept = (records.kept(connection), people.kept(connection), groups)
        cache.save(mark, staging, memory, *kept, resolved, Holders(connection))
    conflicts = conflicts_among(decisions_in_force(decisions))
    log.info("unified", customers=counts["customers"], refused_links=refused, conflicts=len(conflicts))
    return UnifySummary(
        customers=counts["customers"],
        known=known,
        anonymous=counts["customers"] - known,
        source_records=source_records,
        rows=sum(report.rows for report in reports),
        quarantined=sum(report.quarantined for report in reports),
        forgotten=sum(report.forgotten for report in reports),
        conflicts=len(conflicts),
        events=counts["events"],
        merges=merges,
        data_until=data_until,
        as_of=as_of,
        sources=tuple(reports),
    )


def _refuse_unknown_fields(settings: Settings) -> None:
    faults = [
        Fault(
            f"source {source.name}",
            f"people.fields.{name} is no field of a person"
            + (f", did you mean {close[0]!r}?" if (close := get_close_matches(name, GOLDEN_FIELDS, n=1)) else "")
            + "; fields of your own go under people.custom",
        )
        for source in settings.sources
        if source.people
        for name in source.people.fields
        if name not in GOLDEN_FIELDS
    ]
    faults += [
        Fault("survivorship", f"proofs.{name} is no field of a person")
        for name in settings.survivorship.proofs
        if name not in GOLDEN_FIELDS
    ]
    faults += [
        Fault(f"source {source.name}", f"links.rule cannot be {source.links.rule!r}, which says who made other links")
        for source in settings.sources
        if source.links and source.links.rule in _OWN_RULES
    ]
    raise_faults(ConfigurationError, "the mapping", faults, "correct the configuration")


@contextmanager
def _engine(workspace: Workspace) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A DuckDB that knows our functions, and a folder for copies that vanishes with it."""
    with workspace.scratch() as scratch, connect_duckdb(memory_gb=_MEMORY_GB) as connection:
        connection.execute(f"SET temp_directory = {literal(str(scratch))}")
        define_moments(connection)
        define_functions(connection)
        define_function(connection, "kind_of_mail", mail_kind)
        connection.execute(
            "CREATE MACRO full_name(a, b) AS CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN a || ' ' || b "
            "ELSE coalesce(a, b) END"
        )
        create_mentions(connection)
        yield connection, scratch


def _decisions(settings: Settings, workspace: Workspace, suppressed: SuppressionList) -> list[Decision]:
    """What people decided; what was decided about somebody who turned out to be forgotten is erased first."""
    decisions = read_decisions(settings, workspace)
    gone = set(decisions_of_forgotten(decisions, suppressed)) if suppressed else set()
    if gone:
        erase_decisions(settings, workspace, gone)
    return [decision for decision in decisions if gone.isdisjoint(decision.pair)]


def _set_horizon(connection: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[datetime, datetime]:
    """How far the data reach, and the moment to score for; exports that do not say when they were taken are dated."""
    moments = [f"SELECT max({column}) AS moment FROM staged.{table}" for table, column in _RECORDED.items()]
    moments.append("SELECT max(exported_at) FROM exports")
    # A closing day is often a plan; it is a fact of a closed deal that no stage history tells about.
    moments.append(
        "SELECT max(closed_at) FROM staged.deals ANTI JOIN staged.deal_stages USING (deal_id) "
        "WHERE outcome IN ('won', 'lost')"
    )
    ((micros,),) = connection.execute(f"SELECT epoch_us(max(moment)) FROM ({' UNION ALL '.join(moments)})").fetchall()
    if micros is None:
        ((rows,),) = connection.execute("SELECT coalesce(sum(rows), 0) FROM staged.files_read").fetchall()
        if not rows:
            named = connection.execute("SELECT file FROM staged.files_read ORDER BY source, file").fetchall()
            files = [file for (file,) in named]
            raise SourceError(
                f"{', '.join(files)} {'holds' if len(files) == 1 else 'hold'} column names but no row",
                "at least one row below them",
                "export again with the period and the filter that you want",
            )
        reasons = connection.execute(
            """SELECT reason, count(*) AS rows, min((file, line)) AS place FROM staged.quarantine
            GROUP BY reason ORDER BY rows DESC, reason LIMIT 3"""
        ).fetchall()
        found = "; ".join(f"{reason} ({rows} rows, first {file} line {line})" for reason, rows, (file, line) in reasons)
        raise SourceError(
            "no row of any source carries a usable time" + (f" ({found})" if found else ""),
            "at least one event, record or deal with its time",
            "declare timezone or time_format, or correct the mapping",
        )
    data_until = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
    connection.execute("CREATE TABLE horizon AS SELECT ?::TIMESTAMPTZ AS data_until", [data_until])
    connection.execute("UPDATE exports SET exported_at = (SELECT data_until FROM horizon) WHERE exported_at IS NULL")
    return data_until, settings.as_of.astimezone(UTC) if settings.as_of else data_until + timedelta(seconds=1)


def _date_undated_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """What carries no time of its own is known since the export; a person's part in a deal since the deal."""
    connection.execute(
        """CREATE TABLE deal_people_known AS
        SELECT p.deal_id, p.system, p.source_id, p.role, coalesce(p.recorded_at, e.exported_at) AS recorded_at
        FROM staged.deal_people p JOIN exports e USING (source)"""
    )


def _attach_contracts(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `contracts`: each once, with today's person beside it."""
    connection.execute(
        """CREATE TABLE contracts AS
        SELECT c.contract_id, n.customer_id, c.system, c.source_id, c.account_id, c.plan, c.started_at, c.ends_at,
               c.renews_at, c.cancelled_at, c.recurring_amount, c.recorded_at,
               greatest(c.recorded_at, coalesce(c.terms_recorded_at, e.exported_at)) AS terms_recorded_at
        FROM staged.contracts c JOIN exports e USING (source) LEFT JOIN node_now n USING (system, source_id)
        QUALIFY row_number() OVER (PARTITION BY contract_id ORDER BY started_at, c.system, c.source_id, c.plan) = 1"""
    )


def _file_fingerprints(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT fingerprint FROM sources ORDER BY source, file").fetchall()
    return [mark for (mark,) in rows]
