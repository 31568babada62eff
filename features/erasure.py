"""A person leaves the features: the generation in force, the online store, and the files that say who is online."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from core.erasure import (
    THEIR_ID,
    ForgottenPerson,
    erasure_connection,
    matching_rows,
    replace_without,
    rewrite_generation,
)
from core.settings import Settings
from core.storage import Workspace
from features.online_store import text_keys
from features.record_lookup import record_key
from features.record_view import RECORD, record_rows_path
from features.store import apply_definitions, online_store, open_store

_STAGE = "features"
# The customer is the first part of the JSON that stands for a person.
_THEIR_RECORD = "person ->> '$[0]' IN (FROM forgotten_ids)"


def count_in_features(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> dict[str, int]:
    """How many rows of each view speak of the person, and how many entities of the online store."""
    connection = erasure_connection(person)
    try:
        counts = {path.stem: len(places) for path, places in _view_rows(connection, workspace).items()}
        listed = _online_list(workspace)
        online = len(matching_rows(connection, listed, THEIR_ID)) if listed.exists() else 0
        records = len(_their_records(connection, workspace, person)) if record_rows_path(workspace).exists() else 0
    finally:
        connection.close()
    del settings
    return {**counts, "online people": online, "online records": records}


def erase_online(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> None:
    """Delete the person's features and records from the online store, then from the files that say who is online.

    Raises:
        BusyError: the store's file is in use.
        ConfigurationError: the online store does not answer.
    """
    records, listed = record_rows_path(workspace), _online_list(workspace)
    connection = erasure_connection(person)
    try:
        theirs = _their_records(connection, workspace, person)
        store = open_store(settings, workspace)
        keys = [*text_keys("customer_id", person.customer_ids), *text_keys(RECORD, sorted(theirs))]
        online_store(store).erase(store.config, keys)
        if records.exists():
            named = pq.read_table(records, columns=[RECORD])[RECORD].to_pylist()
            replace_without(records, [place for place, record in enumerate(named) if record in theirs])
        if listed.exists():
            replace_without(listed, matching_rows(connection, listed, THEIR_ID))
    finally:
        connection.close()


def erase_from_features(settings: Settings, workspace: Workspace, person: ForgottenPerson) -> None:
    """Publish the features again without the person, and tell Feast where they lie now."""
    if workspace.manifest(_STAGE) is None:
        return
    former = workspace.current(_STAGE).resolve()
    sources = {Path(view.batch_source.path).parent for view in open_store(settings, workspace).list_feature_views()}
    connection = erasure_connection(person)
    try:
        rows = {path.name: places for path, places in _view_rows(connection, workspace).items()}
    finally:
        connection.close()
    manifest = {"customers_generation": workspace.current("customers").name}
    rewrite_generation(workspace, _STAGE, rows, manifest)
    # Applied before, if ever: to this generation, or to the one that a killed command has replaced already.
    if sources and (workspace.current(_STAGE).resolve() != former or former not in sources):
        apply_definitions(settings, workspace)


def _online_list(workspace: Workspace) -> Path:
    return workspace.path("feast", "online_customers.parquet")


def _their_records(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, person: ForgottenPerson
) -> frozenset[str]:
    """The keys of the records that stand for the person, and of those that may have before a killed command."""
    path, own = record_rows_path(workspace), {record_key(system, source_id) for system, source_id in person.keys}
    if path.exists():
        found = connection.execute(f"SELECT record FROM read_parquet($1) WHERE {_THEIR_RECORD}", [str(path)]).fetchall()
        own |= {record for (record,) in found}
    return frozenset(own)


def _view_rows(connection: duckdb.DuckDBPyConnection, workspace: Workspace) -> dict[Path, list[int]]:
    if workspace.manifest(_STAGE) is None:
        return {}
    files = sorted(workspace.current(_STAGE).glob("*.parquet"))
    return {path: matching_rows(connection, path, THEIR_ID) for path in files}
