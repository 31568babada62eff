"""What a model learned from is kept as it was, and read by plain Feast as well."""

import warnings
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from core.clock import FixedClock
from core.erasure import ForgottenPerson, erasure_connection, matching_rows, rewrite_generation
from core.errors import ContractError, NotFoundError
from core.settings import Settings
from core.storage import Workspace
from features.build import build_features
from features.saved_datasets import dataset_names, list_with_feast, read_dataset
from features.store import apply_definitions, open_store
from training.saved_sets import keep_training_set, kept_training_set
from training.spine import build_spine, scoring_moments
from training.train import train_model
from training.training_set import TrainingSet, load_training_set

CLOCK = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
Trained = tuple[Settings, Workspace, TrainingSet]


@pytest.fixture(scope="module")
def trained(make_settings: Callable[..., Settings], sales_world: Callable[..., Workspace]) -> Trained:
    workspace = sales_world()
    settings = make_settings(workspace.home)
    now = scoring_moments(settings, workspace, "lead")
    build_features(settings, workspace, pa.concat_tables([build_spine(settings, workspace, "lead").moments, now]))
    apply_definitions(settings, workspace)
    assert train_model(settings, workspace, "lead", clock=CLOCK).version == "1"
    return settings, workspace, load_training_set(settings, workspace, "lead")


def with_feast(trained: Trained, name: str) -> pd.DataFrame:
    settings, workspace, _ = trained
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame: pd.DataFrame = open_store(settings, workspace).get_saved_dataset(name).to_df()
    return frame


def test_the_set_of_a_version_is_what_it_learned_from(trained: Trained) -> None:
    settings, workspace, data = trained
    kept = kept_training_set(settings, workspace, "lead", "champion")
    assert kept.fingerprint == data.fingerprint
    assert kept.outcomes.table.equals(data.outcomes.table)
    assert (kept.gap, kept.test_share, kept.outcomes.maturity) == (data.gap, data.test_share, data.outcomes.maturity)
    pd.testing.assert_frame_equal(kept.X, data.X)
    # Tomorrow's features are others; the version's rows stay.
    fewer = data.outcomes.moments.slice(0, 40)
    build_features(settings, workspace, fewer)
    apply_definitions(settings, workspace)
    assert kept_training_set(settings, workspace, "lead", "1").fingerprint == data.fingerprint


def test_plain_feast_reads_it(trained: Trained) -> None:
    _, _, data = trained
    name = f"lead-{data.fingerprint}"
    frame = with_feast(trained, name)
    assert len(frame) == len(data)
    theirs = frame.sort_values(["event_timestamp", "customer_id"], ignore_index=True)
    np.testing.assert_array_equal(theirs["customer_id"], data.outcomes.table["customer_id"].to_pylist())
    np.testing.assert_array_equal(theirs["label"], data.outcomes.label)
    for feature in data.schema.features:
        ours = data.X[feature.name]
        if feature.type == "category":
            assert theirs[feature.name].fillna("").tolist() == ours.astype(object).fillna("").tolist(), feature.name
        else:
            np.testing.assert_array_equal(theirs[feature.name].astype(float), ours, err_msg=feature.name)


def test_sets_of_other_features_and_altered_ones_are_refused(trained: Trained) -> None:
    settings, workspace, data = trained
    shorter = settings.features.model_copy(update={"windows_days": (3, 30)})
    with pytest.raises(ContractError, match=r"which is defined otherwise now.*read the set with Feast"):
        kept_training_set(settings.model_copy(update={"features": shorter}), workspace, "lead", "1")
    with pytest.raises(NotFoundError, match="has no version '9'"):
        kept_training_set(settings, workspace, "lead", "9")
    path = workspace.current(f"training_sets/lead-{data.fingerprint}") / "rows.parquet"
    whole, rows = path.read_bytes(), pq.read_table(path)
    turned = rows.set_column(rows.column_names.index("label"), "label", pc.invert(rows["label"]))
    pq.write_table(turned, path)
    with pytest.raises(ContractError, match="are not those that were kept"):
        kept_training_set(settings, workspace, "lead", "1")
    path.write_bytes(whole)


def test_who_is_forgotten_is_in_no_set_and_feast_finds_the_rest(trained: Trained) -> None:
    settings, workspace, data = trained
    stage = f"training_sets/lead-{data.fingerprint}"
    gone = str(data.outcomes.table["customer_id"][0])
    connection = erasure_connection(ForgottenPerson((gone,), ()))
    rows = matching_rows(connection, workspace.current(stage) / "rows.parquet", "customer_id IN (FROM forgotten_ids)")
    connection.close()
    rewrite_generation(workspace, stage, {"rows.parquet": rows}, {"rows": len(data) - len(rows)})
    list_with_feast(settings, workspace)
    left = kept_training_set(settings, workspace, "lead", "1")
    assert 0 < len(rows) == len(data) - len(left)
    frame = with_feast(trained, f"lead-{data.fingerprint}")
    assert len(frame) == len(left)
    assert gone not in set(frame["customer_id"])


def test_sets_go_with_the_versions_that_can_no_longer_answer(trained: Trained) -> None:
    settings, workspace, data = trained
    middle = np.sort(data.time)[len(data) // 2]
    half, other = data.take(data.time <= middle), data.take(data.time > middle)
    keep_training_set(settings, workspace, "lead", half)
    assert dataset_names(workspace) == sorted(f"lead-{one.fingerprint}" for one in (data, half))
    keep_training_set(settings, workspace, "lead", other)
    assert dataset_names(workspace) == sorted(f"lead-{one.fingerprint}" for one in (data, other))
    store = open_store(settings, workspace)
    assert sorted(one.name for one in store.registry.list_saved_datasets(store.project)) == dataset_names(workspace)
    with pytest.raises(NotFoundError, match=f"no dataset lead-{half.fingerprint} is kept"):
        read_dataset(workspace, f"lead-{half.fingerprint}")
