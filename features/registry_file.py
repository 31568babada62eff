"""Feast's registry as a file that is replaced as a whole, so that nobody ever reads, or is left with, half of it."""

import uuid
from datetime import UTC, datetime

from feast.infra.registry.file import FileRegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry

from core.storage import write_atomically


class ReplacedFileRegistryStore(FileRegistryStore):  # type: ignore[misc] # Feast ships no types
    """The file registry with writes that are beside first, then renamed (`registry_store_type`)."""

    def _write_registry(self, registry_proto: Registry) -> None:
        registry_proto.version_id = str(uuid.uuid4())
        registry_proto.last_updated.FromDatetime(datetime.now(UTC))
        write_atomically(self._filepath, registry_proto.SerializeToString())
