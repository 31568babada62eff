"""Every kind of place in a workspace that speaks of people: counting the rows about somebody, and erasing them."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import ColumnElement, Engine, delete, func, or_, select
from sqlalchemy.orm import Session

from activation.forgetting import forget_alerts
from activation.lifecycle_delta import count_told, forget_told
from core.alert_tables import Alert, AlertState, OutboxMessage
from core.database import Answer, Base, ScoreState, open_database
from core.erasure import (
    THEIR_ID,
    ForgottenPerson,
    erasure_connection,
    matching_rows,
    replace_without,
    rewrite_generation,
    scrub_sqlite,
    stages_under,
)
from core.errors import SourceError
from core.identity_tables import IdentityDecision
from core.lifecycle_tables import LifecycleTold
from core.serving_tables import PersonRecord
from core.settings import Settings
from core.storage import Workspace, write_atomically
from customers.decisions import count_decisions, forget_decisions
from customers.erasure import count_in_tables, erase_from_tables
from features.erasure import count_in_features, erase_from_features, erase_online
from features.saved_datasets import FOLDER as DATASETS
from features.saved_datasets import list_with_feast
from kizashi.export import write_excel
from kizashi.review_file import spreadsheet_form, unguard_text
from scoring.answers import forget_answers

# Lists of people that each model, and each segment, publishes, and what models learned from.
_LISTS = ("scores", "segments", DATASETS)
# What commands and services keep there is handled, or holds nothing about people; the rest is what users put there.
_OWN_FOLDERS = frozenset(
    {"cache", "customers", "features", "feast", "matching", "mlflow", "runs", "scores", "segments", "champions",
     "models", DATASETS, "suppression", "receipts", "forgetting", "tmp"}
)  # fmt: skip
# Scores and segments name one person a row, lists for review two.
_ID_COLUMNS = ("customer_id", "left_customer_id", "right_customer_id")
_LIST_ENDINGS = (".csv", ".parquet", ".xlsx")


def count_everywhere(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> dict[str, int]:
    """The number of rows about a person by kind of place, places without any left out."""
    found = {f"tables/{name}": count for name, count in count_in_tables(settings, workspace, person).items()}
    found |= {f"features/{name}": count for name, count in count_in_features(settings, workspace, person).items()}
    connection = erasure_connection(person)
    try:
        for stage in _list_stages(workspace):
            for path in sorted(workspace.current(stage).glob("*.parquet")):
                found[f"{stage}/{path.stem}"] = len(matching_rows(connection, path, THEIR_ID))
    finally:
        connection.close()
    found |= _count_in_database(settings, workspace, person)
    found["exported lists"] = sum(len(rows) for _, rows in _exported(settings, workspace, person))
    return {place: count for place, count in sorted(found.items()) if count}


def erase_everywhere(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> None:
    """Erase all rows about a person; doing it again, after having been killed, goes on.

    Lookups stop resolving first. The unified tables come last of the files: what hangs on them is found through them.

    Raises:
        BusyError: an SQLite file is in use, so that what was deleted cannot be overwritten.
    """
    engine = open_database(settings, workspace)
    try:
        _forget_records(engine, person)
        erase_online(settings, workspace, person)
        connection = erasure_connection(person)
        try:
            for stage in _list_stages(workspace):
                _erase_from_list(workspace, stage, {
                    path.name: matching_rows(connection, path, THEIR_ID)
                    for path in sorted(workspace.current(stage).glob("*.parquet"))
                })  # fmt: skip
        finally:
            connection.close()
        list_with_feast(settings, workspace)
        erase_from_tables(settings, workspace, person)
        erase_from_features(settings, workspace, person)
        for path, rows in _exported(settings, workspace, person):
            _erase_from_export(path, rows)
        _remove_leftovers(workspace)
        # Last of all: an answer that was on its way while the directory still resolved is logged by now.
        forget_answers(engine, person.customer_ids)
        forget_alerts(engine, person.customer_ids)
        forget_decisions(engine, person.keys)
        forget_told(engine, person.keys)
    finally:
        engine.dispose()
    if engine.dialect.name == "sqlite" and engine.url.database:
        scrub_sqlite(Path(engine.url.database))


def _list_stages(workspace: Workspace) -> list[str]:
    return [stage for folder in _LISTS for stage in stages_under(workspace, folder)]


def _erase_from_list(workspace: Workspace, stage: str, rows: dict[str, list[int]]) -> None:
    manifest = workspace.manifest(stage) or {}
    gone = max((len(places) for places in rows.values()), default=0)
    counted: dict[str, int] = {name: int(manifest[name]) - gone for name in ("rows", "members") if name in manifest}
    rewrite_generation(workspace, stage, rows, counted)


def _count_in_database(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> dict[str, int]:
    ids = person.customer_ids
    alerts = select(Alert.alert_id).where(Alert.customer_id.in_(ids))
    conditions: list[tuple[type[Base], ColumnElement[bool]]] = [
        (Answer, Answer.customer_id.in_(ids)),
        (ScoreState, ScoreState.customer_id.in_(ids)),
        (Alert, Alert.customer_id.in_(ids)),
        (AlertState, AlertState.customer_id.in_(ids)),
        (OutboxMessage, OutboxMessage.alert_id.in_(alerts)),
        (PersonRecord, _their_record(person)),
    ]
    engine = open_database(settings, workspace)
    try:
        with Session(engine) as session:
            counts = {
                f"database/{table.__tablename__}": session.scalar(
                    select(func.count()).select_from(table).where(condition)
                )
                or 0
                for table, condition in conditions
            }
        counts[f"database/{IdentityDecision.__tablename__}"] = count_decisions(engine, person.keys)
        counts[f"database/{LifecycleTold.__tablename__}"] = count_told(engine, person.keys)
        return counts
    finally:
        engine.dispose()


def _their_record(person: ForgottenPerson) -> ColumnElement[bool]:
    return or_(PersonRecord.customer_id.in_(person.customer_ids), PersonRecord.source_id.in_(person.customer_ids))


def _forget_records(engine: Engine, person: ForgottenPerson) -> None:
    """Nobody stands behind the person's records and ids any more: lookups answer `unknown`."""
    with Session(engine) as session, session.begin():
        session.execute(delete(PersonRecord).where(_their_record(person)))


