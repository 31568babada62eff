"""Everything that a serving process works with, put together in one place, and kept up to date beside the requests."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from core.clock import Clock
from core.settings import Settings
from core.storage import Workspace
from serving.availability import AwayError, Database
from serving.champions import Champions
from serving.directory import Directory
from serving.keys import KeyRing
from serving.lookup import Lookup
from serving.metrics import Metrics
from serving.online import OnlineStore
from serving.sessions import Sessions

REFRESH_SECONDS = 10.0
_KEYS_FILE = Path("serving") / "keys.json"


@dataclass
class Runtime:
    """The parts of a serving process."""

    settings: Settings
    workspace: Workspace
    clock: Clock
    champions: Champions
    database: Database
    online: OnlineStore
    lookup: Lookup
    keys: KeyRing
    sessions: Sessions
    metrics: Metrics
    _stopping: threading.Event = field(default_factory=threading.Event)
    _refresher: threading.Thread | None = None

    @staticmethod
    def open(settings: Settings, workspace: Workspace, clock: Clock) -> "Runtime":
        """Put the parts together and load the champions.

        Raises:
            ContractError: a champion does not belong to the features that are configured.
        """
        champions = Champions(settings, workspace)
        champions.load()
        database = Database(settings, workspace)
        online = OnlineStore(settings, workspace, clock)
        lookup = Lookup(settings, champions, Directory(database, online), online, database, clock)
        keys = KeyRing(database, workspace.path(str(_KEYS_FILE)), clock)
        runtime = Runtime(
            settings, workspace, clock, champions, database, online, lookup, keys, Sessions(database, clock), Metrics()
        )
        runtime.remember_keys()
        return runtime

    @property
    def is_ready(self) -> bool:
        """Whether a lookup can be answered: from the online store, or at least from what was stored."""
        for model in self.settings.models.names:
            try:
                self.online.features(self.champions.schema(model).service, [""])
            except AwayError:
                return self._database_answers()
        return True

    def start(self, seconds: float = REFRESH_SECONDS) -> None:
        """Look for promoted champions and new keys every so many seconds, until closed."""

        def refresh() -> None:
            while not self._stopping.wait(seconds):
                self.champions.refresh()
                self.remember_keys()

        self._refresher = threading.Thread(target=refresh, name="kizashi-refresh", daemon=True)
        self._refresher.start()

    def remember_keys(self) -> None:
        """Keep the keys in force for when the database is away; while it is away, the former ones stay."""
        try:
            self.keys.remember()
        except AwayError:
            return

    def close(self) -> None:
        """End the refreshing and give connections back."""
        self._stopping.set()
        if self._refresher is not None:
            self._refresher.join(timeout=5)
        self.database.close()

    def _database_answers(self) -> bool:
        try:
            with self.database.engine() as engine, engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except AwayError:
            return False
        return True
