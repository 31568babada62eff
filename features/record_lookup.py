"""Who stands behind a record of a system, in the online store: writing and reading it."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from core.progress import Progress, SilentProgress
from core.settings import Settings
from core.storage import Workspace, write_parquet
from core.tables import MOMENT
from features.online_writer import OnlineWriter
from features.record_view import PERSON, RECORD, record_rows_path
from features.store import applied_store, online_store

_PART = 2_000
_SCHEMA = pa.schema([("record", pa.string()), (PERSON, pa.string()), ("as_of", MOMENT), ("built_at", MOMENT)])


def record_key(system: str, source_id: str) -> str:
    """The entity key of a record.

    >>> record_key("marketo", "1001")
    'marketo:1001'
    """
    return f"{system}:{source_id}"


def publish_records(
    settings: Settings, workspace: Workspace, records: pa.Table, as_of: datetime, progress: Progress | None = None
) -> None:
    """Write every record online and remove those that no longer stand for anybody.

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
    gone = sorted(former.difference(rows[RECORD].to_pylist()))
    # Whoever leaves stays listed until removed, so that an interrupted run leaves no forgotten person online.
    write_parquet(path, pa.concat_tables([rows, _rows(gone, [""] * len(gone), as_of)]))
    writer = OnlineWriter(store, [store.get_feature_view(RECORD)])
    with (progress or SilentProgress()).task("records online", rows.num_rows) as advance:
        for first in range(0, len(gone), _PART):
            writer.remove(gone[first : first + _PART])
        for first in range(0, rows.num_rows, _PART):
            part = rows.slice(first, _PART)
            writer.write({RECORD: part}, part["as_of"])
            advance(part.num_rows)
    if gone:
        write_parquet(path, rows)


def find_records(store: FeatureStore, records: Sequence[str]) -> dict[str, str]:
    """The `person` text of those records that stand for somebody.

    Raises:
        ConfigurationError: the online store does not answer.
    """
    online, view = online_store(store), store.get_feature_view(RECORD)
    found: dict[str, str] = {}
    for first in range(0, len(records), _PART):
        asked = list(records[first : first + _PART])
        keys = [EntityKey(join_keys=[RECORD], entity_values=[Value(string_val=record)]) for record in asked]
        answers = online.online_read(store.config, view, keys, [PERSON])
        found |= {
            record: values[PERSON].string_val
            for record, (_, values) in zip(asked, answers, strict=True)
            if values is not None and values[PERSON].string_val
        }
    return found


def _rows(records: list[str], people: list[str], as_of: datetime) -> pa.Table:
    moments = [as_of] * len(records)
    table = pa.table({"record": records, PERSON: people, "as_of": moments, "built_at": moments}, schema=_SCHEMA)
    return table.sort_by("record")
