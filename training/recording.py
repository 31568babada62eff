"""Write a training run down in MLflow, and register its model."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pandas as pd
from mlflow.entities import Metric, Param, RunTag

from core.clock import Clock
from core.model_settings import ModelName
from scoring.bundle import ModelBundle
from scoring.registry import CHAMPION, CONTENT_TAG, Registry, quiet_mlflow, registered_name

with warnings.catch_warnings():
    # MLflow warns of a type hint of its own while it is imported.
    warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

EXPERIMENT = "kizashi"
# MLflow shows a run below the one that this names.
PARENT_TAG = "mlflow.parentRunId"
_WORKSPACE_TAG = "kizashi.workspace"
# What the bundle needs to answer, named here: letting MLflow find out takes it many seconds.
_REQUIREMENTS = ["lightgbm", "mlflow", "numpy", "pandas", "pyarrow", "scipy"]


@dataclass(frozen=True)
class RunRecord:
    """What is kept of one training run, whether or not its model came into use.

    Attributes:
        files: contents by path below the run's artifacts, for example `plots/gains.png`.
        example: a few feature rows as a caller would send them; they fix the model's signature.
    """

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    files: Mapping[str, bytes]
    example: pd.DataFrame | None = None


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
    with quiet_mlflow():
        run_id = _begin(registry, f"{model}-{bundle.content}", record, tags, moment)
        with registry.workspace.scratch() as beside:
            _log_files(registry, run_id, record, beside)
            _log_model(registry, run_id, record, bundle, beside)
        version = None if alias is None else _register(registry, model, run_id, bundle)
        if version is not None and alias == CHAMPION:
            registry.crown(model, version)
        elif version is not None:
            registry.challenge(model, version, record.tags["why"])
        client.set_terminated(run_id, end_time=moment)
    return version


def record_stop(registry: Registry, model: ModelName, record: RunRecord, *, clock: Clock) -> None:
    """Log a training run that was stopped before there was a model."""
    moment = int(clock.now().timestamp() * 1000)
    with quiet_mlflow():
        run_id = _begin(registry, f"{model}-stopped", record, record.tags, moment)
        with registry.workspace.scratch() as beside:
            _log_files(registry, run_id, record, beside)
        registry.client.set_terminated(run_id, status="FAILED", end_time=moment)


def last_tried(registry: Registry, model: ModelName, tag: str) -> str | None:
    """A tag of the newest run of `model` in this workspace that has it, whatever came of the run; None without one."""
    with quiet_mlflow():
        home = str(registry.workspace.home.resolve())
        runs = registry.client.search_runs(
            [_experiment(registry)],
            f"tags.model = '{model}' AND tags.`{_WORKSPACE_TAG}` = '{home}' AND tags.`{tag}` LIKE '%'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
    return str(runs[0].data.tags[tag]) if runs else None


def _begin(registry: Registry, name: str, record: RunRecord, tags: Mapping[str, str], moment: int) -> str:
    """A new run with all that is numbers and words."""
    client, home = registry.client, {_WORKSPACE_TAG: str(registry.workspace.home.resolve())}
    experiment = _experiment(registry)
    _end_killed_runs(registry, experiment, home, moment)
    created = client.create_run(experiment, start_time=moment, tags=home, run_name=name)
    run_id = str(created.info.run_id)
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, moment, 0) for key, value in sorted(record.metrics.items())],
        params=[Param(key, value) for key, value in sorted(record.params.items())],
        tags=[RunTag(key, value) for key, value in sorted(tags.items())],
    )
    return run_id


def _end_killed_runs(registry: Registry, experiment: str, home: Mapping[str, str], moment: int) -> None:
    """Say of this workspace's runs that go on that they were killed: one command at a time holds the workspace."""
    going_on = "attributes.status = 'RUNNING'"
    for run in registry.client.search_runs([experiment], going_on):
        if home.items() <= run.data.tags.items():
            registry.client.set_terminated(run.info.run_id, status="KILLED", end_time=moment)


def _log_files(registry: Registry, run_id: str, record: RunRecord, beside: Path) -> None:
    folder = beside / "files"
    for name, content in record.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if record.files:
        registry.client.log_artifacts(run_id, str(folder))


def _log_model(registry: Registry, run_id: str, record: RunRecord, bundle: ModelBundle, beside: Path) -> None:
    bundle.save(beside / "bundle")
    # A loader module and plain files: nothing is pickled, so that loading a model never runs foreign code.
    mlflow.pyfunc.save_model(
        path=str(beside / "model"),
        loader_module="scoring.pyfunc_loader",
        data_path=str(beside / "bundle"),
        pip_requirements=_REQUIREMENTS,
        signature=_signature(bundle),
        input_example=record.example,
    )
    registry.client.log_artifacts(run_id, str(beside / "model"), "model")


def _signature(bundle: ModelBundle) -> ModelSignature:
    """What the model takes, each column of it may be missing, and what it gives.

    The columns are of any type for MLflow, which refuses whole numbers for "double" and categories of pandas for
    "string"; the bundle itself checks what it is given.
    """
    columns = [ColSpec(AnyType(), column.name, required=False) for column in bundle.columns]
    return ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec("double", "probability")]))


def _register(registry: Registry, model: ModelName, run_id: str, bundle: ModelBundle) -> str:
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
