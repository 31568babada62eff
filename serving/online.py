"""The online store as lookups read it: features of people, and who stands behind a record."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import pyarrow as pa

from core.clock import Clock
from core.settings import Settings
from core.storage import Workspace
from features.record_lookup import find_records
from features.retrieval import OnlineFeatures
from serving.availability import ONLINE_FAULTS, Breaker

Read = TypeVar("Read")


class OnlineStore:
    """Feast's online store, opened when first needed and again after it was away."""

    def __init__(self, settings: Settings, workspace: Workspace, clock: Clock | None = None) -> None:
        self._settings = settings
        self._workspace = workspace
        self._clock = clock
        self._opened: OnlineFeatures | None = None
        self._opening = threading.Lock()
        self.breaker = Breaker("online store", ONLINE_FAULTS)

    def features(self, service: str, customer_ids: Sequence[str]) -> pa.Table:
        """The newest features; see `features.retrieval.OnlineFeatures`.

        Raises:
            AwayError: the store cannot be read, or holds other features than those configured.
        """
        with self.breaker.guard():
            return self._read(lambda online: online.read(service, customer_ids))

    def records(self, records: Sequence[str]) -> dict[str, str]:
        """Who stands behind records; see `features.record_lookup.find_records`.

        Raises:
            AwayError: the store cannot be read.
        """
        with self.breaker.guard():
            return self._read(lambda online: find_records(online.store, records))

    def _read(self, read: Callable[[OnlineFeatures], Read]) -> Read:
        with self._opening:
            if self._opened is None:
                self._opened = OnlineFeatures(self._settings, self._workspace, self._clock)
            opened = self._opened
        try:
            return read(opened)
        except ONLINE_FAULTS:
            # Its connections may be to a server or file that is gone for good.
            self._opened = None
            raise
