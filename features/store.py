"""Open the workspace's Feast store, and register the definitions with it."""

from pathlib import Path
from string import Template

import yaml
from feast import FeatureStore
from feast.errors import FeastError
from feast.repo_config import RepoConfig

from core.errors import MissingStageError
from core.settings import Settings
from core.storage import Workspace
from features.record_view import RECORD
from features.repository import feature_repository

__all__ = ["FeastError", "FeatureStore", "applied_store", "apply_definitions", "open_store"]

REPOSITORY = Path(__file__).parent


def open_store(settings: Settings, workspace: Workspace) -> FeatureStore:
    """The Feast store whose registry and online values lie in the workspace, configured by `feature_store.yaml`.

    It can be opened before anything has been registered.
    """
    del settings
    text = (REPOSITORY / "feature_store.yaml").read_text(encoding="utf-8")
    workspace.path("feast").mkdir(parents=True, exist_ok=True)
    raw = yaml.safe_load(Template(text).substitute(KIZASHI_HOME=str(workspace.home.resolve())))
    return FeatureStore(config=RepoConfig(repo_path=REPOSITORY, **raw))


def apply_definitions(settings: Settings, workspace: Workspace) -> FeatureStore:
    """Register entities, views and services over the generation of features in force; drop what is no longer defined.

    Returns:
        The store, for those who go on working with it.

    Raises:
        MissingStageError: no features have been built in this workspace.
    """
    repository = feature_repository(settings, workspace)
    store = open_store(settings, workspace)
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
