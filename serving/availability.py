"""Stores that may be away for a while: asked only while there is hope, so that nobody waits for them in vain."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# Known to the database's metadata once imported: `open_database` makes all tables that it knows of.
import core.alert_tables
import core.serving_tables
from core.database import open_database
from core.errors import ConfigurationError, KizashiError
from core.logs import get_logger
from core.settings import Settings
from core.storage import Workspace
from features.store import FeastError

TABLES_NEEDED = (core.alert_tables.Alert, core.serving_tables.PersonRecord)
DATABASE_FAULTS = (OperationalError, InterfaceError, PoolTimeoutError, ConfigurationError)
# What an online store raises when it is unreachable, unreadable, or holds other definitions than these settings.
ONLINE_FAULTS = (OSError, sqlite3.Error, FeastError, KizashiError)
_PAUSE_SECONDS = 2.0


class AwayError(KizashiError):
    """A store that an answer needs cannot be reached at the moment."""

    http_status = 503


class Breaker:
    """Remembers that a store failed, and lets nobody try again for a moment.

    Args:
        name: of the store, for logs and errors.
        faults: what the store raises when it is away.
        pause_seconds: how long nobody tries after a failure.
        monotonic: seconds that only ever grow.
    """

    def __init__(
        self,
        name: str,
        faults: tuple[type[Exception], ...],
        pause_seconds: float = _PAUSE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._faults = faults
        self._pause = pause_seconds
        self._monotonic = monotonic
        self._closed_until = float("-inf")

    @property
    def is_away(self) -> bool:
        """Whether it failed a moment ago."""
        return self._monotonic() < self._closed_until

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run the block unless the store failed a moment ago.

        Raises:
            AwayError: the store is away.
        """
        if self.is_away:
            raise AwayError(f"the {self.name} is away", "", "try again in a moment")
        try:
            yield
        except AwayError:
            raise
        except self._faults as error:
            self._closed_until = self._monotonic() + self._pause
            # The kind alone: messages of drivers hold addresses and values.
            get_logger("serving").warning("store away", store=self.name, error=type(error).__name__)
            raise AwayError(f"the {self.name} is away", "", "try again in a moment") from error


class Database:
    """The application database, opened when first needed and again after it was away."""

    def __init__(self, settings: Settings, workspace: Workspace) -> None:
        self._settings = settings
        self._workspace = workspace
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self.breaker = Breaker("application database", DATABASE_FAULTS)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The engine, for one piece of work.

        Raises:
            AwayError: the database does not answer.
        """
        with self.breaker.guard():
            with self._opening:
                if self._engine is None:
                    self._engine = open_database(self._settings, self._workspace)
            yield self._engine

    def close(self) -> None:
        """Give all connections back."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
