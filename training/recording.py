"""Write a training run down in MLflow, and register its model."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from mlflow.entities import Metric, Param, RunTag

from core.clock import Clock
from core.model_settings import ModelName
from scoring.bundle import ModelBundle
from scoring.registry import CONTENT_TAG, Registry, quiet_mlflow, registered_name

with warnings.catch_warnings():
    # MLflow warns of a type hint of its own while it is imported.
    warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
    import mlflow.pyfunc

EXPERIMENT = "kizashi"
_WORKSPACE_TAG = "kizashi.workspace"
# What the bundle needs to answer, named here: letting MLflow find out takes it many seconds.
_REQUIREMENTS = ["lightgbm", "mlflow", "numpy", "pandas", "pyarrow", "scipy"]


@dataclass(frozen=True)
class RunRecord:
    """What is kept of one training run, whether or not its model came into use."""

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    plots: Mapping[str, bytes]


def record_run(
    registry: Registry, model: ModelName, record: RunRecord, bundle: ModelBundle, alias: str | None, *, clock: Clock
) -> str | None:
    """Log a training run with its model's files, and register the model under `alias` unless that is None.

    A model whose content is already registered gets the alias, not a second version: repeating a run on the same data
    changes nothing.

    Returns:
        The version number; None where nothing was registered.
    """
    client = registry.client
    moment = int(clock.now().timestamp() * 1000)
    tags = {**record.tags, CONTENT_TAG: bundle.content}
    home = {_WORKSPACE_TAG: str(registry.workspace.home.resolve())}
    with quiet_mlflow():
        experiment = _experiment(registry)
        _end_killed_runs(registry, experiment, home, moment)
        created = client.create_run(experiment, start_time=moment, tags=home, run_name=f"{model}-{bundle.content}")
        run_id = str(created.info.run_id)
        client.log_batch(
            run_id,
            metrics=[Metric(key, value, moment, 0) for key, value in sorted(record.metrics.items())],
            params=[Param(key, value) for key, value in sorted(record.params.items())],
            tags=[RunTag(key, value) for key, value in sorted(tags.items())],
        )
        with registry.workspace.scratch() as beside:
            _log_files(registry, run_id, record, bundle, beside)
        version = None if alias is None else _register(registry, model, run_id, bundle, alias)
        client.set_terminated(run_id, end_time=moment)
    return version


def _end_killed_runs(registry: Registry, experiment: str, home: Mapping[str, str], moment: int) -> None:
    """Say of this workspace's runs that go on that they were killed: one command at a time holds the workspace."""
    going_on = "attributes.status = 'RUNNING'"
    for run in registry.client.search_runs([experiment], going_on):
        if home.items() <= run.data.tags.items():
            registry.client.set_terminated(run.info.run_id, status="KILLED", end_time=moment)


def _log_files(registry: Registry, run_id: str, record: RunRecord, bundle: ModelBundle, beside: Path) -> None:
    for name, content in record.plots.items():
        (beside / name).write_bytes(content)
        registry.client.log_artifact(run_id, str(beside / name), "plots")
    bundle.save(beside / "bundle")
    # A loader module and plain files: nothing is pickled, so that loading a model never runs foreign code.
    mlflow.pyfunc.save_model(
        path=str(beside / "model"),
        loader_module="scoring.pyfunc_loader",
        data_path=str(beside / "bundle"),
        pip_requirements=_REQUIREMENTS,
    )
    registry.client.log_artifacts(run_id, str(beside / "model"), "model")


def _register(registry: Registry, model: ModelName, run_id: str, bundle: ModelBundle, alias: str) -> str:
    client, name = registry.client, registered_name(model)
    if not client.search_registered_models(filter_string=f"name = '{name}'"):
        client.create_registered_model(name)
    same = [
        int(version.version)
        for version in client.search_model_versions(f"name = '{name}'")
        if version.tags.get(CONTENT_TAG) == bundle.content
    ]
    if same:
        number = str(min(same))
    else:
        source = f"{client.get_run(run_id).info.artifact_uri}/model"
        created = client.create_model_version(name, source, run_id, tags={CONTENT_TAG: bundle.content})
        number = str(created.version)
    client.set_registered_model_alias(name, alias, number)
    return number


def bound_mlflow(registry: Registry, experiment: str) -> ModuleType:
    """The library itself, with `experiment` of the registry's server as the one that new runs go to."""
    with quiet_mlflow():
        mlflow.set_tracking_uri(registry.uri)
        mlflow.set_experiment(experiment_id=_experiment(registry, experiment))
    library: ModuleType = mlflow
    return library


def _experiment(registry: Registry, name: str = EXPERIMENT) -> str:
    found = registry.client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(registry.client.create_experiment(name, artifact_location=registry.artifacts))
