"""Training sets as they were learned from: kept beside the models that answer, so that each can be looked into later.

A set is named after its model and its fingerprint, which a training run records as `data`. Kept are those of the
champion, of the champion before and of the challenger.
"""

from datetime import timedelta

from core.errors import ContractError, NotFoundError
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.catalog import service_of, service_schema
from features.saved_datasets import dataset_manifest, dataset_names, drop_datasets, read_dataset, save_dataset
from scoring.registry import CHALLENGER, Registry
from training.spine import Spine
from training.training_set import TrainingSet

_OUTCOME_COLUMNS = ("person", "label", "outcome_id", "outcome_at", "circle")


def keep_training_set(settings: Settings, workspace: Workspace, model: ModelName, data: TrainingSet) -> None:
    """Keep what a registered version learned from, and drop the sets of versions that can no longer answer."""
    mark = data.fingerprint
    name = _name(model, mark)
    if dataset_manifest(workspace, name) is None:
        rows = data.features
        for column in _OUTCOME_COLUMNS:
            rows = rows.append_column(column, data.outcomes.table[column])
        told = {
            "model": model,
            "fingerprint": mark,
            "service_fingerprint": data.schema.fingerprint,
            "maturity_seconds": int(data.outcomes.maturity / timedelta(seconds=1)),
            "gap_seconds": int(data.gap / timedelta(seconds=1)),
            "test_share": data.test_share,
            "dropped_settled": data.outcomes.dropped_settled,
            "learned_rows": len(data),
        }
        save_dataset(settings, workspace, name, data.schema, rows, told)
    needed = {name} | {_name(model, used) for used in _marks_in_use(settings, workspace, model)}
    old = [there for there in dataset_names(workspace) if there.startswith(_name(model, "")) and there not in needed]
    drop_datasets(settings, workspace, old)


def kept_training_set(settings: Settings, workspace: Workspace, model: ModelName, version: str) -> TrainingSet:
    """What a registered version learned from, without people who have been forgotten since.

    Args:
        settings: the configuration.
        workspace: holds the sets.
        model: for example `lead`.
        version: a number, or an alias such as `champion`.

    Raises:
        ContractError: the set is of other features than those configured now, or its file was altered.
        NotFoundError: there is no such version, or its set was not kept.
    """
    mark = Registry(settings, workspace).learned_from(model, version)
    if mark is None:
        raise NotFoundError(
            f"nothing tells what version {version} of the {model} model learned from",
            "a version that Kizashi trained",
            f"train one (`kizashi train {model}`)",
        )
    name = _name(model, mark)
    rows = read_dataset(workspace, name)
    told = dataset_manifest(workspace, name) or {}
    schema = service_schema(settings, service_of(model))
    if told["service_fingerprint"] != schema.fingerprint:
        raise ContractError(
            f"version {version} of the {model} model learned from {schema.service} ({told['service_fingerprint']}), "
            f"which is defined otherwise now ({schema.fingerprint})",
            "the same features",
            f'read the set with Feast: store.get_saved_dataset("{name}").to_df()',
        )
    spine = Spine(
        rows.select(["customer_id", "as_of", *_OUTCOME_COLUMNS]),
        timedelta(seconds=told["maturity_seconds"]),
        told["dropped_settled"],
    )
    features = rows.drop_columns(list(_OUTCOME_COLUMNS))
    found = TrainingSet(schema, spine, features, told["test_share"], timedelta(seconds=told["gap_seconds"]))
    if len(found) == told["learned_rows"] and found.fingerprint != mark:
        raise ContractError(
            f"the rows of {name} are not those that were kept", "untouched files", "train the model again"
        )
    return found


def _marks_in_use(settings: Settings, workspace: Workspace, model: ModelName) -> set[str]:
    registry = Registry(settings, workspace)
    challenger = registry.version_of(model, CHALLENGER)
    versions = {*registry.champions(model)[-2:], *([challenger] if challenger else [])}
    return {mark for version in versions if (mark := registry.learned_from(model, version))}


def _name(model: ModelName, mark: str) -> str:
    return f"{model}-{mark}"
