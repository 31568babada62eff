"""Who stands behind a record of a system, in the online store: writing and reading it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureStore, FeatureView
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from core.progress import Progress, SilentProgress
from core.settings import Settings
from core.storage import Workspace, write_parquet
from core.tables import MOMENT
from features.record_view import PERSON, RECORD, record_rows_path
from features.store import applied_store

_PART = 1_000
_SCHEMA = pa.schema([("record", pa.string()), (PERSON, pa.string()), ("as_of", MOMENT), ("built_at", MOMENT)])
_BLANK = Value()


def record_key(system: str, source_id: str) -> str:
    """The entity key of a record.

    >>> record_key("marketo", "1001")
    'marketo:1001'
    """
    return f"{system}:{source_id}"


def publish_records(
    settings: Settings, workspace: Workspace, records: pa.Table, as_of: datetime, progress: Progress | None = None
) -> None:
    """Write every record online and blank out those that no longer stand for anybody.

    Args:
        settings: the configuration.
        workspace: the definitions must have been applied.
        records: `record` (see `record_key`) and `person` (text); each record once.
        as_of: the moment that the records speak of, with time zone.
        progress: told how many records are written.

    Raises:
        MissingStageError: the definitions were not applied since the newest build.
    """
    store = applied_store(settings, workspace)
    path = record_rows_path(workspace)
    former = set(pq.read_table(path, columns=["record"])["record"].to_pylist()) if path.exists() else set()
    rows = _rows(records["record"].to_pylist(), records[PERSON].to_pylist(), as_of)
    present = rows["record"].to_pylist()
    people = rows[PERSON].to_pylist()
    gone = sorted(former.difference(present))
    # Whoever leaves stays listed until blanked out, so that an interrupted run leaves no forgotten person online.
    write_parquet(path, pa.concat_tables([rows, _rows(gone, [""] * len(gone), as_of)]))
    view = store.get_feature_view(RECORD)
    with (progress or SilentProgress()).task("records online", len(present)) as advance:
        for first in range(0, len(gone), _PART):
            _write(store, view, [(record, _BLANK) for record in gone[first : first + _PART]], as_of)
        for first in range(0, len(present), _PART):
            part = list(zip(present[first : first + _PART], people[first : first + _PART], strict=True))
            _write(store, view, [(record, Value(string_val=person)) for record, person in part], as_of)
            advance(len(part))
    if gone:
        write_parquet(path, rows)


def find_records(store: FeatureStore, records: Sequence[str]) -> dict[str, str]:
    """The `person` text of those records that stand for somebody."""
    found: dict[str, str] = {}
    for first in range(0, len(records), _PART):
        asked = list(records[first : first + _PART])
        answer = store.get_online_features(
            features=[f"{RECORD}:{PERSON}"], entity_rows=[{"record": record} for record in asked]
        ).to_dict()
        found |= {record: person for record, person in zip(asked, answer[PERSON], strict=True) if person}
    return found


def _rows(records: list[str], people: list[str], as_of: datetime) -> pa.Table:
    moments = [as_of] * len(records)
    table = pa.table({"record": records, PERSON: people, "as_of": moments, "built_at": moments}, schema=_SCHEMA)
    return table.sort_by("record")


def _write(store: FeatureStore, view: FeatureView, rows: list[tuple[str, Any]], as_of: datetime) -> None:
    data = [
        (EntityKey(join_keys=["record"], entity_values=[Value(string_val=record)]), {PERSON: value}, as_of, as_of)
        for record, value in rows
    ]
    store._get_provider().online_write_batch(store.config, view, data, None)