def _exported(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> Iterator[tuple[Path, list[int]]]:
    """Lists that were exported into the workspace, with the places of the rows about the person.

    What sources read belongs to the company and is left alone.
    """
    ids = {("", customer_id) for customer_id in person.customer_ids} | {(system, key) for system, key in person.keys}
    systems = sorted({system for system, _ in person.keys})
    sources = {path.resolve() for source in settings.sources if source.path for path in settings.source_files(source)}
    for path in sorted(workspace.home.rglob("*")):
        own = path.relative_to(workspace.home).parts[0] in _OWN_FOLDERS
        if own or path.suffix not in _LIST_ENDINGS or not path.is_file() or path.resolve() in sources:
            continue
        listed = _listed_ids(path, settings, systems)
        rows = [place for place, named in enumerate(listed) if not named.isdisjoint(ids)]
        if rows:
            yield path, rows


def _listed_ids(path: Path, settings: Settings, systems: Sequence[str]) -> list[set[tuple[str, str]]]:
    """Whom each row names, as (system, id), in the columns by which our own lists are known; empty without any."""
    if path.suffix == ".parquet":
        named = _id_columns(settings, systems, pq.read_schema(path).names)
        table = pq.read_table(path, columns=sorted({name for name, _ in named}))
        cells = [table[name].to_pylist() for name, _ in named]
    elif path.suffix == ".xlsx":
        frame = pd.read_excel(path, dtype=str)
        named = _id_columns(settings, systems, [str(name) for name in frame])
        cells = [frame[name].to_list() for name, _ in named]
    else:
        encoding, delimiter = _form(path)
        with path.open(encoding=encoding, newline="") as file:
            reader = csv.reader(file, delimiter=delimiter)
            header = next(reader, [])
            named = _id_columns(settings, systems, header)
            places = [header.index(name) for name, _ in named]
            rows = [[record[place] if place < len(record) else "" for place in places] for record in reader if places]
        cells = [list(column) for column in zip(*rows, strict=True)]
    owners = [system for _, system in named]
    return [
        {(system, unguard_text(str(cell))) for system, cell in zip(owners, row, strict=True)}
        for row in zip(*cells, strict=True)
    ]


def _id_columns(settings: Settings, systems: Iterable[str], header: Sequence[str]) -> list[tuple[str, str]]:
    """The columns of a list that name people, each with the system of its ids; blank for our own ids."""
    own = [(name, "") for name in _ID_COLUMNS if name in header]
    # Files that tell a system about its records name them by its ids alone.
    told = ((system, settings.lifecycle.delta(system).columns(system)) for system in systems)
    return own + [(columns["id"], system) for system, columns in told if set(columns.values()) <= set(header)]


def _erase_from_export(path: Path, rows: list[int]) -> None:
    if path.suffix == ".parquet":
        replace_without(path, rows)
        return
    if path.suffix == ".xlsx":
        frame = pd.read_excel(path, dtype=object)
        write_atomically(path, write_excel(frame.drop(index=frame.index[rows])))
        return
    gone = set(rows)
    kept = io.StringIO(newline="")
    encoding, delimiter = _form(path)
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        writer = csv.writer(kept, delimiter=delimiter, lineterminator="\n")
        writer.writerow(next(reader))
        writer.writerows(record for place, record in enumerate(reader) if place not in gone)
    write_atomically(path, kept.getvalue().encode(encoding))


def _form(path: Path) -> tuple[str, str]:
    """Encoding and delimiter of a list, which a spreadsheet may have saved again; our ids are ASCII in any encoding."""
    try:
        return spreadsheet_form(path)
    except SourceError:
        return "latin-1", ","


def _remove_leftovers(workspace: Workspace) -> None:
    """Lists that a killed export left half written, wherever in the workspace they were to lie."""
    for left in workspace.home.glob("**/.*.tmp"):
        if left.is_file() and left.relative_to(workspace.home).parts[0] not in _OWN_FOLDERS:
            left.unlink(missing_ok=True)
