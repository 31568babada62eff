"""Models by name and alias in MLflow: which one answers, and which ones there were."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlparse

# Before MLflow is imported: nothing is reported to anybody.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow.artifacts
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from core.errors import ContractError, NotFoundError
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.catalog import ServiceSchema
from scoring.bundle import ModelBundle

CHAMPION = "champion"
CHALLENGER = "challenger"
CONTENT_TAG = "kizashi.content"
# On a run: the fingerprint of the rows that it learned from.
DATA_TAG = "data"
# What the promotion gate said of a version: "passed", or why not. Champions of releases before the gate wrote it down
# carry the content tag alone, which nobody but this project sets.
GATE_TAG = "kizashi.gate"
PASSED = "passed"
# On the registered model: the versions that were champion, the one in force last.
HISTORY_TAG = "kizashi.champions"


def registered_name(model: ModelName) -> str:
    """The model's name in the registry.

    >>> registered_name("lead")
    'kizashi-lead'
    """
    return f"kizashi-{model}"


@dataclass(frozen=True, repr=False)
class Registered:
    """A model version in the registry.

    Attributes:
        version: its number.
        bundle: what answers.
        refusal: why the promotion gate did not let it pass; None where it did.
    """

    version: str
    bundle: ModelBundle
    refusal: str | None = None

    def check(self, schema: ServiceSchema) -> None:
        """Refuse to answer with what the gate refused, or with features of another service or definition.

        Raises:
            ContractError: says which.
        """
        if self.refusal is not None:
            raise ContractError(
                f"version {self.version} of the {self.bundle.model} model did not pass the promotion gate: "
                f"{self.refusal}",
                "a version that passed",
                f"promote one (`kizashi promote {self.bundle.model}`) or go back (`kizashi rollback "
                f"{self.bundle.model}`)",
            )
        self.bundle.check(schema)

    def __repr__(self) -> str:
        return f"version {self.version} of the {self.bundle!r}"


class Registry:
    """The tracking server and model registry of one workspace.

    Attributes:
        uri: where the server is.
        client: MLflow's own, bound to the workspace's server, so that no global state of the library is touched.
        workspace: whose models these are.
    """

    def __init__(self, settings: Settings, workspace: Workspace) -> None:
        # Where a new experiment keeps its files; None leaves that to the configured server.
        self.artifacts: str | None = None
        self.workspace = workspace
        uri = settings.tracking_uri
        if uri is None:
            folder = workspace.path("mlflow").resolve()
            folder.mkdir(parents=True, exist_ok=True)
            uri = _sqlite(_prepared_database(folder))
            self.artifacts = (folder / "artifacts").as_uri()
        self.uri = uri
        self._cache = workspace.path("models")
        with quiet_mlflow():
            self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def find(self, model: ModelName, alias: str) -> Registered | None:
        """The version that an alias points to, or None."""
        version = self.version_of(model, alias)
        return None if version is None else self.load(model, version)

    def version_of(self, model: ModelName, alias: str) -> str | None:
        """The number of the version that an alias points to, or None."""
        with quiet_mlflow():
            named = self.client.search_registered_models(filter_string=f"name = '{registered_name(model)}'")
        version = named[0].aliases.get(alias) if named else None
        return None if version is None else str(version)

    def named(self, model: ModelName, version: str) -> Registered:
        """The version of an alias (`champion`, `challenger`) or number.

        Raises:
            NotFoundError: there is no such version.
        """
        return self.load(model, self._number(model, version))

    def learned_from(self, model: ModelName, version: str) -> str | None:
        """The fingerprint of the training set of a version, by alias or number; None of one registered by hand.

        Raises:
            NotFoundError: there is no such version.
        """
        run = self.run_of(model, version)
        with quiet_mlflow():
            return None if run is None else self.client.get_run(run).data.tags.get(DATA_TAG)

    def run_of(self, model: ModelName, version: str) -> str | None:
        """The id of the run that made a version, by alias or number; None of one registered by hand.

        Raises:
            NotFoundError: there is no such version.
        """
        with quiet_mlflow():
            found = self.client.get_model_version(registered_name(model), self._number(model, version))
        return str(found.run_id) if found.run_id else None

    def _number(self, model: ModelName, version: str) -> str:
        found = self.version_of(model, version)
        if found is None and version.isdecimal():
            with quiet_mlflow():
                known = self.client.search_model_versions(f"name = '{registered_name(model)}'")
            if version in {str(listed.version) for listed in known}:
                found = version
        if found is None:
            raise NotFoundError(
                f"the {model} model has no version {version!r}",
                "a version number, or an alias such as champion",
                f"train a model that deserves it (`kizashi train {model}`)",
            )
        return found

    def load(self, model: ModelName, version: str, schema: ServiceSchema | None = None) -> Registered:
        """One version by its number.

        Raises:
            ContractError: it was trained on other features than `schema`.
        """
        with quiet_mlflow():
            found = self.client.get_model_version(registered_name(model), version)
            folder = self._download(found)
        return Registered(version, ModelBundle.load(folder / "data" / "bundle", schema), _refusal(found))

    def crown(self, model: ModelName, version: str) -> None:
        """Let a version answer as champion, and remember that it did; the gate has been asked before."""
        name = registered_name(model)
        with quiet_mlflow():
            history = self.champions(model)
            if not history or history[-1] != version:
                self.client.set_registered_model_tag(name, HISTORY_TAG, ",".join([*history, version]))
            self.client.set_model_version_tag(name, version, GATE_TAG, PASSED)
            self.client.set_registered_model_alias(name, CHAMPION, version)

    def challenge(self, model: ModelName, version: str, reason: str) -> None:
        """Keep a version beside the champion, with the reason why it is not champion."""
        name = registered_name(model)
        with quiet_mlflow():
            if version not in self.champions(model):
                self.client.set_model_version_tag(name, version, GATE_TAG, reason)
            self.client.set_registered_model_alias(name, CHALLENGER, version)

    def champions(self, model: ModelName) -> list[str]:
        """The versions that were champion, oldest first; the last one is in force."""
        with quiet_mlflow():
            named = self.client.search_registered_models(filter_string=f"name = '{registered_name(model)}'")
        if not named:
            return []
        listed = [version for version in str(named[0].tags.get(HISTORY_TAG, "")).split(",") if version]
        in_force = named[0].aliases.get(CHAMPION)
        # A champion of an earlier release, or one whose alias somebody moved by hand.
        return listed if in_force is None or (listed and listed[-1] == str(in_force)) else [*listed, str(in_force)]

    def uncrown(self, model: ModelName) -> tuple[str, str]:
        """Let the champion before the present one answer again.

        Returns:
            The version that stepped down, and the one that answers now.

        Raises:
            NotFoundError: there was none before.
        """
        history = self.champions(model)
        if len(history) < 2:
            raise NotFoundError(
                f"the {model} model has no champion before the present one",
                "a former champion",
                f"see the versions with `mlflow ui`, and promote one (`kizashi promote {model} VERSION`)",
            )
        name = registered_name(model)
        with quiet_mlflow():
            self.client.set_registered_model_tag(name, HISTORY_TAG, ",".join(history[:-1]))
            self.client.set_registered_model_alias(name, CHAMPION, history[-2])
        return history[-1], history[-2]

    def _download(self, version: ModelVersion) -> Path:
        """The version's files: where they lie when that is this machine, else a copy that is made once."""
        source = urlparse(self.client.get_model_version_download_uri(version.name, version.version))
        if source.scheme in ("", "file"):
            return Path(source.path)
        kept = self._cache / f"{version.name}-{version.version}-{version.tags.get(CONTENT_TAG, version.run_id)}"
        if not (kept / "MLmodel").exists():
            with TemporaryDirectory(dir=_made(self._cache)) as beside:
                fetched = mlflow.artifacts.download_artifacts(
                    artifact_uri=source.geturl(), dst_path=beside, tracking_uri=self.uri
                )
                Path(fetched).rename(kept)
        return kept


def _refusal(version: ModelVersion) -> str | None:
    """Why a version must not answer, by what the gate wrote on it."""
    said = version.tags.get(GATE_TAG)
    if said is None:
        return None if CONTENT_TAG in version.tags else "it was registered by hand and never judged"
    return None if said == PASSED else str(said)


def _prepared_database(folder: Path) -> Path:
    """MLflow's SQLite file with its tables in place.

    MLflow makes them in dozens of steps, and refuses a file in which it was killed between two of them: so that happens
    beside, and the file takes its name when it is complete.
    """
    database = folder / "mlflow.db"
    if not database.exists():
        with FileLock(folder / ".lock"), quiet_mlflow():
            if not database.exists():
                beside = folder / f".{database.name}.{os.getpid()}.tmp"
                beside.unlink(missing_ok=True)
                MlflowClient(_sqlite(beside)).search_experiments(max_results=1)
                beside.rename(database)
    return database


def _sqlite(file: Path) -> str:
    return f"sqlite:///{file}"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """MLflow and Alembic tell of every step on stderr; progress and errors are ours to tell."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # MLflow uses ways of SQLAlchemy and pydantic that newer releases of those call deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
