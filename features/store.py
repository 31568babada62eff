"""Open the workspace's Feast store, and register the definitions with it."""

from pathlib import Path
from string import Template
from typing import Any

import yaml
from feast import FeatureStore
from feast.errors import FeastError
from feast.repo_config import RepoConfig

from core.clock import Clock
from core.errors import ConfigurationError, MissingStageError
from core.settings import Settings
from core.storage import Workspace, write_atomically
from features.online_server import namespace
from features.online_store import PackedOnlineStore
from features.record_view import RECORD
from features.repository import feature_repository

__all__ = ["FeastError", "FeatureStore", "applied_store", "apply_definitions", "online_store", "open_store"]

REPOSITORY = Path(__file__).parent
_SERVERS = {
    "redis": "features.online_redis.RedisOnlineStore",
    "postgres": "features.online_postgres.PostgresOnlineStore",
}


def open_store(settings: Settings, workspace: Workspace, clock: Clock | None = None) -> FeatureStore:
    """The Feast store of a workspace: its registry lies there, its online rows where the configuration says.

    It can be opened before anything has been registered, and while the online store is away.

    Args:
        settings: says which online store it is.
        workspace: holds the registry.
        clock: says what is past its time to live; the machine's own unless given.
    """
    workspace.path("feast").mkdir(parents=True, exist_ok=True)
    store = FeatureStore(config=RepoConfig(repo_path=REPOSITORY, **repository_settings(settings, workspace)))
    if clock is not None:
        online_store(store).clock = clock
    return store


def online_store(store: FeatureStore) -> PackedOnlineStore:
    """The online store behind Feast's interface, for what Feast has no words for.

    Raises:
        ConfigurationError: it is not one of ours.
    """
    online = store._get_provider().online_store
    if not isinstance(online, PackedOnlineStore):
        raise ConfigurationError(
            f"the online store {store.config.online_store.type} keeps one entry a feature",
            "one of the stores in features/",
            "set online_store.type to sqlite, redis or postgres",
        )
    return online


def repository_settings(settings: Settings, workspace: Workspace) -> dict[str, Any]:
    """`feature_store.yaml` with the workspace and the configured online store filled in; it holds no secret."""
    text = (REPOSITORY / "feature_store.yaml").read_text(encoding="utf-8")
    raw: dict[str, Any] = yaml.safe_load(Template(text).substitute(KIZASHI_HOME=str(workspace.home.resolve())))
    online = settings.online_store
    if online.type != "sqlite":
        raw["online_store"] = {
            "type": _SERVERS[online.type],
            "url_env": online.url_env,
            "namespace": namespace(settings),
        }
    return raw


def apply_definitions(settings: Settings, workspace: Workspace) -> FeatureStore:
    """Register entities, views and services over the generation of features in force; drop what is no longer defined.

    `feast/feature_store.yaml` in the workspace tells Feast's own command and SDK the same.

    Returns:
        The store, for those who go on working with it.

    Raises:
        MissingStageError: no features have been built in this workspace.
    """
    repository = feature_repository(settings, workspace)
    store = open_store(settings, workspace)
    told = yaml.safe_dump(repository_settings(settings, workspace), sort_keys=False, allow_unicode=True)
    write_atomically(workspace.path("feast", "feature_store.yaml"), told.encode())
    defined = {item.name for item in (*repository.views, *repository.services)}
    registered = [*store.list_feature_services(), *store.list_feature_views()]
    store.apply(
        [*repository.entities, *repository.views, *repository.services],
        objects_to_delete=[item for item in registered if item.name not in defined],
        partial=False,
    )
    return store


def applied_store(settings: Settings, workspace: Workspace) -> FeatureStore:
    """The store, once it is certain that it is registered over the generation of features in force.

    Raises:
        MissingStageError: the definitions were never applied, or before the newest build.
    """
    folder = workspace.current("features").resolve()
    store = open_store(settings, workspace)
    views = [view for view in store.list_feature_views() if view.name != RECORD]
    if not views or any(Path(view.batch_source.path).parent != folder for view in views):
        raise MissingStageError(
            f"the feature definitions of {workspace.home} belong to another build", "the newest build", "apply them"
        )
    return store
