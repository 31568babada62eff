"""Which model answers: the champion by alias, checked against the features and kept for when the registry is away."""

import os
from collections.abc import Mapping

from filelock import FileLock
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from core.errors import ContractError
from core.logs import get_logger
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.catalog import ServiceSchema, service_of, service_schema
from scoring.bundle import ModelBundle
from scoring.registry import CHAMPION, Registered, Registry

# A registry that does not answer soon is away; MLflow's own defaults wait for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
REGISTRY_FAULTS = (MlflowException, SQLAlchemyError, OSError)


class Champions:
    """The champions of all configured models; None for a model of which none was ever promoted."""

    def __init__(self, settings: Settings, workspace: Workspace) -> None:
        self._settings = settings
        self._workspace = workspace
        self._schemas = {model: service_schema(settings, service_of(model)) for model in settings.models.names}
        self._loaded: Mapping[ModelName, Registered | None] = {}

    def load(self) -> None:
        """Load all champions, from the registry or, while it is away, as they were kept.

        Raises:
            ContractError: a champion was trained on other features than those configured now.
        """
        self._loaded = {model: self._find(model) for model in self._settings.models.names}

    def refresh(self) -> None:
        """Take over newly promoted champions; one that does not fit leaves the one in force."""
        for model, in_force in list(self._loaded.items()):
            try:
                found = self._find(model)
            except ContractError as error:
                get_logger("serving").warning("champion refused", model=model, reason=error.sentence)
                continue
            if found is not None and (in_force is None or found.version != in_force.version):
                get_logger("serving").warning("champion taken over", model=model, version=found.version)
            self._loaded = {**self._loaded, model: found}

    def of(self, model: ModelName) -> Registered | None:
        """The champion of a model."""
        return self._loaded[model]

    def schema(self, model: ModelName) -> ServiceSchema:
        """The features that a model reads."""
        return self._schemas[model]

    def _find(self, model: ModelName) -> Registered | None:
        try:
            found = Registry(self._settings, self._workspace).find(model, CHAMPION)
        except REGISTRY_FAULTS as error:
            get_logger("serving").warning("registry away", model=model, error=type(error).__name__)
            return self._kept(model)
        if found is not None:
            found.check(self._schemas[model])
            self._keep(model, found)
        return found

    def _keep(self, model: ModelName, champion: Registered) -> None:
        stage = f"champions/{model}"
        wanted = {"version": champion.version, "content": champion.bundle.content}
        self._workspace.path(stage).mkdir(parents=True, exist_ok=True)
        # Several workers start at once, and each would publish.
        with FileLock(self._workspace.path(stage, ".lock")):
            kept = self._workspace.manifest(stage) or {}
            if wanted.items() <= kept.items():
                return
            with self._workspace.publish(stage, f"{champion.version}-{champion.bundle.content}", wanted) as folder:
                champion.bundle.save(folder)

    def _kept(self, model: ModelName) -> Registered | None:
        stage = f"champions/{model}"
        manifest = self._workspace.manifest(stage)
        if manifest is None:
            return None
        bundle = ModelBundle.load(self._workspace.current(stage), self._schemas[model])
        return Registered(str(manifest["version"]), bundle)
