"""Feature rows that are kept as they were read once, and listed with Feast as saved datasets.

Features are built anew with every run; what a model learned from must outlive that. A dataset is a stage of the
workspace of its own, `training_sets/<name>`, so that it is written as a whole, and erased from like every other stage.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from feast import FeatureStore
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.saved_dataset import SavedDataset

from core.erasure import stages_under
from core.errors import NotFoundError
from core.settings import Settings
from core.storage import Workspace, write_parquet
from features.catalog import ServiceSchema
from features.store import open_store

FOLDER = "training_sets"
_ROWS = "rows.parquet"
# What Feast calls the moment in every dataset.
_MOMENT = "event_timestamp"


def save_dataset(
    settings: Settings,
    workspace: Workspace,
    name: str,
    schema: ServiceSchema,
    rows: pa.Table,
    told: Mapping[str, Any],
) -> None:
    """Keep rows under a name, in place of what had it before.

    Args:
        settings: the configuration.
        workspace: takes the rows.
        name: within the workspace.
        schema: the service that the features were read of.
        rows: `customer_id`, `as_of`, the features, and whatever belongs to them, such as the outcome.
        told: kept with the rows; see `dataset_manifest`.
    """
    known = {f.name: f"{f.view}:{f.name}" for f in schema.features}
    references = [
        known.get(name, f"outcome:{name}") for name in rows.column_names if name not in ("customer_id", "as_of")
    ]
    manifest = {**told, "service": schema.service, "columns": references, "rows": rows.num_rows}
    with workspace.publish(f"{FOLDER}/{name}", "rows", manifest) as folder:
        write_parquet(folder / _ROWS, _renamed(rows, "as_of", _MOMENT))
    list_with_feast(settings, workspace)


def dataset_manifest(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """What was told of a dataset when it was kept, with its `rows` now; None where there is none of this name."""
    return workspace.manifest(f"{FOLDER}/{name}")


def read_dataset(workspace: Workspace, name: str) -> pa.Table:
    """The rows as they were kept, without those of people who have been forgotten since.

    Raises:
        NotFoundError: there is no such dataset.
    """
    if dataset_manifest(workspace, name) is None:
        known = ", ".join(dataset_names(workspace)) or "none"
        raise NotFoundError(f"no dataset {name} is kept in {workspace.home}", f"one of: {known}", "train the model")
    return _renamed(pq.read_table(workspace.current(f"{FOLDER}/{name}") / _ROWS), _MOMENT, "as_of")


def dataset_names(workspace: Workspace) -> list[str]:
    """The datasets that are kept."""
    return [stage.removeprefix(f"{FOLDER}/") for stage in stages_under(workspace, FOLDER)]


def drop_datasets(settings: Settings, workspace: Workspace, names: Iterable[str]) -> None:
    """Remove datasets, files and all."""
    for name in names:
        workspace.remove_stage(f"{FOLDER}/{name}")
    list_with_feast(settings, workspace)


def list_with_feast(settings: Settings, workspace: Workspace) -> None:
    """Make Feast's list of saved datasets that of the workspace; files move when somebody is erased from them."""
    store = open_store(settings, workspace)
    told = {name: dataset_manifest(workspace, name) or {} for name in dataset_names(workspace)}
    # Of a dataset without rows Feast could not say from when to when it goes.
    kept = {name: _described(workspace, name, manifest) for name, manifest in told.items() if manifest["rows"]}
    listed = {one.name: one for one in store.registry.list_saved_datasets(store.project)}
    for name in listed.keys() - kept.keys():
        store.registry.delete_saved_dataset(name, store.project)
    for name, dataset in kept.items():
        if name not in listed or listed[name].storage.file_options.uri != dataset.storage.file_options.uri:
            _list(store, dataset, replaced=name in listed)


def _list(store: FeatureStore, dataset: SavedDataset, *, replaced: bool) -> None:
    if replaced:
        # Feast would keep the former one's first and last moment.
        store.registry.delete_saved_dataset(dataset.name, store.project)
    store.registry.apply_saved_dataset(dataset, store.project)


def _described(workspace: Workspace, name: str, told: Mapping[str, Any]) -> SavedDataset:
    path = workspace.current(f"{FOLDER}/{name}").resolve() / _ROWS
    dataset = SavedDataset(
        name=name,
        features=list(told["columns"]),
        join_keys=["customer_id"],
        storage=SavedDatasetFileStorage(path=str(path)),
        tags={key: str(value) for key, value in told.items() if key not in ("columns", "generation")},
        feature_service_name=str(told["service"]),
    )
    # Feast asks the files for nothing outside of these.
    limits = pc.min_max(pq.read_table(path, columns=[_MOMENT])[_MOMENT]).as_py()
    dataset.min_event_timestamp, dataset.max_event_timestamp = limits["min"], limits["max"]
    return dataset


def _renamed(rows: pa.Table, name: str, other: str) -> pa.Table:
    return rows.rename_columns([other if column == name else column for column in rows.column_names])
